"""`make simulate`: every strategy through every scenario; writes the tables of docs/routing.md."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import monotonic

from litellm.router.strategies import STRATEGIES
from simulation import page
from simulation.calls import simulate
from simulation.figures import Figures
from simulation.scenarios import SCENARIOS

DOCS = Path(__file__).parent.parent.parent / "docs"
NAMES = tuple({strategy: name for name, strategy in STRATEGIES.items()}.values())
"""One name of each strategy."""


def day(scenario: int, name: str, count: int, seed: int) -> Figures:
    return simulate(SCENARIOS[scenario], STRATEGIES[name], count, seed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--print", action="store_true", help="write no file")
    asked = parser.parse_args()
    cells = [(number, name) for number in range(len(SCENARIOS)) for name in NAMES]
    count = -(-asked.requests // len(cells))
    began = monotonic()
    with ProcessPoolExecutor() as pool:
        done = pool.map(day, *zip(*((*cell, count, asked.seed) for cell in cells), strict=True))
        days: dict[str, dict[str, Figures]] = {scenario.name: {} for scenario in SCENARIOS}
        for (number, name), figures in zip(cells, done, strict=True):
            days[SCENARIOS[number].name][name] = figures
    print(page.tables(days))
    print(f"{count * len(cells):,} requests in {monotonic() - began:.1f} s")
    if not asked.print:
        page.write(days, DOCS)


if __name__ == "__main__":
    main()
