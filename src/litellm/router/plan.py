"""What to do next: pure functions of the deployments and their states, the failures so far, the settings, the time and
a random number.

Retried are connection failures, 408, 409, 429 and 5xx (`retryable` on the exception), and 401 and 403 where another
deployment may have a better key. A deployment that has not failed yet is asked at once; one that has, after the
provider's Retry-After (up to 60 s) or a growing pause.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter
from typing import Final, NamedTuple

from litellm.exceptions import LiteLLMError
from litellm.router.affinity import Preferring
from litellm.router.deployments import Deployment, Group
from litellm.router.health import Cooldowns, kind_of
from litellm.router.strategies import Strategy, simple_shuffle

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
JITTER: Final = 0.75
LONGEST_RETRY_AFTER: Final = 60.0
MANY: Final = 32
"""Of a larger group so many neighbours, drawn at random, are compared: their best is about as good as the best of all,
no herd runs to it, and the time that choosing takes does not grow."""
_ANOTHER_KEY: Final = frozenset({401, 403})
_order = attrgetter("order")


class Failure(NamedTuple):
    deployment: Deployment
    error: LiteLLMError
    began: float = 0.0
    """When the attempt began."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    num_retries: int = 2
    retry_after: float = 0.0
    """The least pause before a deployment is asked again, in seconds."""
    by_kind: Mapping[str, int] = field(default_factory=dict[str, int])
    """Retries after failures of a kind (`health.FAILS`), in the place of `num_retries`."""
    by_group: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    """The same for single model groups."""

    def retries(self, group: str, error: LiteLLMError) -> int:
        by_kind = self.by_group.get(group, self.by_kind)
        return by_kind.get(kind_of(error) or "", self.num_retries) if by_kind else self.num_retries


@dataclass(frozen=True, slots=True)
class Routing:
    """How calls are shared among deployments, and when one rests."""

    strategy: Strategy = simple_shuffle
    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    total_seconds: float | None = None
    """For a call with all its attempts, pauses and fallbacks."""
    totals: Mapping[str, float] = field(default_factory=dict[str, float])
    """The same for single model groups."""


class Attempt(NamedTuple):
    deployment: Deployment
    pause: float = 0.0
    again: bool = False
    """The retry budget pays for it: the deployment has failed this call before, or has not answered since it rested."""


def choose(group: Sequence[Deployment], strategy: Strategy, now: float, draw: float) -> Deployment | None:
    """Whom to ask of the candidates; None if there are none."""
    if len(group) > MANY and isinstance(group, Group) and group.alike and not isinstance(strategy, Preferring):
        scaled = draw * len(group)
        start = int(scaled)
        some = (*group[start : start + MANY], *group[: max(0, start + MANY - len(group))])
        if any((s := one.state) is None or (s.open_at <= now and not s.strikes) for one in some):
            group, draw = some, scaled - start  # what is left of the draw, used again
    found = candidates(group, now)
    return strategy(found, now, draw) if found else None


def candidates(group: Sequence[Deployment], now: float) -> Sequence[Deployment]:
    """Those that the strategy chooses from: of those that take calls, the ones of the lowest `order`.

    A deployment whose rest is over is tried by one call, at once; while that is under way, and if nobody else can
    serve, it is asked all the same.
    """
    calm = [one for one in group if (s := one.state) is None or (s.open_at <= now and not s.strikes)]
    if len(calm) == len(group):
        return _lowest(calm)
    tried = [one for one in group if (s := one.state) is not None and s.open_at <= now and s.strikes]
    probes = [one for one in tried if one.state is not None and not one.state.probing]
    if not calm:
        return _lowest(probes or tried) if tried else []
    lowest = _lowest([*calm, *probes])
    probe = next((one for one in probes if one in lowest), None)
    return _lowest(calm) if probe is None else [probe]


def wait(group: Sequence[Deployment], now: float) -> float:
    """Seconds until one of a group that takes no calls does; 1 if nobody can say."""
    soonest = min((one.state.open_at for one in group if one.state is not None), default=inf)
    return max(0.0, soonest - now) if soonest < inf else 1.0


def next_attempt(
    group: Sequence[Deployment],
    failures: Sequence[Failure],
    policy: RetryPolicy,
    draw: float,
    now: float = 0.0,
    strategy: Strategy = simple_shuffle,
    fallbacks: bool = False,
) -> Attempt | None:
    """The attempt after `failures` (at least one), or None to give up with the last error. `fallbacks`: there are
    other groups to turn to, so that nobody waits for a deployment that is over its limit."""
    error = failures[-1].error
    if len(failures) > policy.retries(group[0].model_name, error):
        return None
    if not error.retryable and error.status_code not in _ANOTHER_KEY:
        return None
    failed = {failure.deployment.id for failure in failures}
    fresh = [deployment for deployment in group if deployment.id not in failed]
    chosen = choose(fresh, strategy, now, draw) if fresh else None
    if chosen is not None:
        return Attempt(chosen, again=chosen.state is not None and chosen.state.strikes > 0)
    if not error.retryable or (fallbacks and error.status_code == 429):
        return None
    chosen = choose(group, strategy, now, draw)
    return Attempt(chosen, _pause(error, len(failures), policy, draw), True) if chosen is not None else None


def _lowest(candidates: list[Deployment]) -> list[Deployment]:
    """Those of the lowest `order`; without one, a deployment comes after those that have it."""
    orders = set(map(_order, candidates))
    if len(orders) == 1:
        return candidates
    least = min(order for order in orders if order is not None)
    return [one for one in candidates if one.order == least]


def _pause(error: LiteLLMError, failures: int, policy: RetryPolicy, draw: float) -> float:
    asked = error.retry_after
    if asked is not None and 0 < asked <= LONGEST_RETRY_AFTER:
        return max(asked, policy.retry_after)
    grown = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    return max(grown * (1 - JITTER * draw), policy.retry_after)
