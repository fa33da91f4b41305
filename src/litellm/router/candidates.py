"""Who of a group may be asked now. Pure functions of the deployments, their states and the time."""

from collections.abc import Sequence
from math import inf
from operator import attrgetter

from litellm.router.deployments import Deployment

_order = attrgetter("order")


def candidates(group: Sequence[Deployment], now: float) -> Sequence[Deployment]:
    """Those that the strategy chooses from: of those that take calls, the ones of the lowest `order`.

    A deployment whose rest is over is tried by one call, at once; while that is under way, and if nobody else can
    serve, it is asked all the same.
    """
    calm = [one for one in group if (s := one.state) is None or (s.open_at <= now and not s.strikes)]
    if len(calm) == len(group):
        return _lowest(calm)
    tried = [one for one in group if (s := one.state) is not None and s.open_at <= now and s.strikes]
    probes = [one for one in tried if one.state is not None and not one.state.probing]
    if not calm:
        return _lowest(probes or tried) if tried else []
    lowest = _lowest([*calm, *probes])
    probe = next((one for one in probes if one in lowest), None)
    return _lowest(calm) if probe is None else [probe]


def wait(group: Sequence[Deployment], now: float) -> float:
    """Seconds until one of a group that takes no calls does; 1 if nobody can say."""
    soonest = min((one.state.open_at for one in group if one.state is not None), default=inf)
    return max(0.0, soonest - now) if soonest < inf else 1.0


def _lowest(candidates: list[Deployment]) -> list[Deployment]:
    """Those of the lowest `order`; without one, a deployment comes after those that have it."""
    orders = set(map(_order, candidates))
    if len(orders) < 2:
        return candidates
    least = min(order for order in orders if order is not None)
    return [one for one in candidates if one.order == least]
