"""How much has happened in the last minute: one-second buckets, the current second and the 60 before it.

Two fixed windows admit up to twice the limit across their border, and 60 buckets admit too much within 60 s when a
second is half over: 61 do neither (hard-parts 5). Only seconds in which something happened have a bucket. The clock is
an argument, in whole seconds; it may not go back.
"""

from sys import maxsize
from typing import Final

SECONDS: Final = 61

REQUESTS: Final = 0
TOKENS: Final = 1


class Window:
    """Requests and tokens of the last 61 seconds. `requests` and `tokens` hold as of the last `move`."""

    __slots__ = ("_buckets", "_first", "requests", "tokens")

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self._buckets: dict[int, list[int]] = {}  # second -> [requests, tokens], oldest first
        self._first = maxsize  # the oldest second that has a bucket

    def move(self, now: int) -> None:
        """Forget what lies further back."""
        if self._first <= now - SECONDS:
            self._expire(now - SECONDS)

    def add(self, now: int, tokens: int) -> None:
        """One request. `move(now)` comes first."""
        bucket = self._buckets.get(now)
        if bucket is None:
            if not self._buckets:
                self._first = now
            self._buckets[now] = [1, tokens]
        else:
            bucket[REQUESTS] += 1
            bucket[TOKENS] += tokens
        self.requests += 1
        self.tokens += tokens

    def correct(self, second: int, tokens: int) -> None:
        """So many tokens more (or fewer) were used in that second; once it has left the window, nothing changes."""
        bucket = self._buckets.get(second)
        if bucket is not None:
            bucket[TOKENS] += tokens
            self.tokens += tokens

    def free_in(self, kind: int, room: int, now: int) -> int:
        """Seconds until at most `room` of them (REQUESTS, TOKENS) are left, if nothing is added. For a room that even
        an empty window lacks, the time until it is empty is given: SECONDS."""
        left = self.tokens if kind else self.requests
        if left <= room:
            return 0
        for second, bucket in self._buckets.items():
            left -= bucket[kind]
            if left <= room:
                return second + SECONDS - now
        return SECONDS

    def _expire(self, last: int) -> None:
        gone = [second for second in self._buckets if second <= last]
        for second in gone:
            requests, tokens = self._buckets.pop(second)
            self.requests -= requests
            self.tokens -= tokens
        self._first = next(iter(self._buckets), maxsize)
