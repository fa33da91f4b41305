"""`stream_chunk_builder`: the chunks of a stream as the answer they add up to."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from pydantic import BaseModel

from litellm.catalog.tokens import estimate_messages, estimate_tokens
from litellm.types.base import Json, one
from litellm.types.utils import (
    Delta,
    ModelResponse,
    ModelResponseStream,
    StreamingChoices,
    TextCompletionResponse,
    Usage,
    model_response,
    text_completion_response,
)

Chunk = ModelResponseStream | TextCompletionResponse


def stream_chunk_builder(
    chunks: Sequence[Any],
    messages: Sequence[Any] | None = None,
    start_time: Any = None,
    end_time: Any = None,
    logging_obj: Any = None,
) -> ModelResponse | TextCompletionResponse | None:
    """One answer out of all chunks of a stream; None if there are none.

    Chunks may be objects or dicts, of chat or text completions. Usage is the last that was reported. Without any it is
    None, unless `messages` are given: then it is estimated (`catalog/tokens.py`). The times, datetimes or seconds,
    become `_response_ms`. `logging_obj` is accepted for LiteLLM's sake.
    """
    read = [_chunk(chunk) for chunk in chunks if isinstance(chunk, dict | BaseModel)]
    if not read:
        return None
    made = _text(read) if isinstance(read[0], TextCompletionResponse) else _chat(read)
    if made.usage is None and messages is not None:
        made.usage = _estimated(made, messages)
    made._hidden_params = dict(getattr(chunks[0], "_hidden_params", None) or {})  # pyright: ignore[reportPrivateUsage]
    made._response_ms = _milliseconds(start_time, end_time)  # pyright: ignore[reportPrivateUsage]
    return made


def _chunk(value: Any) -> Chunk:
    if isinstance(value, Chunk):
        return value
    kind = cast(Json, value).get("object") if isinstance(value, dict) else getattr(value, "object", None)
    return one(TextCompletionResponse if kind == "text_completion" else ModelResponseStream, value)


def _frame(chunks: Sequence[Chunk], object_name: str) -> Json:
    """What surrounds the choices: of each field the first value that is not null, but of usage the last."""
    frame: Json = {}
    for chunk in chunks:
        for name, value in chunk.items():
            if value is not None and (name == "usage" or name not in frame):
                frame[name] = value
    frame["object"] = object_name
    return frame


def _chat(chunks: Sequence[Chunk]) -> ModelResponse:
    parts: dict[int, _Parts] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            if isinstance(choice, StreamingChoices):
                parts.setdefault(_index(choice), _Parts()).add(choice)
    frame = _frame(chunks, "chat.completion")
    frame["choices"] = [parts[index].choice(index) for index in sorted(parts)]
    return model_response(frame)


def _text(chunks: Sequence[Chunk]) -> TextCompletionResponse:
    parts: dict[int, Json] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            whole = parts.setdefault(_index(choice), {"index": _index(choice), "text": ""})
            text = choice.get("text")
            whole["text"] += text if isinstance(text, str) else ""
            if choice.finish_reason is not None:
                whole["finish_reason"] = choice.finish_reason
            if choice.logprobs is not None:
                _extend(whole.setdefault("logprobs", {}), choice.logprobs.model_dump())
    frame = _frame(chunks, "text_completion")
    frame["choices"] = [parts[index] for index in sorted(parts)]
    return text_completion_response(frame)


def _index(value: Any) -> int:
    """Some hosts leave out an index where there is only one thing to count."""
    return value.index if isinstance(value.index, int) else 0


# Fields of a delta that are put together otherwise than by "the last one counts".
_JOINED: Final = ("content", "reasoning_content")
_LISTS: Final = ("annotations", "images", "reasoning_items")
_OWN_WAY: Final = frozenset(
    (*_JOINED, *_LISTS, "role", "tool_calls", "function_call", "audio", "thinking_blocks", "provider_specific_fields")
)


@dataclass(slots=True)
class _Parts:
    """One choice while it grows."""

    message: Json = field(default_factory=Json)
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    calls: list[Json] = field(default_factory=list[Json])
    call_at: dict[int, Json] = field(default_factory=dict[int, Json])  # the call that a delta's index continues
    audio: Json = field(default_factory=Json)
    logprobs: Json = field(default_factory=Json)
    rest: Json = field(default_factory=Json)
    finish_reason: str | None = None

    def add(self, choice: StreamingChoices) -> None:
        if choice.finish_reason is not None:
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None:
            _extend(self.logprobs, choice.logprobs.model_dump())
        if isinstance(own := choice.provider_specific_fields, dict):
            self.rest.setdefault("provider_specific_fields", {}).update(own)
        self._add_delta(choice.delta)

    def _add_delta(self, delta: Delta) -> None:
        message = self.message
        if delta.role and "role" not in message:
            message["role"] = delta.role
        for name in _JOINED:
            if isinstance(text := delta.get(name), str):
                self.texts.setdefault(name, []).append(text)
        for name in _LISTS:
            if items := _list(delta.get(name)):
                message.setdefault(name, []).extend(items)
        for block in _list(delta.get("thinking_blocks")):
            if isinstance(block, dict):
                _add_thinking(message.setdefault("thinking_blocks", []), cast(Json, block))
        for call in delta.tool_calls or ():
            called = call.function
            self._add_call(_index(call), call.model_dump(exclude={"function"}), called.name, called.arguments)
        if delta.function_call is not None:
            whole = message.setdefault("function_call", {"name": None, "arguments": ""})
            whole["name"] = whole["name"] or delta.function_call.name
            whole["arguments"] += delta.function_call.arguments
        if delta.audio is not None:
            self._add_audio(delta.audio.model_dump(exclude_none=True))
        if isinstance(own := delta.get("provider_specific_fields"), dict):
            self._add_own(cast(Json, own))
        message.update({name: value for name, value in (delta.model_extra or {}).items() if name not in _OWN_WAY})

    def _add_call(self, index: int, fields: Json, name: str | None, arguments: str) -> None:
        """Calls go by index; but another id under the same index is another call (some hosts count none of them)."""
        call = self.call_at.get(index)
        if call is None or (fields["id"] and call["id"] and fields["id"] != call["id"]):
            call = self.call_at[index] = {"id": None, "type": None, "function": {"name": None, "arguments": ""}}
            self.calls.append(call)
        for key, value in fields.items():
            if key != "index" and value is not None:
                call[key] = call.get(key) or value
        call["function"]["name"] = call["function"]["name"] or name
        call["function"]["arguments"] += arguments

    def _add_audio(self, fields: Json) -> None:
        for name, value in fields.items():
            if name in ("data", "transcript"):
                self.audio.setdefault(name, []).append(value)
            else:
                self.audio[name] = value

    def _add_own(self, fields: Json) -> None:
        own = self.message.setdefault("provider_specific_fields", {})
        for name, value in fields.items():
            grows = name == "refusal" and isinstance(own.get(name), str) and isinstance(value, str)
            own[name] = own[name] + value if grows else value

    def choice(self, index: int) -> Json:
        message: Json = {**self.message, **{name: "".join(texts) for name, texts in self.texts.items()}}
        if self.calls:
            message["tool_calls"] = self.calls
        if self.audio:
            message["audio"] = _audio(self.audio)
        whole: Json = {"index": index, "message": message, "finish_reason": self.finish_reason, **self.rest}
        if self.logprobs:
            whole["logprobs"] = self.logprobs
        return whole


def _list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def _extend(whole: Json, part: Json) -> None:
    """Logprobs: lists grow, anything else is replaced."""
    for name, value in part.items():
        if isinstance(value, list) and isinstance(whole.get(name), list):
            whole[name].extend(value)
        elif value is not None or name not in whole:
            whole[name] = value


def _add_thinking(blocks: list[Json], part: Json) -> None:
    """Thinking comes in pieces, and a signature ends a block (Anthropic, "Extended thinking": streaming)."""
    last = blocks[-1] if blocks else None
    if part.get("type") != "thinking" or last is None or last.get("type") != "thinking" or last.get("signature"):
        blocks.append(dict(part))
        return
    last["thinking"] = (last.get("thinking") or "") + (part.get("thinking") or "")
    if part.get("signature"):
        last["signature"] = part["signature"]


def _audio(parts: Json) -> Json:
    whole = dict(parts)
    if "data" in whole:
        whole["data"] = _join_base64(whole["data"])
    if "transcript" in whole:
        whole["transcript"] = "".join(whole["transcript"])
    return whole


def _join_base64(pieces: Iterable[str]) -> str:
    """Each piece is encoded, and padded, by itself."""
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def _estimated(made: ModelResponse | TextCompletionResponse, messages: Sequence[Any]) -> Usage:
    prompt = estimate_messages(messages)
    if isinstance(made, TextCompletionResponse):
        completion = sum(estimate_tokens(choice.text) for choice in made.choices)
    else:
        completion = sum(_spoken(choice.message) for choice in made.choices)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _spoken(message: Any) -> int:
    texts = [message.content, message.get("reasoning_content")]
    functions = [call.function for call in message.tool_calls or () if call.function is not None]
    if message.function_call is not None:
        functions.append(message.function_call)
    texts += [text for function in functions for text in (function.name, function.arguments)]
    return sum(estimate_tokens(text) for text in texts if isinstance(text, str))


def _milliseconds(start: Any, end: Any) -> float | None:
    if start is None or end is None:
        return None
    passed = end - start
    return (passed.total_seconds() if isinstance(passed, timedelta) else float(passed)) * 1000
