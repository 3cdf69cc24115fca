#!/usr/bin/env python3
# Four writers drop prompts as fast as they can (rename, direct write with pauses, hard link, copy) into a watched spool, while the
# watcher is stopped and continued, so that the kernel's queue of events overflows. Each prompt runs exactly once.
#
#   intake_storm.py [--binary PATH] [--quick] [--seed N] [--count N]

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import Broken, Spool, broken_figures, environment, find_binary, now, progress, report, strip

WRITERS = ["rename", "direct", "link", "copy"]


def text(spool, name):
    return f'# prompt\n```bash\necho {name} >> "{spool.trace}"\n```\n'.encode()


def write(spool, how, numbers, rng, dropped):
    aside = os.path.join(spool.folder, f"aside-{how}")
    os.makedirs(aside)
    for number in numbers:
        name = f"{how}-{number:06}.md"
        data = text(spool, name)
        target = os.path.join(spool.path, name)
        source = os.path.join(aside, name)
        dropped[name] = data
        if how == "direct":
            with open(target, "xb", buffering=0) as file:
                for start in range(0, len(data), 17):
                    file.write(data[start:start + 17])
                    if rng.random() < 0.02:
                        time.sleep(0.003)
            continue
        with open(source, "xb") as file:
            file.write(data)
        if how == "rename":
            os.rename(source, target)
        elif how == "link":
            os.link(source, target)
            os.unlink(source)
        else:
            # As cp(1) does it: open, write, close.
            with open(source, "rb") as file, open(target, "xb") as copy:
                copy.write(file.read())
            os.unlink(source)


def overflow(spool):
    """More events than the kernel keeps for one reader, of files that nobody looks at."""
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        count = int(file.read())
    for number in range(count // 2 + 100):
        path = os.path.join(spool.path, f".noise-{number % 2}")
        with open(path, "wb"):
            pass
        os.unlink(path)


def status(spool):
    return json.loads(spool.run("status", "--spool", spool.path, "--json").stdout)


def storm(spool, count, rng):
    limits = ["--fail-fast-threshold", "1000000", "--max-total-failures", "1000000"]
    watcher = subprocess.Popen(spool.command("watch", "--spool", spool.path, "--profile", "production", "--jobs", "2", *limits),
                               cwd=spool.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=open(os.path.join(spool.folder, "stderr"), "wb"))
    try:
        until = now() + 20
        while status(spool)["runner"] is None and now() < until:
            time.sleep(0.05)
        parts = [{} for _ in WRITERS]
        threads = [threading.Thread(target=write, args=(spool, how, range(count // 4), random.Random(rng.random()), parts[i]))
                   for i, how in enumerate(WRITERS)]
        os.kill(watcher.pid, signal.SIGSTOP)
        for thread in threads:
            thread.start()
        overflow(spool)
        os.kill(watcher.pid, signal.SIGCONT)
        while any(thread.is_alive() for thread in threads):
            time.sleep(rng.uniform(0.02, 0.2))
            os.kill(watcher.pid, signal.SIGSTOP)
            time.sleep(rng.uniform(0.02, 0.2))
            os.kill(watcher.pid, signal.SIGCONT)
        for thread in threads:
            thread.join()
        dropped = {name: data for part in parts for name, data in part.items()}
        progress(f"{len(dropped)} prompts dropped")
        until = now() + 60 + len(dropped) * 0.2
        said = now()
        while (ended := status(spool)["counts"])["done"] + ended["failed"] < len(dropped):
            if now() > until or watcher.poll() is not None:
                raise Broken(f"not all of {len(dropped)} ended: {ended}")
            if now() - said > 60:
                said = now()
                progress(f"{ended}")
            time.sleep(0.2 if len(dropped) < 1000 else 2)
    finally:
        watcher.send_signal(signal.SIGCONT)
        watcher.terminate()
        watcher.wait(timeout=60)
    return dropped, status(spool)


def judge(spool, dropped):
    check = spool.run("fsck", "--spool", spool.path, timeout=600)
    if check.returncode != 0:
        raise Broken(f"fsck: {check.stdout.decode()}")
    lines = spool.traced()
    if sorted(lines) != sorted(dropped):
        seen = set(lines)
        kind = "double_run" if len(lines) > len(seen) else "loss"
        raise Broken(f"{len(lines)} runs of {len(seen)} prompts; {len(dropped)} dropped; never ran: {sorted(set(dropped) - seen)[:5]}", kind)
    for raw, places in spool.where().items():
        name = raw.decode()
        if places != ["done"]:
            raise Broken(f"{name} is in {places}", "loss")
        if strip(spool.author_bytes("done", raw)) != dropped[name]:
            raise Broken(f"{name} has other bytes", "loss")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    spool = Spool(find_binary(options.binary), tempfile.mkdtemp(prefix="flowspool-torture-"))
    began = now()
    broken, dropped, after = [], {}, {}
    try:
        dropped, after = storm(spool, options.count or (300 if options.quick else 100_000), random.Random(options.seed))
        judge(spool, dropped)
        if not after["overflows"]:
            raise Broken("the queue of events did not overflow")
        spool.remove()
    except Broken as error:
        broken.append(error)
        spool.fail(error)
    report("intake_storm", seed=options.seed, prompts=len(dropped), overflows=after.get("overflows"), rescans=after.get("rescans"),
           seconds=round(now() - began, 1), **broken_figures(broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
