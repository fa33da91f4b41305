"""Failures on request, to try out fallbacks: the call's own model group is not asked and fails as the flag says.

No deployment is to blame for such a failure, and it is not tried again; what it falls back to is asked as usual.
"""

from collections.abc import Mapping
from typing import Any, Final

from litellm import exceptions as e

FAILURES: Final[dict[str, type[e.LiteLLMError]]] = {
    "mock_testing_fallbacks": e.InternalServerError,
    "mock_testing_context_fallbacks": e.ContextWindowExceededError,
    "mock_testing_content_policy_fallbacks": e.ContentPolicyViolationError,
    "mock_testing_rate_limit_error": e.RateLimitError,
}


def wanted(said: Mapping[str, Any]) -> str | None:
    """The first of the flags that is set. Raises ValueError with the name of one that is no boolean."""
    for name in FAILURES.keys() & said.keys():
        if not isinstance(said[name], bool | None):
            raise ValueError(name)
    return next((name for name in FAILURES if said.get(name)), None)


def failure(wanted: str | Exception, model: str) -> Exception:
    """Of a flag; anything else is one already."""
    if not isinstance(wanted, str):
        return wanted
    name = wanted
    return FAILURES[name](f"{name} was asked for: nothing was sent to {model}", model=model, llm_provider="")
