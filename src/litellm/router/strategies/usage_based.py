"""The fewest tokens used this minute; among equals the fewest requests, then at random.

A call reports its tokens when it ends. Until then it counts as much as the others did on average: else all calls would
go to the same deployment until its next report.
"""

from collections.abc import Sequence

from litellm.router.deployments import Deployment
from litellm.router.health import State


def usage_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    uses = [
        _use(state) if (state := one.state) is not None and now < state.minute_ends else (0.0, 0) for one in candidates
    ]
    least = min(uses)
    alike = [one for one, use in zip(candidates, uses, strict=True) if use == least]
    return alike[int(draw * len(alike))]


def _use(state: State) -> tuple[float, int]:
    """Tokens of this minute, those expected included; and its requests."""
    requests = state.requests
    return state.tokens * requests / max(1, requests - state.inflight), requests
