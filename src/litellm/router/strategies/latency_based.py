"""The quickest of late, to an answer or to a stream's first event; one that nobody has tried yet goes first."""

from collections.abc import Sequence

from litellm.router.deployments import Deployment


def latency_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    times = [one.state.latency if one.state is not None else None for one in candidates]
    known = [seconds for seconds in times if seconds is not None]
    if len(known) < len(times):
        unseen = [one for one, seconds in zip(candidates, times, strict=True) if seconds is None]
        return unseen[int(draw * len(unseen))]
    return candidates[times.index(min(known))]
