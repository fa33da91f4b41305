"""The contract page: what a provider is.

A provider is a value that holds pure functions: a Call becomes an HttpRequest, an HttpResponse becomes OpenAI wire
JSON or an exception, a stream's bytes become chunks. No socket, clock, environment or randomness here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from litellm.exceptions import LiteLLMError
from litellm.types.calls import Call, Json, Op
from litellm.types.http import HttpRequest, HttpResponse

Dialect = Literal["openai"]
ErrorTable = Mapping[tuple[int, str], type[LiteLLMError]]
"""(status, the vendor's code) -> class."""


class StreamDecoder(Protocol):
    """Bytes of a streamed response body in, OpenAI chunks out, whatever the packets' borders.

    `error` is what broke the stream, behind all chunks returned so far: APIResponseValidationError for what is no
    chunk, the vendor's error for an error event. `done`: the vendor has said that nothing follows. `complete`: the
    answer is whole, whatever becomes of the connection.
    """

    done: bool
    error: LiteLLMError | None

    @property
    def complete(self) -> bool: ...

    def feed(self, data: bytes, /) -> list[Json]: ...

    def chunk(self, data: bytes, /) -> Json:
        """One event's data. Raises what would be `error`."""
        ...

    def end(self) -> list[Json]:
        """The body has ended, well or cut short: then `error` is an APIConnectionError."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint, as pure functions. They are given the provider, so that hosts of one dialect share them."""

    request: Callable[["Provider", Call], HttpRequest]
    response: Callable[["Provider", Call, HttpResponse], Json]
    stream: Callable[["Provider", Call], StreamDecoder] | None = None


@dataclass(frozen=True, slots=True)
class ParamRules:
    """A vendor's parameter quirks, as rows: applied in this order to what the caller wrote."""

    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    unsupported: frozenset[str] = frozenset()
    clamp: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    force: Mapping[str, object] = field(default_factory=dict[str, object])
    flatten_content: bool = False


NO_RULES: Final = ParamRules()


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor's dialect. A value, not a class to inherit from. `default_key` is what local servers are sent."""

    name: str
    base_url: str | None
    key_env: tuple[str, ...]
    operations: Mapping[Op, Operation]  # a missing key is the capability flag
    base_env: tuple[str, ...] = ()
    default_key: str | None = None
    model_prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: ParamRules = NO_RULES
    errors: ErrorTable = field(default_factory=dict[tuple[int, str], type[LiteLLMError]])
    dialect: Dialect = "openai"
