"""Hedging as a model group does it: how slow is slow there, how many hedges it may still make, and who has been asked.

Owned by the process, one for each group, so that a reload forgets nothing. An answer that is not streamed takes as
long as it is long: its times are kept apart from those of streams.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from litellm import exceptions as e
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

        The account is told of the other one of two. Raises what `chosen` failed with if nobody answered.
        """
        asked: list[tuple[Deployment, asyncio.Future[T]]] = []

        def begun(deployment: "Deployment") -> asyncio.Future[T]:
            task = start(deployment)
            asked.append((deployment, task))
            return task

        def second() -> asyncio.Future[T] | None:
            deployment = another()
            return begun(deployment) if deployment is not None and self._budget.take() else None

        seen, began = self._seen[ask.stream], self._clock()
        self._budget.called()
        after = self.policy.after(seen)
        try:
            outcome = await hedged(begun(chosen), second, after, _discard)
            result, winner = outcome.result, 0 if outcome.winner == "first" else 1
        except BaseException:
            _tell(ask, asked[1:])  # the caller, or its end, is told of the first
            raise
        else:
            seen.add(self._clock() - began)
            _tell(ask, asked[1 - winner :][: len(asked) - 1])
            return result, asked[winner][0]
        finally:
            asked.clear()  # a failed task holds its error, which holds this frame

    def _outage(self) -> bool:
        """Fewer than two deployments are well."""
        now = self._clock()
        return sum(state.resting_until <= now and not state.strikes for state in self.states) < 2


def _tell(ask: Ask, others: "list[tuple[Deployment, asyncio.Future[Any]]]") -> None:
    if ask.account is not None:
        for deployment, task in others:
            failed = task.exception() if task.done() and not task.cancelled() else None
            ask.account.attempted(deployment, failed if isinstance(failed, e.LiteLLMError) else None)


def _discard(result: Any) -> None:
    if isinstance(result, EventStream):
        result.close()
