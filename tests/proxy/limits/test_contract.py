"""What every back-end of the limits does alike. Clocks are simulated; arrivals come from Hypothesis."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm.proxy.limits.base import Kind, Limiter, Refused, Scope, Ticket, Unloaded
from support.limiters import Clock

Opened = tuple[Limiter, Clock]
Open = Callable[[], AbstractContextManager[Opened]]

SECONDS = 61


def load(limiter: Limiter, *scopes: Scope, spent: int = 0) -> None:
    limiter.load({(scope.id, scope.period): spent for scope in scopes})


def refusal(limiter: Limiter, scopes: Sequence[Scope], tokens: int = 0, nano: int = 0, strict: bool = False) -> Refused:
    with pytest.raises(Refused) as caught:
        limiter.reserve("refused", scopes, tokens, nano, strict)
    return caught.value


# A model of the limits that counts everything again each time, to hold the back-ends against.


@dataclass
class Call:
    scopes: Sequence[Scope]
    at: float
    tokens: int
    nano: int
    strict: bool
    ticket: Ticket
    open: bool = True


@dataclass
class Model:
    """All calls that were admitted; `tokens` and `nano` are what is reserved, or once settled what was used."""

    calls: list[Call] = field(default_factory=list[Call])

    def of(self, scope: Scope) -> list[Call]:
        return [call for call in self.calls if any(one.id == scope.id for one in call.scopes)]

    def recent(self, scope: Scope, now: float, seconds: int) -> list[Call]:
        return [call for call in self.of(scope) if call.at > now - seconds]

    def bucketed(self, scope: Scope, now: float) -> list[Call]:
        return [call for call in self.of(scope) if int(call.at) > int(now) - SECONDS]

    def money(self, scope: Scope) -> tuple[int, int]:
        """Spent, reserved."""
        known = [c for c in self.of(scope) if any((s.id, s.period) == (scope.id, scope.period) for s in c.scopes)]
        return sum(c.nano for c in known if not c.open), sum(c.nano for c in known if c.open)

    def refusal(self, scopes: Sequence[Scope], now: float, tokens: int, nano: int, strict: bool) -> object:
        """What must be refused: (scope, kind, limit, current, reset), or None."""
        for scope in scopes:
            spent, reserved = self.money(scope)
            calls = self.bucketed(scope, now)
            parallel = sum(call.open for call in self.of(scope))
            used = sum(call.tokens for call in calls)
            taken = spent + reserved
            if scope.budget is not None and (taken + nano > scope.budget if strict else taken >= scope.budget):
                return scope.id, "budget", scope.budget, spent, 0
            if scope.parallel is not None and parallel >= scope.parallel:
                return scope.id, "max_parallel_requests", scope.parallel, parallel, 0
            if scope.rpm is not None and len(calls) >= scope.rpm:
                reset = self.reset([(call.at, 1) for call in calls], scope.rpm - 1, now)
                return scope.id, "requests", scope.rpm, len(calls), reset
            if scope.tpm is not None and used + tokens > scope.tpm:
                reset = self.reset([(call.at, call.tokens) for call in calls], scope.tpm - tokens, now)
                return scope.id, "tokens", scope.tpm, used, reset
        return None

    def reset(self, taken: list[tuple[float, int]], room: int, now: float) -> int:
        fits = (
            wait
            for wait in range(SECONDS)
            if sum(amount for at, amount in taken if int(at) > int(now) + wait - SECONDS) <= room
        )
        return next(fits, SECONDS)


SCOPES = (
    Scope("key:k", rpm=4, tpm=200, parallel=3),
    Scope("user:u", budget=300),
    Scope("team:t", rpm=6, budget=500, period=7),
    Scope("model:m", tpm=300),
    Scope("tag:free"),
)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 40, allow_nan=False)),
        st.tuples(
            st.just("reserve"),
            st.tuples(
                st.lists(st.sampled_from(SCOPES), min_size=1, max_size=5, unique=True),
                st.integers(0, 120),
                st.integers(0, 120),
                st.booleans(),
            ),
        ),
        st.tuples(st.just("settle"), st.tuples(st.integers(0, 50), st.integers(0, 120), st.integers(0, 120))),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_every_answer_is_the_models(opened: Open, steps: Sequence[tuple[str, object]]) -> None:
    with opened() as (limiter, clock):
        load(limiter, *SCOPES)
        model = Model()
        for step, details in steps:
            match step, details:
                case "wait", float(seconds):
                    clock.now += seconds
                case "reserve", (scopes, tokens, nano, strict):
                    _reserve_in_both(limiter, model, clock.now, scopes, tokens, nano, strict)
                case "settle", (which, tokens, nano):
                    _settle_in_both(limiter, model, which, tokens, nano)
                case _:
                    raise AssertionError(step)
            for scope in SCOPES:
                assert limiter.spent(scope.id, scope.period) == model.money(scope)[0]


def _reserve_in_both(
    limiter: Limiter, model: Model, now: float, scopes: Sequence[Scope], tokens: int, nano: int, strict: bool
) -> None:
    expected = model.refusal(scopes, now, tokens, nano, strict)
    try:
        ticket = limiter.reserve("c", scopes, tokens, nano, strict)
    except Refused as refused:
        assert (refused.scope.id, refused.kind, refused.limit, refused.current, refused.reset) == expected
    else:
        assert expected is None
        model.calls.append(Call(scopes, now, tokens, nano, strict, ticket))


def _settle_in_both(limiter: Limiter, model: Model, which: int, tokens: int, nano: int) -> None:
    waiting = [call for call in model.calls if call.open]
    if waiting:
        call = waiting[which % len(waiting)]
        limiter.settle(call.ticket, tokens, nano)
        call.open, call.tokens, call.nano = False, tokens, nano


gaps = st.lists(st.floats(0, 40, allow_nan=False), max_size=100)


@settings(deadline=None)
@given(gaps, st.integers(1, 6))
def test_requests_are_never_above_the_limit_in_any_60_s_and_never_refused_for_nothing(
    opened: Open, waits: list[float], limit: int
) -> None:
    scope = Scope("key:k", rpm=limit)
    with opened() as (limiter, clock):
        load(limiter, scope)
        taken: list[float] = []
        for wait in waits:
            clock.now += wait
            try:
                limiter.settle(limiter.reserve("c", [scope], 0, 0), 0, 0)
            except Refused:
                assert len([at for at in taken if at > clock.now - 61]) >= limit
            else:
                assert len([at for at in taken if at > clock.now - 60]) < limit
                taken.append(clock.now)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 40, allow_nan=False), st.integers(0, 60), st.integers(0, 60), st.booleans()),
        max_size=100,
    )
)
def test_tokens_likewise_reserved_or_settled_and_actual_ones_where_the_reservation_is_a_bound(
    opened: Open, calls: list[tuple[float, int, int, bool]]
) -> None:
    scope = Scope("key:k", tpm=100)
    with opened() as (limiter, clock):
        load(limiter, scope)
        model = Model()
        for wait, tokens, part, settles in calls:
            clock.now += wait
            if settles:
                for call in [call for call in model.calls if call.open][:2]:
                    used = min(part, call.tokens)
                    limiter.settle(call.ticket, used, 0)
                    call.open, call.tokens = False, used
            try:
                ticket = limiter.reserve("c", [scope], tokens, 0)
            except Refused:
                assert sum(call.tokens for call in model.recent(scope, clock.now, 61)) + tokens > 100
            else:
                assert sum(call.tokens for call in model.recent(scope, clock.now, 60)) + tokens <= 100
                model.calls.append(Call([scope], clock.now, tokens, 0, True, ticket))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("rs"), st.integers(0, 50), st.integers(0, 50)), max_size=80))
def test_strict_money_is_never_overshot_and_never_refused_for_nothing(
    opened: Open, steps: list[tuple[str, int, int]]
) -> None:
    scope = Scope("key:k", budget=100)
    with opened() as (limiter, _):
        load(limiter, scope)
        held: list[Ticket] = []
        spent = 0
        for step, amount, part in steps:
            if step == "s":
                if held:
                    ticket = held.pop(part % len(held))
                    spent += min(part, ticket.nano)
                    limiter.settle(ticket, 0, min(part, ticket.nano))
                assert limiter.spent("key:k", 0) == spent <= 100
                continue
            fits = spent + sum(ticket.nano for ticket in held) + amount <= 100
            try:
                held.append(limiter.reserve("c", [scope], 0, amount, strict=True))
            except Refused:
                assert not fits
            else:
                assert fits


def test_default_money_lets_in_while_there_is_any_left(fresh: Opened) -> None:
    limiter, _ = fresh
    scope = Scope("key:k", budget=10)
    load(limiter, scope)
    ticket = limiter.reserve("a", [scope], 0, 9)
    limiter.settle(limiter.reserve("b", [scope], 0, 50), 0, 0)
    limiter.settle(ticket, 0, 10)
    refused = refusal(limiter, [scope])
    assert (refused.kind, refused.limit, refused.current, refused.reset) == ("budget", 10, 10, 0)


def test_a_call_of_exactly_the_money_left_fits_and_one_of_a_nano_dollar_more_does_not(fresh: Opened) -> None:
    limiter, _ = fresh
    scope = Scope("key:k", budget=2**52)
    load(limiter, scope, spent=2**51 + 1)
    left = 2**51 - 1
    refusal(limiter, [scope], nano=left + 1, strict=True)
    ticket = limiter.reserve("a", [scope], 0, left, strict=True)
    refusal(limiter, [scope], nano=1, strict=True)
    limiter.settle(limiter.reserve("free", [scope], 0, 0, strict=True), 0, 0)
    limiter.settle(ticket, 0, left)
    assert limiter.spent("key:k", 0) == 2**52


@pytest.mark.parametrize(
    ("narrow", "kind"),
    [
        (Scope("key:k", rpm=0), "requests"),
        (Scope("key:k", tpm=4), "tokens"),
        (Scope("key:k", parallel=0), "max_parallel_requests"),
        (Scope("key:k", budget=0), "budget"),
    ],
)
def test_all_scopes_or_none(fresh: Opened, narrow: Scope, kind: Kind) -> None:
    limiter, _ = fresh
    wide = Scope("team:t", rpm=1, tpm=5, parallel=1, budget=7)
    load(limiter, wide, narrow)
    for _ in range(3):
        refused = refusal(limiter, [wide, narrow], 5, 7, strict=True)
        assert (refused.scope, refused.kind) == (narrow, kind)
    limiter.settle(limiter.reserve("alone", [wide], 5, 7, strict=True), 5, 7)


def test_settling_twice_is_settling_once(fresh: Opened) -> None:
    limiter, _ = fresh
    scope = Scope("key:k", parallel=2, tpm=100, budget=100)
    load(limiter, scope)
    first, second = (limiter.reserve(name, [scope], 10, 10) for name in "ab")
    for _ in range(2):
        limiter.settle(first, 5, 5)
    assert limiter.spent("key:k", 0) == 5
    limiter.reserve("c", [scope], 0, 0)
    assert refusal(limiter, [scope]).current == 2
    limiter.settle(second, 0, 0)
    assert refusal(limiter, [Scope("key:k", tpm=0)], 1).current == 5


def test_what_has_been_spent_must_be_known_first_and_is_loaded_once(fresh: Opened) -> None:
    limiter, _ = fresh
    known, unknown = Scope("user:u"), Scope("key:k", budget=10, period=5)
    load(limiter, known)
    with pytest.raises(Unloaded) as caught:
        limiter.reserve("a", [known, unknown], 0, 0)
    assert list(caught.value.scopes) == [unknown]
    assert limiter.spent("key:k", 5) is None
    load(limiter, unknown, spent=10)
    load(limiter, unknown, spent=0)
    assert refusal(limiter, [known, unknown]).current == 10


def test_a_new_period_begins_with_what_is_loaded_and_a_call_belongs_to_that_in_which_it_was_admitted(
    fresh: Opened,
) -> None:
    limiter, _ = fresh
    old, new = (Scope("key:k", rpm=3, parallel=2, budget=10, period=period) for period in (1, 2))
    load(limiter, old)
    late = limiter.reserve("a", [old], 0, 10)
    load(limiter, new)
    ticket = limiter.reserve("b", [new], 0, 3, strict=True)
    assert refusal(limiter, [new]).kind == "max_parallel_requests", "it counts calls of every period"
    limiter.settle(late, 0, 10)
    limiter.settle(ticket, 0, 3)
    assert (limiter.spent("key:k", 1), limiter.spent("key:k", 2)) == (10, 3)
    limiter.settle(limiter.reserve("c", [new], 0, 7, strict=True), 0, 7)
    refused = refusal(limiter, [Scope("key:k", rpm=3, period=2)])
    assert (refused.kind, refused.current) == ("requests", 3)


def test_charges_by_hand_count_where_the_money_is_known(fresh: Opened) -> None:
    limiter, _ = fresh
    scope = Scope("key:k", budget=10)
    load(limiter, scope)
    limiter.charge([("key:k", 0), ("key:other", 0), ("key:k", 3)], 10)
    assert limiter.spent("key:k", 0) == 10
    assert limiter.spent("key:other", 0) is limiter.spent("key:k", 3) is None
    limiter.charge([("key:k", 0)], -4)
    assert refusal(limiter, [scope], nano=5, strict=True).current == 6


def test_a_limit_that_comes_while_calls_are_in_flight_counts_none_of_them(fresh: Opened) -> None:
    limiter, _ = fresh
    before, after = Scope("key:k"), Scope("key:k", parallel=1, tpm=100)
    load(limiter, before)
    early = limiter.reserve("a", [before], 90, 0)
    late = limiter.reserve("b", [after], 60, 0)
    limiter.settle(early, 0, 0)
    assert refusal(limiter, [after]).kind == "max_parallel_requests"
    limiter.settle(late, 60, 0)
    refused = refusal(limiter, [after], 41)
    assert (refused.kind, refused.current) == ("tokens", 60)


def test_a_call_settles_into_its_own_second_or_not_at_all_when_that_is_over(fresh: Opened) -> None:
    limiter, clock = fresh
    scope = Scope("key:k", tpm=100)
    load(limiter, scope)
    slow, slower = (limiter.reserve(name, [scope], 40, 0) for name in "ab")
    clock.now += 30
    limiter.settle(limiter.reserve("c", [scope], 20, 0), 20, 0)
    clock.now += 30
    limiter.settle(slow, 10, 0)
    refused = refusal(limiter, [scope], 31)
    assert (refused.current, refused.reset) == (70, 1)
    clock.now += 1
    limiter.settle(slower, 0, 0)
    assert refusal(limiter, [scope], 81).current == 20


def test_standings_are_the_tightest_once_the_call_is_counted(fresh: Opened) -> None:
    limiter, _ = fresh
    scopes = [Scope("key:k", rpm=10, tpm=50), Scope("team:t", rpm=3, tpm=1000), Scope("user:u")]
    load(limiter, *scopes)
    ticket = limiter.reserve("a", scopes, 20, 0)
    requests, tokens = ticket.requests_standing, ticket.tokens_standing
    assert requests is not None and (requests.limit, requests.remaining, requests.reset) == (3, 2, SECONDS)
    assert tokens is not None and (tokens.limit, tokens.remaining, tokens.reset) == (50, 30, SECONDS)
    free = limiter.reserve("b", scopes[2:], 20, 0)
    assert free.requests_standing is free.tokens_standing is None


def test_a_call_may_have_many_scopes(fresh: Opened) -> None:
    limiter, _ = fresh
    scopes = [Scope(f"tag:{n}", rpm=2 if n % 2 else None, budget=100) for n in range(40)]
    load(limiter, *scopes)
    tickets = [limiter.reserve(name, scopes, 1, 10) for name in "ab"]
    assert refusal(limiter, scopes).scope is scopes[1]
    for ticket in tickets:
        limiter.settle(ticket, 1, 7)
    assert {limiter.spent(scope.id, 0) for scope in scopes} == {14}
