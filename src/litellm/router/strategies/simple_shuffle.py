"""At random: weighted by the first of weight, rpm, tpm that any candidate has, else all alike."""

from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final

from litellm.router.deployments import Deployment
from litellm.router.ranks import place

_READ: Final = tuple(map(attrgetter, ("weight", "rpm", "tpm")))


def simple_shuffle(candidates: Sequence[Deployment], now: float, draw: float) -> Deployment:
    if len(candidates) == 1:
        return candidates[0]
    for read in _READ:
        weights: list[float] = [read(one) or 0.0 for one in candidates]
        if any(weights):
            sums = list(accumulate(weights, initial=0.0))
            return candidates[place(sums, draw * sums[-1])]
    return candidates[int(draw * len(candidates))]
