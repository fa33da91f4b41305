"""A queue in front of a model group whose deployments are all taken: bounded, fair among tenants, by priority.

Who waits stands in a lane, one for each tenant and priority number; within a lane, first come, first served. A lane's
turn comes in the order of its number, 0 before 1, and each second in which it waits without a turn lowers that number
by one (`AGEING`). A turn sets it back. So, whatever arrives meanwhile:

* a tenant's first in line is passed by at most one call of every other lane whose number is the same or higher,
  however many stand there;
* nobody starves: the first of a lane with the number 5 has its turn before calls of number 0 that came 5 s after it.

The lane to go next is the one with the least (time since when it waits + number): that order does not change as time
goes by, hence a heap. Joining, leaving and a turn take O(log lanes), amortised.

A turn is a slot: whose turn it is takes one in `serve`, by the function that it came with, and has it from then on. If
that finds none, the turn stays where it is. Of several queues with one `order`, `due` says whose turn comes first.

One queue serves one event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from math import ceil, inf
from typing import Any, Final, NamedTuple, TypeVar

from litellm import exceptions as e

T = TypeVar("T")

AGEING: Final = 1.0
"""Seconds of waiting that lower a lane's number by one."""
SMOOTHING: Final = 0.125
"""The weight of the latest gap between two turns in their average."""
SLACK: Final = 64
"""Empty lanes beyond the number of waiters before they are cleared away."""


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """How many calls may wait, and how long (seconds)."""

    size: int
    max_wait: float
    per_tenant: int | None = None

    @property
    def share(self) -> int:
        """How many of one tenant: half of all unless it is said, so that no tenant alone keeps the others out."""
        return ceil(self.size / 2) if self.per_tenant is None else self.per_tenant


class QueueFull(e.RateLimitError):
    """No place in the queue, or none left of the tenant's share. `seconds`: an estimate of when to come again."""

    retryable = False  # by this process: another attempt would find the same queue

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, headers=_retry_after(seconds), rate_limit_type="concurrent_requests")
        self.seconds = seconds


class WaitedTooLong(e.RateLimitError):
    """No turn within the longest wait, or before the call's deadline. `seconds`: as of QueueFull."""

    retryable = False

    def __init__(self, waited: float, seconds: float) -> None:
        message = f"Every deployment of this model is busy: this call waited {waited:.1f} s in vain. Try again later."
        super().__init__(message, headers=_retry_after(seconds), rate_limit_type="concurrent_requests")
        self.seconds = seconds


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(max(1, ceil(seconds)))}


class _Moment(NamedTuple):
    """A time, and its place among the moments at the same time."""

    at: float
    order: int


_NEVER: Final = _Moment(inf, 0)


@dataclass(slots=True, eq=False)
class _Waiter:
    lane: "_Lane"
    since: _Moment
    take: Callable[[], Any]
    turn: asyncio.Future[Any]
    """What it has taken; None: it waited too long."""


@dataclass(slots=True, eq=False)
class _Lane:
    tenant: str
    priority: int
    served: _Moment
    """When it last had a turn."""
    waiters: OrderedDict[_Waiter, None] = field(default_factory=OrderedDict[_Waiter, None])

    def due(self) -> _Moment:
        """Lanes have their turns in the order of this. It only ever grows. There must be a waiter."""
        since = max(self.served, next(iter(self.waiters)).since)
        return _Moment(since.at + self.priority * AGEING, since.order)


