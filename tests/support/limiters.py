"""The back-ends of the limits, each with a clock of the test's own. A new one is a row of BACKENDS."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from litellm.kv.redis import Redis, parse
from litellm.proxy.limits.base import Limiter, Scope, Ticket
from litellm.proxy.limits.hostfile import Sizes
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.proxy.limits.redis import RedisLimiter
from litellm.proxy.limits.shared import SharedLimiter


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


SMALL = Sizes(accounts=256, counters=256, holds=128)

Backend = Callable[[Path, Clock], AbstractContextManager[Limiter]]
"""Opens an empty limiter; the folder is the test's, and may have been used before."""


@contextmanager
def in_memory(_: Path, clock: Clock) -> Iterator[Limiter]:
    yield MemoryLimiter(clock)


@contextmanager
def shared(folder: Path, clock: Clock) -> Iterator[Limiter]:
    made = SharedLimiter(folder / "limits", clock, SMALL)
    try:
        yield made
    finally:
        made.close()


class Waiting:
    """base.Limiter over the one in Redis: every step waits until it is done."""

    def __init__(self, clock: Clock, url: str) -> None:
        self._loop = asyncio.Runner()
        self._loop.run(self._open(clock, url))

    async def _open(self, clock: Clock, url: str) -> None:
        self.redis = Redis(parse(url), timeout=20)
        await self.redis.command("FLUSHALL")
        self.inner = RedisLimiter(self.redis, clock, time=lambda: int(clock() * 1000), grace=0)
        await self.inner.begin()

    def close(self) -> None:
        self._loop.run(self.inner.aclose())
        self._loop.close()

    def reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: int, strict: bool = False) -> Ticket:
        async def wait() -> Ticket:
            return await self.inner.reserve(call_id, scopes, tokens, nano, strict)

        return self._loop.run(wait())

    def settle(self, ticket: Ticket, tokens: int, nano: int) -> None:
        async def wait() -> None:
            self.inner.settle(ticket, tokens, nano)
            await self.inner.settled()

        self._loop.run(wait())

    def load(self, spent: Mapping[tuple[str, int], int]) -> None:
        async def wait() -> None:
            await self.inner.load(spent)

        self._loop.run(wait())

    def charge(self, charges: Sequence[tuple[str, int]], nano: int) -> None:
        async def wait() -> None:
            self.inner.charge(charges, nano)
            await self.inner.settled()

        self._loop.run(wait())

    def spent(self, scope: str, period: int) -> int | None:
        """What Redis has, and not what the worker remembers of it."""
        told = self._loop.run(self.redis.command("HGET", f"{{litellm}}:m:{scope}:{period}", "s"))
        return None if told is None else int(told)


@contextmanager
def in_redis(folder: Path, clock: Clock) -> Iterator[Limiter]:
    made = Waiting(clock, (folder / "redis").read_text())
    try:
        yield made
    finally:
        made.close()


BACKENDS: dict[str, Backend] = {"memory": in_memory, "shared": shared, "redis": in_redis}
