"""The quickest of late, to an answer or to a stream's first event; one that nobody has tried yet goes first."""

from collections.abc import Callable, Sequence

from litellm.router.deployments import Deployment


def latency_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    times = [one.state.latency if one.state is not None else None for one in candidates]
    unseen = [one for one, seconds in zip(candidates, times, strict=True) if seconds is None]
    if unseen:
        return unseen[int(draw * len(unseen))]
    known = [seconds for seconds in times if seconds is not None]
    return candidates[known.index(min(known))]


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
