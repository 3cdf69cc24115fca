"""Workload `drop-to-start`: one prompt at a time is renamed into a watched, idle folder; how long until its program runs.

The clock is CLOCK_MONOTONIC on both sides: read here just before rename(2), and by `stamp_time` as the first thing in main.
Each contestant is a context manager over (folder, count) that yields (drop folder, file of start times, ready-for-next).
"""

import contextlib
import os
import shutil
import subprocess
import time

from . import machine
from .machine import flowspool, limit

# Between two drops, so that the last job's filing is over and the spool is idle again.
PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def limit_plain(folder, count):
    with watch_spawn(folder, count, "plain") as contestant:
        yield contestant


@contextlib.contextmanager
def limit_durable(folder, count):
    with watch_spawn(folder, count, "durable") as contestant:
        yield contestant


@contextlib.contextmanager
def limit_contract(folder, count):
    with watch_spawn(folder, count, "contract") as contestant:
        yield contestant


@contextlib.contextmanager
def watch_spawn(folder, count, mode):
    drop, times = make_drop(folder)
    command = [limit("watch_spawn"), drop, str(count), mode, limit("stamp_time"), times]
    with machine.background(command, folder, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("watch_spawn did not start")
        yield drop, times, lambda name: True


@contextlib.contextmanager
def inotifywait_loop(folder, _count):
    """The shell loop that people write first: nothing is recorded, nothing is durable."""
    drop, times = make_drop(folder)
    script = (f"inotifywait -q -m -e moved_to --format %f '{drop}' | "
              f"while read -r name; do bash -c \"{limit('stamp_time')} '{times}'; :\"; done")
    with machine.background(["bash", "-c", script], folder) as process:
        time.sleep(0.5)  # inotifywait says on standard error when it is ready, and -q silences that.
        yield drop, times, lambda name: process.poll() is None


@contextlib.contextmanager
def incron(folder, _count):
    """A daemon of our own, with its tables in the work folder: the system's stays as it is. Needs root."""
    drop, times = make_drop(folder)
    for name in ("system", "users", "run"):
        os.mkdir(os.path.join(folder, name))
    script = os.path.join(folder, "job")
    with open(script, "w", encoding="ascii") as file:
        file.write(f"{limit('stamp_time')} '{times}'\n:\n")
    with open(os.path.join(folder, "system", "drop"), "w", encoding="ascii") as file:
        file.write(f"{drop} IN_MOVED_TO /bin/bash {script}\n")
    config = os.path.join(folder, "incron.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(f"system_table_dir = {folder}/system\nuser_table_dir = {folder}/users\n"
                   f"lockfile_dir = {folder}/run\nlockfile_name = incrond\n")
    with machine.background([shutil.which("incrond", path="/usr/sbin:/usr/bin"), "-n", "-f", config], folder) as process:
        time.sleep(0.5)  # It says nothing when it is ready.
        yield drop, times, lambda name: process.poll() is None


@contextlib.contextmanager
def flowspool_watch(folder, _count):
    drop, times = make_drop(folder, "spool")
    command = [flowspool(), "watch", "--spool", drop, "--profile", "poc"]
    with machine.background(command, folder) as process:
        machine.warm_up(drop, process)
        yield drop, times, lambda name: os.path.exists(os.path.join(drop, "done", name))


def make_drop(folder, name="drop"):
    drop = os.path.join(folder, name)
    os.mkdir(drop)
    return drop, os.path.join(folder, "times")


def measure(contestant, folder, count):
    """Drops `count` prompts, one after the other is done; returns the milliseconds from rename to start of each."""
    latencies = []
    aside = os.path.join(folder, "aside.md")
    with contestant(folder, count) as (drop, times, is_ready):
        prompt = f"```bash\n{limit('stamp_time')} '{times}'\n```\n"
        for number in range(count):
            name = f"p-{number:07d}.md"
            with open(aside, "w", encoding="utf-8") as file:
                file.write(prompt)
            dropped = time.monotonic_ns()
            os.rename(aside, os.path.join(drop, name))
            machine.wait_until(lambda: machine.line_count(times) > number, f"the start of {name}", seconds_max=30)
            latencies.append((machine.lines(times)[number] - dropped) / 1e6)
            machine.wait_until(lambda: is_ready(name), f"the end of {name}", seconds_max=30)
            time.sleep(PAUSE_SECONDS)
    return latencies


ALL = {
    "limit: spawn": limit_plain,
    "limit: durable spawn": limit_durable,
    "limit: the contract": limit_contract,
    "flowspool": flowspool_watch,
    "incron": incron,
    "inotifywait loop": inotifywait_loop,
}
