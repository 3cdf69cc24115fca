#!/usr/bin/env python3
# Each file-system-changing call of a real run fails once (shim.c; SQLite's calls among them), with EIO, ENOSPC, EACCES, EMFILE or
# EINTR. The run goes on or ends with a clear error; the next one finishes everything. Then file systems that
# are really full, have but a few inodes left, or are really read-only (as root, on a small tmpfs; left out where that may not be mounted).
#
#   fault_sweep.py [--binary PATH] [--quick] [--seed N] [--all] [--alone] [--at N:ERRNO]

import argparse
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from common import Broken, Spool, broken_figures, build_shim, environment, find_binary, now, progress, report, shimmed
from crash_sweep import BUDGET, drain, fill, total

ERRORS = ["EIO", "ENOSPC", "EACCES", "EMFILE", "EINTR"]
PROFILE = "production"


def attempt(spool, env, note, alone):
    """One run under a fault: any end but a hang, a crash or a bug."""
    status, error = spool.play(PROFILE, env, alone)
    # A watching run is ended by a signal, and may be told of it before it listens.
    if status == 70 or (status < 0 and not (alone and status == -signal.SIGTERM)):
        raise Broken(f"{note}: ended with {status}: {error}")


def one(binary, shim, when, name, figures, alone):
    spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
    places = fill(spool, alone=alone)
    note = f"{'dropped alone, ' * alone}call {when} fails with {name}"
    try:
        attempt(spool, shimmed(spool, shim, TORTURE_FAIL=f"{when}:{getattr(errno, name)}"), note, alone)
        drain(spool, PROFILE, note)
        spool.judge(BUDGET[PROFILE], note, places)
        figures["faults"] += 1
        spool.remove()
    except Broken as error:
        figures["broken"].append(error)
        spool.fail(error)


def mount(*arguments):
    return subprocess.run(["mount", *arguments], stderr=subprocess.DEVNULL).returncode == 0


def on_tmpfs(binary, figures, name, hinder, free):
    """A run on a file system that `hinder` has spoilt, another once `free` has put it right."""
    folder = tempfile.mkdtemp(prefix="flowspool-torture-")
    if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", "size=2m,nr_inodes=1000,mode=700", "tmpfs", folder):
        figures[name] = "left out: tmpfs may not be mounted here"
        os.rmdir(folder)
        return
    try:
        spool = Spool(binary, folder)
        places = fill(spool)
        # What the prompts themselves write is not to be refused.
        open(spool.trace, "a").close()
        hinder(folder)
        process = subprocess.Popen(spool.watch(PROFILE), cwd="/", env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        time.sleep(3)
        process.terminate()
        try:
            error = process.communicate(timeout=30)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"{name}: the run cannot be stopped")
        if not error.strip():
            raise Broken(f"{name}: nothing was said")
        free(folder)
        drain(spool, PROFILE, name)
        # Whatever was refused, it was no prompt's fault.
        spool.judge(BUDGET[PROFILE], name, {**dict.fromkeys(spool.dropped, "done"), **places})
        figures[name] = error.strip().splitlines()[0]
    except Broken as error:
        figures["broken"].append(error)
        print(f"BROKEN {error}", file=sys.stderr)
    finally:
        subprocess.run(["umount", folder])
        os.rmdir(folder)


def fill_up(folder):
    with open(os.path.join(folder, "ballast"), "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def use_up_inodes(folder, left):
    """No file can be made but so many: something of a job's way to its end is refused, and which depends on `left`."""
    os.mkdir(os.path.join(folder, "ballast"))
    number = 0
    try:
        while True:
            os.close(os.open(os.path.join(folder, "ballast", str(number)), os.O_CREAT | os.O_WRONLY))
            number += 1
    except OSError:
        pass
    for index in range(left):
        os.unlink(os.path.join(folder, "ballast", str(index)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--all", action="store_true", help="every call with every error: two and a half times as long")
    parser.add_argument("--alone", action="store_true", help="prompts are dropped one by one into a spool that is watched")
    parser.add_argument("--at", help="one fault, CALL:ERROR, as a failure names it")
    options = parser.parse_args()
    binary = find_binary(options.binary)
    rng = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    figures = {"seed": options.seed, "faults": 0, "broken": []}
    began = now()
    with tempfile.TemporaryDirectory() as folder:
        shim = build_shim(folder)
        count = total(binary, shim, PROFILE, options.alone)
        # Each call with one error of its own in turn and with EIO; `--all` with every error. In process every call meets every error
        # (Tests/SpoolTests/Jobs/FaultSweepTests.swift).
        # A watching run pauses after trouble, so that each fault takes seconds: one for each call there.
        points = [(when, name) for when in range(1, count + 1)
                  for name in (ERRORS if options.all else {ERRORS[(when + options.seed) % len(ERRORS)]} if options.alone
                               else sorted({"EIO", ERRORS[1 + (when + options.seed) % (len(ERRORS) - 1)]}))]
        if options.quick:
            points = rng.sample(points, 8)
        if options.at:
            points = [(int(options.at.split(":")[0]), options.at.split(":")[1])]
        for when, name in points:
            one(binary, shim, when, name, figures, options.alone)
            if when % 100 == 0:
                progress(f"call {when} of {count}: {len(figures['broken'])} broken")
    if not options.alone:
        on_file_systems(binary, figures)
    broken = figures.pop("broken")
    report("fault_sweep", **figures, calls=count, seconds=round(now() - began, 1), **broken_figures(broken))
    sys.exit(1 if broken else 0)


def on_file_systems(binary, figures):
    on_tmpfs(binary, figures, "full", fill_up, lambda folder: os.unlink(os.path.join(folder, "ballast")))
    for left in range(3, 28, 6):
        on_tmpfs(binary, figures, f"{left}_inodes", lambda folder: use_up_inodes(folder, left),
                 lambda folder: shutil.rmtree(os.path.join(folder, "ballast")))
    on_tmpfs(binary, figures, "read_only", lambda folder: mount("-o", "remount,ro", folder), lambda folder: mount("-o", "remount,rw", folder))


if __name__ == "__main__":
    main()
