"""Choosing among a thousand: as right as among ten, and nearly as quick."""

from collections.abc import Callable
from time import process_time

import pytest

from litellm.router.deployments import Deployment, Group
from litellm.router.health import State
from litellm.router.plan import MANY, choose
from litellm.router.strategies import STRATEGIES, Strategy, simple_shuffle
from litellm.types.calls import Target

TARGET = Target("openai", "m", "http://host/v1", "k")
COUNT = 1000
strategies = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())


def many(count: int = COUNT) -> Group:
    return Group(Deployment(str(number), "m", TARGET, state=State()) for number in range(count))


def state_of(deployment: Deployment) -> State:
    assert deployment.state is not None
    return deployment.state


@strategies
def test_the_only_one_that_takes_calls_is_found(strategy: Strategy) -> None:
    group = many()
    for one in group[:-1]:
        state_of(one).rest(0.0, 10.0)
    assert {choose(group, strategy, 1.0, draw / 50) for draw in range(50)} == {group[-1]}
    state_of(group[-1]).rest(0.0, 10.0)
    assert choose(group, strategy, 1.0, 0.5) is None


@strategies
def test_nobody_who_rests_is_asked(strategy: Strategy) -> None:
    group = many()
    for one in group[::3]:
        state_of(one).rest(0.0, 10.0)
    for draw in range(500):
        chosen = choose(group, strategy, 1.0, draw / 500)
        assert chosen is not None and state_of(chosen).resting_until == 0.0


def test_a_draw_over_many_is_even() -> None:
    group = many(MANY * 2)
    draws = 64 * len(group)
    drawn = [choose(group, simple_shuffle, 0.0, (i + 0.5) / draws) for i in range(draws)]
    assert {drawn.count(one) for one in group} == {64}


def test_what_tells_deployments_apart_is_heeded_among_all() -> None:
    group = many()
    group[700].order = 1
    assert choose(group, simple_shuffle, 0.0, 0.1) is group[700]
    group = many()
    group[700].cost = 1.0
    assert choose(group, STRATEGIES["cost-based-routing"], 0.0, 0.1) is group[700]
    group = many()
    group[700].weight = 1.0
    assert choose(group, simple_shuffle, 0.0, 0.1) is group[700]


def cost(run: Callable[[], object], times: int = 50) -> float:
    """Seconds of this process for one run: the least of several measurements."""

    def measured() -> float:
        began = process_time()
        for _ in range(times):
            run()
        return (process_time() - began) / times

    return min(measured() for _ in range(7))


@pytest.mark.alone
@strategies
def test_it_costs_no_more_than_to_look_at_them(strategy: Strategy) -> None:
    """50 us among a thousand; a walk that reads two attributes of each takes about 20 us where this was written."""
    group = many()
    for number, one in enumerate(group):
        state_of(one).begin(0.0)
        state_of(one).answered(0.1, 0.1 + number % 7)
    walk = cost(lambda: [one.state.inflight for one in group if one.state is not None])
    assert cost(lambda: choose(group, strategy, 1.0, 0.37)) < 2.5 * walk
