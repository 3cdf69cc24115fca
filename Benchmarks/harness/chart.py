"""Draws results.svg: horizontal bars for drain (longer is better) and drop-to-start (shorter is better). No library needed."""

from html import escape

from . import report

WIDTH, LEFT, RIGHT, ROW, TITLE = 900, 290, 130, 24, 40
# Readable on a light and on a dark page, and told apart without colour by their labels.
COLOURS = {"flowspool": "#2f6fde", "limit": "#8a8f98", "peer": "#c9a24b"}


def colour(name):
    return COLOURS["flowspool"] if name == "flowspool" else COLOURS["limit"] if name.startswith("limit") else COLOURS["peer"]


def panel(title, rows, top):
    """SVG lines of one panel, and the height that it takes. Rows are (name, value, text)."""
    most = max(value for _, value, _ in rows)
    lines = [f'<text x="0" y="{top + 20}" class="title">{escape(title)}</text>']
    for number, (name, value, text) in enumerate(rows):
        y = top + TITLE + number * ROW
        length = max(1.0, value / most * (WIDTH - LEFT - RIGHT))
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="{ROW - 8}" rx="2" fill="{colour(name)}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{escape(text)}</text>']
    return lines, TITLE + len(rows) * ROW + 16


def drain_rows(samples):
    rows = [(name, report.median(values)) for name, values in samples.items()]
    return [(name, value, f"{report.number(value)} jobs/s") for name, value in sorted(rows, key=lambda row: -row[1])]


def drop_rows(samples):
    rows = []
    for name, rounds in samples.items():
        pooled = [value for values in rounds for value in values]
        rows.append((name, report.P50(pooled), report.P99(pooled)))
    return [(name, p50, f"{report.number(p50)} ms, p99 {report.number(p99)}") for name, p50, p99 in sorted(rows, key=lambda r: r[1])]


def draw(results):
    body, top = [], 0
    panels = [
        ("Drain, 1 at a time: jobs per second (longer is better)", drain_rows, results.get("drain 1")),
        ("Drain, 2 at a time: jobs per second (longer is better)", drain_rows, results.get("drain 2")),
        ("Drop to start: milliseconds, median (shorter is better)", drop_rows, results.get("drop")),
    ]
    for title, rows, samples in panels:
        if samples:
            lines, height = panel(title, rows(samples), top)
            body += lines
            top += height
    style = ("text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:14px}"
             "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}")
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {max(top, 1)}" role="img">', f"<style>{style}</style>"]
        + body + ["</svg>", ""])
