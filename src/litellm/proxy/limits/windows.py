"""How much has happened in the last minute: one-second buckets, the current second and the 60 before it.

Two fixed windows admit up to twice the limit across their border, and 60 buckets admit too much within 60 s when a
second is half over: 61 do neither (hard-parts 5). The clock is an argument, in whole seconds; it may not go back.
"""

from typing import Final

SECONDS: Final = 61


class Window:
    """A sum over the last 61 seconds."""

    __slots__ = ("_at", "_buckets", "_sum")

    def __init__(self) -> None:
        self._at = 0
        self._buckets = [0] * SECONDS
        self._sum = 0

    def total(self, now: int) -> int:
        passed = now - self._at
        if passed > 0:
            self._advance(now, passed)
        return self._sum

    def add(self, second: int, amount: int) -> None:
        """`amount` may be negative: what was reserved too much. A second that has left the window changes nothing."""
        if self._at - SECONDS < second <= self._at:
            self._buckets[second % SECONDS] += amount
            self._sum += amount

    def free_in(self, room: int) -> int:
        """Seconds after the last `total` until the sum is at most `room`, if nothing is added."""
        left = self._sum
        for age in range(SECONDS - 1, -1, -1):
            if left <= room:
                return SECONDS - 1 - age
            left -= self._buckets[(self._at - age) % SECONDS]
        return SECONDS

    def _advance(self, now: int, passed: int) -> None:
        if passed >= SECONDS:
            self._buckets = [0] * SECONDS
            self._sum = 0
        else:
            for second in range(self._at + 1, now + 1):
                self._sum -= self._buckets[second % SECONDS]
                self._buckets[second % SECONDS] = 0
        self._at = now
