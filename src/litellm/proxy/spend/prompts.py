"""What calls said, kept where the operator asks for it (`store_prompts_in_spend_logs`): a call waits for none of it.

Kept ones wait in memory, bounded, and are written once a second; those for which there is no room are dropped and
counted. Unlike spend they are no part of the books: a `kill -9` may cost the last second's.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import orjson

from litellm.formats.sse import parse_block
from litellm.proxy.splice import Splicer
from litellm.store.base import Ledger, Prompt
from litellm.types.accounts import SpendRow
from litellm.types.calls import Ask, Json, as_list, as_object

MAX_BYTES: Final = 64 * 1024
"""Of a prompt, and of an answer; what is longer is cut."""
MAX_WAITING: Final = 16 * 1024 * 1024
MAX_HEARD: Final = 1024 * 1024
"""Of a stream's events, in which the text is a small part."""
_SOME: Final = 100


class Prompts:
    """Of one worker; `most` bytes may wait. `dropped` counts those that found no room."""

    def __init__(self, ledger: Ledger, most: int = MAX_WAITING) -> None:
        self._ledger = ledger
        self._most = most
        self._waiting: list[tuple[SpendRow, bytes, Callable[[], bytes]]] = []
        self._bytes = 0
        self._writing = asyncio.Lock()
        self.dropped = 0

    def begin(self, row: SpendRow, ask: Ask) -> "Kept":
        """A call has been admitted."""
        return Kept(self, row, ask)

    def keep(self, row: SpendRow, request: bytes, size: int, response: Callable[[], bytes]) -> None:
        """`response` is made when it is written; it has about `size` bytes until then."""
        size += len(request)
        if self._bytes + size > self._most:
            self.dropped += 1
            return
        self._bytes += size
        self._waiting.append((row, request, response))

    async def write(self) -> None:
        """All that wait. Raises StoreDown, and then they go on waiting."""
        async with self._writing:
            while self._waiting:
                some = self._waiting[:_SOME]
                await self._ledger.keep(
                    [Prompt(row.day, row.call_id, _cut(request), _cut(response())) for row, request, response in some]
                )
                del self._waiting[: len(some)]
            self._bytes = 0


class Kept:
    """What one call says, from its admission to its end."""

    __slots__ = ("_heard", "_prompts", "_request", "_row", "_size")

    def __init__(self, prompts: Prompts, row: SpendRow, ask: Ask) -> None:
        self._prompts = prompts
        self._row = row
        self._request = orjson.dumps({"model": ask.model, **ask.params}, default=str)[: MAX_BYTES + 1]
        self._heard: list[bytes] = []
        self._size = 0

    def answered(self, body: bytes) -> None:
        body = body[: MAX_BYTES + 1]
        self._prompts.keep(self._row, self._request, len(body), lambda: body)

    def hear(self, events: bytes) -> None:
        """Of a stream, as they are sent on."""
        if self._size <= MAX_HEARD:
            self._heard.append(events)
            self._size += len(events)

    def splicer(self, model: str, usage_wanted: bool, decode: Callable[[bytes], Json]) -> Splicer:
        """Of this call's stream."""
        return _HeardSplicer(self, model, usage_wanted, decode)

    def ended(self) -> None:
        """A stream's end, whatever it was."""
        heard = self._heard
        self._prompts.keep(self._row, self._request, self._size, lambda: _told(b"".join(heard)))


class _HeardSplicer(Splicer):
    """A Splicer that lets what it sends on be kept."""

    __slots__ = ("_kept",)

    def __init__(self, kept: Kept, model: str, usage_wanted: bool, decode: Callable[[bytes], Json]) -> None:
        super().__init__(model, usage_wanted, decode)
        self._kept = kept

    def feed(self, data: bytes) -> bytes:
        out = super().feed(data)
        self._kept.hear(out)
        return out


def _told(events: bytes) -> bytes:
    """A stream's events as an answer: each choice's text, and beside it the deltas that hold more than text."""
    texts: dict[int, str] = {}
    others: list[Any] = []
    for block in events.split(b"\n\n"):
        event = parse_block(block)
        for choice in _choices(event.data if event else b""):
            delta = as_object(choice.get("delta")) or choice
            text = delta.get("content", delta.get("text"))
            if isinstance(text, str):
                index = choice.get("index")
                index = index if isinstance(index, int) else 0
                texts[index] = texts.get(index, "") + text
            if delta.keys() - _TEXT:
                others.append(delta)
    answer: Json = {"choices": [{"index": i, "message": {"role": "assistant", "content": t}} for i, t in texts.items()]}
    return orjson.dumps({**answer, "deltas": others} if others else answer)


_TEXT: Final = frozenset({"content", "text", "role", "refusal", "index", "finish_reason", "logprobs"})


def _choices(data: bytes) -> list[Json]:
    try:
        chunk = as_object(orjson.loads(data)) or {}
    except orjson.JSONDecodeError:
        return []
    return [found for choice in as_list(chunk.get("choices")) or () if (found := as_object(choice)) is not None]


def _cut(text: bytes) -> str:
    """What databases take; a NUL stands in JSON as an escape."""
    said = text[:MAX_BYTES].decode(errors="replace").replace("\0", "?")
    return said if len(text) <= MAX_BYTES else f"{said}... (cut)"
