"""The cheapest by its price; one without a price comes last, and among equals it is drawn."""

from collections.abc import Sequence

from litellm.router.deployments import Deployment


def cost_based(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    least = min(one.cost for one in candidates)
    alike = [one for one in candidates if one.cost == least]
    return alike[int(draw * len(alike))]
