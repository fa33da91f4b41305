"""Every error that a caller of this package may meet, drawn as a tree.

    LiteLLMError                         private root: for annotations inside the package, not exported
    |- AuthenticationError          401
    |- PermissionDeniedError        403
    |- NotFoundError                404
    |- Timeout                      408  an upstream's 504 keeps 504
    |- BadRequestError              400  an upstream's 422 keeps 422
    |  |- ContextWindowExceededError, ContentPolicyViolationError, UnsupportedParamsError,
    |  `- RejectedRequestError, LiteLLMUnknownProvider, ImageFetchError
    |- InvalidRequestError          400  deprecated name
    |- UnprocessableEntityError     422
    |- RateLimitError               429
    |- RouterRateLimitError         429  every deployment is resting; also a ValueError
    |- BudgetExceededError          429
    |- APIConnectionError           500  no answer, or not a whole one
    |- InternalServerError          500
    |- APIResponseValidationError   500  a 2xx that makes no sense
    |  `- JSONSchemaValidationError
    |- OpenAIError                  500
    |- BadGatewayError              502
    |- ServiceUnavailableError      503
    |  `- MidStreamFallbackError
    |- APIError                     as given
    |  `- AzureOpenAIError, MockException
    `- GuardrailRaisedException, BlockedPiiEntityError, ModifyResponseException   400

`status_code`, `retryable` (may another attempt succeed?) and `error_type` (the `type` of the gateway's error body) are
class attributes; an instance may carry its own. Positional arguments come in the order LiteLLM gave each class, which
is not the same everywhere; keywords always work.

`except openai.RateLimitError` catches ours without this package importing `openai`: see `_join_openai`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Self, cast

Fields = Mapping[str, str]
"""Response header fields."""


class ErrorFields(dict[str, str]):
    """Response header fields, found under any spelling; iteration shows lower case. Repeated fields are joined."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__()
        for name, value in raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self[key] = f"{self[key]}, {text}" if key in self else text

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class ErrorResponse:
    """What an endpoint answered instead of a result, with the names that users of `httpx.Response` read."""

    def __init__(self, status_code: int, headers: Iterable[tuple[bytes, bytes]] = (), content: bytes = b"") -> None:
        self.status_code = status_code
        self.headers = ErrorFields(headers)
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises ValueError if the body is not JSON."""
        return json.loads(self.content)

    def parsed(self) -> Any:
        """The body's JSON, or its text; None if there is none."""
        try:
            return self.json()
        except ValueError:
            return self.text or None


