"""The router: turns an Ask into attempts at deployments until one answers, and says how many it took."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from random import random
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from litellm import exceptions as e
from litellm.engine.engine import Engine, Reply
from litellm.engine.streams import EventStream
from litellm.router import mocking
from litellm.router.budget import RetryBudget
from litellm.router.deployments import Deployment, Deployments, Group
from litellm.router.fallbacks import NONE, UNFIT, Fallbacks
from litellm.router.health import State, failed
from litellm.router.hedging import Hedging
from litellm.router.plan import Failure, RetryPolicy, Routing, choose, next_attempt
from litellm.router.refusal import refused_by_all
from litellm.router.spending import reached
from litellm.router.strategies import Strategy, simple_shuffle
from litellm.router.total import OutOfTime, Total, in_time
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
    lost: float = 0.0
    """Seconds until it was asked that went by for others: attempts that failed or were overtaken, and pauses."""


class _Slot(NamedTuple):
    """Taken of a deployment: an attempt there has begun, as far as its state knows."""

    deployment: Deployment
    began: float
    probe: int

    @classmethod
    def of(cls, deployment: Deployment, now: float) -> "_Slot":
        return cls(deployment, now, 0 if deployment.state is None else deployment.state.begin(now))

    def give_back(self) -> None:
        """Nothing was sent."""
        if self.deployment.state is not None:
            self.deployment.state.ended(self.probe)


class Router:
    """Immutable: a reload builds another. The engine (and with it the connections) is handed on, and so are the states
    of the deployments."""

    __slots__ = (
        "_bounded", "_by_lot", "_clock", "_commit_seconds", "_engine", "_sleep", "deployments", "fallbacks", "policy",
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
        self._by_lot = self.routing.strategy is simple_shuffle
        """The usual draw does (`Group.lot`), and nobody asks how long a deployment takes: it is not noted."""
        self._engine = engine
        self._commit_seconds = commit_seconds
        self._clock = clock
        self._sleep = sleep
        if routing is not None:
            budgets: dict[str, RetryBudget] = {}
            for one in deployments.all:
                one.retries = budgets.setdefault(one.model_name, RetryBudget(clock()))

    async def models(self, target: Target) -> list[str]:
        """The models that an endpoint says it has."""
        return await self._engine.models(target)

    def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Awaitable[Served[Reply]]:
        """Raises the last attempt's APIError, with `num_retries` saying how often it was tried again; and
        RouterRateLimitError if no deployment of the group takes calls, BudgetReached if that is for their budgets."""
        return self._served(ask, group, self._engine.send, num_retries)

    def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Awaitable[Served[EventStream]]:
        """As `send`; a stream whose first event has come is never tried again."""
        return self._served(ask, group, self._open, num_retries)

    async def _served(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        num_retries: int | None,
    ) -> Served[T]:
        """The first attempt of a usual call, in as few steps as it needs: nearly every call is one."""
        if self._bounded or ask.trace is not None or ask.bond is not None or ask.failing:
            return await self._routed(ask, group, attempt, [], num_retries)
        first = group[0]
        state, began = first.state, self._clock()
        if state is None and len(group) == 1:
            try:
                result = await attempt(first.call(ask))
            except e.LiteLLMError as error:
                return await self._routed(ask, group, attempt, [Failure(first, error, began)], num_retries)
            if first.retries is not None:
                first.retries.calls += 1
            return Served(result, first)
        if state is not None and (state.queues is not None or state.hedging is not None):
            return await self._routed(ask, group, attempt, [], num_retries)
        lot = group.lot if self._by_lot and isinstance(group, Group) else None
        chosen = None if lot is None else lot.draw(began)
        if chosen is None:
            chosen = choose(group, self.routing.strategy, began, random())
            if chosen is None:
                return await self._routed(ask, group, attempt, [], num_retries)
        state = chosen.state or State()
        probe = state.begin(began)
        if ask.account is not None:
            ask.account.tries(chosen)
        try:
            result = await attempt(chosen.call(ask))
        except e.LiteLLMError as error:
            self._broke(chosen, state, len(group) == 1, probe, error)
            return await self._routed(ask, group, attempt, [Failure(chosen, error, began)], num_retries)
        except BaseException as error:
            self._broke(chosen, state, len(group) == 1, probe, error)
            raise
        if not self._by_lot:
            now = self._clock()
            state.took(now, now - began)
        state.answered()
        if isinstance(result, EventStream):
            self._goes_on(result, chosen, state, len(group) == 1)
        else:
            state.ended(probe)
        if first.retries is not None:
            first.retries.calls += 1
        return Served(result, chosen)

    def remembered(self, ask: Ask, served: Served[Reply]) -> None:
        """A whole answer came from a cache (`ask.cached`): nobody was asked."""

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
        began = failures[0].began if failures else self._clock()
        seconds = self.routing.totals.get(group[0].model_name, self.routing.total_seconds)
        total = None if seconds is None else Total(seconds, began + seconds)
        try:
            if ask.failing is not None:
                raise mocking.failure(ask.failing, group[0].model_name)
            return await self._within(ask, group, attempt, failures, num_retries, total)
        except e.LiteLLMError as error:
            names = self.fallbacks.after(group[0].model_name, error, ask.fallbacks)
            for number, name in enumerate(names, 1):
                other = self.deployments.group(name)
                if other and ask.fit is not None:
                    fitting = ask.fit(other)
                    if ask.trace is not None:
                        ask.trace.filtered(other, fitting, UNFIT)
                    other = fitting
                if not other:
                    continue
                now = self._clock()
                if total is not None and now >= total.until:
                    break
                turned = replace(ask, model=name, failing=None)
                try:
                    served = await self._within(turned, other, attempt, [], num_retries, total)
                except e.LiteLLMError:
                    continue
                served.fallbacks = number
                served.lost += now - began
                return served
            raise

    async def _within(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
        total: Total | None,
    ) -> Served[T]:
        """One group's part: its deployments, one after another. `failures` are those of this call so far."""
        strategy, now = self.routing.strategy, self._clock()
        if ask.bond is not None:
            strategy = ask.bond.over(strategy, ask.model, now)
        if (retries := group[0].retries) is not None:
            retries.calls += 1
        if not failures:
            queues = None if group[0].state is None else group[0].state.queues
            slot = None
            if queues is None or reached(group, now) is not None:  # nobody waits for tomorrow
                chosen = choose(group, strategy, now, random())
            else:
                slot = await self._awaited(ask, group, strategy, queues, total)
                chosen = None if slot is None else slot.deployment
                now = self._clock()
            if ask.trace is not None and slot is None:
                ask.trace.chose(group, strategy, now, chosen)
            if chosen is None:
                raise refused_by_all(group, now)
            hedging = None if group[0].state is None else group[0].state.hedging
            try:
                if hedging is not None:
                    return await self._hedged(ask, group, attempt, chosen, hedging, total, slot)
                return Served(await self._attempt(ask, chosen, attempt, len(group) == 1, total, slot), chosen)
            except e.LiteLLMError as error:
                failures.append(Failure(chosen, error, now))
        return await self._retried(ask, group, attempt, failures, num_retries, total, strategy)

    async def _retried(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
        total: Total | None,
        strategy: Strategy,
    ) -> Served[T]:
        """What follows a group's first failure."""
        name = group[0].model_name
        policy = self._policy_for(failures[0].deployment, num_retries)
        retries, others = group[0].retries, self.fallbacks.any(name, ask.fallbacks)
        longest = failures[0].deployment.seconds(ask)
        while True:
            _tell(ask.account, failures[-1])
            now = self._clock()
            step = next_attempt(group, failures, policy, random(), now, strategy, others, longest)
            if step is None or (total is not None and now + step.pause >= total.until):
                raise _last(failures, policy)
            if step.again and retries is not None and not retries.spend(now):
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
                result = await self._attempt(ask, chosen, attempt, len(group) == 1, total)
                return Served(result, chosen, len(failures), lost=now - failures[0].began)
            except e.LiteLLMError as error:
                failures.append(Failure(chosen, error, now))

    async def _awaited(
        self, ask: Ask, group: tuple[Deployment, ...], strategy: Strategy, queues: Queues, total: Total | None
    ) -> _Slot | None:
        """Whom to ask first, once there is room and it is this call's turn."""
        states = tuple(one.state for one in group if one.state is not None)

        def take() -> _Slot | None:
            now = self._clock()
            chosen = choose(group, strategy, now, random())
            if chosen is None:
                return None
            if ask.trace is not None:
                ask.trace.chose(group, strategy, now, chosen)
            return _Slot.of(chosen, now)

        if ask.account is not None:
            ask.account.waiting = True
        until = None if total is None else total.until
        return await queues.slot(states, take, _Slot.give_back, ask.tenant, ask.priority, until)

    async def _hedged(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        chosen: Deployment,
        hedging: Hedging,
        total: Total | None,
        slot: _Slot | None,
    ) -> Served[T]:
        """As `_attempt` at `chosen`, or at another deployment as well if that one is slow; and who was quicker."""
        slots: list[_Slot] = []

        def another() -> Deployment | None:
            now = self._clock()
            others = {one.id for one in group if one is chosen or one.state is None or one.state.strikes}
            return choose(group, self.routing.strategy, now, random(), others)

        def start(deployment: Deployment) -> asyncio.Future[T]:
            """The slot is taken at once, not when the task first runs: somebody else might have it by then."""
            now = self._clock()
            if deployment is not chosen and ask.trace is not None:
                ask.trace.chose([one for one in group if one is not chosen], self.routing.strategy, now, deployment)
            taken = slot if slot is not None and deployment is chosen else _Slot.of(deployment, now)
            slots.append(taken)
            held = [taken]  # until the task runs

            async def run() -> T:
                held.clear()
                try:
                    return await self._attempt(ask, deployment, attempt, len(group) == 1, total, taken)
                except e.LiteLLMError as error:
                    _tell(ask.account, Failure(deployment, error, now))  # the other may be under way for long
                    raise

            task = asyncio.ensure_future(run())
            task.add_done_callback(lambda _: held and held[0].give_back())
            return task

        result, quicker = await hedging.first(ask, chosen, start, another)
        return Served(result, quicker, lost=0.0 if quicker is chosen else slots[-1].began - slots[0].began)

    async def _attempt(
        self,
        ask: Ask,
        deployment: Deployment,
        attempt: Callable[[Call], Awaitable[T]],
        alone: bool,
        total: Total | None,
        slot: _Slot | None = None,
    ) -> T:
        """One attempt, and what its deployment's state learns of it. `slot`: if that has been taken already."""
        state = deployment.state
        if state is None:
            return await self._sending(ask, deployment, attempt, total)
        if slot is None:
            began = self._clock()
            probe = state.begin(began)
        else:
            began, probe = slot.began, slot.probe
        try:
            result = await self._sending(ask, deployment, attempt, total)
        except BaseException as error:
            self._broke(deployment, state, alone, probe, error)
            raise
        now = self._clock()
        if not self._by_lot:
            state.took(now, now - began)
        if ask.bond is not None:
            ask.bond.served(ask.model, deployment, now)
        state.answered()
        if isinstance(result, EventStream):
            self._goes_on(result, deployment, state, alone)
        else:
            state.ended(probe)
        return result

    def _goes_on(self, stream: EventStream, deployment: Deployment, state: State, alone: bool) -> None:
        """An attempt has an answer, but not the end of it."""
        stream.on_close = state.ended
        stream.on_broke = partial(self._failed, deployment, state, alone)

    def _broke(self, deployment: Deployment, state: State, alone: bool, probe: int, error: BaseException) -> None:
        """An attempt ends without one."""
        if isinstance(error, e.LiteLLMError) and not (isinstance(error, OutOfTime) and error.late):
            self._failed(deployment, state, alone, error)
        state.ended(probe)

    def _sending(
        self, ask: Ask, deployment: Deployment, attempt: Callable[[Call], Awaitable[T]], total: Total | None
    ) -> Awaitable[T]:
        if ask.account is not None:
            ask.account.tries(deployment)
        sending = attempt(deployment.call(ask))
        if total is not None:
            sending = in_time(sending, total, total.until - self._clock(), deployment.target)
        return sending if ask.trace is None else ask.trace.timed(sending, deployment, self._clock)

    def _failed(self, deployment: Deployment, state: State, alone: bool, error: e.LiteLLMError) -> None:
        failed(state, error, self._clock(), self.routing.cooldowns, alone, "*" in deployment.model_name)

    def _policy_for(self, deployment: Deployment, num_retries: int | None) -> RetryPolicy:
        count = num_retries if num_retries is not None else deployment.max_retries
        return self.policy if count is None else RetryPolicy(count, self.policy.retry_after)


def _tell(account: Account | None, failure: Failure) -> None:
    if account is not None:
        account.attempted(failure.deployment, failure.error)


def _last(failures: list[Failure], policy: RetryPolicy) -> e.LiteLLMError:
    """The error to give up with. `failures` is emptied: a frame that holds an error which holds that frame, in its
    traceback, would keep all that the call has brought until the collector comes."""
    error = failures[-1].error
    error.num_retries, error.max_retries = len(failures) - 1, policy.num_retries
    failures.clear()
    return error
