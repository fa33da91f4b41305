"""The figures as Markdown tables and as bars."""

from collections.abc import Callable, Mapping
from math import log10
from pathlib import Path

from simulation.figures import Figures, ranking

Days = Mapping[str, Mapping[str, Figures]]
"""Scenario -> strategy -> what it came to."""
BEGIN, END = "<!-- simulation -->\n", "<!-- /simulation -->"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.0f}"


COLUMNS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("Success, per cent", lambda f: f"{f.success:.2%}"[:-1]),
    ("Added latency in ms, p50 / p99", lambda f: f"{_milliseconds(f.p50)} / {_milliseconds(f.p99)}"),
    ("Upstream calls per request", lambda f: f"{f.calls:.2f}"),
    ("Fairness among healthy deployments", lambda f: "-" if f.fairness is None else f"{f.fairness:.2f}"),
)


def tables(days: Days) -> str:
    """One for each figure, and the ranking."""
    names = list(next(iter(days.values())))
    parts = [_table(title, days, names, show) for title, show in COLUMNS]
    sums = ranking(days)
    order = "\n".join(f"| `{name}` | {total:g} |" for name, total in sums.items())
    return "\n".join([*parts, f"| strategy | sum of places |\n|---|--:|\n{order}\n"])


def _table(title: str, days: Days, names: list[str], show: Callable[[Figures], str]) -> str:
    rows = [f"| {day} | " + " | ".join(show(figures[name]) for name in names) + " |" for day, figures in days.items()]
    head = f"| {title} | " + " | ".join(names) + " |\n|---" + "|--:" * len(names) + "|"
    return "\n".join([head, *rows, ""])


def write(days: Days, docs: Path) -> None:
    """Between the markers of docs/routing.md, and docs/images/."""
    path = docs / "routing.md"
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + BEGIN + "\n" + tables(days) + "\n" + END + after)
    p99 = {day: {name: f.p99 for name, f in row.items()} for day, row in days.items()}
    lost = {day: {name: (1 - f.success) or None for name, f in row.items()} for day, row in days.items()}
    images = docs / "images"
    (images / "simulated-p99.svg").write_text(bars("p99 of the added latency, logarithmic", p99, _seconds))
    (images / "simulated-failures.svg").write_text(bars("Requests that failed, logarithmic", lost, _share))


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _share(value: float) -> str:
    return f"{value * 100:.2g} %"


COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Tol's bright scheme, which the colour-blind can tell apart."""
BAR, GAP, LEFT, WIDTH, TOP = 13, 14, 170, 520, 50


def bars(title: str, rows: Mapping[str, Mapping[str, float | None]], show: Callable[[float], str]) -> str:
    """Horizontal bars, a block for each row; None is no bar. The shortest bar of the chart still shows."""
    values = [value for row in rows.values() for value in row.values() if value]
    low, high = log10(min(values)) - 0.3, log10(max(values))
    names = list(next(iter(rows.values())))
    block = BAR * len(names) + GAP
    height = TOP + block * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {height}" font-size="11" '
        'font-family="sans-serif">',
        f'<rect width="100%" height="100%" fill="white"/><text x="8" y="16" font-size="13">{title}</text>',
    ]
    for number, name in enumerate(names):
        x = 8 + number * 128
        out.append(f'<rect x="{x}" y="26" width="10" height="10" fill="{COLOURS[number]}"/>')
        out.append(f'<text x="{x + 13}" y="35" font-size="9.5">{name}</text>')
    for place, (row, figures) in enumerate(rows.items()):
        y = TOP + place * block
        out.append(f'<text x="{LEFT - 8}" y="{y + block / 2}" text-anchor="end">{row}</text>')
        for number, value in enumerate(figures.values()):
            top = y + number * BAR
            if value:
                wide = WIDTH * (log10(value) - low) / (high - low)
                out.append(f'<rect x="{LEFT}" y="{top}" width="{wide:.0f}" height="11" fill="{COLOURS[number]}"/>')
                out.append(f'<text x="{LEFT + wide + 4:.0f}" y="{top + 9}" font-size="9.5">{show(value)}</text>')
            else:
                out.append(f'<text x="{LEFT + 4}" y="{top + 9}" font-size="9.5">-</text>')
    return "\n".join([*out, "</svg>\n"])
