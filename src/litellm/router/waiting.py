"""Waiting for a deployment of a full group, in the place of a refusal.

Owned by the process, one `Queues` for each model group (a reload changes its policy and nobody loses a place). Callers
of one group may be served by different deployments of it (by their tags): each such choice has a line of its own, as
a free slot that the first in line cannot use must not keep the second waiting. A slot that several lines can use goes
to the one whose turn comes first. A line is there only while anybody stands in it.

Slots become free by events (a call ends, a probe succeeds) and by time (a rest or a full minute is over): an event and
a timer both come to `freed`, which hands out what there is. So whoever comes anew may have what is free then.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from litellm.router.queue import FairQueue, QueuePolicy

if TYPE_CHECKING:
    from litellm.router.health import State

T = TypeVar("T")


class Queues:
    """One group's. `policy` is None if its calls do not wait (any longer)."""

    __slots__ = ("_clock", "_lines", "_order", "_policy", "_timer")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._policy: QueuePolicy | None = None
        self._order = count()
        self._lines: dict[tuple[State, ...], FairQueue] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines.values()))

    @property
    def policy(self) -> QueuePolicy | None:
        return self._policy

    @policy.setter
    def policy(self, policy: QueuePolicy | None) -> None:
        self._policy = policy
        if policy is not None:
            for line in self._lines.values():
                line.policy = policy

    async def slot(
        self,
        states: "tuple[State, ...]",
        take: Callable[[], T | None],
        give_back: Callable[[T], object],
        tenant: str,
        priority: int,
        deadline: float | None,
    ) -> T | None:
        """What `take` gives, a slot of the deployments with these states: at once if there is one for somebody who
        comes now, else when the caller's turn has come. None if there is none and calls do not wait.

        Who is cancelled while a slot is on its way to him has it given back. Raises QueueFull, WaitedTooLong.
        """
        if self._lines:
            self.freed()  # whoever waits for the time that has come by now is first, though the timer is late
        if not self._lines or self._room(states):
            taken = take()
            if taken is not None:
                return taken
        policy = self._policy
        if policy is None:
            return None
        line = self._lines.get(states)
        if line is None:
            line = self._lines[states] = FairQueue(policy, self._clock, self._order)
            self._arm()
        try:
            return await line.wait(take, give_back, tenant, priority, deadline)
        finally:
            if not line and self._lines.get(states) is line:
                del self._lines[states]
                self._arm()

    def freed(self) -> None:
        """A slot may have become free."""
        if not self._lines:
            return
        lines = list(self._lines.items())
        while lines:
            first = min(lines, key=_due)
            if not self._room(first[0]) or not first[1].serve():
                lines.remove(first)
        self._arm()

    def filled(self) -> None:
        """A deployment takes no more for now: whoever waits has it when it does, whether or not a call has ended by
        then."""
        if self._lines:
            self._arm()

    def _room(self, states: "tuple[State, ...]") -> bool:
        now = self._clock()
        return any(state.takes(now) for state in states)

    def _arm(self) -> None:
        """Comes again when the next deployment takes calls by the mere passing of time, if any does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        times = (state.open_at for states in self._lines for state in states)
        soonest = min((at for at in times if at > now), default=inf)
        if soonest < inf:
            self._timer = asyncio.get_running_loop().call_later(soonest - now, self.freed)


def _due(line: "tuple[tuple[State, ...], FairQueue]") -> tuple[float, int]:
    return line[1].due()
