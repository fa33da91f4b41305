"""What an explanation says is what the plan does: for any states of any deployments."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment, Deployments
from litellm.router.explain import CHOSEN, FAILED, SKIPPED, Trace, explain
from litellm.router.health import State
from litellm.router.plan import RetryPolicy, Routing, choose
from litellm.router.router import Router
from litellm.router.strategies import STRATEGIES
from litellm.types.calls import Ask, Call, Target

NOW = 1000.0
TARGET = Target("openai", "m", "http://host/v1?key=hidden", "k")
LOWEST = {
    "least-busy": "in_flight",
    "latency-based-routing": "seconds",
    "usage-based-routing-v2": "tokens",
    "cost-based-routing": "pico_dollars",
}


@st.composite
def states(draw: st.DrawFn) -> State | None:
    if draw(st.integers(0, 4)) == 0:
        return None
    state = State()
    state.limit(draw(st.none() | st.integers(1, 3)), draw(st.none() | st.integers(1, 3)), None)
    for _ in range(draw(st.integers(0, 3))):
        state.begin(NOW - draw(st.integers(0, 90)))
        if draw(st.booleans()):
            state.took(NOW, draw(st.floats(0.01, 9)))
            state.answered()
            state.ended()
    if draw(st.booleans()):
        state.rest(NOW - 10, draw(st.floats(1, 20)))
        state.probing = draw(st.booleans())
    return state


rows_of = st.tuples(states(), st.sampled_from([None, 1, 2]), st.none() | st.floats(0, 9))
groups = st.lists(rows_of, min_size=1, max_size=6)
draws = st.floats(0, 1, exclude_max=True)


def made(rows: list[tuple[State | None, int | None, float | None]]) -> list[Deployment]:
    return [
        Deployment(str(i), "m", TARGET, state=state, order=order, weight=weight)
        for i, (state, order, weight) in enumerate(rows)
    ]


@settings(deadline=None, max_examples=300)
@given(groups, draws, st.sampled_from(sorted(STRATEGIES)))
def test_its_candidates_are_those_that_the_plan_chooses_from(
    rows: list[tuple[State | None, int | None, float | None]], draw: float, name: str
) -> None:
    group, strategy = made(rows), STRATEGIES[name]
    chosen = choose(group, strategy, NOW, draw)
    told = explain(group, strategy, NOW, chosen)
    assert [row["model_id"] for row in told] == [one.id for one in group]
    found = [one.id for one in candidates(group, NOW)]
    assert {row["model_id"] for row in told if row["verdict"] != SKIPPED} == set(found)
    assert [row["model_id"] for row in told if row["verdict"] == CHOSEN] == ([chosen.id] if chosen else [])
    for row, one in zip(told, group, strict=True):
        state = one.state
        if row["verdict"] == SKIPPED and state is not None:  # the words fit the facts
            assert ("resting" in row["why"]) == (state.resting_until > NOW)
            assert ("full" in row["why"] or "used up" in row["why"]) == (state.open_at > NOW >= state.resting_until)
    score = LOWEST.get(name)
    if chosen is not None and score:
        scored = {row["model_id"]: row["score"].get(score) for row in told if row["verdict"] != SKIPPED}
        known = [value for value in scored.values() if value is not None]
        assert scored[chosen.id] is None or scored[chosen.id] == min(known)


def test_a_trace_tells_steps_attempts_and_who_served_and_addresses_to_admins_only() -> None:
    a, b, tagged = (Deployment(id, "m", TARGET) for id in ("a", "b", "tagged"))
    clock = iter([0.0, 0.25, 1.0, 1.5]).__next__
    trace = Trace()

    async def fails() -> None:
        raise e.InternalServerError("no")

    async def answers() -> int:
        return 1

    async def call() -> None:
        strategy = STRATEGIES["simple-shuffle"]
        trace.filtered([a, b, tagged], (a, b), "its tags")
        trace.chose([a, b], strategy, NOW, a)
        with pytest.raises(e.InternalServerError):
            await trace.timed(fails(), a, clock)
        trace.chose([a, b], strategy, NOW, b, {"a"})
        assert await trace.timed(answers(), b, clock) == 1

    asyncio.run(call())
    view = trace.view()
    first, second = view["steps"]
    assert view["served_by"] == "b"
    assert first["attempt"] == {"model_id": "a", "status": 500, "ms": 250.0, "error": "InternalServerError"}
    assert second["attempt"] == {"model_id": "b", "status": 200, "ms": 500.0}
    assert [row["why"] for row in first["candidates"]] == ["takes calls", "takes calls", "its tags"]
    assert [(row["model_id"], row["why"]) for row in second["candidates"]] == [("b", "takes calls"), ("a", FAILED)]
    assert "http://host" not in str(view)
    trace.admin = True
    assert "http://host/v1'" in str(trace.view()) and "hidden" not in str(trace.view())


def test_after_a_pause_it_is_explained_by_how_things_stand_then() -> None:
    now, trace = [NOW], Trace()

    class Engine:
        async def send(self, call: Call) -> str:
            if now[0] > NOW:
                return "answer"
            raise e.ServiceUnavailableError("no", "openai", "m")

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    one, two = (Deployment(id, "m", TARGET, state=State()) for id in "ab")
    assert two.state is not None
    two.state.rest(NOW, 0.1)  # over before the pause is: then it is tried
    router = Router(
        Deployments([one, two]), Engine(), RetryPolicy(1), None, Routing(),  # type: ignore[arg-type]
        clock=lambda: now[0], sleep=sleep,
    )  # fmt: skip
    served = asyncio.run(router.send(Ask("chat", "m", {}, trace=trace), router.deployments.group("m")))
    rows = {row["model_id"]: row["verdict"] for row in trace.view()["steps"][1]["candidates"]}
    assert served.deployment is two and rows["b"] == CHOSEN
