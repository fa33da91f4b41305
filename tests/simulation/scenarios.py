"""The days that are simulated: who misbehaves how, and when the requests come."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp
from random import Random
from typing import Final, NamedTuple

from simulation.upstreams import Behaviour, dead, failing, fine, flapping, slow, storming

RATE: Final = 100.0
"""Requests per second, at all workers together: about a quarter of what five upstreams can do."""
SPREAD: Final = 0.5
"""Sigma of the logarithm of a request's size."""


class Request(NamedTuple):
    at: float
    """Seconds since the beginning."""
    size: float
    worker: int


def steadily(now: float) -> float:
    return RATE


def bursting(now: float) -> float:
    """Ten times the rate for two of twenty seconds: nearly three times what the upstreams can do."""
    return RATE * 10 if now % 20 >= 18 else RATE


@dataclass(frozen=True)
class Scenario:
    name: str
    upstreams: tuple[Behaviour, ...]
    """Of the group that is asked for."""
    rate: Callable[[float], float] = steadily
    spare: tuple[Behaviour, ...] = ()
    """Of the group to fall back to."""

    def requests(self, count: int, workers: int, seed: int) -> Iterator[Request]:
        """The same for every strategy: Poisson arrivals, log-normal sizes, any worker."""
        random = Random(f"{seed} {self.name}")
        now = 0.0
        for _ in range(count):
            now += random.expovariate(self.rate(now))
            yield Request(now, exp(random.gauss(0.0, SPREAD)), int(random.random() * workers))


_FOUR: Final = (fine,) * 4
SCENARIOS: Final = (
    Scenario("steady", (fine, *_FOUR)),
    Scenario("one slow", (slow, *_FOUR)),
    Scenario("one failing 30 %", (failing, *_FOUR)),
    Scenario("all failing", (dead,) * 5),
    Scenario("all failing, fallback", (dead,) * 5, spare=(fine, fine)),
    Scenario("429 storms", (storming(0), storming(5), storming(15), fine, fine)),
    Scenario("flapping", (flapping, *_FOUR)),
    Scenario("10x bursts", (fine, *_FOUR), bursting),
)
