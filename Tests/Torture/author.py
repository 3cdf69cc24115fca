#!/usr/bin/env python3
# An author at work on a spool while its runner is: drops prompts under a few names again and again, moves filed and held ones back, replaces
# what stands in the drop folder (also prompts that keep their place), retries, cancels, approves and rejects, while some jobs take long; and
# the runner is killed now and then. What is judged is each prompt by the number in its text, whatever name it has by then: it stands in one
# place with the author's bytes, it ran no more often than it was handed in (and tried again), and where nobody was killed or cancelled it,
# no less often.
#
#   author.py [--binary PATH] [--quick] [--seed N] [--rounds N] [--steps N]

import argparse
import ctypes
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

from common import Broken, PLACES, Spool, broken_figures, children, environment, find_binary, now, progress, report, strip, unstamp

NAMES = [f"n{index}.md" for index in range(5)]
NUMBER = re.compile(rb"^# prompt (\d+)$", re.MULTILINE)
# Attempts for each time that a prompt is handed in.
BUDGET = {"production": 1, "poc": 2}
AT_FDCWD, NOREPLACE, EXCHANGE = -100, 1, 2
libc = ctypes.CDLL(None, use_errno=True)


def rename(old, new, flags):
    """renameat2(2); False where it could not be done: the runner, or the file of another, was first."""
    return libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags) == 0


class Author:
    def __init__(self, spool, rng):
        self.spool, self.rng = spool, rng
        self.text = {}     # number -> the author's bytes
        self.handed = {}   # number -> how often it was handed in
        self.gone = set()  # taken away by the author
        self.perhaps = set()  # need not run: held, cancelled, or its command was refused
        self.back = self.replaced = self.commands = 0
        self.is_killed = False

    def path(self, *names):
        return os.path.join(self.spool.path, *names)

    def write(self):
        """A new prompt beside the spool's, under a name that the spool ignores."""
        number = len(self.text) + 1
        kind = self.rng.choice(["", "", "", "; exit 3", "; sleep 0.03", "; sleep 0.03; exit 3", "; sleep 0.6"])
        front = self.rng.choice(["", "", "---\nmove_to_completed: no\n---\n"])
        if self.rng.random() < 0.1:
            kind += "; true || rm -rf /nowhere"  # warned of, and held
            self.perhaps.add(number)
        text = f'{front}# prompt {number}\n```bash\necho {number} >> "{self.spool.trace}"\n{self.looks(number)}{kind}\n```\n'.encode()
        with open(self.path(".new"), "wb") as file:
            file.write(text)
        self.text[number] = text
        return number

    def number(self, path):
        try:
            with open(path, "rb") as file:
                return int(NUMBER.search(file.read()).group(1))
        except (FileNotFoundError, IsADirectoryError):
            return None

    def looks(self, number):
        """It looks at its own prompt's file, and tells where that is another's."""
        return f'grep -qx "# prompt {number}" "$FLOWSPOOL_PROMPT" || echo -{number} >> "{self.spool.trace}"'

    def fails(self, number):
        """Whether it may be tried again: it fails, or what a kill cut off counts as that."""
        return self.is_killed or b"exit 3" in self.text[number]

    def drop(self):
        number = self.write()
        if rename(self.path(".new"), self.path(self.rng.choice(NAMES)), NOREPLACE):
            self.handed[number] = 1
        else:
            del self.text[number]

    def move_back(self):
        place, name, number = self.pick("done", "failed", "held")
        # Counted first: it may run at once.
        if number is not None and rename(self.path(place, name), self.path(name), NOREPLACE):
            self.handed[number] += 1
            self.back += 1

    def pick(self, *places):
        """A file in one of these places, and the number of its prompt; None where there is none."""
        place = self.rng.choice(places)
        names = [name for name in os.listdir(self.path(place)) if name.endswith(".md") and not name.startswith(".")]
        if not names:
            return place, "", None
        name = self.rng.choice(names)
        return place, name, self.number(self.path(place, name))

    def command(self):
        """What a person can do to a job, by its number."""
        verb, places = self.rng.choice([("retry", ["done", "failed"]), ("cancel", ["", "held", "active"]), ("approve", ["held"]),
                                        ("reject", ["held"])])
        place, name, number = self.pick(*places)
        if number is None:
            return
        ledger = sqlite3.connect(f"file:{self.path('.flowspool', 'ledger.sqlite')}?mode=ro", uri=True)
        row = ledger.execute("SELECT id FROM jobs WHERE place = ? AND file = ? ORDER BY id DESC", [place or "drop", name]).fetchone()
        ledger.close()
        if row is None:
            return
        if verb == "retry":
            self.handed[number] += 1
        done = self.spool.run(verb, "--spool", self.spool.path, str(row[0]))
        if done.returncode in (64, 70):
            raise Broken(f"{verb} ended with {done.returncode}: {done.stderr.decode()}")
        if done.returncode != 0 or verb != "retry":
            self.perhaps.add(number)
        self.commands += 1

    def replace(self):
        names = [name for name in os.listdir(self.spool.path) if name in NAMES]
        if not names:
            return
        number = self.write()
        if not rename(self.path(".new"), self.path(self.rng.choice(names)), EXCHANGE):
            del self.text[number]
            return
        self.handed[number] = 1
        self.replaced += 1
        self.gone.add(self.number(self.path(".new")))
        os.remove(self.path(".new"))

    def step(self):
        self.rng.choices([self.drop, self.move_back, self.replace, self.command], [4, 3, 1, 1])[0]()


