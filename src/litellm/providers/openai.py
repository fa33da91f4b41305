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
from litellm.types.calls import Call, Json, Op, Target, as_object
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
    """What callers put into messages beside JSON: pydantic objects, sets, tuples of their own making."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, set | frozenset):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def _endpoint(provider: Provider, target: Target, op: Op) -> tuple[Url, Headers]:
    """The address and headers of one path of a deployment, made once: nothing but the path is added to the base."""
    own = {"content-type": "application/json", "accept": "application/json", "user-agent": "litellm"}
    if target.api_key:
        own["authorization"] = f"Bearer {target.api_key}"
    if target.organization:
        own["openai-organization"] = target.organization
    for name, value in (*provider.headers.items(), *target.headers):
        own[name.lower()] = value.replace("{api_key}", target.api_key or "")
    base, _, query = target.base_url.partition("?")
    url = base.rstrip("/") + PATHS[op] + (f"?{query}" if query else "")
    made = (Url(url), Headers(tuple(own.items())))
    target.endpoints[op] = made
    return made


def response(provider: Provider, call: Call, answer: HttpResponse) -> Json:
    if not 200 <= answer.status < 300:
        raise errors.error_of(provider, call, answer)
    try:
        wire: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise _invalid(provider, call, f"the answer is not JSON ({error})", answer.body) from None
    fields = as_object(wire)
    if fields is not None:
        if _EXPECTED[call.op] in fields:
            return fields
        if fields.get("error"):
            raise errors.make(provider, call, 500, wire, answer)
    raise _invalid(provider, call, f"the answer has no `{_EXPECTED[call.op]}`", answer.body)


def _invalid(provider: Provider, call: Call, what: str, body: bytes) -> e.APIResponseValidationError:
    return e.APIResponseValidationError(
        message=f"{errors.vendor_name(provider)} - {what}: {errors.quoted(body)}",
        llm_provider=provider.name,
        model=call.target.model,
    )


class ChunkDecoder:
    """A stream's bytes as OpenAI chunks. The end is well only after a `finish_reason` or `[DONE]`."""

    __slots__ = ("_call", "_ended_well", "_provider", "_sse")

    def __init__(self, provider: Provider, call: Call) -> None:
        self._provider = provider
        self._call = call
        self._sse = SSEDecoder()
        self._ended_well = False

    def feed(self, data: bytes) -> list[Json]:
        try:
            events = self._sse.feed(data)
        except EventTooLarge as error:
            raise _invalid(self._provider, self._call, str(error), b"") from None
        return self._chunks(events)

    def end(self) -> list[Json]:
        chunks = self._chunks(self._sse.end())
        if not self._ended_well:
            raise e.APIConnectionError(
                message=f"{errors.vendor_name(self._provider)} - the stream ended before the answer was complete",
                llm_provider=self._provider.name,
                model=self._call.target.model,
            )
        return chunks

    def _chunks(self, events: list[Event]) -> list[Json]:
        chunks: list[Json] = []
        for event in events:
            if event.data == b"[DONE]":
                self._ended_well = True
            elif event.data:
                chunks.append(self.chunk(event.data))
        return chunks

    def chunk(self, data: bytes) -> Json:
        """One event's data. Raises the vendor's error, or APIResponseValidationError if it is no JSON object."""
        try:
            wire: Any = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise _invalid(self._provider, self._call, f"malformed event in the stream ({error})", data) from None
        chunk = as_object(wire)
        if chunk is None:
            raise _invalid(self._provider, self._call, "malformed event in the stream", data)
        if chunk.get("error"):
            raise stream_error(self._provider, self._call, chunk)
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self._ended_well = True
        return chunk


def stream_error(provider: Provider, call: Call, chunk: Json) -> e.LiteLLMError:
    """An error event: its status is the vendor's code where that is one, else 500."""
    code = errors.code_of(chunk) or ""
    status = int(code) if code.isdigit() and 400 <= int(code) < 600 else 500
    return errors.make(provider, call, status, chunk)


OPERATIONS: Final[dict[Op, Operation]] = {
    "chat": Operation(request, response, ChunkDecoder),
    "completion": Operation(request, response, ChunkDecoder),
    "embedding": Operation(request, response),
}
