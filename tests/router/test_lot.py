"""The usual draw: it gives everybody the share that the plan would, and is made only while all take calls."""

import os
import sys
import threading
from collections import Counter
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment, Group
from litellm.router.health import State
from litellm.router.lot import DRAWS, Lot
from litellm.router.plan import choose
from litellm.router.ranks import MANY
from litellm.router.shared import SharedState
from litellm.router.strategies import simple_shuffle
from litellm.types.calls import Target

NOW = 100.0
TARGET = Target("openai", "m", "http://host/v1", "k")
MADE = {"state": State, "shared state": SharedState}


def group_of(count: int, make: type[State] = State) -> Group:
    return Group(Deployment(str(number), "m", TARGET, state=make()) for number in range(count))


def state_of(deployment: Deployment) -> State:
    assert deployment.state is not None
    return deployment.state


@pytest.mark.parametrize("names", [(), ("weight",), ("rpm",), ("rpm", "order"), ("weight", "order")])
def test_it_falls_as_the_plan_would_let_it(names: tuple[str, ...]) -> None:
    group = group_of(7)
    for number, one in enumerate(group):
        for name in names:
            setattr(one, name, 1 + number % 3)
    found, count = candidates(group, NOW), 20_000
    plain = {simple_shuffle(found, NOW, number / 1000) for number in range(1000)}
    weights = {one: getattr(one, names[0]) if names else 1 for one in found}
    lot = Lot(group.by_order, Random(7).choices)
    drawn = Counter(lot.draw(NOW) for _ in range(count))
    assert drawn.keys() == plain
    for one, weight in weights.items():
        assert drawn[one] / count == pytest.approx(weight / sum(weights.values()), abs=0.015)


@pytest.mark.parametrize("weights", [[0, 1, 2], [2, 1, 0], [None, None, 3], [1e-300, 0, 1e300]])
def test_a_weight_of_nothing_is_never_drawn(weights: list[float | None]) -> None:
    group = group_of(3)
    for one, weight in zip(group, weights, strict=True):
        one.weight = weight
    lot = Lot(group.by_order)
    drawn = {lot.draw(NOW) for _ in range(10 * DRAWS)}
    assert drawn <= {one for one in group if one.weight}


def test_of_a_pair_that_have_no_weight_each_is_drawn() -> None:
    group = group_of(2)
    for one in group:
        one.weight = 0
    assert {Lot(group.by_order).draw(NOW) for _ in range(200)} == set(group)


WHAT = ["rest", "elsewhere", "answer", "recover", "forget", "begin", "end", "limit", "unlimit", "later", "close"]


@given(st.sampled_from(list(MADE)), st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 2), st.integers(0, 3))))
def test_it_is_made_only_while_all_take_calls_and_none_is_to_be_tried(
    kind: str, steps: list[tuple[str, int, int]]
) -> None:
    """Whatever happens to one of them, and whenever it was last looked at."""
    group, now = group_of(3, MADE[kind]), 0.0
    lot = Lot(group.by_order)
    for what, which, much in steps:
        state = state_of(group[which])
        match what:
            case "rest":
                state.rest(now, much)
            case "elsewhere":
                state.rests_elsewhere(now, much)
            case "answer":
                state.begin(now)
                state.answered()
                state.ended()
            case "recover":
                state.recovered()
            case "forget":
                state.forget()
            case "begin" if state.parallel is None or state.inflight < state.parallel:
                state.begin(now)
            case "end" if state.inflight:
                state.ended()
            case "limit":
                state.limit(much + 1, 5.0, None)
            case "unlimit":
                state.limit(None, None, None)
            case "close":
                state.limit(None, 0.0, None)
            case _:
                now += much
        if much % 2:
            calm = all((s := state_of(one)).open_at <= now and not s.strikes for one in group)
            assert (lot.draw(now) in group) == calm
            assert (lot.draw(now) is None) != calm, "nor is it forgotten"
            assert (lot.at(now, much / 4) in group) == calm


def test_who_is_full_or_has_spent_its_budget_is_noticed() -> None:
    group = group_of(2)
    lot, state = Lot(group.by_order), state_of(group[1])
    state.limit(1, None, None)
    assert lot.draw(NOW)
    state.begin(NOW)
    assert lot.draw(NOW) is None
    state.answered()
    state.ended()
    assert lot.draw(NOW)

    class Budget:
        until = NOW + 5

    state.limit(None, None, None, (Budget(),))  # type: ignore[arg-type]
    assert lot.draw(NOW) is None and lot.draw(NOW + 4.9) is None
    assert lot.draw(NOW + 5)


def test_large_groups_have_none() -> None:
    assert group_of(MANY).lot is not None and group_of(MANY + 1).lot is None


@pytest.mark.parametrize("weights", [(inf, 1.0), (1.5e308, 1e308)])
def test_weights_without_a_finite_sum_are_the_plans(weights: tuple[float, float]) -> None:
    group = group_of(2)
    for one, weight in zip(group, weights, strict=True):
        one.weight = weight
    assert group.lot is None
    assert choose(group, simple_shuffle, NOW, 0.7) in group


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_do_not_all_draw_alike() -> None:
    """Each has all that its parent had drawn by then."""
    lot = Lot(group_of(1000).by_order)  # large, so that no two are likely to agree by chance
    lot.draw(NOW)
    seen: set[bytes] = set()
    for _ in range(5):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            drawn = lot.draw(NOW)
            os.write(writing, drawn.id.encode() if drawn else b"nobody")
            os._exit(0)
        os.close(writing)
        seen.add(os.read(reading, 100))
        os.close(reading)
        os.waitpid(pid, 0)
    assert b"nobody" not in seen and len(seen) > 2


def test_threads_draw_from_one_lot_and_none_draws_after_a_rest_began() -> None:
    """More than are drawn at once, so that several of them find none left together."""
    group = group_of(4, SharedState)
    lot, wrong = Lot(group.by_order), list[object]()
    rests, told = threading.Event(), threading.Barrier(5)

    def draws() -> None:
        try:
            wrong.extend(one for _ in range(20 * DRAWS) if (one := lot.draw(NOW)) not in group)
            told.wait(30)
            rests.wait(30)
            wrong.extend(one for _ in range(20 * DRAWS) if (one := lot.draw(NOW)) is not None)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=draws) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        told.wait(30)
        state_of(group[2]).rest(NOW, 1.0)
        rests.set()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(interval)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)
