#!/usr/bin/env python3
# Models power loss: one drain is recorded call by call (shim.c), then prefixes of it are replayed into fresh folders as a disk could
# have kept them, and each resulting spool must come out whole: `fsck --repair`, a drain, and the judgement of the crash sweep.
#
# The model of a disk (docs/durability.md):
# - fsync of a file or folder makes that file's data, and all earlier changes of names, sure (an ordered metadata journal: ext4, xfs);
#   with --weak it makes sure only that file's data, or that folder's names (what POSIX says).
# - fdatasync makes that file's data sure, and no names.
# - What is not sure: each write alone may be there, or not; names are lost as a tail of their order (with --weak: each alone).
#
#   power_loss.py [--binary PATH] [--quick] [--seed N] [--profile P] [--prefixes N] [--weak] [--alone] [--at N:VARIANT]

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile

from common import Broken, Spool, broken_figures, build_shim, find_binary, now, progress, report, shimmed
from crash_sweep import BUDGET, drain, fill

EXCHANGE = 2
with open("/proc/sys/kernel/random/boot_id", "rb") as boot_file:
    BOOT = boot_file.read().strip()


def record(spool, shim, profile, alone):
    log = os.path.join(spool.folder, "calls")
    spool.play(profile, shimmed(spool, shim, TORTURE_LOG=log, TORTURE_TRACE=spool.trace), alone)
    calls = []
    with open(log, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        call, a, b, offset, flags, traced, length = data[at:end].split(b"\t")
        length = max(0, int(length))
        calls.append((call.decode(), a, b, int(offset), int(flags), int(traced), data[end + 1:end + 1 + length]))
        at = end + 1 + length
    return calls


class Disk:
    """Names and contents, each with what is sure and what is not."""

    def __init__(self, root):
        self.root = os.fsencode(root)
        self.content = []  # inode -> bytes, as the running system sees it
        self.sure = []  # inode -> bytes that are on the disk
        self.pending = []  # inode -> writes since: (offset, data) or (length, None)
        self.live = {}  # path -> inode, or None for a folder
        self.changes = []  # (kind, a, b, inode, flags) of names, in order
        self.settled = set()  # numbers of changes that are sure
        for folder, folders, files in os.walk(self.root):
            for name in folders:
                self.live[os.path.join(folder, name)] = None
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    self.live[os.path.join(folder, name)] = self.add(file.read())
        self.base = dict(self.live)

    def add(self, data=b""):
        self.content.append(data)
        self.sure.append(data)
        self.pending.append([])
        return len(self.content) - 1

    @staticmethod
    def apply(data, write):
        offset, new = write
        if new is None:
            return data[:offset].ljust(offset, b"\0")
        if offset < 0:
            return data + new
        return data[:offset].ljust(offset, b"\0") + new + data[offset + len(new):]

    def put(self, inode, write):
        if write[0] < 0:
            write = (len(self.content[inode]), write[1])
        self.content[inode] = self.apply(self.content[inode], write)
        self.pending[inode].append(write)

    def change(self, names, kind, a, b, inode, flags):
        """Does one change of names; one whose premise is missing does nothing (its own premise was lost)."""
        if kind == "add":
            names.setdefault(a, inode)
        elif kind == "remove":
            names.pop(a, None)
        elif a in names:
            if flags & EXCHANGE:
                if b in names:
                    names[a], names[b] = names[b], names[a]
            else:
                names[b] = names.pop(a)
                # A folder takes along what is in it.
                for path in [path for path in names if path.startswith(a + b"/")] if names[b] is None else []:
                    names[b + path[len(a):]] = names.pop(path)

    def do(self, call, weak):
        kind, a, b, offset, flags, _, data = call
        if kind in ("create", "mkdir"):
            self.named("add", a, b"", self.add() if kind == "create" else None, 0)
        elif kind == "unlink":
            self.named("remove", a, b"", None, 0)
        elif kind == "rename":
            self.named("rename", a, b, None, flags)
        elif kind in ("write", "truncate"):
            inode = self.live.get(a)
            if inode is not None:
                self.put(inode, (offset, data if kind == "write" else None))
        elif kind in ("fsync", "fdatasync"):
            inode = self.live.get(a)
            if inode is not None:
                self.sure[inode] = self.content[inode]
                self.pending[inode] = []
            if kind == "fsync" and not weak:
                self.settled.update(range(len(self.changes)))
            elif inode is None:
                # This folder's names.
                self.settled.update(i for i, c in enumerate(self.changes) if a in (os.path.dirname(c[1]), os.path.dirname(c[2] or c[1])))

    def named(self, kind, a, b, inode, flags):
        self.changes.append((kind, a, b, inode, flags))
        self.change(self.live, kind, a, b, inode, flags)

    def lose(self, rng, weak):
        """What is there after the power came back: path -> bytes or None."""
        names = dict(self.base)
        open_changes = [i for i in range(len(self.changes)) if i not in self.settled]
        mode = rng.choice(["none", "all", "some"])
        if weak:
            lost = {i for i in open_changes if mode == "all" or (mode == "some" and rng.random() < 0.5)}
        else:
            first = (max(self.settled) + 1) if self.settled else 0
            cut = first if mode == "all" else len(self.changes) if mode == "none" else rng.randint(first, len(self.changes))
            lost = set(range(cut, len(self.changes)))
        for number, change in enumerate(self.changes):
            if number not in lost:
                self.change(names, *change)
        mode = rng.choice(["none", "all", "some", "prefix"])
        state = {}
        for path, inode in names.items():
            if inode is None:
                state[path] = None
                continue
            data = self.sure[inode]
            writes = self.pending[inode]
            if mode == "none":
                writes = []
            elif mode == "some":
                writes = [w for w in writes if rng.random() < 0.5]
            elif mode == "prefix":
                writes = writes[:rng.randint(0, len(writes))]
            for write in writes:
                data = self.apply(data, write)
            state[path] = data
        return state


def restore(state, source, target):
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    os.chmod(target, 0o755)
    prefix, to = os.fsencode(source), os.fsencode(target)
    for path in sorted(state):
        place = to + path[len(prefix):]
        if state[path] is None:
            os.makedirs(place, exist_ok=True)
    for path, data in state.items():
        place = to + path[len(prefix):]
        # shm is no file of the disk's: it is made anew.
        if data is None or place.endswith(b"-shm") or not os.path.isdir(os.path.dirname(place)):
            continue
        if place.endswith(b"/.begun"):
            # Whatever the disk kept of it, it is another boot's now.
            data = data.replace(BOOT, b"0" * len(BOOT))
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, 0o600)


