"""Workers that tell each other, through a real Redis, who rests."""

import asyncio
from time import monotonic

import pytest

from litellm.kv.redis import Redis, RedisDown, parse
from litellm.router.health import Health
from litellm.router.rests import Rests
from support.redis import RedisServer
from support.redis import redis as redis


async def resting(health: Health, ids: set[str], seconds: float = 30) -> dict[str, float]:
    """Who rests, once these do."""
    async with asyncio.timeout(seconds):
        while health.resting(monotonic()).keys() != ids:  # noqa: ASYNC110 (nobody in here could set an event)
            await asyncio.sleep(0.01)
    return health.resting(monotonic())


def test_a_rest_is_heard_of_everywhere_and_ends_by_itself(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Health(), Health()
        early = one.of("early")
        sharing = [Rests(Redis(parse(redis.url)), health) for health in (one, two)]
        late, heard, own = one.of("late"), two.of("late"), two.of("early")
        assert (await resting(two, set())) == {}
        early.rest(monotonic(), 2.0)
        late.rest(monotonic(), 30.0)
        one.of("known to one alone").rest(monotonic(), 30.0)
        told = await resting(two, {"early", "late"})
        assert 25 < told["late"] <= 30 and told["early"] <= 2
        assert heard.open_at == heard.resting_until > monotonic() and heard.strikes == 1
        await resting(two, {"late"})
        assert own.strikes == 1, "the first call after it is a probe"
        assert late.strikes == 1, "one's own rest, told back, is not another"
        for rests in sharing:
            await rests.aclose()

    asyncio.run(run())


def test_a_rest_that_has_ended_before_its_time_is_not_heard_of_again(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Health(), Health()
        sharing = [Rests(Redis(parse(redis.url)), health) for health in (one, two)]
        states = [health.of("a") for health in (one, two)]
        states[0].rest(monotonic(), 30.0)
        await resting(two, {"a"})
        for state in states:  # both hear of a check that was answered
            state.recovered()
        for _ in range(2):
            for rests in sharing:
                await rests.exchange()
        assert [state.open_at for state in states] == [0.0, 0.0]
        assert redis.ask("ZCARD", "{litellm}:rests") == ":0"
        for rests in sharing:
            await rests.aclose()

    asyncio.run(run())


def test_without_redis_each_finds_out_for_itself_and_with_it_again_all_hear(redis: RedisServer) -> None:
    async def run() -> None:
        one, two = Health(), Health()
        for health in (one, two):
            health.of("a")
            health.of("b")
            health.of("c")
        sharing = [Rests(Redis(parse(redis.url)), health) for health in (one, two)]
        for rests in sharing:
            await rests.exchange()
        redis.kill()
        one.of("a").rest(monotonic(), 60.0)
        one.of("b").rest(monotonic(), 0.5)
        one.of("c").rest(monotonic(), 60.0)
        one.of("c").recovered()
        for _ in range(3):
            with pytest.raises(RedisDown):
                await sharing[0].exchange()
        assert one.resting(monotonic()).keys() == {"a", "b"} and not two.resting(monotonic())
        await asyncio.sleep(0.6)
        redis.start()
        told = await resting(two, {"a"}, 20)
        assert 40 < told["a"] < 59.5, "so much of it was left"
        assert redis.ask("ZCARD", "{litellm}:rests") == ":1"
        for rests in sharing:
            await rests.aclose()

    asyncio.run(run())


def test_a_rest_that_a_check_has_ended_stays_ended(redis: RedisServer) -> None:
    async def run() -> None:
        health, another = Health(), Health()
        one = health.of("a")
        sharing = [Rests(Redis(parse(redis.url)), each) for each in (health, another)]
        one.rest(monotonic(), 60.0)
        another.of("a")
        await resting(another, {"a"})
        one.recovered()
        for _ in range(3):
            await sharing[0].exchange()
            assert not health.resting(monotonic())
        fresh = Health()
        fresh.of("a")
        sharing.append(Rests(Redis(parse(redis.url)), fresh))
        await sharing[-1].exchange()
        assert not fresh.resting(monotonic())
        for rests in sharing:
            await rests.aclose()

    asyncio.run(run())
