"""Routing through bad days, in small: what holds for any seed. `make simulate` makes the tables of docs/routing.md."""

import asyncio
import random
from functools import cache
from typing import Any

import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router.plan import RetryPolicy, Routing
from litellm.router.router import Router
from litellm.router.strategies import STRATEGIES, Strategy
from litellm.types.calls import Ask, Call
from simulation import page
from simulation.__main__ import DOCS, NAMES
from simulation.calls import GROUP, TOKENS, TOTAL_SECONDS, Calling, Worker, World, play, simulate
from simulation.figures import Figures, places, ranking
from simulation.scenarios import SCENARIOS, Request, Scenario
from support import virtual_time

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SURVIVED = ("steady", "one failing 30 %", "all failing, fallback", "429 storms", "flapping")
"""Days on which no caller need see an error."""
SEED = random.randrange(10**6)


@cache
def day(scenario: str, strategy: str, count: int = 2000) -> Figures:
    print("seed", SEED)
    return simulate(BY_NAME[scenario], STRATEGIES[strategy], count, SEED)


@pytest.mark.parametrize("strategy", NAMES)
@pytest.mark.parametrize("scenario", SURVIVED)
def test_nobody_sees_an_error(scenario: str, strategy: str) -> None:
    figures = day(scenario, strategy)
    assert figures.success >= 0.999
    assert figures.calls <= 1.5


@pytest.mark.parametrize("strategy", NAMES)
def test_an_outage_is_not_multiplied(strategy: str) -> None:
    figures = day("all failing", strategy)
    assert figures.success == 0
    assert figures.calls <= 1.2
    assert day("steady", strategy).calls == 1.0


@pytest.mark.parametrize("strategy", ["power-of-two", "latency-based-routing", "least-busy"])
def test_a_slow_one_is_avoided(strategy: str) -> None:
    ours, shuffled = day("one slow", strategy).p99, day("one slow", "simple-shuffle").p99
    assert ours is not None and shuffled is not None and ours < 0.7 * shuffled


@pytest.mark.parametrize("strategy", NAMES)
def test_a_burst_is_mostly_served(strategy: str) -> None:
    assert day("10x bursts", strategy, 5000).success > 0.5


@pytest.mark.parametrize("strategy", ["simple-shuffle", "least-busy", "power-of-two", "usage-based-routing-v2"])
def test_alike_deployments_serve_alike(strategy: str) -> None:
    for scenario in ("steady", "one failing 30 %", "flapping"):
        fairness = day(scenario, strategy).fairness
        assert fairness is not None and fairness > 0.95


class Served:
    """An engine whose upstreams are the simulated ones."""

    def __init__(self, world: World, start: float) -> None:
        self.world, self.start = world, start

    async def send(self, call: Call) -> Any:
        upstream = self.world.by_name[call.target.model]
        now = asyncio.get_running_loop().time() - self.start
        seconds, error = upstream.take(now, call.params["size"])
        try:
            await asyncio.sleep(seconds)
        finally:
            upstream.leave()
        if error is not None:
            raise error


async def through_the_router(scenario: Scenario, strategy: Strategy, requests: list[Request]) -> list[Any]:
    """Every attempt in order, and every call's end."""
    loop = asyncio.get_running_loop()
    world = World(scenario, 1)
    served = Served(world, loop.time())
    engine: Engine = served  # type: ignore[assignment]
    routing = Routing(strategy, total_seconds=TOTAL_SECONDS)
    router = Router(world.deployments(), engine, RetryPolicy(), None, routing, world.fallbacks, loop.time)
    calls, ends = list[str](), list[Any]()
    for upstream in world.by_name.values():
        upstream.heard = calls.append

    async def one(request: Request) -> None:
        await asyncio.sleep(served.start + request.at - loop.time())
        try:
            answer = await router.send(Ask("chat", GROUP, {"size": request.size}), router.deployments.group(GROUP))
            answer.deployment.used({"total_tokens": int(TOKENS * request.size)})
            ends.append(answer.deployment.id)
        except e.LiteLLMError as error:
            ends.append(type(error))

    await asyncio.gather(*map(one, requests))
    return [*calls, *ends]


def through_the_simulator(scenario: Scenario, strategy: Strategy, requests: list[Request]) -> list[Any]:
    world = World(scenario, 1, start=virtual_time.START)
    calls, ends = list[str](), list[Any]()
    for upstream in world.by_name.values():
        upstream.heard = calls.append

    def done(call: Calling, error: e.LiteLLMError | None) -> None:
        ends.append(call.served if error is None else type(error))

    play(world, [Worker(world, strategy, random.random, done)], requests)
    return [*calls, *ends]


@pytest.mark.parametrize("strategy", ["simple-shuffle", "power-of-two"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_simulator_does_what_the_router_does(scenario: Scenario, strategy: str) -> None:
    requests = list(scenario.requests(1500, 1, 1))  # one worker: both draw from the same sequence
    random.seed(1)
    simulated = through_the_simulator(scenario, STRATEGIES[strategy], requests)
    random.seed(1)
    assert virtual_time.run(through_the_router(scenario, STRATEGIES[strategy], requests)) == simulated


def test_the_rule_by_which_strategies_are_ranked() -> None:
    best, slower = Figures(1.0, 0.1, 0.2, 1.0, 1.0), Figures(1.0, 0.1, 0.3, 1.0, 1.0)
    failing, alike = Figures(0.99, 0.1, 0.1, 1.0, 1.0), Figures(0.9999, 0.1, 0.201, 1.001, 0.5)
    costly = Figures(1.0, 0.1, 0.2, 1.1, 1.0)
    one = {"failing": failing, "slower": slower, "best": best, "alike": alike, "costly": costly}
    assert places(one) == {"best": 1.5, "alike": 1.5, "costly": 3, "slower": 4, "failing": 5}
    assert list(ranking({"day": one, "night": one}).values()) == [3, 3, 6, 8, 10]


def test_the_page_shows_every_strategy_and_day(tmp_path: Any) -> None:
    days = {day.name: {name: simulate(day, STRATEGIES[name], 20, 1) for name in NAMES} for day in SCENARIOS}
    (tmp_path / "images").mkdir()
    (tmp_path / "routing.md").write_text((DOCS / "routing.md").read_text())
    page.write(days, tmp_path)
    before, after = (DOCS / "routing.md").read_text(), (tmp_path / "routing.md").read_text()
    assert before.partition(page.BEGIN)[0] == after.partition(page.BEGIN)[0]
    assert before.partition(page.END)[2] == after.partition(page.END)[2]
    assert all(after.count(f"| {name} |") >= 4 for name in BY_NAME)
    assert all(after.partition(page.BEGIN)[2].count(name) >= 5 for name in NAMES)
    assert (tmp_path / "images" / "simulated-p99.svg").read_text().count("<rect") > len(NAMES)
    failures = (tmp_path / "images" / "simulated-failures.svg").read_text()
    assert failures.count(">100 %<") >= len(NAMES) and "e+" not in failures
    assert "nobody was served" not in failures and ">none<" in failures
