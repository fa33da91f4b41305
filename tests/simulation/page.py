"""The figures as Markdown tables and as bars."""

from collections.abc import Callable, Mapping
from math import ceil, floor, log10
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
    (images / "simulated-p99.svg").write_text(bars("p99 of the added latency", p99, _seconds, "nobody was served"))
    (images / "simulated-failures.svg").write_text(bars("Requests that failed", lost, _share, "none"))


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _share(value: float) -> str:
    return f"{value * 100:.0f} %" if value >= 0.1 else f"{value * 100:.2g} %"


COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
"""Tol's bright scheme, which the colour-blind can tell apart."""
BAR, GAP, LEFT, WIDTH, TOP = 13, 14, 150, 560, 64
LETTER = 5.5
"""What one takes at most in a line of 9.5, on average."""


def bars(title: str, rows: Mapping[str, Mapping[str, float | None]], show: Callable[[float], str], nothing: str) -> str:
    """Horizontal bars on a logarithmic scale, which begins below the least value; a block for each row. Where there is
    no value stands `nothing`: once for a row that has none at all."""
    values = [value for row in rows.values() for value in row.values() if value]
    low, high = ceil(log10(min(values))) - 1, log10(max(values))

    def across(value: float) -> float:
        return LEFT + WIDTH * (log10(value) - low) / (high - low)

    names = list(next(iter(rows.values())))
    blocks = {row: BAR * (len(names) if any(figures.values()) else 2) for row, figures in rows.items()}
    height = TOP + sum(blocks.values()) + GAP * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {height}" font-size="9.5" '
        'font-family="sans-serif">',
        f'<rect width="100%" height="100%" fill="white"/><text x="8" y="16" font-size="13">{title}</text>',
    ]
    x = 8.0
    for name, colour in zip(names, COLOURS, strict=True):
        out.append(f'<rect x="{x:.0f}" y="26" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{x + 13:.0f}" y="35">{name}</text>')
        x += 31 + LETTER * len(name)
    for decade in range(low, floor(high) + 1):
        x = across(10.0**decade)
        out.append(f'<text x="{x:.0f}" y="{TOP - 8}" text-anchor="middle" fill="#666">{show(10.0**decade)}</text>')
        out.append(f'<path d="M{x:.1f} {TOP - 4}V{height - GAP + 4}" stroke="#ccc"/>')
    y = TOP
    for row, figures in rows.items():
        begin, middle = y, y + blocks[row] / 2 + 3
        y += blocks[row] + GAP
        out.append(f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end" font-size="11">{row}</text>')
        if not any(figures.values()):
            out.append(f'<text x="{LEFT + 4}" y="{middle:.0f}" fill="#666">{nothing}</text>')
            continue
        for number, value in enumerate(figures.values()):
            top = begin + number * BAR
            if value:
                wide = across(value) - LEFT
                out.append(f'<rect x="{LEFT}" y="{top}" width="{wide:.1f}" height="11" fill="{COLOURS[number]}"/>')
                out.append(f'<text x="{LEFT + wide + 4:.0f}" y="{top + 9}">{show(value)}</text>')
            else:
                out.append(f'<text x="{LEFT + 4}" y="{top + 9}" fill="#666">{nothing}</text>')
    return "\n".join([*out, "</svg>\n"])
