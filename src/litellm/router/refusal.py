"""What a caller is told if no deployment of a group takes calls."""

from collections.abc import Sequence
from math import ceil

from litellm import exceptions as e
from litellm.router.candidates import wait
from litellm.router.deployments import Deployment
from litellm.router.spending import reached


def refused_by_all(group: Sequence[Deployment], now: float, asked: str | None = None) -> e.LiteLLMError:
    """BudgetReached if all have, else RouterRateLimitError: come again then. `asked`: the model's name, if another."""
    spent = reached(group, now)
    if spent is not None:
        return spent
    seconds = wait(group, now)
    error = e.RouterRateLimitError(asked or group[0].model_name, round(seconds, 1))
    error.headers = {"retry-after": str(max(1, ceil(seconds)))}
    return error
