"""The quickest of late, to an answer or to a stream's first event; one that nobody has tried yet goes first.

While the first calls of the untried are under way, the others serve: not all callers wait for somebody unknown.
"""

from collections.abc import Callable, Sequence

from litellm.router.deployments import Deployment
from litellm.router.strategies.least_busy import least_busy


def latency_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    times = [one.state.latency if one.state is not None else None for one in candidates]
    known = [seconds for seconds in times if seconds is not None]
    if len(known) < len(times):
        unseen = [one for one, seconds in zip(candidates, times, strict=True) if seconds is None]
        untried = [one for one in unseen if one.state is None or not one.state.inflight]
        if untried or not known:
            return least_busy(untried or unseen, now, draw)
    return candidates[times.index(min(known))]


def within(buffer: float) -> Callable[[Sequence[Deployment], float, float], Deployment]:
    """Any of those that take at most so much longer than the quickest (0.5: half as long again), at random."""

    def chosen(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
        quickest = latency_based(candidates, now, draw)
        if quickest.state is None or quickest.state.latency is None:
            return quickest
        most = quickest.state.latency * (1 + buffer)
        near = [one for one in candidates if one.state is not None and (one.state.latency or 0.0) <= most]
        return near[int(draw * len(near))]

    return chosen
