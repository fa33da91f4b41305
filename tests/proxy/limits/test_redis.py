"""What the others cannot meet with: a Redis that goes away, comes back, or comes back empty; workers that die."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from litellm.kv.redis import Redis, RedisDown, parse
from litellm.proxy.limits import lua
from litellm.proxy.limits import redis as limits
from litellm.proxy.limits.base import LIMITS, Crowded, Limit, Refused, Scope, Ticket, Unloaded
from litellm.proxy.limits.redis import RedisLimiter
from litellm.store.base import StoreDown
from support.redis import RedisServer
from support.redis import redis as redis

KEY = Scope("key:k", budget=100)
GRACE = 400


@asynccontextmanager
async def worker(redis: RedisServer, closed: Collection[Limit] = ()) -> AsyncIterator[RedisLimiter]:
    made = RedisLimiter(Redis(parse(redis.url), timeout=2), monotonic, closed, grace=GRACE)
    await made.begin()
    try:
        yield made
    finally:
        await made.aclose()


class Store:
    """Where workers move what they have spent."""

    def __init__(self, *workers: RedisLimiter) -> None:
        self.spent = 0
        self.journals = dict.fromkeys(workers, 0)
        for one in workers:
            one.moved = self._moves(one)

    def _moves(self, one: RedisLimiter) -> Callable[[], Awaitable[None]]:
        async def move() -> None:
            self.spent += self.journals[one]
            self.journals[one] = 0

        return move

    async def reserve(self, one: RedisLimiter, nano: int, strict: bool = False, scope: Scope = KEY) -> Ticket:
        """As the meter does it."""
        try:
            return await one.reserve("c", [scope], 0, nano, strict)
        except Unloaded:
            await one.moved()
            await one.load({(scope.id, scope.period): self.spent})
            return await one.reserve("c", [scope], 0, nano, strict)

    def settle(self, one: RedisLimiter, ticket: Ticket, nano: int) -> None:
        self.journals[one] += nano
        one.settle(ticket, 0, nano)


async def until(one: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await one():  # noqa: ASYNC110 (nobody in here could set an event)
            await asyncio.sleep(0.02)


async def renewed(*workers: RedisLimiter) -> None:
    """Each has noticed in which epoch it lives."""

    async def same() -> bool:
        for one in workers:
            await one.renew()
        return True

    await until(lambda: _tried(same))


async def _tried(one: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await one()
    except (limits.RedisDown, Crowded):
        return False


async def _down() -> None:
    raise StoreDown("away")


async def value(one: RedisLimiter, field: str) -> int:
    told = await one.redis.command("HGET", "{litellm}:m:key:k:0", field)
    return int(told or 0)


@pytest.mark.parametrize("strict", [True, False])
def test_an_emptied_redis_learns_of_all_that_was_spent_and_is_reserved(redis: RedisServer, strict: bool) -> None:
    async def run() -> None:
        async with worker(redis, LIMITS) as one, worker(redis, LIMITS) as two:
            store = Store(one, two)
            await store.reserve(one, 20, strict)  # in flight all the time
            store.settle(two, await store.reserve(two, 30, strict), 30)
            await two.settled()
            redis.restart()
            await renewed(one, two)
            with pytest.raises(Crowded):
                await store.reserve(one, 1, strict)

            async def admitted() -> bool:
                store.settle(one, await store.reserve(one, 1, strict), 1)
                return True

            await until(lambda: _tried(admitted))
            await one.settled()
            assert (await value(one, "s"), await value(one, "r")) == (31, 20)
            if strict:
                with pytest.raises(Refused):
                    await store.reserve(two, 50, strict)
            await store.reserve(two, 49, strict)

    asyncio.run(run())


@pytest.mark.parametrize("moves", [True, False])
def test_a_call_that_ends_while_money_is_loaded_again_counts_once(redis: RedisServer, moves: bool) -> None:
    """Whether it has come into the store by the time at which its key's money is loaded, or has not."""

    async def run() -> None:
        async with worker(redis) as one:
            store = Store(one)
            ticket, another = await store.reserve(one, 20), await store.reserve(one, 20)
            redis.restart()
            await renewed(one)
            moving = one.moved
            one.moved = moving if moves else _down
            store.settle(one, ticket, 10)
            await one.settled()
            store.settle(one, another, 5)
            await one.settled()
            await asyncio.sleep(GRACE / 1000)
            if not moves:  # somebody else loads
                assert await value(one, "l") == 15
                await one.load({("key:k", 0): store.spent})
            one.moved = moving

            async def admitted() -> bool:
                ticket = await store.reserve(one, 1)
                return isinstance(ticket.held, str)

            await until(admitted)
            assert (await value(one, "s"), await value(one, "r")) == (15, 1)

    asyncio.run(run())


