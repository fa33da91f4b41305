"""Hedged calls: who wins, what becomes of the loser, what it costs. Time is virtual."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm.router.hedge import BURST, WINDOW, HedgeBudget, Hedged, HedgePolicy, Quantile, hedged
from support.virtual_time import run, settle


class Failed(Exception):
    pass


async def attempt(seconds: float, outcome: str) -> str:
    """Fails if the outcome begins with "!"; answers although it is cancelled if it begins with "~"."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not outcome.startswith("~"):
            raise
    if outcome.startswith("!"):
        raise Failed(outcome)
    return outcome


async def race(first: Awaitable[str], second: Callable[[], Awaitable[str] | None]) -> tuple[Hedged[str], list[str]]:
    discarded: list[str] = []
    result = await hedged(first, second, 1, discarded.append)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return result, discarded


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((0.5, "a"), (0, "b"), Hedged("a", "first")),
        ((3, "a"), (0.5, "b"), Hedged("b", "second")),
        ((2, "a"), (5, "b"), Hedged("a", "first")),
        ((3, "a"), (0.5, "!b"), Hedged("a", "first")),
        ((2, "!a"), (5, "b"), Hedged("b", "second")),
        ((2, "a"), (1, "b"), Hedged("a", "first")),
        ((3, "a"), None, Hedged("a", "first")),
    ],
)
def test_the_first_success_wins(one: tuple[float, str], two: tuple[float, str] | None, expected: Hedged[str]) -> None:
    result, discarded = run(race(attempt(*one), lambda: None if two is None else attempt(*two)))
    assert result == expected
    assert discarded == (["b"] if (one, two) == ((2, "a"), (1, "b")) else [])


def test_a_loser_that_answers_all_the_same_is_discarded() -> None:
    assert run(race(attempt(9, "~a"), lambda: attempt(1, "b"))) == (Hedged("b", "second"), ["~a"])


@pytest.mark.parametrize(("one", "two"), [((2, "!a"), (3, "!b")), ((4, "!a"), (1, "!b")), ((0.5, "!a"), (0, "b"))])
def test_if_nothing_succeeds_the_firsts_error_is_raised(one: tuple[float, str], two: tuple[float, str]) -> None:
    with pytest.raises(Failed, match="!a"):
        run(race(attempt(*one), lambda: attempt(*two)))


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_cancelled_it_cancels_both(seconds: float) -> None:
    async def main() -> None:
        discarded: list[str] = []
        task = asyncio.create_task(hedged(attempt(9, "a"), lambda: attempt(9, "~b"), 1, discarded.append))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        await settle()
        assert task.cancelled()
        assert discarded == (["~b"] if seconds == 2 else [])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_an_error_keeps_no_cycle() -> None:
    async def main() -> None:
        held: weakref.ref[Failed] | None = None
        try:
            await hedged(attempt(2, "!a"), lambda: attempt(2, "!b"), 1, print)
        except Failed as error:
            held = weakref.ref(error)
        await settle()
        assert held is not None and held() is None

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=600), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_exact_over_the_latest(samples: list[float], share: float) -> None:
    seen = Quantile()
    for sample in samples:
        seen.add(sample)
    latest = sorted(samples[-WINDOW:])
    assert len(seen) == len(latest)
    least = next(value for value in latest if sum(other <= value for other in latest) >= share * len(latest))
    assert seen.at(share) == least


def test_a_reading_lacks_at_most_the_last_eighth() -> None:
    seen = Quantile()
    for _ in range(WINDOW):
        seen.add(1.0)
    assert seen.at(1.0) == 1.0
    for _ in range(WINDOW // 8 - 1):
        seen.add(2.0)
    assert seen.at(1.0) == 1.0
    seen.add(2.0)
    assert seen.at(1.0) == 2.0


def test_the_policy_waits_for_samples_and_never_less_than_its_least() -> None:
    seen, policy = Quantile(), HedgePolicy(least=0.5)
    for number in range(19):
        seen.add(number / 10)
        assert policy.after(seen) is None
    seen.add(1.9)
    assert policy.after(seen) == 1.8
    assert HedgePolicy(least=5).after(seen) == 5


@settings(deadline=None)
@given(st.floats(0, 1), st.lists(st.sampled_from(["call", "call", "take", "outage"]), max_size=400))
def test_hedges_never_exceed_their_share(cap: float, steps: list[str]) -> None:
    calls, hedges, out = 0, 0, False
    budget = HedgeBudget(cap, lambda: out)
    for step in steps:
        if step == "call":
            budget.called()
            calls += 1
        elif step == "outage":
            out = not out
        elif budget.take():
            assert not out
            hedges += 1
        assert hedges <= cap * calls


def test_a_quiet_time_saves_up_a_small_burst() -> None:
    budget = HedgeBudget(0.05, lambda: False)
    for _ in range(20):
        assert not budget.take()
        budget.called()
    assert budget.take()
    for _ in range(10_000):
        budget.called()
    assert sum(budget.take() for _ in range(100)) == BURST
