"""At random: weighted by the first of weight, rpm, tpm that any candidate has, else all alike."""

from bisect import bisect, bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter

from litellm.router.deployments import Deployment

_READ = tuple(attrgetter(name) for name in ("weight", "rpm", "tpm"))


def simple_shuffle(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    if len(candidates) == 1:
        return candidates[0]
    for read in _READ:
        weights: list[float | None] = list(map(read, candidates))
        if any(weights):
            sums = list(accumulate(weight or 0.0 for weight in weights))
            total = sums[-1]
            # Of tiny weights the product may be rounded up to the total: then it is the last that has any.
            return candidates[min(bisect(sums, draw * total), bisect_left(sums, total))]
    return candidates[int(draw * len(candidates))]
