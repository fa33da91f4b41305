"""What to do next: pure functions of the deployments and their states, the failures so far, the settings, the time and
a random number.

Retried are connection failures, 408, 409, 429 and 5xx (`retryable` on the exception), and 401 and 403 where another
deployment may have a better key. A deployment that has not failed yet is asked at once; one that has, after the
provider's Retry-After (up to 60 s) or a growing pause. No pause is longer than an attempt may take: whoever waits
for a second at most does not want to wait for ten of them between two attempts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from litellm.exceptions import LiteLLMError
from litellm.router import many
from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment, Group
from litellm.router.health import Cooldowns, kind_of
from litellm.router.ranks import MANY
from litellm.router.strategies import Strategy, simple_shuffle

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
JITTER: Final = 0.75
LONGEST_RETRY_AFTER: Final = 60.0
_ANOTHER_KEY: Final = frozenset({401, 403})


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


def choose(
    group: Sequence[Deployment], strategy: Strategy, now: float, draw: float, tried: Collection[str] = ()
) -> Deployment | None:
    """Whom to ask of the candidates that are not `tried` (ids); None if there are none."""
    if isinstance(group, Group):
        if len(group) > MANY:
            return many.choose(group, strategy, now, draw, tried)
        if strategy is simple_shuffle and not tried and group.lot is not None:
            drawn = group.lot.at(now, draw)
            if drawn is not None:
                return drawn
    if tried:
        group = [one for one in group if one.id not in tried]
    found = candidates(group, now)
    return strategy(found, now, draw) if found else None


def next_attempt(
    group: Sequence[Deployment],
    failures: Sequence[Failure],
    policy: RetryPolicy,
    draw: float,
    now: float = 0.0,
    strategy: Strategy = simple_shuffle,
    fallbacks: bool = False,
    longest: float = inf,
) -> Attempt | None:
    """The attempt after `failures` (at least one), or None to give up with the last error. `fallbacks`: there are
    other groups to turn to, so that nobody waits for a deployment that is over its limit. `longest`: seconds that a
    pause may take; a provider that asks for more is not asked again."""
    error = failures[-1].error
    if len(failures) > policy.retries(group[0].model_name, error):
        return None
    if not error.retryable and error.status_code not in _ANOTHER_KEY:
        return None
    failed = {failure.deployment.id for failure in failures}
    chosen = choose(group, strategy, now, draw, failed)
    if chosen is not None:
        return Attempt(chosen, again=chosen.state is not None and chosen.state.strikes > 0)
    if not error.retryable or (fallbacks and error.status_code == 429):
        return None
    chosen = choose(group, strategy, now, draw)
    if chosen is None:
        return None
    asked = error.retry_after
    if asked is None or not 0 < asked <= LONGEST_RETRY_AFTER:
        asked = _grown(len(failures), longest) * (1 - JITTER * draw)
    elif asked > longest:
        return None
    return Attempt(chosen, max(asked, policy.retry_after), True)


def _grown(failures: int, longest: float) -> float:
    return min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE, longest)
