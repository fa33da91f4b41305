"""A large group put in order, once: what never changes about its deployments, so that a choice need not look at all.

`Ranks` has the deployments that come into question first in front. Between those of one `Level` only chance, their
weights and their states decide. Within it they are scattered: neighbours in a config are often of one provider and rest
together, and whoever looks at some neighbours here is to see what the level is like.
"""

from bisect import bisect, bisect_left
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate, groupby
from math import gcd
from typing import TYPE_CHECKING, Any, Final

from litellm.router.health import State

if TYPE_CHECKING:
    from litellm.router.deployments import Deployment

MANY: Final = 32
"""Of a larger level so many are compared: their best is about as good as the best of all, and no herd runs to it."""
FEW: Final = 64
"""If so many of a level have most of its weight, and rest, nearly every draw is in vain."""


def by_order(one: "Deployment") -> tuple[bool, int]:
    """Without an `order`, a deployment comes after those that have one."""
    return one.order is None, one.order or 0


def by_price(one: "Deployment") -> tuple[bool, int, float]:
    return *by_order(one), one.cost


def place(sums: Sequence[float], at: float) -> int:
    """Whose share of the whole a point lies in; `sums` are those of the weights before each, and of all.

    Of tiny weights a product with a draw may be rounded up to the total: then it is the last that has any.
    """
    return min(bisect(sums, at), bisect_left(sums, sums[-1])) - 1


class Level:
    """Deployments that come into question together; `start` is the place of the first in the ranks."""

    __slots__ = ("deployments", "heavy", "start", "states", "sums", "weights")

    def __init__(
        self, start: int, deployments: "tuple[Deployment, ...]", states: tuple[State, ...], names: Sequence[str]
    ) -> None:
        self.start = start
        self.deployments = deployments
        self.states = states
        kinds = ([getattr(one, name) or 0.0 for one in deployments] for name in names)
        self.weights: list[float] = next(filter(any, kinds), [1.0] * len(deployments))
        """Of the first kind that any has, else all alike."""
        self.sums = list(accumulate(self.weights, initial=0.0))
        """Of the weights before each, and of all."""
        heaviest = sorted(range(len(deployments)), key=self.weights.__getitem__)[-FEW:]
        most = sum(self.weights[place] for place in heaviest) * 2 > self.sums[-1]
        self.heavy = tuple(sorted(heaviest)) if most else ()
        """The places of a few that have most of the weight; none if no few have."""

    def takes(self, place: int, now: float) -> bool:
        """Calls, now."""
        state = self.states[place]
        return state.open_at <= now and not (state.strikes and state.probing)

    def calm(self, now: float, first: int, tried: Collection[str]) -> list[bool]:
        """Of each from the place `first` on: does it take calls, and has it answered since it rested, if it did?"""
        calm = [state.open_at <= now and not state.strikes for state in self.states[first:]]
        if tried:
            those = zip(self.deployments[first:], calm, strict=True)
            calm = [is_calm and one.id not in tried for one, is_calm in those]
        return calm


class Ranks:
    """`key` says who comes into question first; `weights`, by which of their numbers those that tie are drawn."""

    __slots__ = ("_levels", "_starts", "_weights", "deployments", "states")

    def __init__(
        self, group: "Sequence[Deployment]", key: "Callable[[Deployment], Any]", weights: Sequence[str] = ()
    ) -> None:
        count = len(group)
        stride = next(step for step in range(int(count * 0.618) or 1, count + 1) if gcd(step, count) == 1)
        self.deployments = tuple(sorted((group[place * stride % count] for place in range(count)), key=key))
        self.states = tuple(one.state or State() for one in self.deployments)
        ties = [len(list(alike)) for _, alike in groupby(self.deployments, key)]
        self._starts: list[int] = []
        for length in ties:
            self._starts += [len(self._starts)] * length
        self._weights = weights
        self._levels: dict[int, Level] = {}  # made on first use: a thousand prices are a thousand levels

    def first(self, now: float, tried: Collection[str]) -> int | None:
        """Where the first is that takes calls, but for those that are being tried again. If there is nobody else, the
        first of these; None if there is nobody at all."""
        under_way = None
        for place, state in enumerate(self.states):
            if state.open_at <= now and self.deployments[place].id not in tried:
                if not (state.strikes and state.probing):
                    return place
                if under_way is None:
                    under_way = place
        return under_way

    def level(self, place: int) -> Level:
        """The one that has this place."""
        start = self._starts[place]
        level = self._levels.get(start)
        if level is None:
            end = next((p for p in range(start, len(self._starts)) if self._starts[p] != start), len(self._starts))
            level = Level(start, self.deployments[start:end], self.states[start:end], self._weights)
            self._levels[start] = level
        return level
