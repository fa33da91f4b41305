"""Three replicas and a Redis in front of five upstream processes that misbehave on command (issue: routing)."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from support.gateway import MASTER_KEY, Gateway
from support.load import Connection
from support.redis import RedisServer, short_folder
from support.upstream import UpstreamProcess, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.alone]

CALLERS = 12
RETRY = 0.5
"""Seconds: what one retry on the same deployment would cost."""
DEADLINE = 5.0


def config(upstreams: list[UpstreamProcess], redis: RedisServer) -> str:
    def deployment(group: str, at: int, key: str = "k") -> dict[str, Any]:
        params = {"model": f"openai/{group}", "api_base": upstreams[at].base_url, "api_key": key, "timeout": 2}
        return {"model_name": group, "litellm_params": params}

    groups = {"pair": (0, 1), "five": range(5)}
    return json.dumps(
        {
            "model_list": [
                *(deployment(group, at) for group, members in groups.items() for at in members),
                deployment("keys", 4, "k-good"),
                deployment("keys", 4, "k-revoked"),
            ],
            "router_settings": {"total_timeout": DEADLINE, "cooldown_time": 2},
            "general_settings": {"master_key": MASTER_KEY, "redis_url": redis.url},
        }
    )


@dataclass
class World:
    replicas: list[Gateway]
    upstreams: list[UpstreamProcess]

    def load(self, group: str, calls: int, stream: bool = False) -> tuple[Counter[int], list[float]]:
        """Statuses and seconds of so many calls, in turn to each replica."""
        return asyncio.run(self._load(group, calls, stream))

    async def _load(self, group: str, calls: int, stream: bool) -> tuple[Counter[int], list[float]]:
        told: Counter[int] = Counter()
        seconds: list[float] = []
        numbers = iter(range(calls))
        body = {"model": group, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}

        async def caller() -> None:
            async with contextlib.AsyncExitStack() as stack:
                to = [await stack.enter_async_context(Connection(replica.origin)) for replica in self.replicas]
                for number in numbers:
                    begun = time.perf_counter()
                    answer = await to[number % 3].post("/v1/chat/completions", body, self.replicas[0].headers)
                    seconds.append(time.perf_counter() - begun)
                    told[answer.status] += 1
                    if stream and answer.status == 200:
                        assert answer.text.endswith("data: [DONE]\n\n")

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return told, seconds

    def settle(self) -> None:
        """Everybody is well, and nobody rests any more."""
        for upstream in self.upstreams:
            upstream.be("")
        for group in ("pair", "five", "keys"):

            def well(group: str = group) -> bool:
                return self.load(group, 30)[0] == {200: 30}

            assert wait_until(well, 60)
        assert wait_until(lambda: self._all_serve("five"), 60)
        self.asked()

    def _all_serve(self, group: str) -> bool:
        self.asked()
        self.load(group, 60)
        return all(self.asked())

    def asked(self) -> list[int]:
        return [upstream.asked() for upstream in self.upstreams]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("days")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer(short_folder()))
        upstreams = [stack.enter_context(UpstreamProcess()) for _ in range(5)]
        text = config(upstreams, redis)
        replicas = [stack.enter_context(Gateway(text, Path(folder / f"replica{n}"))) for n in range(3)]
        yield World(replicas, upstreams)


@pytest.fixture
def world(started: World) -> World:
    started.settle()
    return started


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mood", ["status-500", "reset-before-headers", "status-503"])
def test_with_one_of_two_failing_no_caller_sees_an_error_and_p99_rises_by_less_than_a_retry(
    world: World, mood: str, stream: bool
) -> None:
    _, before = world.load("pair", 200, stream)
    world.asked()
    world.upstreams[0].be(mood)
    told, after = world.load("pair", 400, stream)
    assert told == {200: 400}
    print(f"{mood}: p99 {p99(before):.3f} s, then {p99(after):.3f} s")
    assert p99(after) - p99(before) < RETRY
    failing, healthy, *_ = world.asked()
    assert healthy == 400 and failing < 80, "it rests: what one replica learns, all know"


def test_with_all_failing_callers_are_told_in_time_and_the_outage_is_not_multiplied(world: World) -> None:
    for upstream in world.upstreams:
        upstream.be("status-503")
    told, seconds = world.load("five", 400)
    print(f"{told}, {sum(world.asked())} upstream calls")
    assert told.keys() <= {503, 429} and told[503] >= 1
    assert max(seconds) < DEADLINE + 1
    for upstream in world.upstreams:
        upstream.be("status-503")
    world.asked()
    told, seconds = world.load("five", 400)
    assert told.keys() <= {503, 429} and sum(world.asked()) <= 1.2 * 400


def test_a_revoked_key_rests_its_deployment_only(world: World) -> None:
    world.upstreams[4].be("key-revoked")
    told, _ = world.load("keys", 200)
    assert told == {200: 200}
    refused = world.asked()[4] - 200
    assert 1 <= refused < 40
    assert world.load("five", 100)[0] == {200: 100}
    assert world.asked()[4] > 0, "the same endpoint with another key goes on"


@pytest.mark.parametrize("mood", ["flaky-30", "retry-after-1", "delay-300"])
def test_one_of_five_has_a_bad_day(world: World, mood: str) -> None:
    world.upstreams[2].be(mood)
    assert world.load("five", 300)[0] == {200: 300}
    asked = world.asked()
    assert all(count > 30 for at, count in enumerate(asked) if at != 2), asked


def test_flapping_costs_no_caller_anything(world: World) -> None:
    for round_ in range(6):
        world.upstreams[round_ % 2].be("status-500")
        world.upstreams[(round_ + 1) % 2].be("")
        assert world.load("five", 60)[0] == {200: 60}


def test_a_process_that_is_killed_costs_no_caller_anything(world: World) -> None:
    """The last test: it does not come back."""
    _, before = world.load("pair", 200)
    world.upstreams[1].kill()
    told, after = world.load("pair", 400)
    assert told == {200: 400} and p99(after) - p99(before) < RETRY
