#!/usr/bin/env python3
# Kills a real runner before each file-system-changing call in turn (shim.c counts them, SQLite's among them), restarts it, and judges
# the spool: nothing lost, nothing run beyond its budget, no child of the dead run alive, the spool drained. Then kills it at random
# times under load.
#
#   crash_sweep.py [--binary PATH] [--quick] [--seed N] [--random N] [--profile P] [--alone] [--at N]

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading

from common import Broken, Spool, broken_figures, build_shim, environment, find_binary, now, progress, report, shimmed

BUDGET = {"production": 1, "poc": 2}
# A run of so few prompts that takes longer hangs.
RUN_SECONDS = 120


def fill(spool, has_inodes=True, alone=False):
    """Prompts of every kind. Without `has_inodes` those are left out whose identity the ledger notes by inode. With `alone` only what
    is filed at once."""
    def trace(name, block):
        return f'echo {name}#{block} >> "{spool.trace}"'
    spool.drop("ok.md", trace("ok.md", 1))
    spool.drop("bad.md", trace("bad.md", 1) + "; exit 3")
    spool.drop("multi.md", trace("multi.md", 1), trace("multi.md", 2), trace("multi.md", 3), front="priority: 2")
    if alone:
        spool.drop("last.md", trace("last.md", 1))
        return {"bad.md": "failed"}
    spool.drop_bytes("data.csv", b"a,b\n")
    places = {"data.csv": "failed", "bad.md": "failed"}
    if has_inodes:
        spool.drop("kept.md", trace("kept.md", 1), front="move_to_completed: no")
        spool.drop_bytes(b"raw\xff.md", b"raw\n")
        places.update({"raw%FF.md": "failed", "kept.md": ""})
    return places


def kill_at(spool, profile, when, shim, alone):
    """One run that dies before the n-th call; False where it made fewer."""
    return spool.play(profile, shimmed(spool, shim, TORTURE_KILL=str(when)), alone, RUN_SECONDS)[0] == -9


def drain(spool, profile, note):
    """Restarts until nothing is left; returns the time from start to the first job that ran (None: nothing was left)."""
    first = None
    began = now()
    process = subprocess.Popen(spool.watch(profile), cwd=spool.folder, env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(RUN_SECONDS, process.kill)
    watchdog.start()
    for line in process.stdout:
        if first is None and line.startswith(b"start"):
            first = now() - began
    error = process.stderr.read()
    process.wait()
    watchdog.cancel()
    if now() - began > RUN_SECONDS:
        raise Broken(f"{note}: the restart hung")
    if process.returncode in (70, 75) or process.returncode < 0:
        raise Broken(f"{note}: restart ended with {process.returncode}: {error.decode()}")
    if process.returncode in (10, 11, 12):
        spool.run("resume", "--spool", spool.path)
        drain(spool, profile, note)
    return first


def sweep(binary, shim, profile, points, figures, alone):
    for when in points:
        spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
        places = fill(spool, alone=alone)
        note = f"{profile}{', dropped alone' * alone}, killed before call {when}"
        killed = True
        try:
            killed = kill_at(spool, profile, when, shim, alone)
            figures["kills"] += killed
            first = drain(spool, profile, note)
            figures["restarts"] += 1
            if first is not None:
                figures["first_seconds"].append(first)
            spool.judge(BUDGET[profile], note, places)
            spool.remove()
        except Broken as error:
            figures["broken"].append(error)
            spool.fail(error)
        if when % 100 == 0:
            progress(f"{note}: {len(figures['broken'])} broken")
        if not killed:
            return


def total(binary, shim, profile, alone=False):
    """How many calls a run makes that nobody kills; another run may make a few more."""
    spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
    fill(spool, alone=alone)
    path = os.path.join(spool.folder, "count")
    spool.play(profile, shimmed(spool, shim, TORTURE_COUNT=path), alone)
    with open(path) as file:
        count = int(file.read())
    spool.remove()
    return count


def storm(binary, profile, count, rng, figures):
    """Random kills while work comes in: one spool, `count` deaths. A run that ends before its time does not count."""
    spool = Spool(binary, tempfile.mkdtemp(prefix="flowspool-torture-"))
    number = turn = killed = 0
    try:
        while killed < count:
            turn += 1
            for _ in range(rng.randint(0, 4)):
                number += 1
                name = f"p{number:05}.md"
                what = rng.choice(["", "; exit 1", "; sleep 0.02", "; sleep 30 & sleep 0.01"])
                spool.drop(name, f'echo {name}#1 >> "{spool.trace}"{what}')
            process = subprocess.Popen(spool.watch(profile, "--jobs", str(rng.randint(1, 3)), "--pipeline-fail-fast-threshold", "100000",
                                                   "--pipeline-max-total-failures", "100000"),
                                       cwd=spool.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                process.wait(timeout=rng.uniform(0.02, 0.5))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, 9)
                process.wait()
                killed += 1
                figures["random_kills"] += 1
            if turn % 50 == 0:
                first = drain(spool, profile, f"random {turn}")
                if first is not None:
                    figures["first_seconds"].append(first)
                spool.judge(BUDGET[profile], f"random {turn}")
            figures["restarts"] += 1
        drain(spool, profile, "random, last")
        spool.judge(BUDGET[profile], "random, last")
        figures["random_prompts"] += number
        spool.remove()
    except Broken as error:
        figures["broken"].append(error)
        spool.fail(error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--random", type=int)
    parser.add_argument("--profile", choices=list(BUDGET))
    parser.add_argument("--alone", action="store_true", help="prompts are dropped one by one into a spool that is watched; no random kills")
    parser.add_argument("--at", type=int)
    options = parser.parse_args()
    binary = find_binary(options.binary)
    rng = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    figures = {"seed": options.seed, "kills": 0, "restarts": 0, "random_kills": 0, "random_prompts": 0, "first_seconds": [], "broken": []}
    began = now()
    with tempfile.TemporaryDirectory() as folder:
        shim = build_shim(folder)
        for profile in [options.profile] if options.profile else ["production"] if options.quick else ["production", "poc"]:
            count = total(binary, shim, profile, options.alone)
            points = [options.at] if options.at else sorted(rng.sample(range(1, count), min(count - 1, 15))) if options.quick else range(1, 2 * count)
            sweep(binary, shim, profile, points, figures, options.alone)
            figures[f"calls_{profile}"] = count
            if options.alone:
                continue
            kills = options.random if options.random is not None else 20 if options.quick else 1000
            storm(binary, profile, kills, rng, figures)
    times = [round(1000 * seconds) for seconds in sorted(figures.pop("first_seconds"))]
    figures["restart_to_first_job_ms"] = {
        "count": len(times), "median": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "max": times[-1]} if times else None
    figures["seconds"] = round(now() - began, 1)
    broken = figures.pop("broken")
    report("crash_sweep", **figures, **broken_figures(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
