"""Errors as answers: the one place where an exception becomes a status and a body (litellm-contract 1b.8).

The body is OpenAI's: `{"error": {"message", "type", "param", "code"}}` with `code` a string. What is not one of our
errors is a 500 that says nothing of the inside; its traceback goes to the log under the call's id.
"""

from typing import Final

import orjson

from litellm import exceptions as e
from litellm.types.calls import Json


class ProxyError(e.LiteLLMError, prefix=False):
    """A request that the gateway itself refuses."""

    def __init__(
        self,
        status: int,
        message: str,
        type: str = "invalid_request_error",
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, status_code=status, headers=headers)
        self.message = message
        self.type = type
        self.param = param


HUNG_UP: Final = 499
"""How a call is counted whose caller hung up before the answer (nginx's number); and as the books have it."""
DISCONNECTED: Final = f"{HUNG_UP} ClientDisconnected"
INTERNAL: Final = "Internal server error. The gateway's log has the details under x-litellm-call-id."

# Types that LiteLLM's clients know; an upstream's own type is passed on where it sent one.
_ALWAYS_OURS: Final = {429: "throttling_error"}


def status_of(error: BaseException) -> int:
    """An upstream's redirect is no answer of ours: it is a failure like any other without a status of its own."""
    return error.status_code if isinstance(error, e.LiteLLMError) and error.status_code >= 400 else 500


def body_of(error: BaseException) -> Json:
    """The `error` object."""
    if not isinstance(error, e.LiteLLMError):
        return {"message": INTERNAL, "type": "internal_server_error", "param": None, "code": "500"}
    status = status_of(error)
    return {
        "message": error.message,
        "type": _type_of(error, status),
        "param": error.param,
        "code": str(status),
    }


def _type_of(error: e.LiteLLMError, status: int) -> str | None:
    own: str | None = getattr(error, "type", None)
    return own if own in _OURS else _ALWAYS_OURS.get(status) or own


_OURS: Final = frozenset({"budget_exceeded"})
_KEPT: Final = ("retry-after", "retry-after-ms", "x-should-retry", "allow", "rate_limit_type")


def headers_of(error: BaseException) -> list[tuple[str, str]]:
    """What the upstream, or the gateway itself, says about trying again, and how often it was tried again already."""
    if not isinstance(error, e.LiteLLMError):
        return []
    said = [(name, value) for name in _KEPT if (value := error.header(name))]
    return said if error.num_retries is None else [*said, ("x-litellm-attempted-retries", str(error.num_retries))]


def encoded(error: BaseException) -> bytes:
    return orjson.dumps({"error": body_of(error)}, default=str)


def said(error: BaseException) -> str:
    """As the books have it."""
    return f"{status_of(error)} {type(error).__name__}"
