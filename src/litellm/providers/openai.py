"""OpenAI's own dialect, which is the canonical one: the reference provider, and the one every compatible host shares.

Nothing is translated: the parameters go out again under the upstream's model name, and what comes back is checked to
be JSON of the right kind and handed on with every field it has.
"""

from typing import Any, Final

import orjson

from litellm import exceptions as e
from litellm.formats.sse import Event, EventTooLarge, SSEDecoder
from litellm.providers import errors, params
from litellm.providers.base import Operation, Provider
from litellm.types.calls import Call, Json, Op, Target, as_list, as_object
from litellm.types.http import Headers, HttpRequest, HttpResponse, Url

PATHS: Final[dict[Op, str]] = {"chat": "/chat/completions", "completion": "/completions", "embedding": "/embeddings"}

# What every answer of an operation has, whoever made it.
_EXPECTED: Final[dict[Op, str]] = {"chat": "choices", "completion": "choices", "embedding": "data"}


def request(provider: Provider, call: Call) -> HttpRequest:
    target = call.target
    url, headers = target.endpoints.get(call.op) or _endpoint(provider, target, call.op)
    body = {**params.apply(provider, call), "model": target.model}
    return HttpRequest("POST", url, headers, dumps(body, provider, call), target.timeouts, target.tls)


