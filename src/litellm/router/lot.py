"""The usual draw of the usual strategy: by weight, while all of a group take calls. Nearly every call is one of these.

It comes to what `candidates` and `simple_shuffle` come to. The draws are made for many calls at once, and nobody is
looked at while no deployment has begun to rest or to be full (`UNREST`).
"""

import os
import random
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from litellm.router.health import UNREST
from litellm.router.ranks import Ranks, place

if TYPE_CHECKING:
    from litellm.router.deployments import Deployment

DRAWS: Final = 64
"""That are made at once."""


class Lot:
    """Over the deployments that come first by `order`. `choices` is `random.choices`, or its like."""

    __slots__ = ("__weakref__", "_choices", "_drawn", "_seen", "_states", "_sums", "_those")

    def __init__(self, ranks: Ranks, choices: "Callable[..., list[Deployment]]" = random.choices) -> None:
        level = ranks.level(0)
        with_weight = [(one, weight) for one, weight in zip(level.deployments, level.weights, strict=True) if weight]
        self._those = [one for one, _ in with_weight]
        self._sums = list(accumulate((weight for _, weight in with_weight), initial=0.0))
        self._states = ranks.states
        self._choices = choices
        self._drawn: list[Deployment] = []
        self._seen = -1  # how much unrest there was when all were last seen to take calls
        _LOTS.add(self)

    def draw(self, now: float) -> "Deployment | None":
        """Who is asked; None if there is anybody of the group who takes no calls, or is to be tried."""
        if self._seen != UNREST.count and not self._calm(now):
            return None
        try:
            return self._drawn.pop()
        except IndexError:  # rather than a look before: another thread may take the last
            drawn = self._choices(self._those, cum_weights=self._sums[1:], k=DRAWS)
            one = drawn.pop()
            self._drawn = drawn
            return one

    def at(self, now: float, draw: float) -> "Deployment | None":
        """The same by a given draw, in [0, 1)."""
        if self._seen != UNREST.count and not self._calm(now):
            return None
        return self._those[place(self._sums, draw * self._sums[-1])]

    def forget(self) -> None:
        """What has been drawn, and is not asked for yet."""
        self._drawn = []

    def _calm(self, now: float) -> bool:
        seen = UNREST.count  # before they are looked at: another thread may let one rest meanwhile
        for state in self._states:
            if state.open_at > now or state.strikes:
                return False
        self._seen = seen
        return True


_LOTS: Final[WeakSet[Lot]] = WeakSet()


def _after_fork() -> None:
    """All children would draw what their parent has drawn."""
    for lot in _LOTS:
        lot.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
