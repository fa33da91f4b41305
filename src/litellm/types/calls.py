"""Ask, Target, Call: a caller's request, where a deployment's calls go, and one attempt at one deployment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from litellm.types.http import DEFAULT_TIMEOUTS, DEFAULT_TLS, Headers, Timeouts, Tls, Url

Op = Literal["chat", "completion", "embedding"]
"""One endpoint of a provider: chat/completions, completions, embeddings."""

Json = dict[str, Any]
"""OpenAI wire JSON: the payload that travels from floor to floor, fields nobody here knows included."""


def as_object(value: Any) -> Json | None:
    """A JSON value if it is an object."""
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def as_list(value: Any) -> list[Any] | None:
    """A JSON value if it is an array."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


class Account(Protocol):
    """Who is to know what a call costs beside the attempt that serves it."""

    waiting: bool
    """Nothing has been sent: it waits for a deployment, or is about to ask one. Over with the next that it tries."""

    def tries(self, deployment: Any) -> None:
        """It is asked now, and is at it until `attempted` says otherwise or the call has its answer. Calls that go
        straight to the only deployment of a group are not told of."""
        ...

    def attempted(self, deployment: Any, error: BaseException | None) -> None:
        """An attempt has not served the call: it failed, or (None) another was quicker. To be told twice is nothing."""
        ...


@dataclass(slots=True)
class Ask:
    """What a caller wants: an operation, the model name as the caller wrote it, the wire parameters without `model`.

    `metadata` is the caller's, for callbacks and custom providers; it is never sent.
    """

    op: Op
    model: str
    params: Json
    stream: bool = False
    call_id: str = ""
    mock: Any = None
    mock_tool_calls: list[Json] | None = None
    metadata: Json | None = None
    fallbacks: tuple[str, ...] | None = None
    """Model groups that the caller wants asked if its own fails; empty: none, not even the config's."""
    trace: Any = field(default=None, repr=False)
    """The `router.explain.Trace` that is told where the call goes and why; None if nobody wants to know."""
    bond: Any = field(default=None, repr=False)
    """The `router.affinity.Bond` that says which deployment is preferred; None if none is."""
    failing: str | Exception | None = None
    """What the call is to fail with in its own group, of which nobody is asked, or a flag of `router.mocking` for it.
    None: it is not."""
    tenant: str = ""
    """Who shares fairly with others where calls wait for a deployment."""
    priority: int = 0
    """Of those that wait, 0 is served first."""
    account: Account | None = field(default=None, repr=False)
    fit: Callable[[Any], Any] | None = field(default=None, repr=False)
    """What becomes of a fallback's deployments for this caller: those it may be served by, as it wants them."""
    cached: str = ""
    """The key of the kept answer that `mock` is."""


@dataclass(slots=True, eq=False)
class Target:
    """Where a deployment's calls go: all that does not change from call to call.

    `headers` are the ones to add to the provider's own. `endpoints` is the provider's: the address and the encoded
    headers of each path, made on first use.
    """

    provider: str
    model: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    tls: Tls = DEFAULT_TLS
    drop_params: bool = False
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: frozenset[str] = frozenset()
    endpoints: dict[str, tuple[Url, Headers]] = field(default_factory=dict[str, tuple[Url, Headers]], repr=False)
    handler: Any = None
    """A custom provider's, asked in place of an endpoint (`engine/custom.py`)."""


@dataclass(slots=True)
class Call:
    """One attempt at one deployment. `mock` is a `mock_response`: then nothing is sent."""

    op: Op
    target: Target
    params: Json
    stream: bool
    call_id: str = ""
    mock: Any = None
    mock_tool_calls: list[Json] | None = None
    metadata: Json | None = None
