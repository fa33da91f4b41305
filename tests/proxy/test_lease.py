"""Hosts that elect one of them through a real Redis, and hear what it tells."""

import asyncio
from collections.abc import Awaitable, Callable

from litellm.kv.redis import Redis, parse
from litellm.proxy.lease import Lease, Told
from support.redis import RedisServer
from support.redis import redis as redis


class Host:
    def __init__(self, server: RedisServer, seconds: float = 60.0) -> None:
        self.now = 1000.0
        self.redis = Redis(parse(server.url), timeout=10)
        self.lease = Lease(self.redis, "things", seconds, lambda: self.now)

    async def elected(self) -> bool:
        return (await self.lease.meet())[0]

    async def told(self) -> Told | None:
        return (await self.lease.meet())[1]


def run(test: Callable[[Host, Host], Awaitable[None]], server: RedisServer, seconds: float = 60.0) -> None:
    async def go() -> None:
        one, two = Host(server, seconds), Host(server, seconds)
        await test(one, two)
        await one.redis.aclose()
        await two.redis.aclose()

    asyncio.run(go())


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (nobody in here could set an event)
            await asyncio.sleep(0.02)


def test_one_is_elected_until_it_gives_the_lease_back(redis: RedisServer) -> None:
    async def test(one: Host, two: Host) -> None:
        assert [await one.elected(), await two.elected(), await one.elected(), await two.elected()] == [1, 0, 1, 0]
        await two.lease.release()
        assert not await two.elected(), "it is not its own to give back"
        await one.lease.release()
        assert await two.elected() and not await one.elected()

    run(test, redis)


def test_another_takes_over_when_the_holder_dies_and_not_while_it_lives(redis: RedisServer) -> None:
    async def test(one: Host, two: Host) -> None:
        assert await one.elected()
        assert 0 < int(redis.ask("PTTL", "{litellm}:things:lease").lstrip(":")) <= 1500
        await until(two.elected)
        assert not await one.elected()

    run(test, redis, 1.5)


def test_what_is_told_is_heard_once_and_holds_for_its_time(redis: RedisServer) -> None:
    async def test(one: Host, two: Host) -> None:
        assert await two.told() is None
        await one.lease.tell(b'{"a": 1}', 60.0)
        told = await two.told()
        assert told is not None and told.text == b'{"a": 1}' and 30 < told.seconds <= 60
        assert await two.told() is None and await one.told() is None
        await one.lease.tell(b'{"a": 1}', 60.0)
        assert (await two.told()) is not None, "the same again is news, too"
        await one.lease.tell(b"gone", 0.01)
        await until(lambda: gone(two))

    async def gone(host: Host) -> bool:
        host.lease = Lease(host.redis, "things")
        return await host.told() is None

    run(test, redis)


def test_without_redis_the_holder_goes_on_and_the_others_begin_when_its_lease_is_over(redis: RedisServer) -> None:
    async def test(one: Host, two: Host) -> None:
        assert await one.elected() and not await two.elected()
        redis.kill()
        assert await one.elected() and not await two.elected()
        one.now += 59
        two.now += 59
        assert await one.elected() and not await two.elected()
        two.now += 2
        assert await two.elected()
        await one.lease.tell(b"nobody hears it", 1.0)
        await one.lease.release()
        redis.start()

        async def one_of_two() -> bool:
            return sorted([await one.elected(), await two.elected()]) == [False, True]

        await until(one_of_two)

    run(test, redis)


def test_who_begins_without_redis_waits_for_as_long_as_another_could_hold_the_lease(redis: RedisServer) -> None:
    async def test(one: Host, two: Host) -> None:
        redis.kill()
        assert not await one.elected()
        one.now += 60
        assert await one.elected()

    run(test, redis)
