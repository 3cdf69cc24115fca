#!/usr/bin/env python3
"""Measures flowspool beside its peers and the machine's limit, in one run, and writes RESULTS.md and a chart.

Everything runs in random order, several rounds; what counts is the median of the ratios within a round, because the
machine's own speed drifts. `make bench` builds and installs what this needs. On a loaded machine the figures mean nothing.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import chart, drain, drop, machine, report, scale  # noqa: E402

WORKLOADS = ("drain", "drop", "backlog", "burst", "history", "start", "idle")
# Turns of each contestant in a round of drop.
DROP_TURNS = 5
# Runs of the smallest backlog for each of the others.
SMALLEST_BACKLOGS = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small counts, two rounds: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, help="rounds (default 7, quick 2)")
    parser.add_argument("--flat-rounds", type=int, help="rounds of backlog and burst (default 5, quick 1)")
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="this workload only; may be repeated")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave this contestant out (as flowspool)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random order")
    parser.add_argument("--output", help="folder for RESULTS.md, results.svg, results.json (default Benchmarks; quick: its build)")
    return parser.parse_args()


# The program that a contestant needs, where it is not part of every Debian system.
PROGRAMS = {"task-spooler": "tsp", "nq": "nq", "parallel": "parallel", "incron": "incrond", "inotifywait loop": "inotifywait"}


def present(contestants, without):
    """The contestants that are wanted and installed."""
    path = machine.ENVIRONMENT["PATH"] + ":/usr/sbin"
    return [name for name in contestants
            if name not in without and (name not in PROGRAMS or shutil.which(PROGRAMS[name], path=path))]


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def fail(results, path, error):
    say(f"{' / '.join(path)}: FAILED: {error}")
    results.setdefault("failures", []).append(f"{' / '.join(path)}: {error}")


def attempt(results, path, action):
    """Adds what `action` measures under `path`; one that fails is reported and does not stop the rest. Whether it was measured."""
    try:
        value = action()
    except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError, sqlite3.Error) as error:
        fail(results, path, error)
        return False
    at = results
    for key in path[:-1]:
        at = at.setdefault(key, {})
    at.setdefault(path[-1], []).append(value)
    say(f"{' / '.join(path)}: {report.short(value)}")
    return True


def one_drain(contestant, count, width):
    with machine.work_folder() as folder:
        machine.settle()
        return count / contestant(folder, count, width)


def measure_drains(options, sizes, results):
    """Rounds of drain, everything in random order within each."""
    todo = []
    for width, contestants in ((1, drain.ONE), (2, drain.TWO)):
        todo += [
            ((f"drain {width}", name), lambda n=name, w=width, c=contestants: one_drain(c[n], sizes["drain"], w))
            for name in present(contestants, options.without)]
    for number in range(sizes["rounds"]):
        say(f"drain, round {number + 1} of {sizes['rounds']}")
        for path, action in random.sample(todo, len(todo)):
            attempt(results, path, action)


def measure_drops(options, sizes, results):
    """Rounds of drop; every contestant watches through all of them. In each, all take turns of a few prompts, in random order, so that a
    disk that stalls for a while hits all alike."""
    each = -(-sizes["drop"] // sizes["rounds"] // DROP_TURNS)
    with contextlib.ExitStack() as watching:
        sessions = {}
        for name in present(drop.ALL, options.without):
            folder = watching.enter_context(machine.work_folder())
            try:
                sessions[name] = watching.enter_context(
                    drop.session(drop.ALL[name], folder, each * DROP_TURNS * sizes["rounds"]))
            except (RuntimeError, OSError) as error:
                fail(results, ("drop", name), error)
        for number in range(sizes["rounds"]):
            say(f"drop, round {number + 1} of {sizes['rounds']}")
            measured = {name: [] for name in sessions}
            for _ in range(DROP_TURNS):
                for name in random.sample(list(sessions), len(sessions)):
                    machine.settle()
                    try:
                        measured[name] += sessions[name].measure(each)
                    except (RuntimeError, OSError, ValueError) as error:
                        # After a drop that failed nobody knows whose time the next line is.
                        fail(results, ("drop", name), error)
                        del sessions[name]
            for name in sessions:
                attempt(results, ("drop", name), lambda m=measured[name]: m)


def measure_flatness(options, sizes, results):
    """The workloads that only flowspool has."""
    if "start" in options.only:
        with machine.work_folder() as folder:
            attempt(results, ("start", "all"), lambda: scale.starts(folder, sizes["repeats"]))
    if "idle" in options.only:
        attempt(results, ("idle", "all"), lambda: scale.idle(sizes["idle_seconds"]))
    if "history" in options.only:
        for count in sizes["history"]:
            with machine.work_folder() as folder:
                attempt(results, ("history", str(count)),
                        lambda c=count, f=folder: scale.look(scale.history(f, c), c, sizes["repeats"]))
    for _ in range(sizes["flat_rounds"]):
        if "burst" in options.only:
            attempt(results, ("burst", str(sizes["burst"])), lambda: scale.burst(sizes["burst"]))
        if "backlog" in options.only:
            # The others are compared with the smallest, which costs little and varies as they do.
            counts = sizes["backlog"] + sizes["backlog"][:1] * (SMALLEST_BACKLOGS - 1)
            for count in random.sample(counts, len(counts)):
                attempt(results, ("backlog", str(count)), lambda c=count: scale.backlog(c))


FULL = {"rounds": 7, "drain": 1000, "drop": 500, "backlog": [1000, 10_000, 100_000, 1_000_000], "burst": 10_000,
        "history": [1000, 1_000_000], "repeats": 60, "idle_seconds": 60, "flat_rounds": 5}
QUICK = {"rounds": 2, "drain": 100, "drop": 40, "backlog": [100, 1000], "burst": 500, "history": [100, 10_000], "repeats": 5,
         "idle_seconds": 5, "flat_rounds": 1}


def main():
    options = arguments()
    sizes = dict(QUICK if options.quick else FULL)
    sizes["rounds"] = options.rounds or sizes["rounds"]
    sizes["flat_rounds"] = options.flat_rounds or sizes["flat_rounds"]
    options.only = options.only or list(WORKLOADS)
    output = options.output or (machine.BUILD if options.quick else machine.BENCHMARKS)
    random.seed(options.seed)
    machine.install_flowspool()
    machine.compile_limits()
    results = {"machine": machine.describe(), "versions": machine.versions(), "seed": options.seed, "sizes": sizes}
    if "drain" in options.only:
        measure_drains(options, sizes, results)
    if "drop" in options.only:
        measure_drops(options, sizes, results)
    if "flowspool" not in options.without:
        measure_flatness(options, sizes, results)
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(machine.BUILD, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    with open(os.path.join(output, "results.svg"), "w", encoding="utf-8") as file:
        file.write(chart.draw(results))
    with open(os.path.join(output, "RESULTS.md"), "w", encoding="utf-8") as file:
        file.write(report.write(results))
    say(f"written: {os.path.join(output, 'RESULTS.md')}")
    return 1 if results.get("failures") else 0


if __name__ == "__main__":
    sys.exit(main())
