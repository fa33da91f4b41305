"""Streams pass through as they come: only the model's name is replaced, and usage and the end are looked for.

An event is parsed once and its form remembered: what stands before and after its text. The events that follow are
mostly of that same form, so a packet of them is cut into texts by one regular expression, proved by putting it
together again, and joined around the new name. That proves each of them to be well-formed JSON without parsing it.
Whatever has another form is parsed. (A packet of 100 events costs about a seventh of parsing each.)
"""

import re
from collections.abc import Callable
from typing import Final

import orjson

from litellm import exceptions as e
from litellm.formats.sse import MAX_EVENT_BYTES, parse_block
from litellm.types.calls import Json, as_list, as_object

DONE: Final = b"data: [DONE]\n\n"

# The fields of a delta (or a text choice) whose text grows from event to event.
_GROWING: Final = ("content", "reasoning_content", "reasoning", "text")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]+')
_JSON_TEXT: Final = rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
_ANCHOR: Final = 6  # bytes after the text that the expressions look for: its quote and what follows


class Form:
    """What events of one kind have in common: the bytes before and after their text, as received and as sent on."""

    __slots__ = ("_between", "_head", "_new_between", "_new_head", "_new_tail", "_run", "_tail", "_text")

    def __init__(self, head: bytes, tail: bytes, new_head: bytes, new_tail: bytes) -> None:
        # Only lengths and a few bytes go into the expressions, so that streams of one vendor share the compiled ones.
        event = rb"(?s:.{%d})%b%b(?s:.{%d})\n\n"
        parts = (re.escape(tail[:_ANCHOR]), len(tail) - len(tail[:_ANCHOR]) - 2)
        self._text = re.compile(event % (len(head), b"(%b)" % _JSON_TEXT, *parts))
        self._run = re.compile(b"(?:%b)++" % (event % (len(head), _JSON_TEXT, *parts)))
        self._head, self._tail, self._between = head, tail, tail + head
        self._new_head, self._new_tail, self._new_between = new_head, new_tail, new_tail + new_head

    def rewrite(self, data: bytes, start: int) -> tuple[bytes, int, int]:
        """All events of this form from `start` on, rewritten; how many they are; where the next one begins."""
        if not data.startswith(self._head, start):
            return b"", 0, start
        run = self._run.match(data, start)
        if run is None:
            return b"", 0, start
        end = run.end()
        texts: list[bytes] = self._text.findall(data, start, end)
        # The expression skips the heads unread; this proves that each of them is the one we know.
        if self._head + self._between.join(texts) + self._tail != data[start:end] or not _is_utf8(texts):
            return b"", 0, start
        return self._new_head + self._new_between.join(texts) + self._new_tail, len(texts), end


