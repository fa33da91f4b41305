"""What to do next: a pure function of the deployments, the failures so far, the settings and a random number.

Retried are connection failures, 408, 409, 429 and 5xx (`retryable` on the exception). A deployment that has not failed
yet is asked at once; one that has, after the provider's Retry-After (up to 60 s) or a growing pause.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from litellm.exceptions import LiteLLMError
from litellm.router.deployments import Deployment

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
JITTER: Final = 0.75
LONGEST_RETRY_AFTER: Final = 60.0


class Failure(NamedTuple):
    deployment: Deployment
    error: LiteLLMError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    num_retries: int = 2
    retry_after: float = 0.0
    """The least pause before a deployment is asked again, in seconds."""


class Attempt(NamedTuple):
    deployment: Deployment
    pause: float = 0.0


def first(group: Sequence[Deployment], draw: float) -> Deployment:
    """Simple shuffle: weighted by the first of weight, rpm, tpm that any deployment has. `draw` is in [0, 1)."""
    return group[0] if len(group) == 1 else _weighted(group, draw)


def next_attempt(
    group: Sequence[Deployment], failures: Sequence[Failure], policy: RetryPolicy, draw: float
) -> Attempt | None:
    """The attempt after `failures` (at least one), or None to give up with the last error."""
    last = failures[-1]
    if not last.error.retryable or len(failures) > policy.num_retries:
        return None
    failed = {failure.deployment.id for failure in failures}
    fresh = [deployment for deployment in group if deployment.id not in failed]
    if fresh:
        return Attempt(first(fresh, draw))
    return Attempt(first(group, draw), _pause(last.error, len(failures), policy, draw))


def _pause(error: LiteLLMError, failures: int, policy: RetryPolicy, draw: float) -> float:
    asked = error.retry_after
    if asked is not None and 0 < asked <= LONGEST_RETRY_AFTER:
        return max(asked, policy.retry_after)
    grown = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    return max(grown * (1 - JITTER * draw), policy.retry_after)


def _weighted(group: Sequence[Deployment], draw: float) -> Deployment:
    for name in ("weight", "rpm", "tpm"):
        weights: list[float] = [getattr(deployment, name) or 0 for deployment in group]
        total = sum(weights)
        if total > 0:
            return group[bisect(list(accumulate(weights)), draw * total)]
    return group[int(draw * len(group))]
