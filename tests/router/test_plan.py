"""The plan, as the pure function it is: for any group, any failures, any draw."""

from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.router.deployments import Deployment
from litellm.router.health import State
from litellm.router.plan import FIRST_PAUSE, LONGEST_PAUSE, Failure, RetryPolicy, next_attempt
from litellm.router.strategies import simple_shuffle
from litellm.types.calls import Target

TARGET = Target("openai", "m", "http://host/v1", "k")
draws = st.floats(0, 1, exclude_max=True)
weights = st.none() | st.floats(0, 1e6)


def group_of(count: int, **weighted: list[float | None]) -> list[Deployment]:
    rows = [{name: values[i] for name, values in weighted.items()} for i in range(count)]
    return [Deployment(str(i), "m", TARGET, **row) for i, row in enumerate(rows)]


groups = st.lists(st.tuples(weights, weights, weights), min_size=1, max_size=6).map(
    lambda rows: [Deployment(str(i), "m", TARGET, weight=row[0], rpm=row[1], tpm=row[2]) for i, row in enumerate(rows)]
)


def failure(deployment: Deployment, error: e.LiteLLMError | None = None) -> Failure:
    return Failure(deployment, error or e.InternalServerError("no"))


@settings(deadline=None)
@given(groups, draws)
def test_the_first_is_one_of_the_group(group: list[Deployment], draw: float) -> None:
    assert simple_shuffle(group, 0.0, draw) in group


@settings(deadline=None)
@given(groups, draws)
def test_a_weight_of_nothing_is_never_drawn_while_another_has_one(group: list[Deployment], draw: float) -> None:
    assume(any(deployment.weight for deployment in group))
    assert simple_shuffle(group, 0.0, draw).weight


def test_the_tiniest_weight_is_a_weight() -> None:
    group = group_of(3, weight=[None, 5e-324, 0])
    assert {simple_shuffle(group, 0.0, draw / 10).id for draw in range(10)} == {"1"}


def test_weights_are_shares() -> None:
    group = group_of(3, weight=[1, 3, None])
    drawn = [simple_shuffle(group, 0.0, i / 400).id for i in range(400)]
    assert (drawn.count("0"), drawn.count("1"), drawn.count("2")) == (100, 300, 0)


def test_the_first_of_weight_rpm_tpm_that_anyone_has_counts() -> None:
    group = group_of(2, rpm=[1, 3], tpm=[100, 0])
    assert [simple_shuffle(group, 0.0, i / 4).id for i in range(4)] == ["0", "1", "1", "1"]
    assert [simple_shuffle(group_of(2), 0.0, i / 4).id for i in range(4)] == ["0", "0", "1", "1"]


@settings(deadline=None)
@given(groups, draws, st.data())
def test_one_that_has_not_failed_is_asked_at_once(group: list[Deployment], draw: float, data: st.DataObject) -> None:
    failed = data.draw(st.lists(st.sampled_from(group), min_size=1, max_size=5))
    attempt = next_attempt(group, [failure(d) for d in failed], RetryPolicy(10), draw)
    assert attempt is not None
    if len({d.id for d in failed}) < len(group):
        assert attempt.deployment not in failed
        assert attempt.pause == 0
    else:
        assert attempt.deployment in group
        assert 0 < attempt.pause <= LONGEST_PAUSE


@settings(deadline=None)
@given(groups, draws, st.integers(0, 5), st.integers(1, 8))
def test_the_number_of_attempts_is_the_policys(group: list[Deployment], draw: float, retries: int, failed: int) -> None:
    attempt = next_attempt(group, [failure(group[0])] * failed, RetryPolicy(retries), draw)
    assert (attempt is None) == (failed > retries)


RETRIED = [e.APIConnectionError, e.Timeout, e.RateLimitError, e.InternalServerError, e.BadGatewayError,
           e.ServiceUnavailableError]  # fmt: skip
ELSEWHERE = [e.AuthenticationError, e.PermissionDeniedError]  # another deployment may have a better key
FINAL = [e.BadRequestError, e.NotFoundError, e.ContextWindowExceededError, e.APIResponseValidationError,
         e.UnsupportedParamsError]  # fmt: skip


def test_which_errors_are_tried_again() -> None:
    group = group_of(2)
    for cls in [*RETRIED, *ELSEWHERE, *FINAL]:
        attempt = next_attempt(group, [failure(group[0], cls("no"))], RetryPolicy(2), 0.5)
        assert (attempt is not None) == (cls not in FINAL), cls
        alone = next_attempt(group[:1], [failure(group[0], cls("no"))], RetryPolicy(2), 0.5)
        assert (alone is not None) == (cls in RETRIED), cls
    for status in range(400, 600):
        attempt = next_attempt(group, [failure(group[0], e.APIError(status, "no"))], RetryPolicy(2), 0.5)
        assert (attempt is not None) == (status in (401, 403, 408, 409, 429) or status >= 500), status


def limited(seconds: str) -> e.RateLimitError:
    return e.RateLimitError("no", headers={"retry-after": seconds})


@settings(deadline=None)
@given(draws)
def test_retry_after_is_waited_for_up_to_a_minute(draw: float) -> None:
    group = group_of(1)

    def pause(seconds: str) -> float:
        attempt = next_attempt(group, [failure(group[0], limited(seconds))], RetryPolicy(2), draw)
        assert attempt is not None
        return attempt.pause

    assert pause("7") == 7
    assert pause("60") == 60
    for odd in ("61", "0", "-5", "soon"):
        assert 0 < pause(odd) <= FIRST_PAUSE


@settings(deadline=None)
@given(draws, st.integers(2, 3000))
def test_pauses_grow_and_stay_bounded(draw: float, count: int) -> None:
    group = group_of(1)
    policy = RetryPolicy(10_000)
    pauses: list[float] = []
    for failed in (count - 1, count):
        attempt = next_attempt(group, [failure(group[0])] * failed, policy, draw)
        assert attempt is not None
        pauses.append(attempt.pause)
    assert all(a <= b <= LONGEST_PAUSE for a, b in pairwise(pauses))


@settings(deadline=None)
@given(draws, st.integers(1, 40), st.floats(0.001, 20))
def test_no_pause_is_longer_than_an_attempt_may_take(draw: float, failed: int, longest: float) -> None:
    group = group_of(1)
    attempt = next_attempt(group, [failure(group[0])] * failed, RetryPolicy(100), draw, longest=longest)
    assert attempt is not None
    assert 0 < attempt.pause <= min(longest, LONGEST_PAUSE)
    asks = [failure(group[0], limited("20.5"))]
    assert next_attempt(group, asks, RetryPolicy(100), draw, longest=longest) is None, "it asks for a longer one"
    attempt = next_attempt(group, asks, RetryPolicy(100), draw, longest=20.5)
    assert attempt is not None
    assert attempt.pause == 20.5


def test_the_least_pause_is_the_policys() -> None:
    group = group_of(1)
    attempt = next_attempt(group, [failure(group[0], limited("1"))], RetryPolicy(2, retry_after=3), 0.5)
    assert attempt is not None and attempt.pause == 3


def test_the_budget_pays_for_a_retry_where_nobody_is_known_to_be_well() -> None:
    one, two = group_of(2)
    two.state = State()
    attempt = next_attempt([one, two], [failure(one)], RetryPolicy(), 0.5, 1.0)
    assert attempt is not None and (attempt.deployment, attempt.again) == (two, False)
    two.state.rest(0.0, 1.0)
    attempt = next_attempt([one, two], [failure(one)], RetryPolicy(), 0.5, 1.0)
    assert attempt is not None and (attempt.deployment, attempt.again) == (two, True)