def test_what_a_dead_worker_had_reserved_is_spent(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEASE", 100)

    async def run() -> None:
        async with worker(redis) as one:
            dead = RedisLimiter(Redis(parse(redis.url)), monotonic, grace=0)
            await dead.begin()
            store = Store(one, dead)
            await store.reserve(one, 5)
            await store.reserve(dead, 40)
            await dead.redis.aclose()

            async def seen() -> bool:
                await one.renew()
                return await value(one, "s") == 40

            await until(seen)
            assert await value(one, "r") == 5

    asyncio.run(run())


def test_fail_open_counts_here_and_tells_redis_afterwards(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []

    async def run() -> None:
        async with worker(redis) as one:
            store = Store(one)
            store.settle(one, await store.reserve(one, 10), 10)
            await one.settled()
            redis.pause()
            late = await store.reserve(one, 20)
            store.settle(one, await store.reserve(one, 30), 30)
            limited = Scope("key:few", rpm=2)
            for _ in range(2):
                await store.reserve(one, 0, scope=limited)
            with pytest.raises(Refused):
                await store.reserve(one, 0, scope=limited)
            redis.resume()
            await renewed(one)
            store.settle(one, late, 25)
            await one.settled()
            assert (await value(one, "s"), await value(one, "r")) == (65, 0)
            with pytest.raises(Refused):
                store.settle(one, await store.reserve(one, 40), 40)
                await store.reserve(one, 1)
            told.append(1)

    with caplog.at_level(logging.WARNING, "litellm.proxy"):
        asyncio.run(run())
    assert told
    said = [record.message for record in caplog.records]
    assert len(said) == 2 and "not counted in Redis (those that fail closed: none)" in said[0]
    assert said[1] == "limits are counted in Redis again"


@pytest.mark.parametrize(
    ("closed", "strict", "scope", "admitted"),
    [
        (LIMITS, False, KEY, False),
        (["budget"], False, KEY, False),
        (["rpm", "tpm"], False, KEY, True),
        (["rpm", "tpm"], False, Scope("key:k", budget=100, tpm=5), False),
        (LIMITS, False, Scope("key:k"), True),
        ([], True, KEY, False),
        ([], True, Scope("key:k", rpm=5), True),
    ],
)
def test_without_redis_it_depends_on_the_kinds_of_the_limits(
    redis: RedisServer, closed: Collection[Limit], strict: bool, scope: Scope, admitted: bool
) -> None:
    async def run() -> None:
        async with worker(redis, closed) as one:
            store = Store(one)
            redis.kill()
            if admitted:
                await store.reserve(one, 1, strict, scope)
            else:
                with pytest.raises(Crowded):
                    await store.reserve(one, 1, strict, scope)

    asyncio.run(run())


def test_a_call_that_is_given_up_while_it_is_admitted_leaves_nothing_reserved(redis: RedisServer) -> None:
    async def run() -> None:
        async with worker(redis) as one:
            store = Store(one)
            await store.reserve(one, 1)
            redis.pause()
            task = asyncio.ensure_future(one.reserve("c", [KEY], 0, 50))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            redis.resume()
            await one.settled()
            assert await value(one, "r") == 1

    asyncio.run(run())


def test_a_reservation_that_arrives_after_it_was_given_up_is_not_taken(redis: RedisServer) -> None:
    """Redis reads its connections in no order: what came over one that was cut may be the last to be done."""

    async def run() -> None:
        async with worker(redis) as one:
            store = Store(one)
            await store.reserve(one, 1)
            late: list[tuple[Any, ...]] = []
            sent = one.redis.run

            async def cut(script: Any, keys: Any, *args: Any) -> Any:
                if script is lua.RESERVE:
                    late.append((script, keys, *args))
                    raise RedisDown("cut off")
                return await sent(script, keys, *args)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(one.redis, "run", cut)
                await store.reserve(one, 50)
            await one.settled()
            await one.redis.run(*late[0])
            assert await value(one, "r") == 1

    asyncio.run(run())


def test_calls_without_redis_leave_nothing_behind_for_it(redis: RedisServer) -> None:
    async def run() -> None:
        async with worker(redis) as one:
            store = Store(one)
            await store.reserve(one, 1)
            redis.kill()
            for _ in range(50):
                store.settle(one, await store.reserve(one, 1), 0)
            assert len(one._given_up) + len(one._pending) <= 1  # pyright: ignore[reportPrivateUsage]

    asyncio.run(run())
