"""What a simulated day came to, and which strategy wins.

The rule, fixed before anything was run: in each scenario the strategies are ordered by success (to a tenth of a per
cent), among equals by the p99 of the added latency (to two digits), among equals by upstream calls per request (to two
decimals). Places count alike in every scenario, equals share theirs, and the lowest sum wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Figures:
    success: float
    """Share of the requests."""
    p50: float | None
    """Seconds over what an idle, healthy upstream takes; of the requests that succeeded."""
    p99: float | None
    calls: float
    """Upstream calls per request; fewer than 1 if requests were refused without one."""
    fairness: float | None
    """Jain's index of what the healthy upstreams served: 1 if all served alike, 1/n if one served all."""

    @classmethod
    def of(cls, requests: int, added: list[float], asked: int, healthy: Sequence[int]) -> "Figures":
        added.sort()
        squares = sum(count * count for count in healthy)
        return cls(
            success=len(added) / requests,
            p50=added[len(added) // 2] if added else None,
            p99=added[len(added) * 99 // 100] if added else None,
            calls=asked / requests,
            fairness=sum(healthy) ** 2 / (len(healthy) * squares) if squares else None,
        )

    @property
    def merit(self) -> tuple[float, float, float]:
        """Less is better."""
        return (-round(self.success, 3), inf if self.p99 is None else float(f"{self.p99:.2g}"), round(self.calls, 2))


def places(day: Mapping[str, Figures]) -> dict[str, float]:
    """Strategy -> its place in one scenario, from 1; equals share the mean of theirs."""
    merits = sorted(figures.merit for figures in day.values())
    return {name: merits.index(figures.merit) + (merits.count(figures.merit) + 1) / 2 for name, figures in day.items()}


def ranking(days: Mapping[str, Mapping[str, Figures]]) -> dict[str, float]:
    """Strategy -> the sum of its places over all scenarios, the best first."""
    sums: dict[str, float] = {}
    for day in days.values():
        for name, place in places(day).items():
            sums[name] = sums.get(name, 0.0) + place
    return dict(sorted(sums.items(), key=lambda item: item[1]))
