"""Answers made on this machine: `mock_response` and the built-in `demo` model.

They take the form of an upstream's HTTP answer, so that everything after the transport is the same code.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import orjson

from litellm import exceptions as e
from litellm.formats.sse import encode_event
from litellm.transport.base import Transport
from litellm.transport.mock import MockTransport
from litellm.types.calls import Call, Json, as_list, as_object
from litellm.types.http import HttpResponse

DEMO: Final = "demo"

MAX_CHOICES: Final = 128

_USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
_JSON: Final = (b"content-type", b"application/json")
_SSE: Final = (b"content-type", b"text/event-stream")
_DONE: Final = encode_event(b"[DONE]")


def transport(call: Call) -> Transport:
    """A transport that answers this one call."""
    return MockTransport(lambda _: answer(call))


def answer(call: Call) -> HttpResponse:
    """Raises the exception that a `mock_response` is or names."""
    wire = _answers[call.op](call)
    if not call.stream:
        return HttpResponse(200, [_JSON], orjson.dumps(wire))
    return HttpResponse(200, [_SSE], b"".join(encode_event(orjson.dumps(c)) for c in _chunks(wire, call)) + _DONE)


def _chat(call: Call) -> Json:
    said = _mocked(call) if call.mock is not None else _demo_text(call.params)
    if isinstance(said, Mapping):
        return {**_frame(call, "chat.completion", "chatcmpl"), **_whole(said, "choices", call)}
    message: Json = {"role": "assistant", "content": said}
    if call.mock_tool_calls:
        message["tool_calls"] = call.mock_tool_calls
    reason = "tool_calls" if call.mock_tool_calls else "stop"
    choices = [{"index": i, "message": dict(message), "finish_reason": reason} for i in range(_count(call.params))]
    return {**_frame(call, "chat.completion", "chatcmpl"), "choices": choices, "usage": dict(_USAGE)}


def _completion(call: Call) -> Json:
    said = _mocked(call) if call.mock is not None else _demo_text(call.params)
    if isinstance(said, Mapping):
        return {**_frame(call, "text_completion", "cmpl"), **_whole(said, "choices", call)}
    choices = [{"index": 0, "text": said, "logprobs": None, "finish_reason": "stop"}]
    return {**_frame(call, "text_completion", "cmpl"), "choices": choices, "usage": dict(_USAGE)}


def _embedding(call: Call) -> Json:
    said = _mocked(call) if call.mock is not None else [0.0] * 8
    if isinstance(said, Mapping):
        return {"object": "list", "model": call.target.model, **_whole(said, "data", call)}
    inputs = as_list(call.params.get("input")) or [""]
    count = 1 if isinstance(inputs[0], int) else len(inputs)  # token ids are one text
    data = [{"object": "embedding", "index": i, "embedding": said} for i in range(count)]
    usage = {"prompt_tokens": 10, "total_tokens": 10}
    return {"object": "list", "model": call.target.model, "data": data, "usage": usage}


_answers: Final = {"chat": _chat, "completion": _completion, "embedding": _embedding}


def _count(params: Json) -> int:
    n: Any = params.get("n")
    return n if isinstance(n, int) and 1 <= n <= MAX_CHOICES else 1


def _frame(call: Call, kind: str, prefix: str) -> Json:
    name = f"{prefix}-{call.call_id or 'local'}"
    return {"id": name, "object": kind, "created": int(time.time()), "model": call.target.model}


def _mocked(call: Call) -> Any:
    """What a `mock_response` stands for. A string that names one of our exceptions raises it."""
    mock: Any = call.mock
    if isinstance(mock, Exception):
        raise _raised(mock, call)
    if isinstance(mock, str) and mock.startswith("litellm."):
        cls = getattr(e, mock.removeprefix("litellm."), None)
        if isinstance(cls, type) and issubclass(cls, e.LiteLLMError):
            raise cls.from_vendor(
                f"{cls.__name__}: this is a mock error",
                status_code=cls.status_code,
                llm_provider=call.target.provider,
                model=call.target.model,
                headers=[],
            )
    dump = getattr(mock, "model_dump", None)
    return mock if dump is None else dump()


def _whole(mock: Any, name: str, call: Call) -> Json:
    """A `mock_response` that is a whole answer. Raises BadRequestError if it is none."""
    items = as_list(mock.get(name))
    if items is None or any(as_object(item) is None for item in items):
        raise e.BadRequestError(f"mock_response has no list of `{name}`", call.target.model, call.target.provider)
    return dict(mock)


def _raised(mock: Exception, call: Call) -> Exception:
    """Ours and openai's as they are; any other as a MockException."""
    if isinstance(mock, e.LiteLLMError) or type(mock).__module__.partition(".")[0] == "openai":
        return mock
    status = getattr(mock, "status_code", 500)
    return e.MockException(status, str(mock), call.target.provider, call.target.model)


def _demo_text(params: Json) -> str:
    """The demo model says who it is and repeats the end of what it was told."""
    messages = as_list(params.get("messages"))
    heard: Any = (as_object(messages[-1]) or {}).get("content") if messages else params.get("prompt")
    parts = as_list(heard)
    if parts is not None:
        heard = " ".join(str((as_object(part) or {}).get("text", "")) for part in parts)
    return f"I am the demo model of this gateway: no provider was called. You said: {str(heard or 'nothing')[-200:]}"


def _chunks(wire: Json, call: Call) -> list[Json]:
    """A complete answer as the chunks of a stream: role, words, finish, and usage if it was asked for."""
    chat = call.op == "chat"
    frame = {k: v for k, v in wire.items() if k not in ("choices", "usage")}
    frame["object"] = "chat.completion.chunk" if chat else "text_completion"
    chunks: list[Json] = []
    for choice in as_list(wire.get("choices")) or ():
        chunks += _choice_chunks(frame, as_object(choice) or {}, chat)
    if (as_object(call.params.get("stream_options")) or {}).get("include_usage"):
        chunks.append({**frame, "choices": [], "usage": wire.get("usage")})
    return chunks


def _choice_chunks(frame: Json, choice: Json, chat: bool) -> list[Json]:
    index, reason = choice.get("index", 0), choice.get("finish_reason") or "stop"
    if not chat:
        parts = [{"index": index, "text": word, "finish_reason": None} for word in _words(choice.get("text"))]
        return [{**frame, "choices": [p]} for p in (*parts, {"index": index, "text": "", "finish_reason": reason})]
    message = as_object(choice.get("message")) or {}
    calls = [{"index": i, **(as_object(made) or {})} for i, made in enumerate(as_list(message.get("tool_calls")) or ())]
    others = {k: v for k, v in message.items() if k not in ("role", "content", "tool_calls") and v is not None}
    deltas: list[Json] = [{"role": "assistant", "content": "", **others}]
    deltas += [{"content": word} for word in _words(message.get("content"))]
    deltas += [{"tool_calls": [tool_call]} for tool_call in calls]
    chunks = [{**frame, "choices": [{"index": index, "delta": d, "finish_reason": None}]} for d in deltas]
    return [*chunks, {**frame, "choices": [{"index": index, "delta": {}, "finish_reason": reason}]}]


def _words(text: Any) -> list[str]:
    if not isinstance(text, str) or not text:
        return []
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]
