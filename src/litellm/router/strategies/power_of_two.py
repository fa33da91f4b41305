"""Two are drawn, and the one where a call is expected to end sooner is asked (peak EWMA times the calls in flight).

Two draws avoid the herd that rushes to whoever looked best a moment ago (Mitzenmacher 2001; Finagle's peak EWMA).
"""

from collections.abc import Sequence

from litellm.router.deployments import Deployment


def power_of_two(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    count = len(candidates)
    if count == 1:
        return candidates[0]
    scaled = draw * count
    first = int(scaled)
    other = int((scaled - first) * (count - 1))  # what is left of the draw, used again
    one, two = candidates[first], candidates[other + (other >= first)]
    if one.state is None or two.state is None:
        return one
    return one if one.state.expected(now) <= two.state.expected(now) else two
