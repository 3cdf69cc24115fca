#!/usr/bin/env python3
# Mixed work for a long time under one watcher: successes, failures, time-outs, retries, holds and resumes by hand and by file,
# cancels. Memory, descriptors and threads are sampled and must be flat: the last quarter no higher than the first, with some room.
#
#   soak.py [--binary PATH] [--seed N] [--minutes M]

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from common import Broken, Spool, broken_figures, environment, find_binary, now, progress, report

PROMPTS = [("true", 0), ("exit 3", 0), ("sleep 0.05", 0), ("head -c 200000 /dev/zero | base64", 0), ("sleep 5", 1), ("sleep 60 & true", 0),
           ("kill -9 $$", 0)]


def sample(pid):
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return {"kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"]), "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


def act(spool, rng, number):
    for _ in range(rng.randint(1, 3)):
        body, timeout = rng.choice(PROMPTS)
        front = f"timeout: {timeout}s" if timeout else ""
        spool.drop(f"s{number:07}-{rng.randrange(10**6)}.md", body, front=front)
    what = rng.random()
    if what < 0.05:
        spool.run("hold", "--spool", spool.path)
    elif what < 0.10:
        open(os.path.join(spool.path, ".prompt-pipeline.HOLD"), "a").close()
    elif what < 0.25:
        spool.run("resume", "--spool", spool.path)
    elif what < 0.30:
        spool.run("cancel", "--spool", spool.path, str(rng.randint(1, number + 1)))
    elif what < 0.35:
        spool.run("retry", "--spool", spool.path, str(rng.randint(1, number + 1)))


def soak(spool, minutes, rng):
    limits = ["--fail-fast-threshold", "1000000", "--max-total-failures", "1000000"]
    watcher = subprocess.Popen(spool.command("watch", "--spool", spool.path, "--profile", "poc", "--jobs", "2", *limits),
                               cwd=spool.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    samples, number, until, said = [], 0, now() + 60 * minutes, now()
    try:
        while now() < until:
            number += 1
            act(spool, rng, number)
            time.sleep(rng.uniform(0.1, 0.5))
            if watcher.poll() is not None:
                raise Broken(f"the watcher ended with {watcher.returncode}")
            samples.append(sample(watcher.pid))
            if now() - said > 300:
                said = now()
                progress(f"{len(spool.dropped)} prompts, {samples[-1]}")
    finally:
        spool.run("resume", "--spool", spool.path)
        watcher.terminate()
        watcher.wait(timeout=120)
    return samples


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    spool = Spool(find_binary(options.binary), tempfile.mkdtemp(prefix="flowspool-torture-"))
    broken, parts, counts = [], {}, {}
    began = now()
    try:
        samples = soak(spool, options.minutes, random.Random(options.seed))
        quarter = max(1, len(samples) // 4)
        # The first quarter warms caches up; what comes after must not grow.
        for part, chosen in {"start": samples[:max(1, quarter // 4)], "second_quarter": samples[quarter:2 * quarter], "end": samples[-quarter:]}.items():
            parts[part] = {key: statistics.median(s[key] for s in chosen) for key in samples[0]}
        first, last = parts["second_quarter"], parts["end"]
        if last["kib"] > first["kib"] * 1.2 + 4096 or last["descriptors"] > first["descriptors"] + 8 or last["threads"] > first["threads"] + 8:
            raise Broken(f"it grew from {first} to {last}")
        check = spool.run("fsck", "--spool", spool.path)
        if check.returncode != 0 and b"violated" in check.stdout:
            raise Broken(f"fsck: {check.stdout.decode()}")
        counts = json.loads(spool.run("status", "--spool", spool.path, "--json").stdout)["counts"]
        found = {os.fsdecode(name): places for name, places in spool.where().items()}
        astray = sorted(set(spool.dropped) ^ set(found)) + [name for name, places in found.items() if len(places) != 1]
        if astray:
            raise Broken(f"{len(spool.dropped)} were dropped; lost, foreign or in two places: {astray[:10]}", "loss")
        spool.remove()
    except Broken as error:
        broken.append(error)
        spool.fail(error)
    report("soak", seed=options.seed, minutes=options.minutes, prompts=len(spool.dropped), counts=counts, **parts,
           seconds=round(now() - began, 1), **broken_figures(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
