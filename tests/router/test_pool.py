"""Processes that add up what they have spent, through a real Redis."""

import asyncio

import pytest

from litellm.kv.redis import Redis, RedisDown, parse
from litellm.router.pool import Pool
from litellm.router.spending import Allowance, Spending, of_provider
from support.redis import RedisServer
from support.redis import redis as redis

OPENAI = of_provider("openai")
LARGE = 2**60
"""More than a double holds exactly."""


class Process:
    """One's spending, and its part in the pool."""

    def __init__(self, server: RedisServer, duration: str | None = "1d") -> None:
        self.spending = Spending()
        self.spending.follow({OPENAI: Allowance(2**62, duration)})
        self.redis = Redis(parse(server.url))
        self.pool = Pool(self.redis, self.spending)

    def spend(self, nano: int) -> None:
        self.spending.count("openai", "a", nano)

    @property
    def spent(self) -> int:
        return self.spending.standings()[0].spent

    async def knows(self, nano: int, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while self.spent != nano:  # noqa: ASYNC110 (nobody in here could set an event)
                await asyncio.sleep(0.01)

    async def aclose(self) -> None:
        await self.pool.aclose()
        await self.redis.aclose()


def test_each_knows_the_sum_of_all_to_the_last_nano_dollar(redis: RedisServer) -> None:
    async def run() -> None:
        some = [Process(redis) for _ in range(3)]
        for number, one in enumerate(some):
            one.spend(LARGE + number)
        for one in some:
            await one.knows(3 * LARGE + 3)
        some[0].spend(7)
        for one in some:
            await one.knows(3 * LARGE + 10)
        for one in some:
            await one.aclose()

    asyncio.run(run())


def test_who_has_gone_has_spent_it_all_the_same_and_leaves_one_field(redis: RedisServer) -> None:
    async def run() -> None:
        for _ in range(3):
            one = Process(redis, None)
            one.spend(5)
            await one.aclose()  # at once: the last exchange tells it
        late = Process(redis, None)
        await late.knows(15)
        assert redis.ask("HLEN", f"{{litellm}}:spent:0:{OPENAI}") == ":1"
        assert redis.ask("PTTL", f"{{litellm}}:spent:0:{OPENAI}") == ":-1"
        await late.aclose()

    asyncio.run(run())


def test_what_is_told_twice_counts_once_and_is_forgotten_after_its_period(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Process(redis), Process(redis)
        one.spend(5)
        for _ in range(5):
            await one.pool.exchange()
        await two.pool.exchange()
        assert (one.spent, two.spent) == (5, 5)
        (part,) = one.spending.parts()
        left = int(redis.ask("PTTL", f"{{litellm}}:spent:{part.start}:{OPENAI}").removeprefix(":"))
        assert 86_400_000 < left <= 2 * 86_400_000
        for each in (one, two):
            await each.aclose()

    asyncio.run(run())


def test_without_redis_each_counts_on_and_tells_later(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Process(redis), Process(redis)
        one.spend(5)
        two.spend(6)
        for each in (one, two):
            await each.knows(11)
        redis.kill()
        one.spend(50)
        with pytest.raises(RedisDown):
            await one.pool.exchange()
        assert (one.spent, two.spent) == (61, 11)
        redis.start()  # and it has forgotten everything
        for each in (one, two):
            await each.knows(61)
        late = Process(redis)
        await late.knows(61)
        for each in (one, two, late):
            await each.aclose()

    asyncio.run(run())


def test_a_redis_that_says_nothing_makes_nobody_count_twice(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Process(redis), Process(redis)
        await one.pool.exchange()
        redis.pause()
        one.spend(5)
        with pytest.raises(RedisDown):
            await one.pool.exchange()  # sent, and nobody knows whether it has been heard
        redis.resume()
        for each in (one, two):
            await each.knows(5)
        await asyncio.sleep(1.2)
        assert (one.spent, two.spent) == (5, 5)
        for each in (one, two):
            await each.aclose()

    asyncio.run(run())


def test_without_budgets_nothing_is_asked(redis: RedisServer) -> None:
    async def run() -> None:
        one = Process(redis)
        one.spending.follow({})
        await one.pool.exchange()
        assert redis.ask("DBSIZE") == ":0"
        await one.aclose()

    asyncio.run(run())
