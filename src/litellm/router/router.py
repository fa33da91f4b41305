"""The router: turns an Ask into attempts at deployments until one answers, and says how many it took."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import random
from typing import Generic, TypeVar

from litellm import exceptions as e
from litellm.engine.engine import Engine, Reply
from litellm.engine.streams import EventStream
from litellm.router.deployments import Deployment, Deployments
from litellm.router.plan import Failure, RetryPolicy, first, next_attempt
from litellm.types.calls import Ask, Call, Target

T = TypeVar("T")


@dataclass(slots=True)
class Served(Generic[T]):
    """What came back, who served it, and after how many retries."""

    result: T
    deployment: Deployment
    retries: int = 0


class Router:
    """Immutable: a reload builds another. The engine (and with it the connections) is handed on."""

    __slots__ = ("_commit_seconds", "_engine", "deployments", "policy")

    def __init__(
        self, deployments: Deployments, engine: Engine, policy: RetryPolicy, commit_seconds: float | None = None
    ) -> None:
        self.deployments = deployments
        self.policy = policy
        self._engine = engine
        self._commit_seconds = commit_seconds

    async def models(self, target: Target) -> list[str]:
        """The models that an endpoint says it has."""
        return await self._engine.models(target)

    async def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Served[Reply]:
        """Raises the last attempt's APIError, with `num_retries` saying how often it was tried again."""
        deployment = group[0] if len(group) == 1 else first(group, random())
        try:
            return Served(await self._engine.send(deployment.call(ask)), deployment)
        except e.LiteLLMError as error:
            return await self._again(ask, group, self._engine.send, [Failure(deployment, error)], num_retries)

    async def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Served[EventStream]:
        """As `send`; a stream whose first event has come is never tried again."""
        deployment = group[0] if len(group) == 1 else first(group, random())
        try:
            return Served(await self._open(deployment.call(ask)), deployment)
        except e.LiteLLMError as error:
            return await self._again(ask, group, self._open, [Failure(deployment, error)], num_retries)

    def _open(self, call: Call) -> Awaitable[EventStream]:
        return self._engine.stream(call, self._commit_seconds)

    async def _again(
        self,
        ask: Ask,
        group: tuple[Deployment, ...],
        attempt: Callable[[Call], Awaitable[T]],
        failures: list[Failure],
        num_retries: int | None,
    ) -> Served[T]:
        """The path after a first failure."""
        policy = self._policy_for(failures[0].deployment, num_retries)
        while True:
            step = next_attempt(group, failures, policy, random())
            if step is None:
                raise _last(failures, policy)
            if step.pause:
                await asyncio.sleep(step.pause)
            try:
                return Served(await attempt(step.deployment.call(ask)), step.deployment, len(failures))
            except e.LiteLLMError as error:
                failures.append(Failure(step.deployment, error))

    def _policy_for(self, deployment: Deployment, num_retries: int | None) -> RetryPolicy:
        count = num_retries if num_retries is not None else deployment.max_retries
        return self.policy if count is None else RetryPolicy(count, self.policy.retry_after)


def _last(failures: list[Failure], policy: RetryPolicy) -> e.LiteLLMError:
    """The error to give up with. `failures` is emptied: a frame that holds an error which holds that frame, in its
    traceback, would keep all that the call has brought until the collector comes."""
    error = failures[-1].error
    error.num_retries, error.max_retries = len(failures) - 1, policy.num_retries
    failures.clear()
    return error
