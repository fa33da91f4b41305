"""The quickest of late, to an answer or to a stream's first event; one that nobody has tried yet goes first.

While the first calls of the untried are under way, the others serve: not all callers wait for somebody unknown.
"""

from collections.abc import Sequence

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
