"""A stream of events from a provider, held until somebody takes it: as chunks (SDK) or as bytes (gateway).

What arrives before a taker is there is kept; when more than 64 KiB wait, reading from the provider pauses. Closing
cancels the provider's work at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from litellm import exceptions as e
from litellm.providers.base import StreamDecoder
from litellm.transport.base import ResponseStream, TransportError
from litellm.types.calls import Json
from litellm.types.http import RawHeaders

MAX_WAITING: Final = 64 * 1024


class Sink(Protocol):
    """Takes a stream's bytes by callback, in the turn of the loop in which they arrived."""

    def data(self, data: bytes, /) -> None: ...

    def end(self, error: e.LiteLLMError | None, /) -> None: ...


class EventStream:
    """One streamed answer. Either iterate its chunks or `relay` its bytes, and `close()` it in the end."""

    __slots__ = (
        "_decoder",
        "_ended",
        "_error",
        "_failure_of",
        "_fed",
        "_finished",
        "_paused",
        "_raw",
        "_ready",
        "_response",
        "_sink",
        "_waiter",
        "headers",
        "seconds",
    )

    def __init__(
        self, response: ResponseStream, decoder: StreamDecoder, failure_of: Callable[[Exception], e.LiteLLMError]
    ) -> None:
        self.headers: RawHeaders = response.headers
        self.seconds = 0.0
        self._response = response
        self._decoder = decoder
        self._failure_of = failure_of
        self._raw = b""  # what has arrived and nobody has taken
        self._fed = 0  # how much of it the decoder has seen
        self._ready: list[Json] = []  # chunks decoded and not yet yielded
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._paused = False
        self._ended = False
        self._finished = False  # the decoder has been told of the end
        self._error: e.LiteLLMError | None = None
        response.relay(self)

    # The transport's side (a Receiver).

    def data(self, data: bytes, /) -> None:
        if self._sink is not None:
            self._sink.data(data)
            return
        self._raw = self._raw + data if self._raw else data
        if len(self._raw) > MAX_WAITING and not self._paused:
            self._paused = True
            self._response.pause()
        self._wake()

    def end(self, error: TransportError | None, /) -> None:
        self._ended = True
        self._error = self._failure_of(error) if error is not None else None
        if self._sink is not None:
            self._sink.end(self._error)
        self._wake()

    # The taker's side.

    async def first(self, within: float | None = None) -> bool:
        """Waits for the first event: False if none has come `within` seconds. Raises what ends the stream before it."""
        loop = asyncio.get_running_loop()
        until = None if within is None else loop.time() + within
        try:
            while not self._decode_first():
                if until is not None and loop.time() >= until:
                    return False
                await self._arrival(until)
        except BaseException:  # cancelled or failed: nobody will take this stream
            self.close()
            raise
        return True

    def relay(self, sink: Sink) -> None:
        """Hand all that has arrived and all that will to `sink`, undecoded."""
        self._sink = sink
        raw, self._raw = self._raw, b""
        self.resume()
        if raw:
            sink.data(raw)
        if self._ended:
            sink.end(self._error)

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._response.pause()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._response.resume()

    async def batch(self) -> list[Json]:
        """The next chunks, as many as one packet held; empty at the end. Raises where the stream breaks off."""
        while True:
            chunks = self.take()
            if chunks:
                return chunks
            if self._finished:
                return []
            await self._arrival(None)

    async def __aiter__(self) -> AsyncIterator[Json]:
        try:
            while chunks := await self.batch():
                for chunk in chunks:
                    yield chunk
        finally:
            self.close()

    def take(self) -> list[Json]:
        """What has arrived, as chunks, without waiting. Raises as iteration does, once those before it are taken."""
        ready, self._ready = self._ready, []
        if ready:
            return ready
        raw, self._raw, fed, self._fed = self._raw, b"", self._fed, 0
        self.resume()
        if len(raw) > fed:
            chunks = self._decoder.feed(raw[fed:] if fed else raw)
            if chunks:
                return chunks
        if self._ended and not self._finished:
            self._finished = True
            return self._last()
        return []

    def decode(self, data: bytes) -> Json:
        """One event's data as a chunk, for a taker of bytes. Raises what is wrong with it."""
        return self._decoder.chunk(data)

    def close(self) -> None:
        self._response.close()

    def _decode_first(self) -> bool:
        """Decodes no further than the first event: the rest may go by as bytes."""
        while not self._ready and self._fed < len(self._raw):
            border = self._raw.find(b"\n\n", self._fed)
            upto = border + 2 if border >= 0 else len(self._raw)
            self._ready = self._decoder.feed(self._raw[self._fed : upto])
            self._fed = upto
        if not self._ready and self._ended:
            self._finished = True
            self._ready = self._last()
            return True
        return bool(self._ready)

    def _last(self) -> list[Json]:
        if self._error is not None:
            raise self._error
        return self._decoder.end()

    async def _arrival(self, until: float | None) -> None:
        """Waits until something has happened, or the clock shows `until`."""
        if self._ended:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_at(until, self._wake) if until is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
