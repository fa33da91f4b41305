"""Choosing in a large group: as right as in a small one, and without looking at everybody."""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm.router.affinity import Preferring
from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment, Group
from litellm.router.explain import CHOSEN, SKIPPED, explain
from litellm.router.health import State
from litellm.router.many import TRIES
from litellm.router.plan import choose
from litellm.router.ranks import MANY
from litellm.router.strategies import STRATEGIES, Strategy, simple_shuffle
from litellm.router.strategies.cost_based import cost_based
from litellm.router.strategies.latency_based import latency_based, within
from litellm.router.strategies.least_busy import least_busy
from litellm.router.strategies.power_of_two import power_of_two
from litellm.router.strategies.usage_based import usage_based
from litellm.types.calls import Target

TARGET = Target("openai", "m", "http://host/v1", "k")
NOW = 100.0
COUNT = 1000
strategies = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
Shape = Callable[[Deployment, State, Random], None]


class Watched(State):
    """Counts how often somebody asks whether one takes calls."""

    asked = 0

    @property
    def open_at(self) -> float:  # type: ignore[override]
        Watched.asked += 1
        return self.opens

    @open_at.setter
    def open_at(self, at: float) -> None:
        self.opens = at


def many(count: int = COUNT, state: Callable[[], State] = State) -> Group:
    return Group(Deployment(str(number), "m", TARGET, state=state()) for number in range(count))


def state_of(deployment: Deployment) -> State:
    assert deployment.state is not None
    return deployment.state


def shaped(shape: Shape, count: int = COUNT, state: Callable[[], State] = State, seed: int = 1) -> Group:
    group, random = many(count, state), Random(seed)
    for one in group:
        shape(one, state_of(one), random)
    return group


def draws(count: int) -> Iterable[float]:
    return ((number + 0.5) / count for number in range(count))


def shares(group: Group, strategy: Strategy, count: int) -> dict[Deployment | None, float]:
    drawn = Counter(choose(group, strategy, NOW, draw) for draw in draws(count))
    return {one: times / count for one, times in drawn.items()}


# Whom it may choose.


