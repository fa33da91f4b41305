"""Budgets of providers and deployments: who is held back, until when, and what a sum outlives."""

import asyncio
import gc
from collections.abc import Sequence
from math import inf
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.router import rules
from litellm.router.deployments import Deployment, Deployments
from litellm.router.explain import SKIPPED, Trace
from litellm.router.fallbacks import Fallbacks
from litellm.router.health import Health, State
from litellm.router.plan import RetryPolicy, Routing, choose
from litellm.router.queue import QueuePolicy
from litellm.router.router import Router
from litellm.router.shared import SharedState
from litellm.router.spending import Allowance, BudgetReached, Spending, of_deployment, of_provider, reached
from litellm.router.strategies.simple_shuffle import simple_shuffle
from litellm.transport.mock import MockTransport
from litellm.types.calls import Ask, Target
from litellm.types.http import HttpRequest, HttpResponse
from support import bodies
from support.behaviours import to_bytes

MINUTE = 60_000
OPENAI, GROQ, OWN = of_provider("openai"), of_provider("groq"), of_deployment("a")


class World:
    """A clock and the wall's time, which go together, and deployments of two providers."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000
        self.health = Health(clock=self.clock)
        self.spending = Spending(self.clock, lambda: self.ms)
        self.a = self.made("a", "openai")
        self.b = self.made("b", "groq")

    def clock(self) -> float:
        return (self.ms - 1_799_999_000_000) / 1000

    def made(self, id: str, provider: str, group: str = "m") -> Deployment:
        return Deployment(id, group, Target(provider, "x", "http://host/v1", "k"))

    def follow(self, one: Deployment, *others: Deployment, zone: str = "UTC", **allowances: Allowance) -> None:
        """As a reload does. The names of budgets are written with `__` for the colon."""
        self.spending.follow(
            {name.replace("__", ":"): allowance for name, allowance in allowances.items()}, ZoneInfo(zone)
        )
        for each in (one, *others):
            each.state = self.health.of(each.id)
            each.state.limit(None, each.rpm, None, self.spending.holding(each.state, each.target.provider, each.id))

    def count(self, one: Deployment, nano: int) -> None:
        self.spending.count(one.target.provider, one.id, nano)

    def chosen(self, *group: Deployment) -> str | None:
        one = choose(group, simple_shuffle, self.clock(), 0.0)
        return None if one is None else one.id


@pytest.fixture
def world() -> World:
    return World()


def spent(world: World) -> dict[str, int]:
    return {one.id: one.spent for one in world.spending.standings()}


@pytest.mark.parametrize("kind", ["provider__openai", "deployment__a"])
def test_who_has_reached_it_is_not_chosen_until_its_period_is_over(world: World, kind: str) -> None:
    world.follow(world.a, world.b, **{kind: Allowance(100, "1m")})
    assert world.chosen(world.a, world.b) == "a"
    world.count(world.a, 99)
    assert world.chosen(world.a, world.b) == "a"
    world.count(world.a, 1)
    world.count(world.b, 1000)
    assert world.chosen(world.a, world.b) == "b" and world.chosen(world.a) is None
    left = MINUTE - world.ms % MINUTE
    world.ms += left - 1
    assert world.chosen(world.a) is None
    world.ms += 1
    assert world.chosen(world.a, world.b) == "a", "nothing had to be counted, and no timer to run, for that"
    assert spent(world) == {kind.replace("__", ":"): 0}
    world.count(world.a, 100)
    assert world.chosen(world.a) is None


def test_all_of_a_provider_share_its_budget_and_each_has_its_own(world: World) -> None:
    c = world.made("c", "openai")
    world.follow(world.a, c, provider__openai=Allowance(100, "1d"), deployment__a=Allowance(10, "1d"))
    world.count(world.a, 10)
    assert (world.chosen(world.a), world.chosen(world.a, c)) == (None, "c")
    world.count(c, 90)
    assert world.chosen(world.a, c) is None


def test_a_reload_keeps_the_sum_and_another_limit_holds_at_once(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1d"))
    world.count(world.a, 100)
    world.follow(world.a, provider__openai=Allowance(100, "1d"))
    assert world.chosen(world.a) is None
    world.follow(world.a, provider__openai=Allowance(101, "1d"))
    assert world.chosen(world.a) == "a"
    world.count(world.a, 1)
    assert world.chosen(world.a) is None
    world.follow(world.a)
    assert world.chosen(world.a) == "a" and not world.spending


def test_another_period_with_the_same_start_goes_on_and_one_with_another_begins_anew(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1d"))
    world.count(world.a, 60)
    world.follow(world.a, provider__openai=Allowance(100, "24h"))
    assert spent(world) == {OPENAI: 60}
    world.follow(world.a, provider__openai=Allowance(100, "1d"), zone="Asia/Kolkata")
    assert spent(world) == {OPENAI: 0}


def test_one_that_goes_and_comes_back_within_its_period_goes_on(world: World) -> None:
    """Others have been told of the sum: they never believe that it has become less."""
    day, hour = Allowance(100, "1d"), Allowance(100, "1h")
    world.follow(world.a, world.b, provider__openai=day, provider__groq=day)
    world.count(world.a, 60)
    start = world.spending.parts()[0].start
    world.spending.hear(OPENAI, start, 90)
    for meanwhile in ({}, {"provider__groq": day}, {"provider__openai": hour}):
        world.follow(world.a, world.b, **meanwhile)
        world.count(world.a, 1)
        world.follow(world.a, world.b, provider__openai=day, provider__groq=day)
        assert spent(world)[OPENAI] == 90 and world.spending.parts()[0].own == 60
    world.follow(world.a)
    world.ms += 24 * 60 * MINUTE
    world.follow(world.a, provider__openai=day)
    assert spent(world) == {OPENAI: 0}


def test_what_cannot_be_followed_changes_nothing(world: World) -> None:
    both = {"provider__openai": Allowance(100, "1d"), "provider__groq": Allowance(100, "1d")}
    world.follow(world.a, world.b, **both)
    world.count(world.a, 60)
    world.count(world.b, 100)
    with pytest.raises(ValueError, match="hundred years"):
        world.spending.follow({OPENAI: Allowance(1, "1d"), OWN: Allowance(1, "999999w"), GROQ: Allowance(1, "1d")})
    assert spent(world) == {OPENAI: 60, GROQ: 100} and world.chosen(world.a, world.b) == "a"


def test_a_budget_for_ever_and_one_of_nothing(world: World) -> None:
    world.follow(world.a, world.b, provider__openai=Allowance(100), provider__groq=Allowance(0, "1m"))
    assert (world.chosen(world.a), world.chosen(world.b)) == ("a", None)
    world.count(world.a, 100)
    world.ms += 400 * 86_400_000
    assert (world.chosen(world.a), world.chosen(world.b)) == (None, None)
    error = reached((world.a,), world.clock())
    assert error is not None and error.header("retry-after") is None


def test_what_costs_nothing_or_has_no_budget_is_not_counted(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1d"), deployment__a=Allowance(100, "1h"))
    assert world.spending.count("openai", "a", 0) == world.spending.count("openai", "a", -5) == ()
    assert world.spending.count("groq", "b", 5) == ()
    day, hour = world.ms // 86_400_000 * 86_400_000, world.ms // 3_600_000 * 3_600_000
    assert world.spending.count("openai", "a", 5) == ((OPENAI, day), (OWN, hour))


def test_limits_and_rests_hold_beside_a_budget(world: World) -> None:
    world.a.rpm = 1
    world.follow(world.a, provider__openai=Allowance(100, "1m"))
    state = world.a.state
    assert state is not None
    world.count(world.a, 100)
    reset = state.open_at
    state.rest(world.clock(), 1.0)
    state.begin(world.clock())
    assert state.open_at >= reset, "none of them opens what another has closed"
    state.forget()
    assert state.open_at == reset > world.clock(), "money that was spent is not forgotten"


# What others have spent


def test_what_is_heard_adds_to_ones_own_and_never_becomes_less(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1m"))
    world.count(world.a, 40)
    (part,) = world.spending.parts()
    assert (part.id, part.own, part.end) == (OPENAI, 40, part.start + MINUTE)
    world.count(world.a, 10)  # while the others are being asked
    world.spending.hear(OPENAI, part.start, 70, part.own)
    assert spent(world) == {OPENAI: 80}
    world.spending.hear(OPENAI, part.start, 40, part.own)  # a Redis that has forgotten all
    world.spending.hear(OPENAI, part.start, 75)  # the books, in which not all of it is
    assert spent(world) == {OPENAI: 80} and world.chosen(world.a) == "a"
    world.spending.hear(OPENAI, part.start, 100)
    assert world.chosen(world.a) is None
    world.ms += MINUTE
    world.spending.hear(OPENAI, part.start, 500)
    assert spent(world) == {OPENAI: 0} and world.chosen(world.a) == "a", "that was another period"


def test_a_forked_child_does_not_tell_its_parents_part_again(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1m"))
    world.count(world.a, 40)
    world.spending.forked()
    assert (world.spending.parts()[0].own, spent(world)) == (0, {OPENAI: 40})
    world.count(world.a, 60)
    assert world.chosen(world.a) is None


def test_threads_lose_nothing() -> None:
    world = World()
    world.health = Health(SharedState)
    world.follow(world.a, provider__openai=Allowance(4000, "1d"))

    def calls() -> None:
        for _ in range(1000):
            world.count(world.a, 1)

    threads = [Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spent(world) == {OPENAI: 4000} and world.chosen(world.a) is None


def test_a_stream_that_the_collector_ends_stops_nobody() -> None:
    """It is counted by a thread that has the lock of a state, while another one's cost reaches the budget."""
    world = World()
    world.health = Health(SharedState)
    world.follow(world.a, provider__openai=Allowance(100, "1d"))
    state, collecting, reached_it = world.a.state, Event(), Event()
    assert state is not None

    class Stream:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            collecting.set()
            reached_it.wait(0.5)
            world.count(world.a, 1)

    def collect() -> None:
        Stream()
        with state.guard:
            gc.collect()

    def reach() -> None:
        collecting.wait(5)
        world.count(world.a, 100)
        reached_it.set()

    threads = [Thread(target=each, daemon=True) for each in (collect, reach)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert spent(world) == {OPENAI: 101} and world.chosen(world.a) is None


# Through the router


def router(world: World, *deployments: Deployment, fallbacks: Fallbacks | None = None) -> tuple[Router, list[str]]:
    asked: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        asked.append(request.url.host)
        return HttpResponse(200, [], to_bytes(bodies.answer("chat", {"model": "x", "messages": []})))

    engine = Engine(MockTransport(answer), lambda: 0.0)
    made = Router(
        Deployments([*deployments]), engine, RetryPolicy(3), None, Routing(), fallbacks or Fallbacks(), world.clock
    )
    return made, asked


def send(made: Router, group: str = "m", **ask: object) -> str:
    asked = Ask("chat", group, {"messages": []}, **ask)  # type: ignore[arg-type]
    return asyncio.run(made.send(asked, made.deployments.group(group))).deployment.id


def test_if_all_have_reached_one_the_call_is_a_429_that_says_which(world: World) -> None:
    world.follow(world.a, world.b, provider__openai=Allowance(100_000, "1m"), deployment__b=Allowance(1, "1d"))
    made, asked = router(world, world.a, world.b)
    world.count(world.a, 700_000)
    assert send(made) == "b"
    world.count(world.b, 1)
    with pytest.raises(e.RateLimitError) as caught:
        send(made)
    error = caught.value
    assert isinstance(error, BudgetReached) and error.status_code == 429 and error.rate_limit_type == "budget"
    assert error.raw_message == (
        "No deployments available - crossed budget for provider: Exceeded budget for provider openai: "
        "0.0007 >= 0.0001; Exceeded budget for deployment b: 1e-09 >= 1e-09"
    )
    left = MINUTE - world.ms % MINUTE
    assert int(error.header("retry-after") or 0) == -(-left // 1000)
    assert (error.header("x-should-retry"), error.header("rate_limit_type")) == ("false", "budget")
    assert len(asked) == 1, "nobody was asked, however many retries there are"


def test_one_that_rests_beside_one_without_money_is_no_matter_of_money(world: World) -> None:
    world.follow(world.a, world.b, provider__openai=Allowance(100, "1m"))
    made, _ = router(world, world.a, world.b)
    world.count(world.a, 100)
    assert world.b.state is not None
    world.b.state.rest(world.clock(), 5.0)
    with pytest.raises(e.RouterRateLimitError):
        send(made)


def test_the_only_deployment_of_a_group_is_held_back_too_and_its_fallbacks_are_asked(world: World) -> None:
    other = world.made("c", "groq", "other")
    world.follow(world.a, other, provider__openai=Allowance(100, "1d"))
    made, _ = router(world, world.a, other, fallbacks=Fallbacks(general={"m": ("other",)}))
    assert send(made) == "a"
    world.count(world.a, 100)
    assert send(made) == "c"
    with pytest.raises(BudgetReached):
        send(made, fallbacks=())


def test_nobody_waits_in_a_queue_for_another_day(world: World) -> None:
    world.follow(world.a, provider__openai=Allowance(100, "1d"))
    assert world.a.state is not None
    world.a.state.queues = world.health.queues("m", QueuePolicy(10, 30.0))
    made, _ = router(world, world.a)
    world.count(world.a, 100)
    with pytest.raises(BudgetReached):
        send(made)


def test_an_explanation_says_so(world: World) -> None:
    world.follow(world.a, world.b, provider__openai=Allowance(100_000, "1m"))
    made, _ = router(world, world.a, world.b)
    world.count(world.a, 700_000)
    trace = Trace()
    assert send(made, trace=trace) == "b"
    rows = {row["model_id"]: row for row in trace.steps[0]["candidates"]}
    left = (MINUTE - world.ms % MINUTE) / 1000
    assert (rows["a"]["verdict"], rows["a"]["why"]) == (
        SKIPPED,
        f"the budget of provider openai is used up for another {left:.1f} s: 0.0007 of 0.0001 dollars",
    )


def test_a_star_is_held_back_by_the_provider_that_it_is_asked_for(world: World) -> None:
    star = world.made("*", "openai", "*")
    star.resolve = lambda name: world.made("*", name.partition("/")[0], "*")
    world.follow(star, provider__openai=Allowance(100, "1m"))
    star.state = None
    state = State()
    star.by_provider = {"openai": state}
    state.limit(None, None, None, world.spending.holding(state, "openai", "*"))
    world.spending.count("openai", "*", 100)
    deployments = Deployments([star])
    held, free = deployments.group("openai/x")[0], deployments.group("groq/x")[0]
    assert (world.chosen(held), world.chosen(free)) == (None, "*")


# As users write it


@pytest.mark.parametrize(
    ("written", "limit", "duration"),
    [
        ({"budget_limit": 100, "time_period": "1d"}, 100 * 10**9, "1d"),
        ({"max_budget": "0.0001", "budget_duration": "1mo"}, 100_000, "1mo"),
        ({"budget_limit": 1e-12, "time_period": "30s"}, 1, "30s"),
        ({"budget_limit": 0}, 0, None),
    ],
)
def test_dollars_and_a_period(written: object, limit: int, duration: str | None) -> None:
    assert rules.allowance(written) == (limit, duration)


@pytest.mark.parametrize(
    "written",
    [{}, 5, {"budget_limit": -1}, {"budget_limit": True}, {"budget_limit": inf}, {"time_period": "1d"},
     {"budget_limit": 1, "time_period": "often"}, {"budget_limit": 1, "tpm_limit": 5}],
)  # fmt: skip
def test_what_is_no_budget_is_refused(written: Sequence[object]) -> None:
    with pytest.raises(ValueError, match=r"expected|is no duration"):
        rules.allowance(written)