def watch(spool, profile, jobs, drains):
    limits = ["--pipeline-fail-fast-threshold", "1000000", "--pipeline-max-total-failures", "1000000"]
    return subprocess.Popen(spool.watch(profile, "--jobs", str(jobs), *limits, drains=drains), cwd=spool.folder,
                            env={**environment(), "PROMPT_FLOW_WARN_MODE": "ask"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def stop(process, signal, note):
    process.send_signal(signal)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Broken(f"{note}: the run hung")


def settled(author, most_seconds=20):
    """Waits until what was handed in has run, or until nothing can come any more."""
    end = now() + most_seconds
    while now() < end:
        ran = counts(author.spool)
        if all(ran.get(number, 0) >= times for number, times in author.handed.items()
               if number not in author.gone | author.perhaps):
            return
        time.sleep(0.02)


def counts(spool):
    result = {}
    for line in spool.traced():
        result[int(line)] = result.get(int(line), 0) + 1
    return result


def judge(author, kills, most, note):
    spool = author.spool
    check = spool.run("fsck", "--spool", spool.path)
    if check.returncode != 0:
        raise Broken(f"{note}: fsck: {check.stdout.decode()} {check.stderr.decode()}")
    found = {}
    for place in PLACES:
        for name in os.listdir(author.path(place)):
            if name.endswith(".md") and not name.startswith("."):
                found.setdefault(author.number(author.path(place, name)), []).append(os.path.join(place, name))
    here = set(author.handed) - author.gone
    for number in sorted(here | set(found)):
        where = found.get(number, [])
        if (number in here) != (len(where) == 1) or len(where) > 1:
            raise Broken(f"{note}: prompt {number} is in {where or 'no place'}", "loss")
        with open(author.path(where[0]), "rb") as file:
            data = file.read()
        if strip(data) != author.text[number]:
            copy = os.path.join(spool.folder, "copy.md")
            with open(copy, "wb") as file:
                file.write(data)
            if unstamp(spool, copy) != author.text[number]:
                raise Broken(f"{note}: prompt {number} in {where[0]} has other bytes", "loss")
    ran = counts(spool)
    if min(ran, default=0) < 0:
        raise Broken(f"{note}: prompt {-min(ran)} was told of another file as its own")
    for number, times in author.handed.items():
        if ran.get(number, 0) > times * (most if author.fails(number) else 1):
            raise Broken(f"{note}: prompt {number} ran {ran[number]} times, was handed in {times} times", "double_run")
        if not kills and number in here - author.perhaps and ran.get(number, 0) < times:
            raise Broken(f"{note}: prompt {number} in {found[number]} ran {ran.get(number, 0)} times, was handed in {times} times", "loss")
    if children(spool.path):
        raise Broken(f"{note}: children are alive")


def play(binary, seed, steps, kills, figures):
    """One spool; with `kills` its runner dies now and then."""
    rng = random.Random(seed)
    spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
    author = Author(spool, rng)
    profile, jobs = rng.choice(list(BUDGET)), rng.choice([1, 2, 3, 3])
    author.is_killed = kills
    note = f"seed {seed}, {profile}, {jobs} at a time{', with kills' * kills}"
    try:
        process = watch(spool, profile, jobs, drains=False)
        for step in range(steps):
            author.step()
            time.sleep(rng.choice([0, 0, 0.001, 0.005, 0.02, 0.05]))
            if process.poll() is not None:
                raise Broken(f"{note}: the runner ended with {process.returncode}")
            if kills and rng.random() < 0.02:
                stop(process, 9, note)
                figures["kills"] += 1
                process = watch(spool, profile, jobs, drains=False)
        if not kills:
            settled(author)
        stop(process, 15, note)
        drain = watch(spool, profile, jobs, drains=True)
        if drain.wait(timeout=120) not in (0, 1):
            raise Broken(f"{note}: the last drain ended with {drain.returncode}")
        judge(author, kills, BUDGET[profile], note)
        spool.remove()
    except (Broken, subprocess.TimeoutExpired) as error:
        figures["broken"].append(error)
        spool.fail(error)
    figures["prompts"] += len(author.handed)
    figures["moved_back"] += author.back
    figures["replaced"] += author.replaced
    figures["commands"] += author.commands


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    binary = find_binary(options.binary)
    print(f"seed {options.seed}", flush=True)
    figures = {"seed": options.seed, "prompts": 0, "moved_back": 0, "replaced": 0, "commands": 0, "kills": 0, "broken": []}
    began = now()
    rounds = options.rounds or (1 if options.quick else 40)
    for index in range(rounds):
        for kills in (False, True):
            play(binary, options.seed + index, options.steps, kills, figures)
        if index % 5 == 4:
            progress(f"{index + 1} of {rounds} rounds: {len(figures['broken'])} broken")
    figures["seconds"] = round(now() - began, 1)
    broken = figures.pop("broken")
    report("author", **figures, **broken_figures(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
