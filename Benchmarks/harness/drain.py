"""Workload `drain`: COUNT no-op jobs are waiting; how many a second get done, WIDTH at a time.

Each contestant is a function (folder, count, width) → seconds. The clock runs from start to the end of the last job. The two
queues that cannot be filled cheaply beforehand, task-spooler and nq, are filled within that time, which is their faster way.
"""

import contextlib
import os
import sqlite3
import subprocess

from . import machine
from .machine import ENVIRONMENT, flowspool, limit, run

PROMPT = "```bash\n:\n```\n"


def bare_spawn(folder, count, width):
    return float(machine.output([limit("spawn_loop"), str(count), str(width)], cwd=folder))


def durable_spawn(folder, count, width):
    fill(os.path.join(folder, "jobs"), count)
    machine.settle()
    return float(machine.output([limit("durable_loop"), os.path.join(folder, "jobs"), str(width)], cwd=folder))


def contract_spawn(folder, count, width, *ledger):
    fill(os.path.join(folder, "jobs"), count)
    machine.settle()
    return float(machine.output([limit("contract_loop"), os.path.join(folder, "jobs"), str(width), *ledger], cwd=folder))


def contract_sqlite_spawn(folder, count, width):
    return contract_spawn(folder, count, width, "sqlite")


def contract_ahead_spawn(folder, count, width):
    return contract_spawn(folder, count, width, "sqlite", "ahead")


def contract_own_ledger_spawn(folder, count, width, *how):
    """With the ledger that flowspool makes in an empty spool, so that tables of another form are an error here."""
    spool = os.path.join(folder, "jobs")
    os.makedirs(spool)
    run([flowspool(), "watch", "--spool", spool, "--drain", "--profile", "poc"], machine.REPOSITORY)
    seconds = contract_spawn(folder, count, width, "flowspool", *how)
    with contextlib.closing(sqlite3.connect(os.path.join(spool, ".flowspool", "ledger.sqlite"))) as ledger:
        rows = ledger.execute(
            "SELECT (SELECT n FROM counts WHERE state = 'done'), (SELECT count(*) FROM attempts WHERE outcome = 'success'),"
            " (SELECT count(*) FROM transitions), (SELECT count(*) FROM findings)").fetchone()
    if rows != (count, count, count * 4, count * 3):
        raise RuntimeError(f"the ledger has {rows}")
    return seconds


def contract_own_ledger_ahead_spawn(folder, count, width):
    return contract_own_ledger_spawn(folder, count, width, "ahead")


def bash_loop(folder, count, _width):
    return run(["bash", "-c", f"for ((i = 0; i < {count}; i++)); do bash -c :; done"], folder)


def xargs(folder, count, width):
    return run(["bash", "-c", f"seq {count} | xargs -P{width} -n1 bash -c :"], folder)


def parallel(folder, count, width):
    return run(["bash", "-c", f"seq {count} | parallel --will-cite -j{width} -n0 :"], folder)


def task_spooler(folder, count, width):
    """Enqueued while it runs, by one shell. Behind a gate (filling not counted) it is slower: each waiting job is a client
    process and a connection that tsp's server looks at each time, so this is the kinder way to measure it."""
    environment = ENVIRONMENT | {"TS_SOCKET": os.path.join(folder, "socket"), "TMPDIR": folder, "TS_MAXFINISHED": "10"}
    # -n: no output file, the cheapest way; -w: until the last job has ended.
    script = f"tsp -S {width}; for ((i = 0; i < {count}; i++)); do tsp -n bash -c :; done; tsp -w"
    try:
        return run(["bash", "-c", script], folder, env=environment)
    finally:
        subprocess.run(["tsp", "-K"], cwd=folder, env=environment, check=False)


def nq(folder, count, _width):
    """Enqueued while it runs, as with task-spooler: each nq looks at the files of all those before it. It has no width."""
    environment = ENVIRONMENT | {"NQDIR": os.path.join(folder, "queue")}
    script = f"for ((i = 0; i < {count}; i++)); do nq -q bash -c :; done; nq -w"
    return run(["bash", "-c", script], folder, env=environment)


def flowspool_watch(folder, count, width):
    """The whole way of a prompt under profile poc, durable as always, from the start of the process to its end."""
    spool = os.path.join(folder, "spool")
    fill(spool, count)
    machine.settle()
    seconds = run(
        [flowspool(), "watch", "--spool", spool, "--drain", "--profile", "poc", "--jobs", str(width)], machine.REPOSITORY)
    done = sum(1 for entry in os.scandir(os.path.join(spool, "done")) if entry.name.endswith(".md"))
    if done != count:
        raise RuntimeError(f"{done} of {count} prompts are in done/")
    return seconds


def fill(folder, count, prompt=PROMPT, rename=False, first=0):
    """Puts `count` prompts into `folder`; returns the seconds that took."""
    os.makedirs(folder, exist_ok=True)
    template = os.path.join(os.path.dirname(folder), "template")
    with open(template, "w", encoding="utf-8") as file:
        file.write(prompt)
    mode = "rename" if rename else "create"
    return float(machine.output([limit("fill"), folder, str(count), template, mode, str(first)]))


ONE = {
    "limit: bare spawn": bare_spawn,
    "limit: durable spawn": durable_spawn,
    "limit: the contract": contract_spawn,
    "limit: the contract, SQLite": contract_sqlite_spawn,
    "limit: the contract, SQLite, shells ahead": contract_ahead_spawn,
    "limit: the contract, own ledger": contract_own_ledger_spawn,
    "limit: the contract, own ledger, shells ahead": contract_own_ledger_ahead_spawn,
    "flowspool": flowspool_watch,
    "bash loop": bash_loop,
    "task-spooler": task_spooler,
    "nq": nq,
    "parallel": parallel,
}
TWO = {
    "limit: bare spawn": bare_spawn,
    "limit: durable spawn": durable_spawn,
    "limit: the contract": contract_spawn,
    "limit: the contract, SQLite": contract_sqlite_spawn,
    "limit: the contract, SQLite, shells ahead": contract_ahead_spawn,
    "limit: the contract, own ledger": contract_own_ledger_spawn,
    "limit: the contract, own ledger, shells ahead": contract_own_ledger_ahead_spawn,
    "flowspool": flowspool_watch,
    "xargs": xargs,
    "task-spooler": task_spooler,
    "parallel": parallel,
}