class FairQueue:
    """`policy` may be another at any time: it holds for whoever comes then. `clock`: seconds, monotonic; `order`: what
    tells moments at the same time apart, for several queues together if their turns are to be compared."""

    __slots__ = ("_clock", "_gap", "_heap", "_lanes", "_last", "_order", "_tenants", "_waiting", "policy")

    def __init__(self, policy: QueuePolicy, clock: Callable[[], float], order: Iterator[int] | None = None) -> None:
        self.policy = policy
        self._clock = clock
        self._order = count() if order is None else order
        self._waiting = 0
        self._tenants: dict[str, int] = {}  # how many of each wait
        self._lanes: dict[tuple[str, int], _Lane] = {}
        # Each lane once, under what its `due` was when it was put there; it may have grown since, and is then put back.
        self._heap: list[tuple[_Moment, _Lane]] = []
        self._last = 0.0  # of the latest turn, or since when anybody waits
        self._gap: float | None = None  # seconds between turns, on average

    def __len__(self) -> int:
        """How many wait."""
        return self._waiting

    async def wait(
        self,
        take: Callable[[], T | None],
        give_back: Callable[[T], object],
        tenant: str,
        priority: int = 0,
        deadline: float | None = None,
    ) -> T:
        """What `take` gave when it was the caller's turn. `priority`: 0 and up; `deadline`: on the queue's clock.

        Raises QueueFull at once, and WaitedTooLong after the longest wait or at the deadline. If it is cancelled, the
        place is given up, and what has been taken already is given back.
        """
        now = self._clock()
        until = now + self.policy.max_wait
        if deadline is not None:
            until = min(until, deadline)
        if until <= now:
            raise WaitedTooLong(0.0, self._seconds(self._waiting))
        loop = asyncio.get_running_loop()
        waiter = self._join(tenant, priority, now, take, loop.create_future())
        timer = loop.call_later(until - now, self._overdue, waiter)
        try:
            taken = await waiter.turn
        except BaseException:
            self._gave_up(waiter, give_back)
            raise
        finally:
            timer.cancel()
        if taken is None:
            raise WaitedTooLong(self._clock() - now, self._seconds(self._waiting))
        return taken

    def due(self) -> _Moment:
        """Of the queues of a group the one to be served first has the least of this."""
        waiter = self._next()
        return _NEVER if waiter is None else waiter.lane.due()

    def serve(self) -> bool:
        """The one whose turn it is takes what there is. False: that is nothing, or nobody waits."""
        waiter = self._next()
        taken = None if waiter is None else waiter.take()
        if waiter is None or taken is None:
            return False
        self._leave(waiter)
        now = self._clock()
        gap = max(0.0, now - self._last)
        self._gap = gap if self._gap is None else self._gap + (gap - self._gap) * SMOOTHING
        self._last = now
        waiter.lane.served = _Moment(now, next(self._order))
        waiter.turn.set_result(taken)
        return True

    def _next(self) -> _Waiter | None:
        while self._heap:
            due, lane = self._heap[0]
            if not lane.waiters:
                heappop(self._heap)
                del self._lanes[lane.tenant, lane.priority]
            elif due != (now_due := lane.due()):
                heapreplace(self._heap, (now_due, lane))
            else:
                waiter = next(iter(lane.waiters))
                if not waiter.turn.done():
                    return waiter
                self._leave(waiter)  # it has been cancelled, and does not know yet
        return None

    def _join(
        self, tenant: str, priority: int, now: float, take: Callable[[], Any], turn: asyncio.Future[Any]
    ) -> _Waiter:
        held, policy = self._tenants.get(tenant, 0), self.policy
        if self._waiting >= policy.size:
            message = f"Every deployment of this model is busy and {self._waiting} calls are waiting. Try again later."
            raise QueueFull(message, self._seconds(self._waiting))
        if held >= policy.share:
            message = f"Every deployment of this model is busy and {held} calls of yours are waiting. Try again later."
            raise QueueFull(message, self._seconds(min(self._waiting, held * len(self._tenants))))
        if not self._waiting:
            self._last = now
        moment = _Moment(now, next(self._order))
        lane = self._lanes.get((tenant, priority))
        if lane is None:
            lane = self._lanes[tenant, priority] = _Lane(tenant, priority, moment)
            heappush(self._heap, (_Moment(now + priority * AGEING, moment.order), lane))
        waiter = _Waiter(lane, moment, take, turn)
        lane.waiters[waiter] = None
        self._waiting += 1
        self._tenants[tenant] = held + 1
        return waiter

    def _leave(self, waiter: _Waiter) -> None:
        tenant = waiter.lane.tenant
        del waiter.lane.waiters[waiter]
        self._waiting -= 1
        held = self._tenants[tenant] - 1
        if held:
            self._tenants[tenant] = held
        else:
            del self._tenants[tenant]
        if len(self._heap) > 2 * self._waiting + SLACK:
            self._clear()

    def _clear(self) -> None:
        """Empty lanes whose turn would not come for long are cleared away before they are many."""
        self._heap = [(due, lane) for due, lane in self._heap if lane.waiters]
        heapify(self._heap)
        self._lanes = {(lane.tenant, lane.priority): lane for _, lane in self._heap}

    def _overdue(self, waiter: _Waiter) -> None:
        if not waiter.turn.done():
            self._leave(waiter)
            waiter.turn.set_result(None)

    def _gave_up(self, waiter: _Waiter, give_back: Callable[[Any], object]) -> None:
        """Its caller hung up, or the loop is closing."""
        if waiter in waiter.lane.waiters:
            self._leave(waiter)
        elif waiter.turn.done() and not waiter.turn.cancelled() and (taken := waiter.turn.result()) is not None:
            give_back(taken)

    def _seconds(self, turns: int) -> float:
        """How long so many turns take at the recent rate, at most the longest wait: then all who wait now have gone."""
        most = self.policy.max_wait
        return most if self._gap is None else min(turns * self._gap, most)
