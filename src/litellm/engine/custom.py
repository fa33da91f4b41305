"""Custom providers: a handler of the user's answers in an endpoint's place (`sdk/custom_llm.py` has its base class).

As with `local.py`, what it says takes the form of an upstream's HTTP answer in OpenAI's dialect, so that retries,
streams, errors and callbacks are the same code, and no provider knows of it (docs/decisions/0005).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, cast

import orjson

from litellm import exceptions as e
from litellm.engine.resolve import Wish
from litellm.formats.sse import encode_event
from litellm.providers import errors, openai, params
from litellm.providers.base import Operation, Provider
from litellm.transport.base import TimedOut, Transport
from litellm.transport.mock import MockAnswer, MockTransport
from litellm.transport.threads import in_thread, iterate_in_thread
from litellm.types.calls import Call, Json, Op, Target, as_list
from litellm.types.http import DEFAULT_TIMEOUTS, Headers, HttpRequest, HttpResponse, Url

_ADDRESS: Final = Url("http://custom.invalid/")
_JSON: Final = (b"content-type", b"application/json")
_SSE: Final = (b"content-type", b"text/event-stream")

_CONTENT: Final[dict[Op, str]] = {"chat": "messages", "embedding": "input"}
# (op, stream) -> the handler's asynchronous and synchronous methods.
_METHODS: Final[dict[tuple[Op, bool], tuple[str, str]]] = {
    ("chat", False): ("acompletion", "completion"),
    ("chat", True): ("astreaming", "streaming"),
    ("embedding", False): ("aembedding", "embedding"),
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A handler as one kind of caller uses it. `results` makes the empty object that each method is given to fill."""

    handler: Any
    asynchronous: bool
    results: Callable[[Op], Any]


def find(rows: Sequence[Mapping[str, Any]], model: str, custom_llm_provider: str | None) -> tuple[str, str, Any] | None:
    """(provider, model, handler) if one of the rows `{"provider", "custom_handler"}` is meant."""
    prefix, _, rest = model.partition("/")
    name = custom_llm_provider or prefix
    for row in rows:
        if row.get("provider") == name and (rest or custom_llm_provider):
            return name, rest if prefix == name and rest else model, row.get("custom_handler")
    return None


def target(wish: Wish, found: tuple[str, str, Any], bound: Bound) -> Target:
    """Unlike `resolve`, which it stands in for, without keys and addresses but those given: they are the handler's."""
    return Target(
        provider=found[0],
        model=found[1],
        base_url=wish.api_base or "",
        api_key=wish.api_key,
        headers=wish.headers,
        timeouts=wish.timeouts or DEFAULT_TIMEOUTS,
        additional_drop_params=wish.additional_drop_params,
        handler=bound,
    )


@cache
def provider(name: str) -> Provider:
    return Provider(name=name, base_url=None, key_env=(), operations=_OPERATIONS)


def _request(_provider: Provider, _call: Call) -> HttpRequest:
    return HttpRequest("POST", _ADDRESS, Headers())


_OPERATIONS: Final[dict[Op, Operation]] = {
    "chat": Operation(_request, openai.response, openai.ChunkDecoder),
    "embedding": Operation(_request, openai.response),
}


def transport(call: Call) -> Transport:
    """A transport that has the handler answer this one call."""
    return MockTransport(lambda _: _answer(call))


async def _answer(call: Call) -> MockAnswer:
    bound = cast(Bound, call.target.handler)
    name, is_async = _method(bound, call)
    make = partial(getattr(bound.handler, name), **_arguments(bound, call))
    if call.stream:
        items: AsyncIterator[Any] = make() if is_async else iterate_in_thread(make)
        if asyncio.iscoroutine(items):  # `async def astreaming` that returns an iterator
            items = await _bounded(items, call)
        return 200, [_SSE], _events(items, call)
    try:
        said = _plain(await _bounded(make() if is_async else in_thread(make), call))
    except Exception as error:  # a user's handler may raise anything: the caller gets one of our errors
        raise _error(error, call) from error
    wire = {"model": call.target.model, **said}
    return HttpResponse(200, [_JSON], orjson.dumps(wire, default=openai.plain))


def _method(bound: Bound, call: Call) -> tuple[str, bool]:
    """The method that fits the caller, else its other form, which works as well. Raises BadRequestError for neither."""
    names = _METHODS[call.op, call.stream]
    for name, is_async in ((names[0], True), (names[1], False)) if bound.asynchronous else (
        (names[1], False), (names[0], True)
    ):  # fmt: skip
        if _implements(bound.handler, name):
            return name, is_async
    raise e.BadRequestError(
        message=f"{type(bound.handler).__name__} has neither {names[0]} nor {names[1]}",
        llm_provider=call.target.provider,
        model=call.target.model,
    )


def _implements(handler: Any, name: str) -> bool:
    """Whether it is there and no placeholder of the base class (marked by it)."""
    method = getattr(handler, name, None)
    return callable(method) and not getattr(method, "not_implemented", False)