class LiteLLMError(Exception):
    """The root. It stands between our classes and `Exception` so that their `__bases__` can be assigned (CPython
    refuses that for a class directly under a built-in one).

    `message` begins with `litellm.<Class>: `; callers may change it, and `str()` shows the change. `raw_message` is
    the message without that prefix. `response` is what the endpoint answered: anything with `.headers`. `body` is the
    answer's parsed JSON, or its text. `headers` are the answer's, if there is no `response`.
    """

    status_code: int = 500
    retryable: bool = False
    error_type: str = "api_error"
    code: str | None = None
    param: str | None = None
    sent: bool | None = None
    """Whether the provider may have got the request that was not answered, and bill it. None: not known."""

    _prefix: ClassVar[str] = ""
    _counterparts: ClassVar[dict[type["LiteLLMError"], str]] = {}  # classes still to be joined to openai's

    def __init_subclass__(cls, openai: str | None = None, prefix: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ != __name__:  # a caller's subclass goes by its parent's name
            return
        cls._prefix = f"litellm.{cls.__name__}: " if prefix else ""
        if openai is not None:
            LiteLLMError._counterparts[cls] = openai

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if LiteLLMError._counterparts:
            _join_openai()
        return Exception.__new__(cls, *args)

    def __init__(
        self,
        message: object,
        llm_provider: str | None = None,
        model: str | None = None,
        response: Any = None,
        litellm_debug_info: str | None = None,
        max_retries: int | None = None,
        num_retries: int | None = None,
        *,
        body: object = None,
        headers: Fields | None = None,
        request: Any = None,
        status_code: int | None = None,
        provider_specific_fields: dict[str, Any] | None = None,
    ) -> None:
        text = str(message)
        self.message = text if text.startswith(self._prefix) else self._prefix + text
        self.llm_provider = llm_provider
        self.model = model
        self.response = response
        self.litellm_debug_info = litellm_debug_info
        self.max_retries = max_retries
        self.num_retries = num_retries
        self.request = request
        self.headers: Fields | None = headers or getattr(response, "headers", None)
        self.provider_specific_fields = provider_specific_fields
        if status_code is not None:
            self.status_code = status_code
            self.retryable = status_code in (408, 409, 429) or status_code >= 500
        self._take_body(body)
        # By name: once joined, the next class in line is openai's, whose constructor wants a live httpx response.
        Exception.__init__(self, self.message)

    @classmethod
    def from_vendor(
        cls,
        message: str,
        *,
        status_code: int,
        llm_provider: str,
        model: str | None,
        headers: list[tuple[bytes, bytes]],
        body: bytes | None = None,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> Self:
        """An endpoint's error answer, whichever the class: `headers` and `body` as received."""
        error = cls.__new__(cls)
        response = ErrorResponse(status_code, headers, body or b"")
        LiteLLMError.__init__(error, message, llm_provider, model, response, status_code=status_code)
        error.body = response.parsed()
        error.type = type or cls.error_type
        error.param = param
        error.code = code or cls.code
        return error

    def _take_body(self, body: object) -> None:
        """Keep the answer's body; `type`, `param`, `code` are those of its error object where it has one."""
        self.body = body
        outer = cast(dict[str, object], body) if isinstance(body, dict) else {}
        inner = outer.get("error")
        fields = cast(dict[str, object], inner) if isinstance(inner, dict) else outer
        kind, param, code = fields.get("type"), fields.get("param"), fields.get("code")
        self.type = kind if isinstance(kind, str) else self.error_type
        self.param = param if isinstance(param, str) else None
        if code is not None:
            self.code = str(code)

    @property
    def raw_message(self) -> str:
        return self.message.removeprefix(self._prefix)

    @property
    def request_id(self) -> str | None:
        return self.header("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """Seconds, from now, that the endpoint asks to wait (`retry-after-ms`, or `retry-after` in either form)."""
        millis, after = self.header("retry-after-ms"), self.header("retry-after")
        try:
            if millis is not None:
                return max(0.0, float(millis) / 1000)
            return None if after is None else max(0.0, float(after))
        except ValueError:
            return None if after is None else _seconds_until(after)

    def header(self, name: str) -> str | None:
        """One header field of the endpoint's answer; `name` in lower case."""
        return next((value for key, value in (self.headers or {}).items() if key.lower() == name), None)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args), self.__dict__


class AuthenticationError(LiteLLMError, openai="AuthenticationError"):
    status_code = 401
    error_type = "auth_error"


class PermissionDeniedError(LiteLLMError, openai="PermissionDeniedError"):
    status_code = 403
    error_type = "permission_error"


class RateLimitError(LiteLLMError, openai="RateLimitError"):
    """Too much, too fast. `category` says whose limit: vendor_rate_limit, litellm_rate_limit, ..._batch_rate_limit;
    `rate_limit_type` says of what: requests, tokens, concurrent_requests, budget, max_iterations."""

    status_code = 429
    retryable = True
    error_type = "throttling_error"
    code = "429"
    category: str | None = None
    rate_limit_type: str | None = None

    def __init__(
        self,
        message: object,
        llm_provider: str | None = None,
        model: str | None = None,
        response: Any = None,
        litellm_debug_info: str | None = None,
        max_retries: int | None = None,
        num_retries: int | None = None,
        *,
        category: str | None = None,
        rate_limit_type: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(
            message, llm_provider, model, response, litellm_debug_info, max_retries, num_retries, **details
        )
        self.category = category
        self.rate_limit_type = rate_limit_type


class InternalServerError(LiteLLMError, openai="InternalServerError"):
    retryable = True
    error_type = "internal_server_error"


class BadGatewayError(LiteLLMError, openai="APIStatusError"):
    status_code = 502
    retryable = True
    error_type = "bad_gateway_error"


class ServiceUnavailableError(LiteLLMError, openai="APIStatusError"):
    status_code = 503
    retryable = True
    error_type = "service_unavailable_error"


class MidStreamFallbackError(ServiceUnavailableError):
    """A stream broke after `generated_content` had been passed on; a router may go on elsewhere."""

    def __init__(
        self,
        message: object,
        model: str | None = None,
        llm_provider: str | None = None,
        original_exception: BaseException | None = None,
        *,
        generated_content: str = "",
        is_pre_first_chunk: bool = False,
        **details: Any,
    ) -> None:
        super().__init__(message, llm_provider, model, **details)
        self.original_exception = original_exception
        self.generated_content = generated_content
        self.is_pre_first_chunk = is_pre_first_chunk


class APIResponseValidationError(LiteLLMError, openai="APIResponseValidationError"):
    error_type = "api_response_validation_error"


class JSONSchemaValidationError(APIResponseValidationError):
    """An answer that does not fit the schema that was asked for."""

    def __init__(
        self, model: str | None, llm_provider: str | None, raw_response: str, schema: str, **details: Any
    ) -> None:
        text = f"Received={raw_response} from model={model}, which does not match schema={schema}"
        super().__init__(text, llm_provider, model, **details)
        self.raw_response = raw_response
        self.schema = schema


class APIConnectionError(LiteLLMError, openai="APIConnectionError"):
    retryable = True
    error_type = "api_connection_error"

    def __init__(
        self,
        message: object,
        llm_provider: str | None = None,
        model: str | None = None,
        request: Any = None,
        litellm_debug_info: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(
            message, llm_provider, model, request=request, litellm_debug_info=litellm_debug_info, **details
        )


class APIError(LiteLLMError, openai="APIError"):
    """An answer with a status that has no class of its own."""

    def __init__(
        self,
        status_code: int,
        message: object,
        llm_provider: str | None = None,
        model: str | None = None,
        request: Any = None,
        litellm_debug_info: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(
            message, llm_provider, model, request=request, litellm_debug_info=litellm_debug_info,
            status_code=status_code, **details,
        )  # fmt: skip


class MockException(APIError, prefix=False):
    """What `mock_response=Exception(...)` raises."""


class AzureOpenAIError(APIError):
    """Raised by nothing here; tools that tabulate LiteLLM's errors look it up."""


class _ModelFirst(LiteLLMError):
    """The classes whose second positional argument is the model."""

    def __init__(
        self,
        message: object,
        model: str | None = None,
        llm_provider: str | None = None,
        response: Any = None,
        litellm_debug_info: str | None = None,
        max_retries: int | None = None,
        num_retries: int | None = None,
        **details: Any,
    ) -> None:
        super().__init__(
            message, llm_provider, model, response, litellm_debug_info, max_retries, num_retries, **details
        )


class NotFoundError(_ModelFirst, openai="NotFoundError"):
    status_code = 404
    error_type = "not_found_error"


class UnprocessableEntityError(_ModelFirst, openai="UnprocessableEntityError"):
    status_code = 422
    error_type = "invalid_request_error"


class Timeout(_ModelFirst, openai="APITimeoutError"):
    status_code = 408
    retryable = True
    error_type = "timeout_error"

    def __init__(
        self,
        message: object,
        model: str | None = None,
        llm_provider: str | None = None,
        litellm_debug_info: str | None = None,
        max_retries: int | None = None,
        num_retries: int | None = None,
        headers: Fields | None = None,
        exception_status_code: int | None = None,
        *,
        response: Any = None,
        request: Any = None,
        body: object = None,
    ) -> None:
        super().__init__(
            message, model, llm_provider, response, litellm_debug_info, max_retries, num_retries,
            headers=headers, status_code=exception_status_code, request=request, body=body,
        )  # fmt: skip


class BadRequestError(_ModelFirst, openai="BadRequestError"):
    status_code = 400
    error_type = "invalid_request_error"


class ContextWindowExceededError(BadRequestError):
    pass


class ContentPolicyViolationError(BadRequestError):
    pass


class ImageFetchError(BadRequestError):
    pass


class UnsupportedParamsError(BadRequestError):
    def __init__(
        self,
        message: object,
        llm_provider: str | None = None,
        model: str | None = None,
        status_code: int = 400,
        **details: Any,
    ) -> None:
        super().__init__(message, model, llm_provider, status_code=status_code, **details)


class RejectedRequestError(BadRequestError):
    def __init__(
        self,
        message: object,
        model: str | None = None,
        llm_provider: str | None = None,
        request_data: dict[str, Any] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, model, llm_provider, **details)
        self.request_data = request_data or {}


class LiteLLMUnknownProvider(BadRequestError):
    def __init__(self, model: str, custom_llm_provider: str | None = None, **details: Any) -> None:
        text = f"Unknown provider {custom_llm_provider!r} for model {model!r}"
        super().__init__(text, model, custom_llm_provider, **details)


class InvalidRequestError(_ModelFirst, openai="BadRequestError"):
    status_code = 400
    error_type = "invalid_request_error"


class OpenAIError(LiteLLMError, openai="OpenAIError", prefix=False):
    def __init__(self, original_exception: object = None, **details: Any) -> None:
        super().__init__(original_exception if original_exception is not None else "", "openai", **details)
        self.original_exception = original_exception


class RouterRateLimitError(LiteLLMError, ValueError, prefix=False):
    """Every deployment of a model group is resting for another `cooldown_time` seconds."""

    status_code = 429
    error_type = "throttling_error"

    def __init__(
        self,
        model: str,
        cooldown_time: float,
        enable_pre_call_checks: bool = False,
        cooldown_list: list[str] | None = None,
    ) -> None:
        super().__init__(
            f"No deployments available for selected model, Try again in {cooldown_time} seconds. "
            f"Passed model={model}. pre-call-checks={enable_pre_call_checks}, cooldown_list={cooldown_list or []}",
            model=model,
        )
        self.cooldown_time = cooldown_time
        self.enable_pre_call_checks = enable_pre_call_checks
        self.cooldown_list = cooldown_list or []


class BudgetExceededError(LiteLLMError, prefix=False):
    """Amounts in dollars."""

    status_code = 429
    error_type = "budget_exceeded"

    def __init__(self, current_cost: float, max_budget: float, message: str | None = None) -> None:
        super().__init__(message or f"Budget has been exceeded! Current cost: {current_cost}, Max budget: {max_budget}")
        self.current_cost = current_cost
        self.max_budget = max_budget


class GuardrailRaisedException(LiteLLMError, prefix=False):
    status_code = 400
    error_type = "guardrail_error"

    def __init__(
        self,
        guardrail_name: str | None = None,
        message: str = "",
        should_wrap_with_default_message: bool = True,
    ) -> None:
        wrapped = f"Guardrail raised an exception, Guardrail: {guardrail_name}, Message: {message}"
        super().__init__(wrapped if should_wrap_with_default_message else message)
        self.guardrail_name = guardrail_name


class BlockedPiiEntityError(LiteLLMError, prefix=False):
    status_code = 400
    error_type = "guardrail_error"

    def __init__(self, entity_type: str, guardrail_name: str | None = None) -> None:
        super().__init__(f"Blocked entity detected: {entity_type} by Guardrail: {guardrail_name}.")
        self.entity_type = entity_type
        self.guardrail_name = guardrail_name


class ModifyResponseException(LiteLLMError, prefix=False):
    """A guardrail answers in the model's place: `message` is the answer."""

    status_code = 400
    error_type = "guardrail_error"

    def __init__(
        self,
        message: str,
        model: str | None = None,
        request_data: dict[str, Any] | None = None,
        guardrail_name: str | None = None,
        detection_info: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, model=model)
        self.request_data = request_data or {}
        self.guardrail_name = guardrail_name
        self.detection_info = detection_info or {}


LITELLM_EXCEPTION_TYPES: Final[list[type[LiteLLMError]]] = [
    AuthenticationError, InvalidRequestError, BadRequestError, ImageFetchError, NotFoundError, PermissionDeniedError,
    RateLimitError, ServiceUnavailableError, BadGatewayError, OpenAIError, ContextWindowExceededError,
    ContentPolicyViolationError, BudgetExceededError, APIError, Timeout, APIConnectionError, UnsupportedParamsError,
    APIResponseValidationError, UnprocessableEntityError, InternalServerError, JSONSchemaValidationError,
    LiteLLMUnknownProvider,
]  # fmt: skip


def _join_openai() -> None:
    """Give each class its counterpart in `openai` as a further base, once, if the caller has imported `openai`.

    This way `except openai.RateLimitError` works although nothing here imports openai (a third of a second, and no
    dependency of ours). The classes stay the same objects, so identity and pickling are not touched. While `openai`
    is still being imported some names are missing: then a later error tries again.
    """
    openai = sys.modules.get("openai")
    waiting = LiteLLMError._counterparts  # pyright: ignore[reportPrivateUsage]
    names = set(waiting.copy().values())
    found = {name: base for name in names if isinstance(base := getattr(openai, name, None), type)}
    if len(found) < len(names):
        return
    while waiting:
        try:
            cls, name = waiting.popitem()  # atomic: two threads never join the same class
        except KeyError:
            return
        try:
            cls.__bases__ = (*cls.__bases__, found[name])
        except TypeError:  # a caller's own subclass of both makes it impossible; that caller catches it either way
            continue


def _restore(cls: type[LiteLLMError], args: tuple[Any, ...]) -> LiteLLMError:
    """An error as `copy` and `pickle` make it: without its constructor, whose arguments are not kept."""
    return cls.__new__(cls, *args)


def _seconds_until(date: str) -> float | None:
    """Seconds from now to an HTTP date, at least 0; None if it is no date."""
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (ValueError, OverflowError):
        return None


_join_openai()
