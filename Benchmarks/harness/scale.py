"""Workloads `backlog`, `burst`, `history`, `start`, `idle`: whether flowspool stays flat, small and quiet."""

import contextlib
import os
import shutil
import sqlite3
import time

from . import drain, machine
from .machine import flowspool, limit, run

# A command's start in C (limits/parse_block.c).
LIMIT = "limit: shfmt on the block, from C"
# Jobs after the first whose cost is measured.
NEXT_JOBS = 1000


def backlog(count):
    """`count` prompts wait when the runner starts: seconds to the first job, ms per job of the next, peak memory in MB."""
    with machine.work_folder() as folder:
        spool, times = os.path.join(folder, "spool"), os.path.join(folder, "times")
        drain.fill(spool, count, prompt=f"```bash\n{limit('stamp_time')} '{times}'\n```\n")
        machine.settle()
        wanted = min(NEXT_JOBS, count - 1) + 1
        start = time.monotonic_ns()
        command = [flowspool(), "watch", "--spool", spool, "--profile", "poc", "--jobs", "1"]
        with machine.background(command, folder) as process:
            machine.wait_until(
                lambda: machine.line_count(times) >= wanted, f"{wanted} jobs of {count}", process, seconds_max=900,
                pause_seconds=0.02)
            memory = peak_memory(process.pid)
        stamps = machine.lines(times)[:wanted]
    return {
        "first_seconds": (stamps[0] - start) / 1e9,
        "job_ms": (stamps[-1] - stamps[0]) / 1e6 / (wanted - 1),
        "memory_mb": memory,
    }


def peak_memory(pid):
    """VmHWM: the most that was resident, in MB (10^6 bytes)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmHWM")


def burst(count):
    """`count` prompts are renamed into a running spool: files per second that it has recorded, and that none is lost."""
    with machine.work_folder() as folder:
        spool = os.path.join(folder, "spool")
        command = [flowspool(), "watch", "--spool", spool, "--profile", "poc", "--jobs", "1"]
        os.mkdir(spool)
        with machine.background(command, folder) as process:
            machine.warm_up(spool, process)
            start = time.monotonic_ns()
            dropped = drain.fill(spool, count, rename=True)
            machine.wait_until(lambda: recorded(spool) > count, f"{count} prompts on record", process, 600, 0.02)
            seconds = (time.monotonic_ns() - start) / 1e9
        # What had not run yet is still waiting; the rest is done. Together they must be all.
        machine.settle()
        run([flowspool(), "watch", "--spool", spool, "--drain", "--profile", "poc", "--jobs", "2"], folder)
        done = sum(1 for entry in os.scandir(os.path.join(spool, "done")) if entry.name.startswith("p-"))
    return {"files_per_second": count / seconds, "dropped_per_second": count / dropped, "lost": count - done}


def recorded(spool):
    """Jobs in the ledger, read the way `status` reads them but without starting a process each time."""
    with contextlib.closing(sqlite3.connect(f"file:{spool}/.flowspool/ledger.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT sum(n) FROM counts").fetchone()[0] or 0


def history(folder, count):
    """A spool whose ledger holds `count` finished jobs: real ones, copied in the database; returns its path."""
    spool = os.path.join(folder, f"history-{count}")
    real = 50
    drain.fill(spool, real)
    run([flowspool(), "watch", "--spool", spool, "--drain", "--profile", "poc"], folder)
    with contextlib.closing(sqlite3.connect(f"{spool}/.flowspool/ledger.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")  # Only while this copy is made, which nobody needs after a crash.
        database.execute("BEGIN")
        columns = {
            table: ", ".join(f'"{row[1]}"' for row in database.execute(f"PRAGMA table_info({table})") if row[1] not in own)
            for table, own in (("jobs", ("id",)), ("attempts", ("job",)), ("transitions", ("id", "job")))}
        copied = real
        while copied < count:
            step = min(copied, count - copied)
            database.execute(f"INSERT INTO jobs (id, {columns['jobs']}) SELECT id + {copied}, {columns['jobs']} "
                             f"FROM jobs WHERE id <= {step}")
            for table in ("attempts", "transitions"):
                database.execute(f"INSERT INTO {table} (job, {columns[table]}) SELECT job + {copied}, {columns[table]} "
                                 f"FROM {table} WHERE job <= {step}")
            copied += step
        database.execute("COMMIT")
        database.execute("ANALYZE")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return spool


def look(spool, count, repeats):
    """Milliseconds of `status`, `list --limit 20` and `show`, each as a whole process."""
    commands = {
        "status": ["status", "--json"], "list": ["list", "--limit", "20", "--json"], "show": ["show", str(count // 2), "--json"]}
    return {
        name: [machine.start_milliseconds([flowspool(), *command, "--spool", spool], machine.BUILD) for _ in range(repeats)]
        for name, command in commands.items()}


def starts(folder, repeats):
    """Milliseconds of each command as a whole process, taken in turn so that a noisy moment hits all alike."""
    prompt, names = os.path.join(folder, "prompt.md"), os.path.join(folder, "names")
    with open(prompt, "w", encoding="utf-8") as file:
        file.write(drain.PROMPT)
    os.makedirs(names, exist_ok=True)
    preflight = os.path.join(names, "prompt-preflight")
    if not os.path.lexists(preflight):
        os.symlink(flowspool(), preflight)
    commands = {
        "prompt-preflight --check FILE": [preflight, "--check", prompt],
        "flowspool --version": [flowspool(), "--version"],
        "python3 -c pass (Debian's)": ["/usr/bin/python3", "-c", "pass"],
        "bash -c :": ["bash", "-c", ":"],
        # The parser that every new block goes through: with nothing to parse, and as a program in C can use it, which judges nothing.
        "shfmt -tojson </dev/null": ["shfmt", "-tojson"],
        LIMIT: [machine.limit("parse_block"), prompt],
    }
    # What the user's own PATH calls python3 may be another one, started through a version manager.
    first = shutil.which("python3", path=os.environ.get("PATH", ""))
    if first and os.path.realpath(first) != os.path.realpath("/usr/bin/python3"):
        commands["python3 -c pass (first in PATH)"] = [first, "-c", "pass"]
    found = {name: [] for name in commands}
    environment = machine.ENVIRONMENT | {"PATH": os.environ.get("PATH", machine.ENVIRONMENT["PATH"])}
    for _ in range(repeats):
        for name, command in commands.items():
            found[name].append(machine.start_milliseconds(command, folder, environment))
    return found


def idle(seconds):
    """CPU share (%) and wake-ups a second of a watched, empty spool, all threads and children together."""
    with machine.work_folder() as folder:
        spool = os.path.join(folder, "spool")
        os.mkdir(spool)
        with machine.background([flowspool(), "watch", "--spool", spool, "--profile", "poc"], folder) as process:
            machine.warm_up(spool, process)
            time.sleep(2)
            before = usage(process.pid)
            time.sleep(seconds)
            after = usage(process.pid)
    return {
        "cpu_percent": (after[0] - before[0]) / 1e9 / seconds * 100,
        "wakeups_per_second": sum(count - before[1].get(thread, 0) for thread, count in after[1].items()) / seconds,
    }


def usage(pid):
    """(nanoseconds on a CPU, voluntary context switches by thread). The first is the process's CPU clock, whose number is made
    as clock_getcpuclockid(3) makes it: it counts threads that have ended, too, and has no 10 ms ticks."""
    switches = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            switches[thread] = sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return time.clock_gettime_ns(~pid << 3 | 2), switches
