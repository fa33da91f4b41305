"""The fewest tokens used this minute; among equals the fewest requests, then at random."""

from collections.abc import Sequence

from litellm.router.deployments import Deployment


def usage_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    minute = int(now // 60)
    uses = [
        (one.state.tokens, one.state.requests) if one.state is not None and one.state.minute == minute else (0, 0)
        for one in candidates
    ]
    least = min(uses)
    alike = [one for one, use in zip(candidates, uses, strict=True) if use == least]
    return alike[int(draw * len(alike))]
