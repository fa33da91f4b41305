"""A stream whose parts pass the hooks of callbacks: parsed, handed through them, written again.

Slower than relaying bytes (`streaming.py`), and used only where a callback has such a hook. Usage, errors and the end
are found by the same Splicer, before any hook sees a part: no hook changes what a call costs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import orjson

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.formats.sse import SSEDecoder
from litellm.proxy import errors
from litellm.proxy.asgi import CallerGone
from litellm.proxy.exchange import Exchange
from litellm.proxy.hooks import Passage, refusal, written
from litellm.proxy.splice import DONE, Splicer
from litellm.proxy.streaming import KEEPALIVE, cut_off

MAX_WAITING: Final = 64  # packets that wait for the hooks before the upstream is paused

Last = Callable[[str | None], Awaitable[None] | None]


class FilteredRelay:
    """As streaming.Relay, through the hooks of a Passage."""

    def __init__(
        self,
        passage: Passage,
        exchange: Exchange,
        stream: EventStream,
        splicer: Splicer,
        silence: float,
        last: Last | None = None,
    ) -> None:
        self._passage = passage
        self._exchange = exchange
        self._stream = stream
        self._splicer = splicer
        self._silence = silence
        self._on_last = last
        self._arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ended = False
        self._failure: e.LiteLLMError | None = None

    async def run(self, fields: bytes) -> None:
        """Sends the status line and everything after it; closes the upstream."""
        try:
            self._exchange.begin(200, fields)
            self._stream.relay(self)
            await self._relay()
            self._exchange.end()
        except (asyncio.CancelledError, CallerGone):
            self._exchange.broke = self._exchange.broke or errors.HUNG_UP
            raise
        finally:
            self._stream.close()

    async def _relay(self) -> None:
        try:
            async for chunk in self._passage.filtered(self._chunks()):
                await self._write(b"data: %b\n\n" % orjson.dumps(written(chunk)))
        except Exception as raised:  # the hooks are the user's code, which may fail in any way
            error = refusal(raised)
            if isinstance(error, e.LiteLLMError):
                self._stream.broke(error)
            self._exchange.broke = errors.status_of(error)
            await self._last(errors.said(error))
            await self._write(b"data: %b\n\n" % errors.encoded(error))
        else:
            await self._last(None)
            await self._write(DONE)

    async def _last(self, failure: str | None) -> None:
        settling = None if self._on_last is None else self._on_last(failure)
        if settling is not None:
            await settling

    async def _write(self, data: bytes) -> None:
        if not self._exchange.write(data):
            await self._exchange.room()

    async def _chunks(self) -> AsyncIterator[Any]:
        """The stream's chunks. Raises what it broke off with."""
        decoder, made, clock = SSEDecoder(), self._passage.chunk, asyncio.get_running_loop().time
        since = clock()
        while (data := await self._next(since)) is not None:
            for event in decoder.feed(data):
                if event.data and event.data != b"[DONE]":
                    yield made(orjson.loads(event.data))
                since = clock()  # not before: a hook, or a caller, who is slow is not the upstream's fault
        if self._failure is not None:
            raise self._failure

    async def _next(self, since: float) -> bytes | None:
        """The next packet; None at the end. While none comes, comments keep the line open. Raises Timeout if the last
        event, of `since`, is too long ago: an upstream's own comments are no events."""
        clock = asyncio.get_running_loop().time
        while True:
            overdue = self._stream.overdue(clock() - since) if self._arrived.empty() else None
            if overdue is not None:
                raise overdue
            try:
                async with asyncio.timeout(min(self._silence, self._stream.patience)):
                    data = await self._arrived.get()
            except TimeoutError:
                await self._write(KEEPALIVE)
                continue
            if self._arrived.empty() and not self._ended:
                self._stream.resume()
            return data

    # The stream's side (a Sink).

    def data(self, data: bytes, /) -> None:
        splicer = self._splicer
        if self._ended:
            return
        out = splicer.feed(data)
        if out:
            self._arrived.put_nowait(out)
        if splicer.error is not None or splicer.done:
            self._finish(splicer.error)
        elif self._arrived.qsize() > MAX_WAITING:
            self._stream.pause()

    def end(self, error: e.LiteLLMError | None, /) -> None:
        if self._ended:
            return
        rest = self._splicer.flush() if error is None else b""
        if rest:
            self._arrived.put_nowait(rest)
        self._finish(self._splicer.error or (None if self._splicer.ended_well else error or cut_off()))

    def _finish(self, failure: e.LiteLLMError | None) -> None:
        self._ended, self._failure = True, failure
        self._arrived.put_nowait(None)
