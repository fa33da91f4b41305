"""The router: turns an Ask into attempts at deployments until one answers, and says how many it took."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from random import random
from time import monotonic
from typing import Generic, TypeVar

from litellm import exceptions as e
from litellm.engine.engine import Engine, Reply
from litellm.engine.streams import EventStream
from litellm.router import mocking
from litellm.router.budget import RetryBudget
from litellm.router.candidates import wait
from litellm.router.deployments import Deployment, Deployments
from litellm.router.fallbacks import NONE, Fallbacks
from litellm.router.health import State, failed
from litellm.router.hedging import Hedging
from litellm.router.plan import Failure, RetryPolicy, Routing, choose, next_attempt
from litellm.router.strategies import Strategy
from litellm.router.waiting import Queues
from litellm.types.calls import Account, Ask, Call, Target

T = TypeVar("T")


@dataclass(slots=True)
class Served(Generic[T]):
    """What came back, who served it, after how many retries, and the how manieth fallback it was."""

    result: T
    deployment: Deployment
    retries: int = 0
    fallbacks: int = 0


class Router:
    """Immutable: a reload builds another. The engine (and with it the connections) is handed on, and so are the states
    of the deployments."""

    __slots__ = (
        "_bounded", "_budgets", "_clock", "_commit_seconds", "_engine", "_sleep", "deployments", "fallbacks", "policy",
        "routing",
    )  # fmt: skip

    def __init__(
        self,
        deployments: Deployments,
        engine: Engine,
        policy: RetryPolicy,
        commit_seconds: float | None = None,
        routing: Routing | None = None,
        fallbacks: Fallbacks = NONE,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.deployments = deployments
        self.policy = policy
        self.routing = routing or Routing()
        self.fallbacks = NONE if fallbacks == NONE else fallbacks
        self._bounded = self.routing.total_seconds is not None or bool(self.routing.totals)
        self._engine = engine
        self._commit_seconds = commit_seconds
        self._budgets: dict[str, RetryBudget] | None = {} if routing is not None else None
        """By model group. A program's own calls have none: they are tried as often as it says."""
        self._clock = clock
        self._sleep = sleep

    async def models(self, target: Target) -> list[str]:
        """The models that an endpoint says it has."""
        return await self._engine.models(target)

    async def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Served[Reply]:
        """Raises the last attempt's APIError, with `num_retries` saying how often it was tried again; and
        RouterRateLimitError if no deployment of the group takes calls."""
        deployment = group[0]
        if len(group) > 1 or deployment.state is not None or self._bounded or ask.trace is not None or ask.failing:
            return await self._routed(ask, group, self._engine.send, [], num_retries)
        try:
            return Served(await self._engine.send(deployment.call(ask)), deployment)
        except e.LiteLLMError as error:
            return await self._routed(ask, group, self._engine.send, [Failure(deployment, error)], num_retries)

    async def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Served[EventStream]:
        """As `send`; a stream whose first event has come is never tried again."""
        deployment = group[0]
        if len(group) > 1 or deployment.state is not None or self._bounded or ask.trace is not None or ask.failing:
            return await self._routed(ask, group, self._open, [], num_retries)
        try:
            return Served(await self._open(deployment.call(ask)), deployment)
        except e.LiteLLMError as error:
            return await self._routed(ask, group, self._open, [Failure(deployment, error)], num_retries)

    def falls_back(self, ask: Ask) -> bool:
        """May a call be answered by another group than its own?"""
        return bool(ask.fallbacks) or (self.fallbacks is not NONE and ask.fallbacks != ())

    def reachable(self, group: tuple[Deployment, ...], own: tuple[str, ...] | None) -> tuple[Deployment, ...]:
        """The group and every other that its calls may fall back to."""
        if own is None and self.fallbacks is NONE:
            return group
        names = self.fallbacks.reachable(group[0].model_name, own)
        return (*group, *(one for name in names for one in self.deployments.group(name))) if names else group

    def _open(self, call: Call) -> Awaitable[EventStream]:
        return self._engine.stream(call, self._commit_seconds)

    async def _routed(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
    ) -> Served[T]:
        """The group's deployments, then those of its fallbacks. Raises the group's own error if these fail too."""
        total = self.routing.totals.get(group[0].model_name, self.routing.total_seconds)
        until = None if total is None else self._clock() + total
        try:
            if ask.failing is not None:
                raise mocking.failure(ask.failing, group[0].model_name)
            return await self._within(ask, group, attempt, failures, num_retries, until)
        except e.LiteLLMError as error:
            names = self.fallbacks.after(group[0].model_name, error, ask.fallbacks)
            for number, name in enumerate(names, 1):
                other = self.deployments.group(name)
                if other and ask.fit is not None:
                    fitting = ask.fit(other)
                    if ask.trace is not None:
                        ask.trace.filtered(other, fitting, "not for this caller's tags, or for what it brings along")
                    other = fitting
                if not other:
                    continue
                if until is not None and self._clock() >= until:
                    break
                turned = replace(ask, model=name, failing=None)
                try:
                    served = await self._within(turned, other, attempt, [], num_retries, until)
                except e.LiteLLMError:
                    continue
                served.fallbacks = number
                return served
            raise

    async def _within(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
        until: float | None,
    ) -> Served[T]:
        """One group's part: its deployments, one after another. `failures` are those of this call so far."""
        strategy, now = self.routing.strategy, self._clock()
        name = group[0].model_name
        if ask.bond is not None:
            strategy = ask.bond.over(strategy, ask.model, now)
        budget = self._budget(name, now)
        if budget is not None:
            budget.earn()
        if not failures:
            queues = None if group[0].state is None else group[0].state.queues
            if queues is None:
                chosen = choose(group, strategy, now, random())
            else:
                chosen = await self._awaited(ask, group, strategy, queues, until)
                now = self._clock()
            if ask.trace is not None:
                ask.trace.chose(group, strategy, now, chosen)
            if chosen is None:
                raise _refused_by_all(name, wait(group, now))
            hedging = None if group[0].state is None else group[0].state.hedging
            try:
                if hedging is not None:
                    return Served(*await self._hedged(ask, group, attempt, chosen, hedging, until))
                return Served(await self._attempt(ask, chosen, attempt, len(group) == 1, until), chosen)
            except e.LiteLLMError as error:
                failures.append(Failure(chosen, error))
        return await self._retried(ask, group, attempt, failures, num_retries, until, strategy, budget)

    async def _retried(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
        until: float | None,
        strategy: Strategy,
        budget: RetryBudget | None,
    ) -> Served[T]:
        """What follows a group's first failure."""
        name = group[0].model_name
        policy = self._policy_for(failures[0].deployment, num_retries)
        others = self.fallbacks.any(name, ask.fallbacks)
        while True:
            _tell(ask.account, failures[-1])
            now = self._clock()
            step = next_attempt(group, failures, policy, random(), now, strategy, others)
            if step is None or (until is not None and now + step.pause >= until):
                raise _last(failures, policy)
            if step.again and budget is not None and not budget.spend(now):
                raise _last(failures, policy)
            chosen = step.deployment
            if step.pause:
                await self._sleep(step.pause)
                now = self._clock()
                chosen = choose(group, strategy, now, random())  # it may be full by now, or rest
                if chosen is None:
                    raise _last(failures, policy)
            if ask.trace is not None:
                tried = () if step.pause else {failure.deployment.id for failure in failures}
                ask.trace.chose(group, strategy, now, chosen, tried, step.pause)
            try:
                result = await self._attempt(ask, chosen, attempt, len(group) == 1, until)
                return Served(result, chosen, len(failures))
            except e.LiteLLMError as error:
                failures.append(Failure(chosen, error))

    async def _awaited(
        self, ask: Ask, group: tuple[Deployment, ...], strategy: Strategy, queues: Queues, until: float | None
    ) -> Deployment | None:
        """Whom to ask first, once there is room and it is this call's turn."""
        states = tuple(one.state for one in group if one.state is not None)
        choice = lambda: choose(group, strategy, self._clock(), random())  # noqa: E731
        account, cancelled = ask.account, False
        if account is not None:
            account.waiting = True
        try:
            return await queues.slot(states, choice, ask.tenant, ask.priority, until)
        except asyncio.CancelledError:  # then it has been waiting to its end
            cancelled = True
            raise
        finally:
            if account is not None:
                account.waiting = cancelled

    def _hedged(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        chosen: Deployment,
        hedging: Hedging,
        until: float | None,
    ) -> Awaitable[tuple[T, Deployment]]:
        """As `_attempt` at `chosen`, or at another deployment as well if that one is slow; and who was quicker."""

        def another() -> Deployment | None:
            now = self._clock()
            others = {one.id for one in group if one is chosen or one.state is None or one.state.strikes}
            return choose(group, self.routing.strategy, now, random(), others)

        def start(deployment: Deployment) -> asyncio.Future[T]:
            """The slot is taken at once, not when the task first runs: somebody else might have it by then."""
            began, state = self._clock(), deployment.state
            held: list[State] = []  # until the task runs
            if deployment is not chosen and ask.trace is not None:
                ask.trace.chose([one for one in group if one is not chosen], self.routing.strategy, began, deployment)
            if state is not None:
                state.begin(began)
                held.append(state)

            async def run() -> T:
                held.clear()
                return await self._attempt(ask, deployment, attempt, len(group) == 1, until, began)

            task = asyncio.ensure_future(run())
            task.add_done_callback(lambda _: held and held[0].gave_up())
            return task

        return hedging.first(ask, chosen, start, another)

    async def _attempt(
        self,
        ask: Ask,
        deployment: Deployment,
        attempt: Callable[[Call], Awaitable[T]],
        alone: bool,
        until: float | None,
        began: float | None = None,
    ) -> T:
        """One attempt, and what its deployment's state learns of it. `began`: when that was told of it, if it was."""
        state = deployment.state
        if state is None:
            return await self._sending(ask, deployment, attempt, until)
        if began is None:
            began = self._clock()
            state.begin(began)
        streamed = False
        try:
            result = await self._sending(ask, deployment, attempt, until)
            now = self._clock()
            state.answered(now, now - began)
            if ask.bond is not None:
                ask.bond.served(ask.model, deployment, now)
            if isinstance(result, EventStream):
                result.on_close, streamed = state.ended, True
                result.on_broke = partial(self._failed, deployment, state, alone)
            return result
        except e.LiteLLMError as error:
            self._failed(deployment, state, alone, error)
            raise
        except BaseException:
            state.probing = False
            raise
        finally:
            if not streamed:
                state.ended()

    def _sending(
        self, ask: Ask, deployment: Deployment, attempt: Callable[[Call], Awaitable[T]], until: float | None
    ) -> Awaitable[T]:
        if ask.account is not None:
            ask.account.tries(deployment)
        sending = attempt(deployment.call(ask))
        if until is not None:
            sending = _in_time(sending, until - self._clock(), deployment)
        return sending if ask.trace is None else ask.trace.timed(sending, deployment, self._clock)

    def _failed(self, deployment: Deployment, state: State, alone: bool, error: e.LiteLLMError) -> None:
        failed(state, error, self._clock(), self.routing.cooldowns, alone, "*" in deployment.model_name)

    def _budget(self, group: str, now: float) -> RetryBudget | None:
        if self._budgets is None:
            return None
        budget = self._budgets.get(group)
        if budget is None:
            budget = self._budgets[group] = RetryBudget(now)
        return budget

    def _policy_for(self, deployment: Deployment, num_retries: int | None) -> RetryPolicy:
        count = num_retries if num_retries is not None else deployment.max_retries
        return self.policy if count is None else RetryPolicy(count, self.policy.retry_after)


def _tell(account: Account | None, failure: Failure) -> None:
    if account is not None:
        account.attempted(failure.deployment, failure.error)


def _refused_by_all(group: str, seconds: float) -> e.RouterRateLimitError:
    """No deployment of a group takes calls now: come again then."""
    error = e.RouterRateLimitError(group, round(seconds, 1))
    error.headers = {"retry-after": str(max(1, ceil(seconds)))}
    return error


async def _in_time(attempt: Awaitable[T], seconds: float, deployment: Deployment) -> T:
    """Raises Timeout when the call's total time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await attempt
    except TimeoutError:
        target = deployment.target
        raise e.Timeout("The call's total time is over", target.model, target.provider) from None


def _last(failures: list[Failure], policy: RetryPolicy) -> e.LiteLLMError:
    """The error to give up with. `failures` is emptied: a frame that holds an error which holds that frame, in its
    traceback, would keep all that the call has brought until the collector comes."""
    error = failures[-1].error
    error.num_retries, error.max_retries = len(failures) - 1, policy.num_retries
    failures.clear()
    return error