@strategies
def test_the_only_one_that_takes_calls_is_found(strategy: Strategy) -> None:
    group = many()
    for one in group[:-1]:
        state_of(one).rest(0.0, 10.0)
    assert {choose(group, strategy, 1.0, draw) for draw in draws(50)} == {group[-1]}
    assert choose(group, strategy, 1.0, 0.5, {group[-1].id}) is None
    state_of(group[-1]).rest(0.0, 10.0)
    assert choose(group, strategy, 1.0, 0.5) is None


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Larger than `MANY`, of deployments of all kinds in any states; most often of few kinds, so that they tie."""
    random = Random(draw(st.integers(0, 1 << 32)))
    resting, half_open, full, limited = (random.choice([0.0, 0.1, 0.9, 1.0]) for _ in range(4))
    orders = random.choice([[None], [1, 2], [None, 1, 2, 3]])
    values = random.choice([[None], [None, 0.0, 1.0], [1.0, 2.0, 1e9]])
    group = many(draw(st.integers(MANY + 1, 4 * MANY)))
    for one in group:
        one.order, one.weight, one.rpm, one.tpm = random.choice(orders), *(random.choice(values) for _ in range(3))
        one.cost = random.choice([1.0, 2.0, 3.0])
        state = state_of(one)
        state.limit(random.choice([1, 3]) if random.random() < limited else None, None, None)
        for _ in range(random.randrange(3)):
            state.begin(NOW - random.random())
            if random.random() > full:
                state.took(NOW, random.random())
                state.answered()
                state.ended()
        if random.random() < resting:
            state.rest(NOW - 5, random.choice([1.0, 10.0]) if random.random() < half_open else 10.0)
            state.probing = state.resting_until < NOW and random.random() < 0.5
    return group


@settings(deadline=None, max_examples=300)
@given(groups(), st.sampled_from([*STRATEGIES.values(), within(0.5)]), st.floats(0, 1, exclude_max=True), st.data())
def test_it_is_one_of_those_that_the_plan_would_choose_from(
    group: Group, strategy: Strategy, draw: float, data: st.DataObject
) -> None:
    tried = {group[number].id for number in data.draw(st.sets(st.integers(0, MANY), max_size=3))}
    left = [one for one in group if one.id not in tried]
    chosen = choose(group, strategy, NOW, draw, tried)
    assert chosen == choose(group, strategy, NOW, draw, tried)  # nothing else decides
    well = candidates([one for one in left if not state_of(one).strikes], NOW)
    probes = [one for one in left if (s := state_of(one)).strikes and s.open_at <= NOW and not s.probing]
    if chosen is None:
        assert not candidates(left, NOW)
    elif not state_of(chosen).strikes:  # nobody needs to look for who is to be tried, but on a lower order
        assert chosen in well and not any(one in candidates([*well, *probes], NOW) and one.order != chosen.order
                                          for one in probes)  # fmt: skip
    elif chosen in probes:
        assert chosen.order == candidates(left, NOW)[0].order
    else:
        assert chosen in candidates(left, NOW) and not well and not probes
    if chosen is not None and chosen in well and strategy is cost_based:
        assert chosen.cost == min(one.cost for one in well)
    if strategy is simple_shuffle and chosen in well and any(one.weight for one in well):
        assert chosen is not None and chosen.weight
    told = explain(left, strategy, NOW, chosen)
    assert [row["model_id"] for row in told if row["verdict"] == CHOSEN] == ([chosen.id] if chosen else [])
    assert all(row["verdict"] == SKIPPED for row, one in zip(told, left, strict=True) if state_of(one).open_at > NOW)


@settings(deadline=None, max_examples=200)
@given(groups(), st.sampled_from(list(STRATEGIES.values())), st.floats(0, 1, exclude_max=True), st.data())
def test_one_that_is_preferred_is_chosen_where_it_may_be(
    group: Group, strategy: Strategy, draw: float, data: st.DataObject
) -> None:
    one = group[data.draw(st.integers(0, len(group) - 1))]
    chosen = choose(group, Preferring(strategy, one.id), NOW, draw)
    otherwise = choose(group, strategy, NOW, draw)
    may = one in candidates([one for one in group if not state_of(one).strikes], NOW)
    if otherwise is not None and not state_of(otherwise).strikes:
        assert chosen is (one if may else otherwise)
    else:
        assert chosen is otherwise


# How often it chooses whom.


def rests(one: Deployment, state: State, random: Random) -> None:
    """Three of ten, in rows: neighbours are of one provider."""
    if int(one.id) % 10 < 3:
        state.rest(NOW, 10.0)


def full(one: Deployment, state: State, random: Random) -> None:
    state.limit(2, None, None)
    for _ in range(random.randrange(3)):
        state.begin(NOW)


def weights(one: Deployment, state: State, random: Random) -> None:
    one.weight = random.choice([None, 0.0, 1.0, 3.0, 10.0])
    rests(one, state, random)


def limits(one: Deployment, state: State, random: Random) -> None:
    one.rpm = random.choice([10.0, 20.0, 60.0])
    state.limit(None, one.rpm, None)
    for _ in range(random.choice([0, 10])):
        state.begin(NOW)


def orders(one: Deployment, state: State, random: Random) -> None:
    one.order = random.choice([1, 2, None])
    one.tpm = random.choice([1000.0, 5000.0])
    if one.order == 1:
        state.rest(NOW, 10.0)
    full(one, state, random)


def prices(one: Deployment, state: State, random: Random) -> None:
    one.cost = random.choice([1.0, 1.0, 2.0])
    one.weight = 1.0 + int(one.id)
    rests(one, state, random)


def heavy(one: Deployment, state: State, random: Random) -> None:
    """Three have nearly all of the weight, and rest."""
    one.weight = 1e7 if int(one.id) < 3 else 1.0 + int(one.id) % 3
    if int(one.id) < 3:
        state.rest(NOW, 10.0)


def heavy_many(one: Deployment, state: State, random: Random) -> None:
    """More than are drawn in vain before all are looked at."""
    one.weight = 1e7 if int(one.id) < 2 * TRIES else 1.0 + int(one.id) % 3
    if int(one.id) < 2 * TRIES:
        state.rest(NOW, 10.0)


def few(one: Deployment, state: State, random: Random) -> None:
    one.weight = 1.0 + int(one.id) % 2
    if random.random() < 0.95:
        state.rest(NOW, 10.0)


LOTS = [rests, full, weights, limits, orders, prices, heavy, heavy_many, few]


@pytest.mark.parametrize("strategy", [simple_shuffle, cost_based])
@pytest.mark.parametrize("shape", LOTS)
def test_lots_fall_as_in_the_plain_draw_among_those_that_take_calls(shape: Shape, strategy: Strategy) -> None:
    group = shaped(shape, 200)
    found = candidates(group, NOW)
    assert MANY < len(found) < 200 or shape is few
    count = 20_000
    plain = {one: times / count for one, times in Counter(strategy(found, NOW, d) for d in draws(count)).items()}
    taken = shares(group, strategy, count)
    assert taken.keys() == plain.keys()
    distance = sum(abs(taken[one] - share) for one, share in plain.items()) / 2
    # As many independent draws would be further away than this: each share is off by sqrt(share / count).
    assert distance < sum((share / count) ** 0.5 for share in plain.values()) / 2


@strategies
def test_a_draw_over_many_that_are_alike_is_even(strategy: Strategy) -> None:
    group = many(MANY * 4)
    count = 256 * len(group)
    for one in group[1::2]:
        state_of(one).rest(NOW, 10.0)
    even = 1 / (len(group) / 2)
    taken = shares(group, strategy, count)
    assert set(taken) == set(group[::2])
    assert all(even / 1.5 < share < even * 1.5 for share in taken.values())


READ: dict[Strategy, Callable[[Deployment], float]] = {
    least_busy: lambda one: state_of(one).inflight,
    latency_based: lambda one: state_of(one).latency or 0.0,
    usage_based: lambda one: (s := state_of(one)).tokens * s.requests / max(1, s.requests - s.inflight),
    power_of_two: lambda one: state_of(one).expected(NOW),
}
"""What is to be low."""


def used(one: Deployment, state: State, random: Random) -> None:
    """No two are alike, and what does not concern a state says nothing of it."""
    one.weight, one.cost = random.random(), random.random()
    for _ in range(random.randrange(1, 1000)):
        state.begin(NOW)
    state.took(NOW, random.random())
    state.tokens = random.randrange(1_000_000)


@pytest.mark.parametrize("resting", [0.0, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("strategy", READ)
def test_the_best_of_some_is_nearly_the_best_of_all(strategy: Strategy, resting: float) -> None:
    group = shaped(used)
    for one in Random(2).sample(group, int(resting * COUNT)):
        state_of(one).rest(NOW, 10.0)
    ordered = sorted(candidates(group, NOW), key=READ[strategy])
    best_of = 2 if strategy is power_of_two else min(MANY, len(ordered))
    places = [ordered.index(chosen) for draw in draws(2000) if (chosen := choose(group, strategy, NOW, draw))]
    # The best of k that are drawn has on average 1 / (k + 1) of all before it; of all there are, nobody.
    assert sum(places) / len(places) < 1.5 * (len(ordered) - best_of) / (best_of + 1) + 0.5


def test_what_tells_deployments_apart_is_heeded_among_all() -> None:
    group = many()
    group[700].order = 1
    assert choose(group, simple_shuffle, 0.0, 0.1) is group[700]
    group = many()
    group[700].cost = 1.0
    assert choose(group, cost_based, 0.0, 0.1) is group[700]
    group = many()
    group[700].weight = 1.0
    assert choose(group, simple_shuffle, 0.0, 0.1) is group[700]


@strategies
def test_who_is_to_be_tried_is_tried_soon_and_by_one_call(strategy: Strategy) -> None:
    group = many()
    probe = group[444]
    state_of(probe).rest(0.0, 1.0)
    taken = shares(group, strategy, 10_000)
    assert taken[probe] > 0.5 / COUNT
    state_of(probe).begin(NOW)
    assert probe not in shares(group, strategy, 1000)


# How many it looks at.


def each_its_order(one: Deployment, state: State, random: Random) -> None:
    one.order = int(one.id)


def each_its_price(one: Deployment, state: State, random: Random) -> None:
    one.cost = float(one.id)


def everything(one: Deployment, state: State, random: Random) -> None:
    one.order, one.cost, one.weight = random.choice([None, 1, 2, 3]), random.random(), random.random()
    state.limit(3, 1000.0, 1e6)
    full(one, state, random)


@strategies
@pytest.mark.parametrize("shape", [*LOTS[:-1], used, each_its_order, each_its_price, everything])
def test_it_looks_at_few(shape: Shape, strategy: Strategy) -> None:
    """Two to three times `MANY` on average. (A look takes about 0.03 us; `python -m bench.choosing` has the times.)"""
    group = shaped(shape, state=Watched)
    choose(group, strategy, NOW, 0.5)  # puts the group in order
    Watched.asked = 0
    for draw in draws(200):
        choose(group, strategy, NOW, draw, {group[3].id})
    behind = COUNT / 3 if shape is orders else 0  # a third of all, of the lowest order, and nobody of them takes calls
    assert Watched.asked / 200 < behind * 1.1 + 3 * MANY


@strategies
@pytest.mark.parametrize("resting", [0.9, 0.99, 0.999, 1.0])
def test_where_most_rest_it_looks_at_nobody_more_than_once_or_twice(strategy: Strategy, resting: float) -> None:
    group = shaped(used, state=Watched)
    for one in Random(3).sample(group, int(resting * COUNT)):
        state_of(one).rest(NOW, 10.0)
    for draw in draws(50):
        Watched.asked = 0
        choose(group, strategy, NOW, draw)
        assert Watched.asked <= COUNT + 2 * MANY + TRIES


# In a small one, too.


@pytest.mark.parametrize("names", [(), ("weight",), ("rpm",), ("rpm", "order"), ("weight", "order")])
@pytest.mark.parametrize("resting", [0, 1])
def test_a_small_group_is_drawn_from_as_the_plan_says(names: tuple[str, ...], resting: int) -> None:
    """Where all take calls the draw is a short one: it gives everybody the share that the candidates' lot would."""
    group = many(7)
    for number, one in enumerate(group):
        for name in names:
            setattr(one, name, 1 + number % 3)
    for one in group[:resting]:
        state_of(one).open_at = NOW + 1
    found = candidates(group, NOW)
    weights = {one: getattr(one, names[0]) if names else 1 for one in found}
    drawn = shares(group, simple_shuffle, 3000)
    assert drawn.keys() == weights.keys()
    for one, weight in weights.items():
        assert drawn[one] == pytest.approx(weight / sum(weights.values()), abs=0.002)
