"""Writes RESULTS.md from the results of one run: the figures to reach first, then each workload's table."""

import statistics

from . import scale


def median(values):
    return statistics.median(values)


def percentile(values, share):
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def ratios(results, workload, name, base, reduce=None):
    """`name` over `base`, round by round, or an empty list where one of them was not measured in every round."""
    ours, theirs = results.get(workload, {}).get(name, []), results.get(workload, {}).get(base, [])
    if not ours or len(ours) != len(theirs):
        return []
    reduce = reduce or (lambda value: value)
    return [reduce(a) / reduce(b) for a, b in zip(ours, theirs)]


def pooled_ratio(results, name, base):
    """The 99th percentile of all drops of `name` over that of `base`, or an empty list where one of them was not measured."""
    ours, theirs = ([item for sample in results.get("drop", {}).get(who, []) for item in sample] for who in (name, base))
    return [P99(ours) / P99(theirs)] if ours and theirs else []


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def short(value):
    """One sample, for the progress lines."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return f"median {number(median(value))} of {len(value)}"
    return number(value)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


# The tightest limits: every step that is promised, and a ledger's transactions; first the least ones, then flowspool's own.
CONTRACT = "limit: the contract, SQLite"
CONTRACTS = (CONTRACT, CONTRACT + ", shells ahead")
CONTRACTS_OWN_LEDGER = ("limit: the contract, own ledger", "limit: the contract, own ledger, shells ahead")
P50, P99 = (lambda values: percentile(values, 0.5)), (lambda values: percentile(values, 0.99))


def goals(results):
    """Rows (what, to reach, measured, the same figure for the limit and for that with flowspool's ledger, met or not) for each figure."""
    rows = []

    def goal(what, bound, values, at_least=False, unit="", limit=(), own_ledger=()):
        if not values:
            return
        value = median(values)
        met = value >= bound if at_least else value <= bound
        sign = "≥" if at_least else "≤"
        rows.append([what, f"{sign} {bound:g}{unit}", f"{number(value)}{unit}", number(median(limit)) if limit else "",
                     number(median(own_ledger)) if own_ledger else "", "reached" if met else "**not reached**"])

    def compared(what, bound, workload, base, at_least=False, reduce=None):
        """A ratio to another contestant, and that of the contract in C to the same: with either ledger the better one of its two ways."""

        def best(contracts):
            found = [each for name in contracts if (each := ratios(results, workload, name, base, reduce))]
            return (max if at_least else min)(found, key=median, default=())

        goal(what, bound, ratios(results, workload, us, base, reduce), at_least, limit=best(CONTRACTS), own_ledger=best(CONTRACTS_OWN_LEDGER))

    bare, us = "limit: bare spawn", "flowspool"
    compared("drain, 1 at a time, of the bare spawn loop", 0.85, "drain 1", bare, True)
    compared("drain, 1 at a time, of task-spooler", 1.5, "drain 1", "task-spooler", True)
    compared("drain, 2 at a time, of the bare spawn loop at 2", 0.75, "drain 2", bare, True)
    compared("drain, 2 at a time, of `xargs -P2`", 1.1, "drain 2", "xargs", True)
    compared("drop-to-start p50, of the durable limit", 1.2, "drop", "limit: durable spawn", reduce=P50)
    # A round has too few drops for a 99th percentile: that of all rounds.
    goal("drop-to-start p99, of the durable limit", 1.5, pooled_ratio(results, us, "limit: durable spawn"),
         limit=pooled_ratio(results, CONTRACT, "limit: durable spawn"))
    compared("drop-to-start p50, of incron", 0.5, "drop", "incron", reduce=P50)
    backlog = results.get("backlog", {})
    sizes = sorted(backlog, key=int)
    if len(sizes) > 1:
        small, large = backlog[sizes[0]], backlog[sizes[-1]]
        most = f"{int(sizes[-1]):,}"

        def values(samples, key):
            return [sample[key] for sample in samples]

        goal(f"cost per job at {most} waiting, of that at {int(sizes[0]):,}", 1.15,
             [median(values(large, "job_ms")) / median(values(small, "job_ms"))])
        goal(f"first job at {most} waiting", 5, values(large, "first_seconds"), unit=" s")
        goal(f"peak memory at {most} waiting", 100, values(large, "memory_mb"), unit=" MB")
        goal(f"peak memory at {most} waiting, of that at {int(sizes[0]):,}", 1.3,
             [median(values(large, "memory_mb")) / median(values(small, "memory_mb"))])
    for samples in results.get("burst", {}).values():
        goal("burst intake", 5000, [sample["files_per_second"] for sample in samples], True, " files/s")
        goal("burst, prompts lost", 0, [sample["lost"] for sample in samples])
    history = results.get("history", {})
    if history:
        largest = max(history, key=int)
        for command in ("status", "list"):
            goal(f"`{command}` at {int(largest):,} in history", 50, history[largest][0][command], unit=" ms")
    for start in results.get("start", {}).get("all", []):
        preflight, parser = start["prompt-preflight --check FILE"], start.get(scale.LIMIT, [])
        goal("command start, `prompt-preflight --check`", 20, preflight, unit=" ms", limit=parser)
        for name in start:
            if name.startswith("python3"):
                goal(f"command start, of `{name}`", 0.2, [a / b for a, b in zip(preflight, start[name])],
                     limit=[a / b for a, b in zip(parser, start[name])])
    for sample in results.get("idle", {}).get("all", []):
        goal("idle", 0.1, [sample["cpu_percent"]], unit=" % CPU")
    return rows


def compared(results, workload, title, unit, reduce=None, more=()):
    """The table of a workload with contestants: median, spread, and each one's ratio to flowspool or the first limit."""
    samples = results.get(workload)
    if not samples:
        return []
    base = "flowspool" if "flowspool" in samples else next(iter(samples))
    value = reduce or (lambda sample: sample)
    lines = [f"### {title}", ""]
    rows = []
    order = sorted(samples, key=lambda name: median([value(s) for s in samples[name]]), reverse=reduce is None)
    for name in order:
        values = [value(sample) for sample in samples[name]]
        ratio = ratios(results, workload, name, base, reduce)
        pooled = [item for sample in samples[name] for item in sample] if reduce else []
        rows.append(
            [f"**{name}**" if name == "flowspool" else name, number(median(values))]
            + [number(function(pooled)) for _, function in more]
            + [f"{number(min(values))} – {number(max(values))}", number(median(ratio)) if ratio else "–", str(len(values))])
    header = ["", unit] + [label for label, _ in more] + ["spread of rounds", f"ratio to {base}", "rounds"]
    return lines + table(header, rows)


def flat(results):
    lines = []
    if results.get("backlog"):
        lines += ["### Backlog: prompts that wait when the runner starts", ""]
        lines += table(["waiting", "first job, s", "next jobs, ms each", "peak memory, MB", "runs"], [
            [f"{int(size):,}"] + [number(median([s[key] for s in samples])) for key in ("first_seconds", "job_ms", "memory_mb")]
            + [str(len(samples))] for size, samples in sorted(results["backlog"].items(), key=lambda item: int(item[0]))])
    if results.get("burst"):
        lines += ["### Burst: prompts dropped while it runs", ""]
        lines += table(["dropped", "taken in, files/s", "dropped at, files/s", "lost", "runs"], [
            [f"{int(size):,}"] + [number(median([s[key] for s in samples])) for key in ("files_per_second", "dropped_per_second")]
            + [str(sum(s["lost"] for s in samples)), str(len(samples))] for size, samples in results["burst"].items()])
    if results.get("history"):
        lines += ["### History: finished jobs in the ledger", ""]
        lines += table(["jobs", "`status`, ms", "`list --limit 20`, ms", "`show`, ms"], [
            [f"{int(size):,}"] + [number(median(samples[0][key])) for key in ("status", "list", "show")]
            for size, samples in results["history"].items()])
    for start in results.get("start", {}).get("all", []):
        lines += ["### Command start", ""]
        lines += table(["command", "ms", "spread"], [
            [f"`{name}`", number(median(values)), f"{number(min(values))} – {number(max(values))}"]
            for name, values in start.items()])
    for sample in results.get("idle", {}).get("all", []):
        lines += ["### Idle: a watched, empty spool", ""]
        lines += table(["", ""], [
            ["CPU", f"{sample['cpu_percent']:.4f} %"], ["wake-ups", f"{sample['wakeups_per_second']:.2f} a second"]])
    return lines


def write(results):
    sizes = results["sizes"]
    lines = [
        "# Results", "",
        f"Written by `make bench` (order seed {results['seed']}, {sizes['rounds']} rounds); what each workload is stands in "
        "[README.md](README.md).",
        "Ratios are medians of the ratios within each round: the machine's speed drifts, the ratios hold. Of p99, the ratio is that of all drops.", "",
        "![Jobs per second and milliseconds from drop to start, flowspool beside its peers and limits](results.svg)", ""]
    reached = goals(results)
    if reached:
        lines += ["## Figures to reach", "",
                  "The column *limit* has the same figure for the contract in C with a small SQLite ledger, of its two ways in a drain the better one (*own ledger*: with the ledger and the rows of flowspool); for a command's start, for a program in C that starts the parser.",
                  ""]
        lines += table(["figure", "to reach", "measured", "limit", "own ledger", ""], reached)
    lines += ["## Machine and versions", ""]
    lines += table(["", ""], [list(pair) for pair in results["machine"] + results["versions"]])
    lines += ["## Workloads", ""]
    for width in (1, 2):
        lines += compared(results, f"drain {width}", f"Drain {sizes['drain']:,} waiting jobs, {width} at a time", "jobs/s")
    lines += compared(
        results, "drop", "Drop to start, one prompt at a time", "p50, ms", P50,
        (("p99, ms", P99), ("max, ms", max)))
    lines += flat(results)
    if results.get("failures"):
        lines += ["## Not measured", ""] + [f"- {failure.splitlines()[0]}" for failure in results["failures"]] + [""]
    return "\n".join(lines).rstrip() + "\n"
