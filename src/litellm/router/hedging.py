"""Hedging as a model group does it: how slow is slow there, how many hedges it may still make, and who has been asked.

Owned by the process, one for each group, so that a reload forgets nothing. An answer that is not streamed takes as
long as it is long: its times are kept apart from those of streams.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from litellm.engine.streams import EventStream
from litellm.router.hedge import HedgeBudget, HedgePolicy, Quantile, hedged
from litellm.types.calls import Ask

if TYPE_CHECKING:
    from litellm.router.deployments import Deployment
    from litellm.router.health import State

T = TypeVar("T")


class Hedging:
    """One group's. `states` are those of its deployments."""

    __slots__ = ("_budget", "_clock", "_seen", "policy", "states")

    def __init__(self, policy: HedgePolicy, clock: Callable[[], float] = monotonic) -> None:
        self.policy = policy
        self.states: list[State] = []
        self._clock = clock
        self._seen = {True: Quantile(), False: Quantile()}  # of streams, and of other answers
        self._budget = HedgeBudget(policy.cap, self._outage)

    def follow(self, policy: HedgePolicy) -> None:
        """From now on. What is known of the times stays."""
        if policy.cap != self.policy.cap:
            self._budget = HedgeBudget(policy.cap, self._outage)
        self.policy = policy

    async def first(
        self,
        ask: Ask,
        chosen: "Deployment",
        start: "Callable[[Deployment], asyncio.Future[T]]",
        another: "Callable[[], Deployment | None]",
    ) -> "tuple[T, Deployment]":
        """What came first, and from whom: `chosen`, or `another` that was asked when this was slow.

        The account is told of the other one of two; attempts that fail have told it themselves. Raises what `chosen`
        failed with if nobody answered.
        """
        asked: list[Deployment] = []

        def begun(deployment: "Deployment") -> asyncio.Future[T]:
            asked.append(deployment)
            return start(deployment)

        def second() -> asyncio.Future[T] | None:
            deployment = another()
            return begun(deployment) if deployment is not None and self._budget.take() else None

        seen, began = self._seen[ask.stream], self._clock()
        self._budget.called()
        if ask.account is not None:
            ask.account.waiting = True  # until the first task runs
        after = self.policy.after(seen)
        outcome = await hedged(begun(chosen), second, after, _discard)
        result, winner = outcome.result, 0 if outcome.winner == "first" else 1
        seen.add(self._clock() - began)
        if ask.account is not None and len(asked) > 1:
            ask.account.attempted(asked[1 - winner], None)
        return result, asked[winner]

    def _outage(self) -> bool:
        """Fewer than two deployments are well."""
        now = self._clock()
        return sum(state.resting_until <= now and not state.strikes for state in self.states) < 2


def _discard(result: Any) -> None:
    if isinstance(result, EventStream):
        result.close()