def dumps(body: Json, provider: Provider, call: Call) -> bytes:
    """The request's JSON. Raises BadRequestError for what JSON cannot say (orjson: over 254 levels, bytes, ...)."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        try:
            return orjson.dumps(body, default=plain, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:
            raise e.BadRequestError(
                message=f"the request cannot be written as JSON: {error}",
                llm_provider=provider.name,
                model=call.target.model,
            ) from None


def plain(value: Any) -> Any:
    """What callers put into messages beside JSON: pydantic objects, sets. A message of ours that goes back to the
    endpoint leaves out `provider_specific_fields`, which no endpoint knows."""
    if hasattr(value, "model_dump"):
        dumped: Any = value.model_dump(mode="json", exclude_none=True)
        (as_object(dumped) or {}).pop("provider_specific_fields", None)
        return dumped
    if isinstance(value, set | frozenset):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def _endpoint(provider: Provider, target: Target, op: Op) -> tuple[Url, Headers]:
    made = target.endpoints[op] = _address(provider, target, PATHS[op])
    return made


def _address(provider: Provider, target: Target, path: str) -> tuple[Url, Headers]:
    """The address and headers of one path of a deployment: nothing but the path is added to the base."""
    own = {"content-type": "application/json", "accept": "application/json", "user-agent": "litellm"}
    if target.api_key:
        own["authorization"] = f"Bearer {target.api_key}"
    if target.organization:
        own["openai-organization"] = target.organization
    own |= {name.lower(): text.replace("{api_key}", target.api_key or "") for name, text in provider.headers.items()}
    own |= {name.lower(): text for name, text in target.headers}
    base, _, query = target.base_url.partition("?")
    url = base.rstrip("/") + path + (f"?{query}" if query else "")
    return Url(url), Headers(tuple(own.items()))


def listing(provider: Provider, target: Target) -> HttpRequest:
    """Which models an endpoint has: `GET /models`."""
    url, headers = _address(provider, target, "/models")
    return HttpRequest("GET", url, headers, b"", target.timeouts, target.tls)


def listed(answer: HttpResponse) -> list[str]:
    """The names in its answer. Raises ValueError if it is none."""
    fields = as_object(orjson.loads(answer.body)) if 200 <= answer.status < 300 else None
    rows = as_list(fields.get("data")) if fields else None
    if rows is None:
        raise ValueError(f"status {answer.status}, and no list of models")
    return [row["id"] for row in map(as_object, rows) if row and isinstance(row.get("id"), str)]


def response(provider: Provider, call: Call, answer: HttpResponse) -> Json:
    if not 200 <= answer.status < 300:
        raise errors.error_of(provider, call, answer)
    try:
        wire: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise _invalid(provider, call, f"the answer is not JSON ({error})", answer.body) from None
    expected = _EXPECTED[call.op]
    fields = as_object(wire)
    if fields is not None:
        if fields.get("error") and not fields.get(expected):
            raise error_in_success(provider, call, fields, answer)
        if isinstance(fields.get(expected), list):
            return fields
    raise _invalid(provider, call, f"the answer has no list of `{expected}`", answer.body)


def _invalid(provider: Provider, call: Call, what: str, body: bytes) -> e.APIResponseValidationError:
    return e.APIResponseValidationError(
        message=errors.told(provider, call, f"{what}: {errors.quoted(body)}"),
        llm_provider=provider.name,
        model=call.target.model,
    )


class ChunkDecoder:
    """A stream's bytes as OpenAI chunks. It is complete once every choice has a `finish_reason`, or at `[DONE]`."""

    __slots__ = ("_beginning", "_call", "_finished", "_provider", "_seen", "_sse", "done", "error")

    def __init__(self, provider: Provider, call: Call) -> None:
        self.done = False
        self.error: e.LiteLLMError | None = None
        self._provider = provider
        self._call = call
        self._sse = SSEDecoder()
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._beginning: bytes | None = b""  # of the body; None once it has turned out to be a stream

    @property
    def complete(self) -> bool:
        return self.done or (bool(self._finished) and self._finished >= self._seen)

    def feed(self, data: bytes) -> list[Json]:
        if self._beginning is not None and len(self._beginning) < _BEGINNING:
            self._beginning += data[:_BEGINNING]
        try:
            events = self._sse.feed(data)
        except EventTooLarge as error:
            self.error = _invalid(self._provider, self._call, str(error), b"")
            return []
        return self._chunks(events)

    def end(self) -> list[Json]:
        return [] if self.error is not None else self._end()

    def _end(self) -> list[Json]:
        chunks = self._chunks(self._sse.end())
        if isinstance(self.error, e.APIResponseValidationError):  # an event that was cut off is no malformed one
            self.error = None
        if self.error is None and not self.complete:
            self.error = self._unfinished()
        return chunks

    def _chunks(self, events: list[Event]) -> list[Json]:
        """Those before the first thing that is wrong, which is `error` then."""
        chunks: list[Json] = []
        if self.done or self.error is not None:
            return chunks
        try:
            for event in events:
                if event.data == b"[DONE]":
                    self.done = True
                    break
                if event.data:
                    chunks.append(self.chunk(event.data))
        except e.LiteLLMError as error:
            self.error = error
        return chunks

    def chunk(self, data: bytes) -> Json:
        """One event's data. Raises the vendor's error, or APIResponseValidationError if it is no chunk."""
        try:
            wire: Any = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise _invalid(self._provider, self._call, f"malformed event in the stream ({error})", data) from None
        chunk = as_object(wire)
        if chunk is None:
            raise _invalid(self._provider, self._call, "malformed event in the stream", data)
        if chunk.get("error"):
            raise error_in_success(self._provider, self._call, chunk)
        choices = chunk.get("choices")
        if choices:
            self._note(choices, data)
        self._beginning = None
        return chunk

    def _note(self, choices: Any, data: bytes) -> None:
        if not isinstance(choices, list):
            raise _invalid(self._provider, self._call, "an event's choices are no list", data)
        for choice in choices:  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(choice, dict):
                raise _invalid(self._provider, self._call, "a choice in the stream is no object", data)
            index: Any = choice.get("index")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            index = index if isinstance(index, int) else 0
            self._seen.add(index)
            if choice.get("finish_reason"):  # pyright: ignore[reportUnknownMemberType]
                self._finished.add(index)

    def _unfinished(self) -> e.LiteLLMError:
        beginning = (self._beginning or b"").strip()
        if beginning and not beginning.startswith(_SSE_FIELDS):
            wire = as_object(errors.read(beginning))
            if wire and wire.get("error"):
                return error_in_success(self._provider, self._call, wire)
            return _invalid(self._provider, self._call, "the answer is not a stream of events", beginning)
        return e.APIConnectionError(
            message=f"{errors.vendor_name(self._provider)} - the stream ended before the answer was complete",
            llm_provider=self._provider.name,
            model=self._call.target.model,
        )


_BEGINNING: Final = 4096
_SSE_FIELDS: Final = (b":", b"data", b"event", b"id", b"retry")


def error_in_success(provider: Provider, call: Call, wire: Json, answer: HttpResponse | None = None) -> e.LiteLLMError:
    """An error under status 200: its status is the vendor's code where that is one, else 500."""
    code = errors.code_of(wire) or ""
    status = int(code) if len(code) == 3 and code.isdigit() and 400 <= int(code) < 600 else 500
    return errors.make(provider, call, status, wire, answer)


OPERATIONS: Final[dict[Op, Operation]] = {
    "chat": Operation(request, response, ChunkDecoder),
    "completion": Operation(request, response, ChunkDecoder),
    "embedding": Operation(request, response),
}