class Splicer:
    """Rewrites one stream. `decode` turns an event's data into a chunk, or raises what is wrong with it.

    After each `feed`: `usage` is the last one reported, `events` how many chunks have gone by, `ended_well` whether
    the answer was complete, `done` whether `[DONE]` has gone by, `error` what broke the stream (feed no more then).
    """

    __slots__ = (
        "_decode", "_form", "_model", "_rest", "_usage_wanted", "done", "ended_well", "error", "events", "usage",
    )  # fmt: skip

    def __init__(self, model: str, usage_wanted: bool, decode: Callable[[bytes], Json]) -> None:
        self._model = orjson.dumps(model)
        self._usage_wanted = usage_wanted
        self._decode = decode
        self._rest = b""
        self._form: Form | None = None
        self.usage: Json | None = None
        self.events = 0
        self.ended_well = False
        self.done = False
        self.error: e.LiteLLMError | None = None

    def feed(self, data: bytes) -> bytes:
        """What can go to the caller now: whole events only."""
        if self._rest:
            data = self._rest + data
        if b"\r" in data:
            data = _unify(data)
        out: list[bytes] = []
        at = 0
        try:
            while not self.done:
                at = self._known(data, at, out)
                end = data.find(b"\n\n", at)
                if end < 0:
                    break
                out.append(self._event(data[at:end]))
                at = end + 2
        except e.LiteLLMError as error:
            self.error = error
        self._rest = data[at:]
        if len(self._rest) > MAX_EVENT_BYTES:
            self.error = e.APIResponseValidationError(f"an event of more than {MAX_EVENT_BYTES} bytes in the stream")
        return out[0] if len(out) == 1 else b"".join(out)

    def flush(self) -> bytes:
        """The end of the stream: a last event may lack its blank line."""
        rest, self._rest = self._rest, b""
        return self.feed(rest.rstrip(b"\r\n") + b"\n\n") if rest.strip() and not self.done else b""

    def _known(self, data: bytes, at: int, out: list[bytes]) -> int:
        if self._form is None:
            return at
        sent, count, end = self._form.rewrite(data, at)
        if count:
            out.append(sent)
            self.events += count
        return end

    def _event(self, block: bytes) -> bytes:
        """One event that has to be looked at."""
        event = parse_block(block)
        if event is None:
            return block + b"\n\n" if block else b""  # a comment: servers send them to keep the line open
        if event.data == b"[DONE]":
            self.done = self.ended_well = True
            return DONE
        if not event.data:
            return b""
        chunk = self._decode(event.data)
        self.events += 1
        self._note(chunk)
        if not self._usage_wanted and chunk.get("usage") and not chunk.get("choices"):
            return b""
        return self._renamed(event.data, chunk)

    def _note(self, chunk: Json) -> None:
        usage = chunk.get("usage")
        if usage:
            self.usage = usage
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self.ended_well = True

    def _renamed(self, data: bytes, chunk: Json) -> bytes:
        """The event under the model name that the caller asked for, and its form remembered."""
        if "model" not in chunk:
            return b"data: %b\n\n" % data
        for colon in (b":", b": "):
            old = b'"model"' + colon + orjson.dumps(chunk["model"])
            at = data.find(old)
            if at >= 0 and data.count(b'"model"') == 1:  # a single such token is the one at depth 1
                new = b'"model"' + colon + self._model
                self._learn(data, chunk, at, old, new)
                return b"data: %b%b%b\n\n" % (data[:at], new, data[at + len(old) :])
        return b"data: %b\n\n" % orjson.dumps({**chunk, "model": orjson.loads(self._model)})

    def _learn(self, data: bytes, chunk: Json, model_at: int, old: bytes, new: bytes) -> None:
        found = _growing_text(data, chunk)
        if found is None:
            return
        start, end = found
        head, tail = b"data: " + data[:start], data[end:] + b"\n\n"
        if model_at < start:
            self._form = Form(head, tail, head.replace(old, new, 1), tail)
        else:
            self._form = Form(head, tail, head, tail.replace(old, new, 1))


def _growing_text(data: bytes, chunk: Json) -> tuple[int, int] | None:
    """Where the one growing text of a chunk stands in its bytes; None if there is not exactly one, or a finish."""
    choices = as_list(chunk.get("choices"))
    choice = as_object(choices[0]) if choices and len(choices) == 1 else None
    if choice is None or chunk.get("usage"):
        return None
    fields = as_object(choice.get("delta")) or choice
    if choice.get("finish_reason"):
        return None
    for name in _GROWING:
        text = fields.get(name)
        if not isinstance(text, str) or not _PLAIN.fullmatch(text):
            continue
        for colon in (b":", b": "):
            before = b'"%b"%b"' % (name.encode(), colon)
            whole = before + text.encode() + b'"'
            if data.count(whole) == 1:
                start = data.find(whole) + len(before)
                return start, start + len(whole) - len(before) - 1
    return None


def _is_utf8(texts: list[bytes]) -> bool:
    joined = b" ".join(texts)
    if joined.isascii():
        return True
    try:
        joined.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unify(data: bytes) -> bytes:
    """Line ends as LF, but for a CR at the very end, whose LF may be on the way."""
    held = b""
    if data.endswith(b"\r"):
        data, held = data[:-1], b"\r"
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
