"""Calls with a priority: they wait for a deployment of a full model group, where others are refused.

They come from any thread and any event loop, so that nobody can be woken: whoever waits looks again, the first in line
every few milliseconds, the others the less often the further back they stand.
"""

from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable
from itertools import count
from threading import Lock
from time import monotonic
from typing import Final, Self

LOOK_SECONDS: Final = 0.003
LONGEST_LOOK: Final = 0.1


Group = tuple[str, ...]
"""The ids of the deployments that may serve a call: calls that may go elsewhere are not in each other's way."""


class Lines:
    """One line for each group; of those with the lowest number who came first is the first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[Group, list[tuple[int, int]]] = {}
        self._count = count()

    def join(self, group: Group, priority: int) -> "Place":
        with self._lock:
            turn = priority, next(self._count)
            insort(self._waiting.setdefault(group, []), turn)
            return Place(self, group, turn)

    def ahead(self, group: Group, turn: tuple[int, int]) -> int:
        """How many are served before."""
        with self._lock:
            return bisect_left(self._waiting[group], turn)

    def leave(self, group: Group, turn: tuple[int, int]) -> None:
        with self._lock:
            line = self._waiting[group]
            line.remove(turn)
            if not line:
                del self._waiting[group]


class Place:
    """One call's, which leaves it when its request begins: until then the slot it has chosen is nobody's."""

    def __init__(self, lines: Lines, group: Group, turn: tuple[int, int]) -> None:
        self._lines = lines
        self._group = group
        self._turn = turn
        self.left = False

    async def turn(self, room: Callable[[], bool], until: float, sleep: Callable[[float], Awaitable[None]]) -> bool:
        """Returns when there is room and nobody is ahead; False if that was not so in time (of `monotonic`)."""
        while True:
            ahead = self._lines.ahead(self._group, self._turn)
            if not ahead and room():
                return True
            if monotonic() >= until:
                return False
            await sleep(min(LOOK_SECONDS * (1 + ahead), LONGEST_LOOK))

    def leave(self) -> None:
        if not self.left:
            self.left = True
            self._lines.leave(self._group, self._turn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
