"""Where a stream broke off and another goes on: what has gone out of the first, and the second made part of it.

Pure: parts of streams in, parts of streams out.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from litellm import exceptions as e
from litellm.catalog.prefixes import Prefix
from litellm.engine.tapped import chunks_of
from litellm.formats.sse import SSEDecoder
from litellm.proxy.splice import DONE
from litellm.types.calls import Json, as_list, as_object

_IDENTITY: Final = ("id", "created", "model")
_BOUNDS: Final = ("max_tokens", "max_completion_tokens")
_MORE: Final = ("tool_calls", "function_call", "audio")
"""Of a delta: an answer that is more than text."""
_COUNTS: Final = ("prompt_tokens", "completion_tokens")


class Beginning(NamedTuple):
    """What has gone out: its text, and the fields of its first chunk that all others share (empty: no chunk has)."""

    text: str
    identity: Json


def continuable(params: Json) -> bool:
    """May an answer to this be continued? Not one of several choices, nor one that must be JSON: a model that is given
    the beginning of an object may begin another."""
    form = as_object(params.get("response_format"))
    return params.get("n") in (None, 1) and (form is None or form.get("type") == "text")


def beginning(pieces: Sequence[bytes]) -> Beginning | None:
    """None for what cannot be continued: it is complete, more than text, or has several choices."""
    chunks = chunks_of(pieces).chunks
    text: list[str] = []
    for chunk in chunks:
        for choice in map(as_object, as_list(chunk.get("choices")) or ()):
            delta = as_object((choice or {}).get("delta")) or {}
            if choice is None or choice.get("index") or choice.get("finish_reason"):
                return None
            if any(map(delta.get, _MORE)):
                return None
            if isinstance(content := delta.get("content"), str):
                text.append(content)
    identity = {name: chunks[0][name] for name in _IDENTITY if name in chunks[0]} if chunks else {}
    return Beginning("".join(text), identity)


def marked(params: Json, way: Prefix) -> tuple[Json, str]:
    """What `prefixed` made, as a provider wants it; and the text that its answer may say again (empty: none)."""
    messages = as_list(params.get("messages")) or []
    last = as_object(messages[-1]) if messages else None
    if last is None or last.get("role") != "assistant":
        return params, ""
    if way.message:
        params = {**params, "messages": [*messages[:-1], {**last, **way.message}]}
    return {**params, **way.request}, str(last.get("content") or "") if way.echoed else ""


def prefixed(params: Json, text: str, tokens: int) -> Json | None:
    """A request's parameters with `text` as the beginning of its answer, which has had `tokens`.

    Without the space at its end: Anthropic refuses that in a last assistant message ("Prefill Claude's response").
    None if the messages end with an assistant's that is no text.
    """
    messages = as_list(params.get("messages")) or []
    last = as_object(messages[-1]) if messages else None
    text = text.rstrip()
    params = {**params, **{name: max(1, most - tokens) for name in _BOUNDS if type(most := params.get(name)) is int}}
    if not text:
        return params
    if last is None or last.get("role") != "assistant":
        return {**params, "messages": [*messages, {"role": "assistant", "content": text}]}
    if not isinstance(last.get("content"), str) or last.get("tool_calls"):
        return None
    return {**params, "messages": [*messages[:-1], {**last, "content": last["content"] + text}]}


class Seam:
    """Makes the second stream's events those of the answer that has begun. `spent`: the usage of the first, which that
    of the second is told with. `echo`: what the second may begin by saying again."""

    __slots__ = ("_begun", "_decoder", "_echo", "_heard", "_spent", "_trims")

    def __init__(self, begun: Beginning, spent: Json, echo: str = "") -> None:
        self._echo = echo
        self._heard = ""  # of the echo
        self._begun = begun
        self._spent = spent
        self._trims = begun.text != begun.text.rstrip()  # that space has gone out: it must not come again
        self._decoder = SSEDecoder()

    def sewn(self, events: bytes) -> bytes:
        """Whole events, as they are to go out. Raises APIResponseValidationError."""
        out: list[bytes] = []
        for event in self._decoder.feed(events):
            if event.data == b"[DONE]":
                out.append(DONE)
            elif event.data and (chunk := self._chunk(orjson.loads(event.data))) is not None:
                try:
                    out.append(b"data: %b\n\n" % orjson.dumps(chunk))
                except TypeError as error:  # it reads 1,024 levels, and writes 254
                    raise e.APIResponseValidationError(f"an event cannot be passed on: {error}") from None
        return b"".join(out)

    def _chunk(self, chunk: Json) -> Json | None:
        chunk.update(self._begun.identity)
        usage = as_object(chunk.get("usage"))
        if usage:
            chunk["usage"] = added(self._spent, usage)
        choices = as_list(chunk.get("choices"))
        choice = as_object(choices[0]) if choices else None
        delta = as_object(choice.get("delta")) if choice is not None else None
        if choice is None or delta is None:
            return chunk
        text: Any = delta.get("content")
        if self._echo and isinstance(text, str):
            delta["content"] = text = self._without_echo(text)
        if self._trims and isinstance(text, str):
            delta["content"] = text = text.lstrip()
            self._trims = not text
        said_role = bool(self._begun.identity) and delta.pop("role", None) is not None
        idle = said_role and not any(delta.values()) and not choice.get("finish_reason") and not usage
        return None if idle else chunk

    def _without_echo(self, text: str) -> str:
        """What stays of the next text. It is held back while it may be the echo, and was none if it differs."""
        text, echo = self._heard + text, self._echo
        if len(text) < len(echo) and echo.startswith(text):
            self._heard = text
            return ""
        self._echo = self._heard = ""
        return text.removeprefix(echo)


def added(first: Json, second: Json) -> Json:
    """The usage of both; details are the second's."""
    sums = {name: _count(first, name) + _count(second, name) for name in _COUNTS}
    return {**second, **sums, "total_tokens": sum(sums.values())}


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int else 0
