"""The fewest calls in flight; among equals at random."""

from collections.abc import Sequence

from litellm.router.deployments import Deployment


def least_busy(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    counts = [one.state.inflight if one.state is not None else 0 for one in candidates]
    least = min(counts)
    idle = [one for one, count in zip(candidates, counts, strict=True) if count == least]
    return idle[int(draw * len(idle))]
