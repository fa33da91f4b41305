"""Limits, with a clock of the test's own: never above, never refused for nothing."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.proxy.limits.base import Refused, Scope, Ticket, Unloaded
from litellm.proxy.limits.memory import MemoryLimiter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(*scopes: Scope, spent: int = 0) -> tuple[MemoryLimiter, Clock]:
    clock = Clock()
    made = MemoryLimiter(clock)
    made.load({(scope.id, scope.period): spent for scope in scopes})
    return made, clock


def admitted(made: MemoryLimiter, scope: Scope, tokens: int = 0) -> bool:
    try:
        ticket = made.reserve("c", [scope], tokens, 0)
    except Refused:
        return False
    made.settle(ticket, tokens, 0)
    return True


gaps = st.lists(st.floats(0, 40, allow_nan=False), max_size=200)


@given(gaps, st.integers(1, 6))
def test_requests_are_never_above_the_limit_and_never_refused_for_nothing(waits: list[float], limit: int) -> None:
    scope = Scope("key:k", rpm=limit)
    made, clock = limiter(scope)
    taken: deque[float] = deque()
    for wait in waits:
        clock.now += wait
        recent = [at for at in taken if at > clock.now - 61]
        if admitted(made, scope):
            assert len([at for at in taken if at > clock.now - 60]) < limit
            taken.append(clock.now)
        else:
            assert len(recent) >= limit


@given(st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(0, 60)), max_size=200))
def test_tokens_likewise(calls: list[tuple[float, int]]) -> None:
    scope = Scope("key:k", tpm=100)
    made, clock = limiter(scope)
    taken: list[tuple[float, int]] = []
    for wait, tokens in calls:
        clock.now += wait
        if admitted(made, scope, tokens):
            assert sum(amount for at, amount in taken if at > clock.now - 60) + tokens <= 100
            taken.append((clock.now, tokens))
        else:
            assert sum(amount for at, amount in taken if at > clock.now - 61) + tokens > 100


@given(st.lists(st.tuples(st.sampled_from("rs"), st.integers(0, 50), st.integers(0, 50)), max_size=100))
def test_strict_money_is_never_overshot_and_never_refused_for_nothing(steps: list[tuple[str, int, int]]) -> None:
    scope = Scope("key:k", budget=100)
    made, _ = limiter(scope)
    open_tickets: list[tuple[Ticket, int]] = []
    spent = 0
    for step, amount, part in steps:
        held = sum(nano for _, nano in open_tickets)
        if step == "r":
            try:
                open_tickets.append((made.reserve("c", [scope], 0, amount, strict=True), amount))
                assert spent + held + amount <= 100
            except Refused as refused:
                assert spent + held + amount > 100 and refused.kind == "budget"
        elif open_tickets:
            ticket, nano = open_tickets.pop(0)
            spent += min(part, nano)
            made.settle(ticket, 0, min(part, nano))
        assert made.spent("key:k", 0) == spent <= 100


def test_default_money_lets_in_while_there_is_any_left() -> None:
    scope = Scope("key:k", budget=10)
    made, _ = limiter(scope)
    ticket = made.reserve("c", [scope], 0, 9)
    made.settle(made.reserve("d", [scope], 0, 50), 0, 0)
    made.settle(ticket, 0, 10)
    with pytest.raises(Refused) as caught:
        made.reserve("e", [scope], 0, 0)
    assert (caught.value.limit, caught.value.current) == (10, 10)


def test_all_scopes_or_none() -> None:
    wide, narrow = Scope("team:t", rpm=10, parallel=10, budget=100), Scope("key:k", rpm=1)
    made, _ = limiter(wide, narrow)
    made.settle(made.reserve("a", [wide, narrow], 5, 7), 5, 7)
    with pytest.raises(Refused) as caught:
        made.reserve("b", [wide, narrow], 5, 7)
    assert caught.value.scope is narrow and caught.value.kind == "requests" and caught.value.reset == 61
    assert made.spent("team:t", 0) == 7
    for _ in range(9):
        made.settle(made.reserve("c", [wide], 0, 0), 0, 0)
    with pytest.raises(Refused):
        made.reserve("d", [wide], 0, 0)


def test_settling_twice_is_settling_once() -> None:
    scope = Scope("key:k", parallel=2, budget=100)
    made, _ = limiter(scope)
    first, second = (made.reserve(name, [scope], 0, 10) for name in "ab")
    made.settle(first, 0, 5)
    made.settle(first, 0, 5)
    assert made.spent("key:k", 0) == 5
    made.reserve("c", [scope], 0, 0)
    with pytest.raises(Refused, match="max_parallel"):
        made.reserve("d", [scope], 0, 0)
    made.settle(second, 0, 0)


def test_what_has_been_spent_must_be_known_first() -> None:
    made, _ = limiter()
    scope = Scope("key:k", budget=10, period=5)
    with pytest.raises(Unloaded) as caught:
        made.reserve("a", [scope], 0, 0)
    assert list(caught.value.scopes) == [scope]
    made.load({("key:k", 5): 10})
    made.load({("key:k", 5): 0})
    with pytest.raises(Refused):
        made.reserve("a", [scope], 0, 0)


def test_a_new_period_begins_with_nothing_and_the_old_ones_calls_are_its_own() -> None:
    old, new = Scope("key:k", budget=10, period=1), Scope("key:k", budget=10, period=2)
    made, _ = limiter(old)
    late = made.reserve("a", [old], 0, 10)
    made.load({("key:k", 2): 0})
    ticket = made.reserve("b", [new], 0, 3)
    made.settle(late, 0, 10)
    made.settle(ticket, 0, 3)
    assert (made.spent("key:k", 1), made.spent("key:k", 2)) == (10, 3)


def test_a_correction_by_hand() -> None:
    scope = Scope("key:k", budget=10)
    made, _ = limiter(scope)
    made.charge([("key:k", 0), ("key:other", 0)], 10)
    assert made.spent("key:k", 0) == 10 and made.spent("key:other", 0) is None


def test_counters_that_count_nothing_are_dropped() -> None:
    clock = Clock()
    made = MemoryLimiter(clock)
    for n in range(25_000):
        scope = Scope(f"key:{n}", rpm=5)
        made.load({(scope.id, 0): 0})
        made.settle(made.reserve("c", [scope], 0, 0), 0, 0)
        clock.now += 1
    assert len(made._accounts) < 11_000  # pyright: ignore[reportPrivateUsage]
