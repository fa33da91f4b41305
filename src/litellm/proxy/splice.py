"""Streams pass through as they come: only the model's name is replaced, and usage and the end are looked for.

An event is parsed once and its form remembered: what stands before and after its text. The events that follow are
mostly of that same form, so a packet of them is cut into texts by one regular expression, proved by putting it
together again, and joined around the new name. That proves each of them to be well-formed JSON without parsing it.
Whatever has another form is parsed. (A packet of 100 events costs about a ninth of parsing and writing each.)
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from litellm import exceptions as e
from litellm.formats.sse import MAX_EVENT_BYTES, parse_block
from litellm.types.calls import Json, as_list, as_object

DONE: Final = b"data: [DONE]\n\n"

# The fields of a delta (or a text choice) whose text grows from event to event.
_GROWING: Final = ("content", "reasoning_content", "reasoning", "text")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]+')
# A JSON string's inside: runs of plain characters with escapes between them; and the usual one, a run of plain ASCII.
_JSON_TEXT: Final = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+')
_ASCII_TEXT: Final = re.compile(rb"[ !#-\[\]-~]*")
_PIECE: Final = 1024  # smaller pieces of an event are joined at once: many tiny ones would take many times their bytes
_PACKET: Final = 1 << 18  # bytes that one read brings at most; to search for escapes takes many times their memory
_FUTILE: Final = 16  # forms learnt in vain before a stream is taken for one whose events have none in common


class Form:
    """What events of one kind have in common: the bytes before and after their text, as received and as sent on."""

    __slots__ = ("_begin", "_between", "_end", "_frame", "_head", "_new_between", "_new_head", "_new_tail", "_tail")

    def __init__(self, head: bytes, tail: bytes, new_head: bytes, new_tail: bytes) -> None:
        self._head, self._tail, self._between = head, tail, tail + head
        self._begin, self._end = len(head), -len(tail)  # of an event's text
        self._frame = len(head) + len(tail)
        self._new_head, self._new_tail, self._new_between = new_head, new_tail, new_tail + new_head

    def rewritten(self, event: bytes) -> bytes:
        """A packet that is one event of this form, rewritten; nothing if it is something else."""
        if not (event.startswith(self._head) and event.endswith(self._tail) and len(event) >= self._frame):
            return b""
        text = event[self._begin : self._end]
        if _ASCII_TEXT.fullmatch(text) is None and not _is_text(text):
            return b""
        return self._new_head + text + self._new_tail

    def rewrite(self, data: bytes, start: int) -> tuple[bytes, int, int]:
        """All events of this form from `start` on, rewritten; how many they are; where the next one begins."""
        if not data.startswith(self._head, start):
            return b"", 0, start
        begin = start + len(self._head)
        end = data.rfind(self._tail, begin)  # of the last text
        if end < 0:
            return b"", 0, start
        for cutter in _cutters(self._frame)[: 2 if end - begin <= _PACKET else 1]:
            texts: list[bytes] = cutter.findall(data, begin, end)
            texts.append(data[begin + len(texts) * self._frame + len(b"".join(texts)) : end])
            # The expression skips what stands between two texts unread; this proves it to be what we know.
            if data.startswith(self._between.join(texts), begin) and _is_text(b" ".join(texts)):
                break
        else:
            return b"", 0, start
        # What stands at the ends is joined along: a packet may be large, and each further `+` would copy all of it.
        texts[0] = self._new_head + texts[0]
        texts[-1] += self._new_tail
        return self._new_between.join(texts), len(texts), end + len(self._tail)


class Splicer:
    """Rewrites one stream. `decode` turns an event's data into a chunk, or raises what is wrong with it.

    After each `feed`: `usage` is the last one reported, `events` how many chunks have gone by, `ended_well` whether
    the answer was complete (every choice finished, or `[DONE]`), `done` whether `[DONE]` has gone by, `error` what
    broke the stream. Feed no more after the last two.
    """

    __slots__ = (
        "_beginning", "_decode", "_finished", "_form", "_held", "_model", "_seen", "_size", "_skip_lf",
        "_tries", "_usage_wanted", "done", "error", "events", "usage",
    )  # fmt: skip

    def __init__(self, model: str, usage_wanted: bool, decode: Callable[[bytes], Json]) -> None:
        self._model = b"%b" % orjson.dumps(model)  # a copy: the original holds on to a buffer of 4 KiB
        self._usage_wanted = usage_wanted
        self._decode = decode
        self._held: list[bytes] = []  # the beginning of an event whose blank line has not come, and its size
        self._size = 0
        self._skip_lf = False  # the last byte was a CR: a LF that follows belongs to it
        self._form: Form | None = None
        # What events begin with, up to the model's name and with it: as received, as sent on; and that name.
        self._beginning: tuple[bytes, bytes, str] | None = None
        self._tries = 0  # forms learnt
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self.usage: Json | None = None
        self.events = 0
        self.done = False
        self.error: e.LiteLLMError | None = None

    @property
    def ended_well(self) -> bool:
        return self.done or (bool(self._finished) and self._finished >= self._seen)

    def feed(self, data: bytes) -> bytes:
        """What can go to the caller now: whole events only."""
        form = self._form
        if form is not None and not self._held and not self._skip_lf:
            sent = form.rewritten(data)
            if sent:  # the usual packet while a model is writing
                self.events += 1
                return sent
        if self._skip_lf or b"\r" in data:
            data = self._unify(data)
        if self._held:
            if b"\n\n" not in self._held[-1][-1:] + data:
                self._hold(data)
                return b""
            data = b"".join((*self._held, data))
            self._held.clear()
            self._size = 0
        out: list[bytes] = []
        at = 0
        try:
            while not self.done:
                if self._form is not None:
                    at = self._known(self._form, data, at, out)
                end = data.find(b"\n\n", at)
                if end < 0:
                    self._hold(data[at:])
                    break
                out.append(self._event(data[at:end]))
                at = end + 2
        except e.LiteLLMError as error:
            self.error = error
        return out[0] if len(out) == 1 else b"".join(out)

    def flush(self) -> bytes:
        """The end of the stream: a last event may lack its blank line. One that was cut off is no malformed one."""
        rest = b"".join(self._held).strip(b"\n")
        self._held.clear()
        if not rest or self.done:
            return b""
        out = self.feed(rest + b"\n\n")
        if isinstance(self.error, e.APIResponseValidationError):
            self.error = None
        return out

    def _hold(self, rest: bytes) -> None:
        """Pieces are joined only once their event is whole: a large one in small packets is not copied for each."""
        if not rest:
            return
        self._size += len(rest)
        if self._size > MAX_EVENT_BYTES:
            self.error = e.APIResponseValidationError(f"an event of more than {MAX_EVENT_BYTES} bytes in the stream")
        elif self._held and len(self._held[-1]) < _PIECE:
            self._held[-1] += rest
        else:
            self._held.append(rest)

    def _unify(self, data: bytes) -> bytes:
        """Every line end as LF."""
        if self._skip_lf:
            data = data.removeprefix(b"\n")
        self._skip_lf = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _known(self, form: Form, data: bytes, at: int, out: list[bytes]) -> int:
        sent, count, end = form.rewrite(data, at)
        if count:
            out.append(sent)
            self.events += count
        return end

    def _event(self, block: bytes) -> bytes:
        """One event that has to be looked at."""
        if block.startswith(b"data: ") and b"\n" not in block:  # nearly all there are
            data = block[6:]
        else:
            event = parse_block(block)
            if event is None:
                return block + b"\n\n" if block else b""  # a comment: servers send them to keep the line open
            data = event.data
        if data == b"[DONE]":
            self.done = True
            return DONE
        if not data:
            return b""
        chunk = self._decode(data)
        self.events += 1
        self._note(chunk)
        if not self._usage_wanted and chunk.get("usage") and not chunk.get("choices"):
            return b""
        if b"\n" in data:  # several `data:` lines: one of the same meaning
            return b"data: %b\n\n" % self._rewritten(chunk)
        return self._renamed(data, chunk)

    def _note(self, chunk: Json) -> None:
        usage = as_object(chunk.get("usage"))
        if usage:
            self.usage = usage
        for choice in as_list(chunk.get("choices")) or ():
            fields = as_object(choice) or {}
            index: Any = fields.get("index")
            index = index if isinstance(index, int) else 0
            self._seen.add(index)
            if fields.get("finish_reason"):
                self._finished.add(index)

    def _renamed(self, data: bytes, chunk: Json) -> bytes:
        """The event under the model name that the caller asked for, and its form remembered."""
        if "model" not in chunk:
            return b"data: %b\n\n" % data
        name = chunk["model"]
        if self._beginning is not None:
            old, new, known = self._beginning
            # Bytes that begin alike are at the same depth after the same bytes.
            if data.startswith(old) and name == known and data.find(b'"model"', len(old)) < 0:
                self._learn(data, chunk, old, new)
                return b"data: %b%b\n\n" % (new, data[len(old) :])
        for colon in (b'"model":', b'"model": '):
            token = colon + orjson.dumps(name)
            at = data.find(token)
            if at >= 0 and data.count(b'"model"') == 1:  # a single such token is the one at depth 1
                old, new = data[: at + len(token)], b"%b%b%b" % (data[:at], colon, self._model)
                if isinstance(name, str):  # a number's digits may go on in the next event
                    self._beginning = old, new, name
                self._learn(data, chunk, old, new)
                return b"data: %b%b\n\n" % (new, data[len(old) :])
        return b"data: %b\n\n" % self._rewritten(chunk)

    def _rewritten(self, chunk: Json) -> bytes:
        if "model" in chunk:
            chunk = {**chunk, "model": orjson.loads(self._model)}
        try:
            return orjson.dumps(chunk)
        except TypeError as error:  # it reads 1,024 levels, and writes 254
            raise e.APIResponseValidationError(f"an event of the stream cannot be passed on: {error}") from None

    def _learn(self, data: bytes, chunk: Json, old: bytes, new: bytes) -> None:
        """`old`: what the event begins with, up to the model's name; `new`: the same as it is sent on.

        Where events differ in more than their text no form fits a second one: learning ends there."""
        if self._tries > _FUTILE and self.events < 2 * self._tries:
            self._form = None
            return
        found = _growing_text(data, chunk)
        if found is None:
            return
        self._tries += 1
        start, end = found
        tail = data[end:] + b"\n\n"
        if len(old) <= start:
            new_head, new_tail = b"data: %b%b" % (new, data[len(old) : start]), tail
        else:  # the text stands before the name: nothing changes up to `end`
            new_head, new_tail = b"data: " + data[:start], b"%b%b\n\n" % (new[end:], data[len(old) :])
        self._form = Form(b"data: " + data[:start], tail, new_head, new_tail)


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


@lru_cache(maxsize=256)
def _cutters(frame: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What finds texts with so many bytes between two of them: those without a quote, and any.

    A text is not bound to what follows it, as what is found is proved anyway: a step less, which is half the time.
    """
    plain, any_text = rb'([^"]*)(?s:.{%d})', rb'([^"\\]*(?:\\.[^"\\]*)*)(?s:.{%d})'
    return re.compile(plain % frame), re.compile(any_text % frame)


def _is_text(text: bytes) -> bool:
    """Whether it may stand between the quotes of a JSON string. (A space joins texts: it completes no escape and no
    character, so what is true of the joined ones is true of each.)"""
    try:
        orjson.loads(b'"%b"' % text)
    except orjson.JSONDecodeError:  # it does not take half a surrogate pair, whose other half the next event may have
        if _JSON_TEXT.fullmatch(text) is None:
            return False
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
    return True
