"""At random: weighted by the first of weight, rpm, tpm that any candidate has, else all alike."""

from bisect import bisect, bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final

from litellm.router.deployments import Deployment

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


def place(sums: Sequence[float], at: float) -> int:
    """Whose share of the whole a point lies in; `sums` are those of the weights before each, and of all.

    Of tiny weights a product with a draw may be rounded up to the total: then it is the last that has any.
    """
    return min(bisect(sums, at), bisect_left(sums, sums[-1])) - 1
