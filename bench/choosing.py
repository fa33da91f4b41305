"""`python -m bench.choosing`: what it costs to choose one deployment of a group, in microseconds. `--count` of them.

A row is a group of some shape, a column a strategy. A figure is the mean over draws that cover the whole range evenly,
the least of several rounds: another's turn on the processor is no part of the choice. Rows of more than one group
choose in each of them by turns.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from time import process_time
from typing import Final

from litellm.router.deployments import Deployment, Group
from litellm.router.health import State
from litellm.router.plan import choose
from litellm.router.strategies import STRATEGIES, Strategy
from litellm.types.calls import Target

NOW: Final = 100.0
_TARGET: Final = Target("openai", "m", "http://host/v1", "k")
_ALSO: Final = "usage-based-routing"  # another name of the same


def _made(number: int) -> tuple[Deployment, State]:
    """One that has had some calls."""
    state = State()
    for _ in range(number % 7):
        state.begin(NOW - 1)
    state.took(NOW - 0.5, 0.1 + number % 11)
    state.answered()
    state.used(number % 13 * 100)
    return Deployment(str(number), "m", _TARGET, state=state), state


def _rests(state: State) -> None:
    state.rest(NOW, 60.0)


def _weight(one: Deployment, state: State, share: float) -> None:
    one.weight = 1.0 + int(share * 10)


def _rpm(one: Deployment, state: State, share: float) -> None:
    one.rpm = 1000.0 + int(share * 10)
    state.limit(None, one.rpm, None)


def _tpm(one: Deployment, state: State, share: float) -> None:
    one.tpm = 1e6 + int(share * 10)
    state.limit(None, None, one.tpm)


def _price(one: Deployment, state: State, share: float) -> None:
    one.cost = 1.0 + share


def _order(one: Deployment, state: State, share: float) -> None:
    one.order = 1 + int(share * 4)


def _busy(one: Deployment, state: State, share: float) -> None:
    state.limit(5, None, None)  # of which all may be in use


def _all(one: Deployment, state: State, share: float) -> None:
    for has in (_weight, _price, _order):
        has(one, state, share)
    state.limit(5, 1000.0, 1e6)


def _resting(least: float) -> Callable[[Deployment, State, float], None]:
    """The first of a group, up to a share of them."""
    return lambda one, state, share: _rests(state) if share < least else None


def _heavy(least: float) -> Callable[[Deployment, State, float], None]:
    """Nearly all of the weight is at the first, up to a share of them, and these rest."""

    def made(one: Deployment, state: State, share: float) -> None:
        one.weight = 1e6 if share < least else 1.0
        if share < least:
            _rests(state)

    return made


def _half_of_all(one: Deployment, state: State, share: float) -> None:
    _all(one, state, share)
    if int(one.id) % 2:
        _rests(state)


def _no_change(one: Deployment, state: State, share: float) -> None:
    pass


SHAPES: Final[dict[str, Callable[[Deployment, State, float], None]]] = {
    "alike": _no_change,
    "weights": _weight,
    "rpm": _rpm,
    "tpm": _tpm,
    "prices": _price,
    "4 orders": _order,
    "max_parallel_requests, 2 of 7 full": _busy,
    "weights, prices, orders, limits": _all,
    "the same, half of them resting": _half_of_all,
    "half resting": _resting(0.5),
    "9 of 10 resting": _resting(0.9),
    "all but one resting": _resting(0.9985),
    "one with nearly all of the weight resting": _heavy(0.001),
    "40 with nearly all of the weight resting": _heavy(0.04),
    "all resting": _resting(1.0),
}
"""What is made of each deployment, and where in its group it is: 0 the first, nearly 1 the last."""


@dataclass(frozen=True)
class Row:
    title: str
    groups: Sequence[Group]


def group_of(count: int, shape: Callable[[Deployment, State, float], None]) -> Group:
    made = [_made(number) for number in range(count)]
    for number, (one, state) in enumerate(made):
        shape(one, state, number / count)
    return Group(one for one, _ in made)


def microseconds(groups: Sequence[Group], strategy: Strategy, draws: int, rounds: int) -> float:
    points = [(number * 0.6180339887498949) % 1.0 for number in range(draws)]
    taken: list[float] = []
    for _ in range(rounds):
        turns = list(zip(points, cycle(groups)))
        began = process_time()
        for point, group in turns:
            choose(group, strategy, NOW, point)
        taken.append((process_time() - began) / draws * 1e6)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.choosing", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    strategies = {name: strategy for name, strategy in STRATEGIES.items() if name != _ALSO}
    few = [group_of(size, _weight) for size in (3, 3, 4)]
    rows = [Row("1 deployment", [group_of(1, _weight)]), Row("10 in 3 groups, weights", few)]
    rows += [Row(f"{args.count}, {title}", [group_of(args.count, shape)]) for title, shape in SHAPES.items()]
    print(f"| us | {' | '.join(strategies)} |\n|---|{'--:|' * len(strategies)}")
    for row in rows:
        draws = 5000 if len(row.groups[0]) < 32 else 300
        figures = [microseconds(row.groups, strategy, draws, args.rounds) for strategy in strategies.values()]
        print(f"| {row.title} | {' | '.join(f'{figure:.1f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
