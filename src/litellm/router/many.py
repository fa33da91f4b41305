"""Choosing in a large group for the price of looking at a few: whom the strategy would choose among all, or its like.

* The first that takes calls, in the group's ranks, says which level the choice is made in: the lowest `order`, and for
  the strategy by cost the lowest price of that. A level of at most `MANY` is looked at as any group is.
* Who is chosen by lot (by weight, or alike) is drawn from all of the level, and drawn again if it takes no calls: its
  chance is exactly that of a draw among those who do.
* Who is chosen by its state is the best of `MANY` that take calls, neighbours from a place that is drawn.

Where most take no calls, the group is looked at once from end to end, and that is the most that a choice costs. A
deployment whose rest is over is tried by the first call that comes upon it: no call looks for it.
"""

from bisect import insort
from collections.abc import Collection, Iterator
from itertools import accumulate, chain, compress, islice
from typing import Final

from litellm.router.affinity import Preferring
from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment, Group
from litellm.router.ranks import MANY, Level, place
from litellm.router.strategies import Strategy
from litellm.router.strategies.cost_based import cost_based
from litellm.router.strategies.simple_shuffle import simple_shuffle

TRIES: Final = 16
"""Draws before all are looked at; none if the first so many all take no calls, as most draws would be in vain."""
IN_VAIN: Final = 4
"""So many, and the few that have most of the weight are looked at: it may be these that take no calls."""
_BY_LOT: Final[frozenset[Strategy]] = frozenset({simple_shuffle, cost_based})


def choose(group: Group, strategy: Strategy, now: float, draw: float, tried: Collection[str] = ()) -> Deployment | None:
    """None if nobody takes calls but those that are `tried` (ids)."""
    if isinstance(strategy, Preferring):
        return _preferred(group, strategy, now, draw, tried)
    ranks = group.by_price if strategy is cost_based else group.by_order
    first = ranks.first(now, tried)
    if first is None:
        return None
    level = ranks.level(first)
    if len(level.deployments) <= MANY:
        return _whole(level, strategy, now, draw, tried)
    choice = _by_lot if strategy in _BY_LOT else _by_state
    return choice(level, strategy, now, draw, tried, first - level.start)


def _preferred(
    group: Group, strategy: Preferring, now: float, draw: float, tried: Collection[str]
) -> Deployment | None:
    """The preferred one wherever it might have been chosen."""
    chosen = choose(group, strategy.otherwise, now, draw, tried)
    same = group.ids.get(strategy.id)
    if chosen is None or same is None or same.order != chosen.order or same.id in tried:
        return chosen
    return same if _calm(same, now) and _calm(chosen, now) else chosen


def _by_lot(
    level: Level, strategy: Strategy, now: float, draw: float, tried: Collection[str], first: int
) -> Deployment:
    sums = level.sums
    left = sums[-1] - sums[first]
    out: list[int] = []  # places that were drawn in vain: the next draw is among the others
    draws = _draws(draw)
    for number, point in enumerate(islice(draws, TRIES if first < TRIES else 0)):
        if number == IN_VAIN and level.heavy:
            out = sorted({*out, *(place for place in level.heavy if place >= first and not level.takes(place, now))})
            left = sums[-1] - sums[first] - sum(level.weights[place] for place in out)
        at = sums[first] + point * left
        for gone in out:
            if at < sums[gone]:
                break
            at += sums[gone + 1] - sums[gone]
        drawn = place(sums, at)
        one = level.deployments[drawn]
        if one.id not in tried and _takes(one, now):
            return one
        if drawn in out or drawn < first:  # by rounding: the others have next to no weight
            break
        insort(out, drawn)
        left -= sums[drawn + 1] - sums[drawn]
    calm = level.calm(now, first, tried)
    found = list(compress(level.deployments[first:], calm))
    if not found:
        return _whole(level, strategy, now, draw, tried)
    sums = list(accumulate(compress(level.weights[first:], calm), initial=0.0))
    return found[place(sums, next(draws) * sums[-1])] if sums[-1] else strategy(found, now, next(draws))


def _draws(draw: float) -> Iterator[float]:
    """A draw, and more that follow from it (Knuth's generator for MMIX)."""
    bits = int(draw * 2**64)
    while True:
        yield draw
        bits = (bits * 6364136223846793005 + 1442695040888963407) % 2**64
        draw = (bits >> 11) * 2.0**-53


def _by_state(
    level: Level, strategy: Strategy, now: float, draw: float, tried: Collection[str], first: int
) -> Deployment:
    scaled = draw * (len(level.deployments) - first)
    start = first + int(scaled)
    found: list[Deployment] = []
    for one in chain(level.deployments[start:], level.deployments[first:start]):
        state = one.state
        if (state is not None and state.open_at > now) or (tried and one.id in tried):
            continue
        if state is None or not state.strikes:
            found.append(one)
            if len(found) == MANY:
                break
        elif not state.probing:
            return one
    if not found:
        return _whole(level, strategy, now, draw, tried)
    return strategy(found, now, scaled - int(scaled))  # what is left of the draw, used again


def _whole(level: Level, strategy: Strategy, now: float, draw: float, tried: Collection[str]) -> Deployment:
    return strategy(candidates([one for one in level.deployments if one.id not in tried], now), now, draw)


def _takes(one: Deployment, now: float) -> bool:
    state = one.state
    return state is None or (state.open_at <= now and not (state.strikes and state.probing))


def _calm(one: Deployment, now: float) -> bool:
    state = one.state
    return state is None or (state.open_at <= now and not state.strikes)
