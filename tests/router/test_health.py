"""Whose fault a failure is, who rests and for how long, and how a rest ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.router import rules
from litellm.router.candidates import wait
from litellm.router.deployments import Deployment
from litellm.router.explain import explain
from litellm.router.health import LONGEST_REST, Cooldowns, Health, State, failed
from litellm.router.plan import choose
from litellm.router.strategies import STRATEGIES, latency_based, simple_shuffle, usage_based
from litellm.types.calls import Target

RULES = Cooldowns()
TARGET = Target("openai", "m", "http://host/v1", "k")


def fails(state: State, error: e.LiteLLMError, now: float = 0.0, rules: Cooldowns = RULES, alone: bool = False) -> None:
    state.begin(now)
    failed(state, error, now, rules, alone, pattern=False)
    state.ended()


def pair(**more: object) -> tuple[Deployment, Deployment]:
    one, two = (Deployment(name, "m", TARGET, state=State(), **more) for name in "ab")  # type: ignore[arg-type]
    return one, two


def state_of(deployment: Deployment) -> State:
    assert deployment.state is not None
    return deployment.state


@pytest.mark.parametrize(
    ("error", "rests"),
    [
        (e.AuthenticationError("no"), True),
        (e.NotFoundError("no"), True),
        (e.RateLimitError("no"), True),
        (e.BadRequestError("no"), False),
        (e.ContextWindowExceededError("no"), False),
        (e.Timeout("no"), False),
        (e.APIConnectionError("no"), False),
        (e.InternalServerError("no"), False),
    ],
)
def test_what_rests_at_once(error: e.LiteLLMError, rests: bool) -> None:
    state = State()
    fails(state, error)
    assert (state.open_at > 0) == rests
    assert state.inflight == 0


@pytest.mark.parametrize("cls", [e.Timeout, e.APIConnectionError, e.InternalServerError])
def test_more_than_half_of_five_rest_it(cls: type[e.LiteLLMError]) -> None:
    state = State()
    for _ in range(2):
        state.begin(0.0)
        state.answered()
        state.ended()
    for _ in range(2):
        fails(state, cls("no"))
    assert state.open_at == 0.0
    fails(state, cls("no"))
    assert state.open_at == RULES.seconds


def test_five_in_a_row_rest_it_however_well_the_minute_began() -> None:
    state = State()
    for _ in range(100):
        state.begin(0.0)
        state.answered()
        state.ended()
    for _ in range(4):
        fails(state, e.InternalServerError("no"))
    state.answered()
    for _ in range(4):
        fails(state, e.InternalServerError("no"))
    assert state.open_at == 0.0
    fails(state, e.InternalServerError("no"))
    assert state.open_at == RULES.seconds


def test_a_callers_own_errors_count_for_nothing() -> None:
    state = State()
    for _ in range(50):
        fails(state, e.BadRequestError("no"))
    assert (state.open_at, state.failed) == (0.0, 0)


def test_the_only_one_of_a_group_never_rests_and_neither_does_any_if_so_configured() -> None:
    state = State()
    fails(state, e.RateLimitError("no"), alone=True)
    fails(state, e.RateLimitError("no"), rules=Cooldowns(disabled=True))
    assert state.open_at == 0.0


def test_allowed_fails() -> None:
    state, rules = State(), Cooldowns(allowed_fails=2, allowed_by_kind={"TimeoutError": 0})
    for _ in range(2):
        fails(state, e.InternalServerError("no"), rules=rules)
    assert state.open_at == 0.0
    fails(state, e.InternalServerError("no"), rules=rules)
    assert state.open_at == 5.0
    other = State()
    fails(other, e.Timeout("no"), rules=rules)
    assert other.open_at == 5.0


def test_a_rest_ends_with_one_probe_and_a_failed_probe_doubles_it() -> None:
    one, two = pair()
    state = state_of(one)
    fails(state, e.RateLimitError("no"))
    assert choose((one, two), simple_shuffle, 4.9, 0.0) is two
    assert choose((one, two), simple_shuffle, 5.0, 0.99) is one  # the probe
    probe = state.begin(5.0)
    assert {choose((one, two), simple_shuffle, 5.0, draw / 10) for draw in range(10)} == {two}
    failed(state, e.InternalServerError("no"), 6.0, RULES, alone=False, pattern=False)
    state.ended(probe)
    assert state.resting_until == 6.0 + 10.0
    assert choose((one, two), simple_shuffle, 16.0, 0.0) is one
    probe = state.begin(16.0)
    state.answered()
    state.ended(probe)
    assert {choose((one, two), simple_shuffle, 17.0, draw / 10) for draw in range(10)} == {one, two}
    for _ in range(20):
        fails(state, e.RateLimitError("no"), 100.0)
    assert state.resting_until <= 100.0 + LONGEST_REST


def test_a_probe_is_over_by_its_own_end_only() -> None:
    """Calls that began before the rest end while another tries the deployment: in every way that a call can."""
    one, two = pair()
    state = state_of(one)
    older = [state.begin(0.0) for _ in range(3)]
    fails(state, e.RateLimitError("no"))
    probe = state.begin(5.0)
    assert (older, bool(probe)) == ([0, 0, 0], True)
    state.ended(older[0])
    failed(state, e.BadRequestError("no"), 5.5, RULES, alone=False, pattern=False)
    state.ended(older[1])
    assert choose((one, two), simple_shuffle, 6.0, 0.0) is two
    failed(state, e.RateLimitError("no"), 6.0, RULES, alone=False, pattern=False)
    state.ended(older[2])
    rested = state.resting_until
    assert choose((one, two), simple_shuffle, rested, 0.0) is two  # another rest is over, the probe is not
    state.ended(probe)
    assert choose((one, two), simple_shuffle, rested, 0.0) is one
    second = state.begin(rested)
    state.ended(probe)
    assert choose((one, two), simple_shuffle, rested, 0.0) is two
    state.ended(second)
    assert choose((one, two), simple_shuffle, rested, 0.0) is one


def test_many_failures_at_once_are_one_rest() -> None:
    state = State()
    for _ in range(50):
        state.begin(0.0)
    for _ in range(50):
        failed(state, e.RateLimitError("no"), 1.0, RULES, alone=False, pattern=False)
        state.ended()
    assert (state.resting_until, state.strikes) == (1.0 + RULES.seconds, 1)


def test_reported_tokens_count_for_whoever_has_a_state() -> None:
    one, _ = pair()
    state_of(one).limit(None, None, 10)
    state_of(one).begin(0.0)
    one.used({"total_tokens": 10})
    one.used({"total_tokens": "many"})
    one.used(None)
    Deployment("c", "m", TARGET).used({"total_tokens": 10})
    assert (state_of(one).tokens, state_of(one).open_at) == (10, 61.0)


def test_while_nobody_else_can_serve_a_probe_is_not_alone() -> None:
    one, two = pair()
    for each in (one, two):
        fails(state_of(each), e.RateLimitError("no"))
    assert choose((one, two), simple_shuffle, 1.0, 0.5) is None
    assert wait((one, two), 1.0) == 4.0
    state_of(one).begin(5.0)
    state_of(two).begin(5.0)
    assert choose((one, two), simple_shuffle, 5.0, 0.5) in (one, two)


@pytest.mark.parametrize(("rpm", "tpm"), [(0, None), (None, 0)])
def test_of_a_limit_of_none_not_even_the_first_call_is_taken(rpm: float | None, tpm: float | None) -> None:
    state = State()
    state.limit(None, rpm, tpm)
    one = Deployment("a", "m", TARGET, state=state)
    assert choose([one], simple_shuffle, 1e6, 0.0) is None
    assert not state.takes(1e6)
    [row] = explain([one], simple_shuffle, 1e6, None)
    assert row["why"] == "takes no calls: its rpm or tpm is 0"
    state.limit(None, 1, None)
    assert choose([one], simple_shuffle, 1e6, 0.0) is one


def test_limits_are_kept() -> None:
    one, two = pair()
    state_of(one).limit(2, None, None)
    state_of(two).limit(None, 3, 100)
    for _ in range(2):
        state_of(one).begin(0.0)
    assert {choose((one, two), simple_shuffle, 0.0, draw / 10) for draw in range(10)} == {two}
    for at in (50.0, 58.0, 59.5):
        state_of(two).begin(at)
        state_of(two).ended()
    assert choose((one, two), simple_shuffle, 59.5, 0.5) is None
    assert wait((one, two), 60.0) == 51.0
    state_of(one).ended()
    assert choose((one, two), simple_shuffle, 60.0, 0.5) is one
    assert choose((two,), simple_shuffle, 110.9, 0.5) is None  # another minute by the clock, but not sixty seconds
    assert choose((two,), simple_shuffle, 111.0, 0.5) is two
    state_of(two).begin(111.0)
    assert wait((two,), 111.0) == 8.0  # until the call of second 58 has left
    state_of(two).used(100)
    assert wait((two,), 111.0) == 61.0
    state_of(two).limit(None, 1000, None)
    assert choose((two,), simple_shuffle, 111.0, 0.5) is two


@settings(deadline=None)
@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_never_more_than_its_rpm_in_any_sixty_seconds(pauses: list[float], rpm: int) -> None:
    one, _ = pair()
    state_of(one).limit(None, rpm, None)
    now, admitted = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if choose((one,), simple_shuffle, now, 0.5) is one:
            state_of(one).begin(now)
            state_of(one).ended()
            admitted.append(now)
            assert sum(at > now - 60 for at in admitted) <= rpm
        else:
            assert sum(at > now - 62 for at in admitted) >= rpm


def test_the_lowest_order_first() -> None:
    one, two = pair()
    one.order, two.order = 2, 1
    assert {choose((one, two), simple_shuffle, 0.0, draw / 10) for draw in range(10)} == {two}
    fails(state_of(two), e.RateLimitError("no"))
    assert choose((one, two), simple_shuffle, 1.0, 0.5) is one


def test_states_outlive_a_reload_and_go_with_their_deployment() -> None:
    health = Health()
    state = health.of("a")
    health.of("b")
    health.keep({"a"})
    assert health.of("a") is state
    fails(state, e.RateLimitError("no"))
    assert health.resting(1.0) == {"a": 4.0}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_gives_one_of_its_candidates(name: str) -> None:
    one, two = pair()
    for draw in (0.0, 0.3, 0.999):
        for group in ((one,), (one, two), (Deployment("c", "m", TARGET), one, two)):
            assert STRATEGIES[name](group, 0.0, draw) in group


def test_what_the_strategies_look_at() -> None:
    one, two = pair()
    state_of(one).begin(0.0)
    assert STRATEGIES["least-busy"]((one, two), 0.0, 0.0) is two
    assert STRATEGIES["usage-based-routing-v2"]((one, two), 0.0, 0.0) is two
    state_of(one).took(1.0, 1.0)
    assert STRATEGIES["latency-based-routing"]((one, two), 1.0, 0.0) is two  # nobody has tried it
    state_of(two).begin(1.0)
    state_of(two).took(1.2, 0.2)
    assert STRATEGIES["latency-based-routing"]((one, two), 1.0, 0.0) is two
    assert {STRATEGIES["power-of-two"]((one, two), 1.2, draw / 10) for draw in range(10)} == {two}
    one.cost, two.cost = 1.0, 2.0
    assert STRATEGIES["cost-based-routing"]((one, two), 0.0, 0.9) is one


def test_a_state_notes_what_somebody_goes_by() -> None:
    state = State()
    state.took(0.0, 1.0)
    rules.observe(state, latency_based)
    assert (state.wants_tokens, state.latency) == (False, 1.0)
    rules.observe(state, usage_based)
    assert (state.wants_tokens, state.latency) == (True, 1.0)
    rules.observe(state, simple_shuffle)
    assert (state.wants_tokens, state.latency) == (False, None), "it would be old by the time that somebody asks again"
    state.limit(None, None, 10.0)
    rules.observe(state, simple_shuffle)
    assert state.wants_tokens
