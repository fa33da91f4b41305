"""Waiting for a deployment of a full group, in the place of a refusal.

Owned by the process, one `Queues` for each model group (a reload changes its policy and nobody loses a place). Callers
of one group may be served by different deployments of it (by their tags): each such choice has a line of its own, as
a free slot that the first in line cannot use must not keep the second waiting. A line is there only while anybody
stands in it.

Slots become free by events (a call ends, a probe succeeds) and by time (a rest or a full minute is over): an event and
a timer both come to `_Line.pump`, which wakes as many as there are slots.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from litellm.router.queue import FairQueue

if TYPE_CHECKING:
    from litellm.router.health import State

T = TypeVar("T")


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


class Queues:
    """One group's. `policy` is None if its calls do not wait (any longer)."""

    __slots__ = ("_clock", "_lines", "policy")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.policy: QueuePolicy | None = None
        self._clock = clock
        self._lines: dict[tuple[State, ...], _Line] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(line.queue) for line in self._lines.values())

    async def slot(
        self,
        states: "tuple[State, ...]",
        choose: Callable[[], T | None],
        tenant: str,
        priority: int,
        deadline: float | None,
    ) -> T | None:
        """What `choose` gives of the deployments with these states: at once if there is room beside those who wait,
        else when the caller's turn has come. None if it gives nothing and calls do not wait.

        Who gets something takes its slot before it awaits anything, or calls `freed`. Raises QueueFull, WaitedTooLong.
        """
        line, policy = self._lines.get(states), self.policy
        if line is None or line.free() > line.queue.woken:
            chosen = choose()
            if chosen is not None or policy is None:
                return chosen
        elif policy is None:
            return None
        until = self._clock() + policy.max_wait
        if deadline is not None:
            until = min(until, deadline)
        if line is None:
            queue = FairQueue(policy.size, policy.share, policy.max_wait, self._clock)
            line = self._lines[states] = _Line(states, queue, self._clock)
        try:
            while True:
                line.arm()
                await line.queue.wait(tenant, priority, until)
                chosen = choose()
                if chosen is not None:
                    return chosen
        finally:
            if not line.queue and not line.queue.woken and self._lines.get(states) is line:
                line.disarm()
                del self._lines[states]

    def freed(self) -> None:
        """A slot may have become free."""
        for line in list(self._lines.values()):
            line.pump()

    def filled(self) -> None:
        """A deployment takes no more for now: whoever waits comes again when it does, whether or not a call has ended
        by then."""
        for line in self._lines.values():
            line.arm()


class _Line:
    __slots__ = ("_clock", "_states", "_timer", "queue")

    def __init__(self, states: "tuple[State, ...]", queue: FairQueue, clock: Callable[[], float]) -> None:
        self.queue = queue
        self._states = states
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def free(self) -> int:
        """Calls that the deployments would take now."""
        now = self._clock()
        return sum(state.free(now) for state in self._states)

    def pump(self) -> None:
        """Wakes as many as there are slots that nobody is on the way to."""
        free = self.free()
        while self.queue.woken < free and self.queue.release():
            pass
        self.arm()

    def arm(self) -> None:
        """Comes again when the next deployment takes calls by the mere passing of time, if any does."""
        self.disarm()
        now = self._clock()
        soonest = min((state.open_at for state in self._states if state.open_at > now), default=inf)
        if soonest < inf:
            self._timer = asyncio.get_running_loop().call_later(soonest - now, self.pump)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