def try_one(spool, profile, state, traced, places, note):
    source = spool.recorded
    restore(state, source, spool.path)
    with open(spool.trace, "w") as file:
        file.write(traced)
    fixed = spool.run("fsck", "--repair", "--spool", spool.path, "--json")
    if fixed.returncode not in (0, 1):
        raise Broken(f"{note}: fsck --repair: {fixed.returncode} {fixed.stdout.decode()} {fixed.stderr.decode()}")
    if fixed.returncode == 1:
        raise Broken(f"{note}: fsck --repair left {fixed.stdout.decode()}")
    drain(spool, profile, note)
    spool.judge(BUDGET[profile], note, places)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weak", action="store_true")
    parser.add_argument("--alone", action="store_true", help="prompts are dropped one by one into a spool that is watched")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--prefixes", type=int)
    parser.add_argument("--profile", choices=list(BUDGET), default="production")
    parser.add_argument("--at", help="one replay, PREFIX:VARIANT, as a failure names it")
    options = parser.parse_args()
    binary = find_binary(options.binary)
    print(f"seed {options.seed}", flush=True)
    began = now()
    spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
    # A replay gives files new inodes, and those that the ledger knows by inode would be other files.
    places = fill(spool, has_inodes=False, alone=options.alone)
    before = Disk(spool.path)
    with tempfile.TemporaryDirectory() as folder:
        calls = record(spool, build_shim(folder), options.profile, options.alone)
    with open(spool.trace) as file:
        trace = file.read()
    spool.recorded = spool.path
    # Not in the recorded place: a replay must not depend on it.
    spool.path = os.path.join(spool.folder, "replay")
    rng = random.Random(options.seed)
    count = options.prefixes or (12 if options.quick else 600)
    wanted = sorted(rng.randint(0, len(calls)) for _ in range(count))
    if options.at:
        wanted = [int(options.at.split(":")[0])]
    broken = []
    done = 0
    disk, at = before, 0
    for number, prefix in enumerate(wanted):
        while at < prefix:
            disk.do(calls[at], options.weak)
            at += 1
        variant = options.at.split(":")[1] if options.at else f"{options.seed}-{number}"
        state = disk.lose(random.Random(variant), options.weak)
        traced = trace[:calls[prefix - 1][5] if prefix else 0]
        note = f"{options.profile}, power lost after call {prefix}:{variant}"
        try:
            try_one(spool, options.profile, state, traced, places, note)
            done += 1
        except (Broken, subprocess.TimeoutExpired) as error:
            broken.append(error)
            kept = tempfile.mkdtemp(prefix="flowspool-torture-")
            shutil.copytree(spool.folder, kept, dirs_exist_ok=True)
            print(f"BROKEN {error}\n  kept: {kept}", file=sys.stderr)
        if number % 100 == 99:
            progress(f"prefix {number + 1} of {count}: {len(broken)} broken")
    spool.remove()
    report("power_loss", seed=options.seed, profile=options.profile, weak=options.weak, calls=len(calls), prefixes=len(wanted), whole=done,
           seconds=round(now() - began, 1), **broken_figures(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