def _arguments(bound: Bound, call: Call) -> Json:
    """All by keyword, under LiteLLM's names."""
    target = call.target
    content = _CONTENT[call.op]
    given = params.apply(provider(target.provider), call)
    seconds = target.timeouts.total or target.timeouts.first_byte
    value = given.get(content)
    arguments: Json = {
        "model": target.model,
        content: [value] if content == "input" and as_list(value) is None else value,
        "api_base": target.base_url or None,
        "api_key": target.api_key,
        "model_response": bound.results(call.op),
        "optional_params": {name: item for name, item in given.items() if name != content},
        "litellm_params": {
            "api_base": target.base_url or None,
            "custom_llm_provider": target.provider,
            "litellm_call_id": call.call_id,
            "metadata": call.metadata or {},
        },
        "headers": dict(target.headers),
        "timeout": seconds,
        "print_verbose": _ignore,
        "logging_obj": None,
    }
    if call.op == "chat":
        more = ("custom_prompt_dict", "encoding", "acompletion", "logger_fn", "client")
        arguments |= {**dict.fromkeys(more), "custom_prompt_dict": {}, "acompletion": bound.asynchronous}
    return arguments


def _ignore(*_: Any) -> None:
    """`print_verbose`: there is nobody to print to."""


async def _bounded(waited: Any, call: Call) -> Any:
    """The call's timeout holds here too. A thread that blocks is left behind."""
    seconds = call.target.timeouts.total or call.target.timeouts.first_byte
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            return await waited
    except TimeoutError:
        if not scope.expired():
            raise
        raise TimedOut(f"the handler took longer than {seconds} s", "total") from None


async def _events(items: AsyncIterator[Any], call: Call) -> AsyncIterator[bytes]:
    """What a handler streams, as OpenAI's events; the last words are said for one that does not say them."""
    frame: Json = {"id": f"chatcmpl-{call.call_id}", "object": "chat.completion.chunk", "created": int(time.time())}
    frame["model"] = call.target.model
    finished = False
    try:
        async for item in items:
            for chunk in _chunks(item, frame):
                finished = finished or any(choice.get("finish_reason") for choice in chunk["choices"])
                yield encode_event(orjson.dumps(chunk, default=openai.plain))
        if not finished:
            yield encode_event(orjson.dumps({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        yield encode_event(b"[DONE]")
    except Exception as raised:  # as above; within a stream an error is an event
        yield encode_event(orjson.dumps(_error_event(_error(raised, call))))
    finally:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()


def _chunks(item: Any, frame: Json) -> list[Json]:
    """A GenericStreamingChunk, or a chunk in OpenAI's form, as the chunks that it stands for."""
    said = _plain(item)
    if "choices" in said:
        return [{**frame, **{name: value for name, value in said.items() if value is not None}}]
    delta: Json = {"role": "assistant", "content": said.get("text") or ""}
    tool = said.get("tool_use")
    if tool:
        plain_tool = _plain(tool)
        delta["tool_calls"] = [{"index": 0, **plain_tool}]
    if said.get("provider_specific_fields"):
        delta["provider_specific_fields"] = said["provider_specific_fields"]
    reason = (said.get("finish_reason") or "stop") if said.get("is_finished") else None
    chunks = [{**frame, "choices": [{"index": said.get("index") or 0, "delta": delta, "finish_reason": reason}]}]
    if said.get("usage"):
        chunks.append({**frame, "choices": [], "usage": _plain(said["usage"])})
    return chunks


def _plain(value: Any) -> Json:
    """Raises TypeError for what is neither a dict nor a result object."""
    dump = getattr(value, "model_dump", None)
    plain = dump(exclude_none=True) if dump is not None else value
    if not isinstance(plain, Mapping):
        raise TypeError(f"a custom handler returned {type(value).__name__}, which is no response")
    return dict(cast(Mapping[str, Any], plain))


def _error(raised: Exception, call: Call) -> Exception:
    """A handler's exception as one of ours: by its `status_code` if it has one. A defect is not tried again."""
    if isinstance(raised, e.LiteLLMError | TimedOut):
        return raised
    status = getattr(raised, "status_code", None)
    if isinstance(status, int) and 400 <= status < 600:
        body = orjson.dumps({"error": {"message": str(raised)}})
        return errors.error_of(provider(call.target.provider), call, HttpResponse(status, [], body))
    error = e.APIConnectionError(
        message=f"{type(raised).__name__}: {raised}", llm_provider=call.target.provider, model=call.target.model
    )
    error.retryable = False
    return error


def _error_event(error: Exception) -> Json:
    code = str(getattr(error, "status_code", 408))
    message = getattr(error, "raw_message", None) or str(error)
    return {"error": {"message": message, "type": getattr(error, "type", "timeout_error"), "code": code}}
