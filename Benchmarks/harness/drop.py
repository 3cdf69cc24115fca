"""Workload `drop-to-start`: one prompt at a time is renamed into a watched, idle folder; how long until its program runs.

The clock is CLOCK_MONOTONIC on both sides: read here just before rename(2), and by `stamp_time` as the first thing in main.
Each contestant is a context manager over (folder, count) that yields (drop folder, file of start times, ready-for-next). It watches
through all rounds, as a watcher does; only one of them has something to do at a time.
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
def limit_contract_sqlite(folder, count):
    with watch_spawn(folder, count, "contract-sqlite") as contestant:
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


class Session:
    """A contestant that watches, and is given prompts one after the other."""

    def __init__(self, folder, drop, times, is_ready):
        self.aside = os.path.join(folder, "aside.md")
        self.drop, self.times, self.is_ready = drop, times, is_ready
        self.prompt = f"```bash\n{limit('stamp_time')} '{times}'\n```\n"
        self.number = 0

    def measure(self, count):
        """Drops `count` prompts, each when the one before is done; returns the milliseconds from rename to start of each."""
        return [self.one() for _ in range(count)]

    def one(self):
        name = f"p-{self.number:07d}.md"
        with open(self.aside, "w", encoding="utf-8") as file:
            file.write(self.prompt)
        dropped = time.monotonic_ns()
        os.rename(self.aside, os.path.join(self.drop, name))
        machine.wait_until(lambda: machine.line_count(self.times) > self.number, f"the start of {name}", seconds_max=30)
        started = machine.lines(self.times)[self.number]
        machine.wait_until(lambda: self.is_ready(name), f"the end of {name}", seconds_max=30)
        time.sleep(PAUSE_SECONDS)
        self.number += 1
        return (started - dropped) / 1e6


@contextlib.contextmanager
def session(contestant, folder, count):
    """A watcher that is to get `count` prompts."""
    with contestant(folder, count) as (drop, times, is_ready):
        yield Session(folder, drop, times, is_ready)


ALL = {
    "limit: spawn": limit_plain,
    "limit: durable spawn": limit_durable,
    "limit: the contract": limit_contract,
    "limit: the contract, SQLite": limit_contract_sqlite,
    "flowspool": flowspool_watch,
    "incron": incron,
    "inotifywait loop": inotifywait_loop,
}
