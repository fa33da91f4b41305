"""A vendor's error answer as an exception: by (status, vendor code) first, then by status, by prose only as a row.

The statuses are those of litellm-contract 2.7, except that 403 is a PermissionDeniedError.
"""

import re
from typing import Any, Final

import orjson

from litellm import exceptions as e
from litellm.providers.base import Provider
from litellm.types.calls import Call, Json, as_object
from litellm.types.http import HttpResponse

MIN_SECRET: Final = 8  # characters of a key; shorter ones ("none", "k") are no secret, and occur in words
MAX_QUOTED: Final = 500  # characters of a vendor's body that a message repeats

BY_STATUS: Final[dict[int, type[e.LiteLLMError]]] = {
    400: e.BadRequestError,
    401: e.AuthenticationError,
    403: e.PermissionDeniedError,
    404: e.NotFoundError,
    408: e.Timeout,
    422: e.BadRequestError,
    429: e.RateLimitError,
    500: e.InternalServerError,
    502: e.BadGatewayError,
    503: e.ServiceUnavailableError,
    504: e.Timeout,
}

BY_CODE: Final[dict[tuple[int, str], type[e.LiteLLMError]]] = {
    (400, "context_length_exceeded"): e.ContextWindowExceededError,
    (400, "string_above_max_length"): e.ContextWindowExceededError,
    (400, "content_policy_violation"): e.ContentPolicyViolationError,
    (400, "content_filter"): e.ContentPolicyViolationError,
}

# Prose is the last resort, for hosts that send no code. The recorded bodies: vLLM "This model's maximum context length
# is 4096 tokens. However, ..."; llama.cpp "the request exceeds the available context size"; OpenAI "string too long";
# OpenAI images "Your request was rejected as a result of our safety system".
BY_PROSE: Final[tuple[tuple[int, re.Pattern[str], type[e.LiteLLMError]], ...]] = (
    (
        400,
        re.compile(
            r"maximum context length|context_length_exceeded|exceeds? the available context size|string too long"
            r"|context window|prompt is too long|longer than the model's context length",
            re.I,
        ),
        e.ContextWindowExceededError,
    ),
    (
        400,
        re.compile(r"content_policy_violation|content management policy|as a result of our safety system", re.I),
        e.ContentPolicyViolationError,
    ),
)


def read(body: bytes) -> Any:
    """The vendor's body: parsed if it is JSON, else its first 500 characters."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return quoted(body)


def message_of(body: Any) -> str:
    """What a vendor said: `{"error": {"message": ...}}`, `{"error": "text"}`, `{"message": ...}`, `{"detail": ...}`,
    or all of it where it has none of these forms."""
    inner: Any = _inner(body)
    fields = as_object(inner)
    message: Any = inner if fields is None else fields.get("message") or fields.get("detail")
    if message is None or message == "":
        message = body
    return (message if isinstance(message, str) else orjson.dumps(message).decode())[:MAX_QUOTED]


def code_of(body: Any) -> str | None:
    """`{"error": {"code": ...}}` or `{"code": ...}`, as text."""
    code = (as_object(_inner(body)) or {}).get("code")
    return None if code is None else str(code)


def _inner(body: Any) -> Any:
    fields = as_object(body)
    return body if fields is None else fields.get("error", fields)


def error_of(provider: Provider, call: Call, response: HttpResponse) -> e.LiteLLMError:
    """The exception for a response whose status is not 2xx."""
    return make(provider, call, response.status, read(response.body), response)


def make(
    provider: Provider, call: Call, status: int, body: Any, response: HttpResponse | None = None
) -> e.LiteLLMError:
    """The exception for a vendor's status and body (parsed JSON or text)."""
    cls = classify(provider, status, body)
    named: Json = {"exception_status_code" if cls is e.Timeout else "status_code": status}
    return cls(
        message=_WORDS.get(cls, "") + told(provider, call, message_of(body) or f"status {status}, no body"),
        llm_provider=provider.name,
        model=call.target.model,
        response=e.ErrorResponse(response.status, response.headers, response.body) if response else None,
        body=body,
        **named,
    )


def told(provider: Provider, call: Call, text: str) -> str:
    """A vendor's words under its name. Some repeat the key they were shown: callers of a gateway may not know it."""
    key = call.target.api_key
    if key and len(key) >= MIN_SECRET:
        text = text.replace(key, "***")
    return f"{vendor_name(provider)} - {text}"


# What LiteLLM writes between the class and the vendor, which some callers search messages for (litellm-contract 2.7).
_WORDS: Final[dict[type[e.LiteLLMError], str]] = {
    e.AuthenticationError: "AuthenticationError: ",
    e.RateLimitError: "RateLimitError: ",
    e.ContextWindowExceededError: "litellm.BadRequestError: ContextWindowExceededError: ",
    e.ContentPolicyViolationError: "litellm.BadRequestError: ContentPolicyViolationError: ",
    e.Timeout: "Timeout Error: ",
}


def classify(provider: Provider, status: int, body: Any) -> type[e.LiteLLMError]:
    key = (status, code_of(body) or "")
    found = provider.errors.get(key) or BY_CODE.get(key)
    if found is not None:
        return found
    for known_status, prose, cls in BY_PROSE:
        if status == known_status and prose.search(message_of(body)):
            return cls
    return BY_STATUS.get(status, e.APIError)


def vendor_name(provider: Provider) -> str:
    return "OpenAIException" if provider.name == "openai" else f"{provider.name.capitalize()}Exception"


def quoted(body: bytes) -> str:
    return body[: MAX_QUOTED * 4].decode("utf-8", "replace")[:MAX_QUOTED]
