"""A stream of events from a provider, held until somebody takes it: as chunks (SDK) or as bytes (gateway).

What arrives before a taker is there is kept; when more than 64 KiB wait, reading from the provider pauses. Closing
cancels the provider's work at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from litellm import exceptions as e
from litellm.providers.base import StreamDecoder
from litellm.transport.base import Phase, ResponseStream, TimedOut, TransportError
from litellm.types.calls import Json
from litellm.types.http import RawHeaders, Timeouts

MAX_WAITING: Final = 64 * 1024
LOOKING: Final = 0.25
"""How often a taker of bytes looks for events, as a share of the time between them: so much later it sees a stall."""
_NOTHING: Final[tuple[bytes, Json]] = b"", {}
AFTER_DONE_SECONDS: Final = 1.0
"""A provider that has said its last word gets this long to end its answer: then the connection can be used again."""


class Sink(Protocol):
    """Takes a stream's bytes by callback, in the turn of the loop in which they arrived."""

    def data(self, data: bytes, /) -> None: ...

    def end(self, error: e.LiteLLMError | None, /) -> None: ...


@dataclass(slots=True)
class _Passing:
    """A Receiver that hands bytes straight to a Sink: they take no step in the EventStream between."""

    data: Callable[[bytes], None]
    end: Callable[[TransportError | None], None]


class EventStream:
    """One streamed answer. Either iterate its chunks or `relay` its bytes, and `close()` it in the end.

    `timeouts` bound the waits for events too: the transport's own see only that bytes come, and comments are bytes.
    """

    __slots__ = (
        "_at", "_decoder", "_ended", "_error", "_failure_of", "_fed", "_first", "_paused", "_pieces", "_ready",
        "_response", "_sink", "_timeouts", "_told", "_waiter", "_waiting", "headers", "on_broke", "on_close",
        "seconds",
    )  # fmt: skip

    def __init__(
        self,
        response: ResponseStream,
        decoder: StreamDecoder,
        failure_of: Callable[[TransportError], e.LiteLLMError],
        timeouts: Timeouts,
    ) -> None:
        self.headers: RawHeaders = response.headers
        self.seconds = 0.0
        self.on_close: Callable[[], None] | None = None
        """Called once, when the taker is done with the stream."""
        self.on_broke: Callable[[e.LiteLLMError], None] | None = None
        """Called once, with what broke the stream after it had begun."""
        self._response = response
        self._decoder = decoder
        self._failure_of = failure_of
        self._timeouts = timeouts
        self._pieces: list[bytes] = []  # what has arrived and nobody has taken
        self._waiting = 0  # its size
        self._fed = 0  # how many of the pieces the decoder has seen, and up to where the next one
        self._at = 0
        self._ready: list[Json] = []  # chunks decoded and not yet taken
        self._first = _NOTHING  # the first event's data and its chunk, if they were all that came
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._paused = False
        self._ended = False
        self._told = False  # the decoder knows of the end
        self._error: e.LiteLLMError | None = None
        response.relay(self)

    # The transport's side (a Receiver).

    def data(self, data: bytes, /) -> None:
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting > MAX_WAITING:
            self.pause()
        self._wake()

    def end(self, error: TransportError | None, /) -> None:
        self._ended = True
        self._error = self._failure_of(error) if error is not None else None
        if self._sink is not None:
            self._sink.end(self._error)
        self._wake()

    # The taker's side.

    async def first(self, within: float | None = None, spent: float = 0.0) -> bool:
        """Waits for the first event: False if none has come `within` seconds. Raises what ends the stream before it.
        `spent`: seconds that the call has taken so far, of those that it may take up to its first event."""
        loop = asyncio.get_running_loop()
        until = None if within is None else loop.time() + within
        bounds = self._timeouts
        bound = bounds.first_byte if bounds.first_event is None else bounds.first_event
        due = self._due(None if bound is None else bound - spent)
        try:
            while not self._decode_first():
                now = loop.time()
                if until is not None and now >= until:
                    return False
                if now >= due:
                    raise self._no_event("first_byte", bound)
                self.resume()  # the first event may be larger than what may wait
                await self._arrival(until if bounds.first_event is None else due)
        except BaseException:  # cancelled or failed: nobody will take this stream
            self.close()
            raise
        return True

    def relay(self, sink: Sink) -> None:
        """Hand all that has arrived and all that will to `sink`, undecoded."""
        self._sink = sink
        raw = b"".join(self._pieces)
        self._forget()
        self._ready = []
        self.resume()
        if not self._ended:
            self._response.relay(_Passing(sink.data, self.end))
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
        due = self._due(self._gap)
        while True:
            chunks = self.take()
            if chunks:
                return chunks
            if self._ended:
                return []
            if self._decoder.done:
                await self._see_out()
                return []
            if asyncio.get_running_loop().time() >= due:
                raise self._no_event("between_bytes", self._gap)
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
        return ready or self._decode_rest() or self._last()

    def decode(self, data: bytes) -> Json:
        """One event's data as a chunk, for a taker of bytes. Raises what is wrong with it."""
        first, self._first = self._first, _NOTHING
        return first[1] if first[0] == data else self._decoder.chunk(data)

    @property
    def patience(self) -> float:
        """How often a taker of bytes looks whether events still come (seconds)."""
        bound = self._gap
        return inf if bound is None else bound * LOOKING

    def overdue(self, seconds: float) -> e.LiteLLMError | None:
        """For a taker of bytes that has found no event in them for so long: the failure, if that is too long."""
        bound = self._gap
        return self._no_event("between_bytes", bound) if bound is not None and seconds >= bound else None

    @property
    def _gap(self) -> float | None:
        bounds = self._timeouts
        return bounds.between_bytes if bounds.between_events is None else bounds.between_events

    def broke(self, error: e.LiteLLMError) -> None:
        """A taker has found what is wrong with the stream."""
        on_broke, self.on_broke = self.on_broke, None
        if on_broke is not None:
            on_broke(error)

    def close(self) -> None:
        """Whoever waits for more finds the stream ended."""
        self._ended = self._told = True
        self._sink = None  # which refers to this
        self._forget()
        self._response.close()
        self._wake()
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()

    def _decode_first(self) -> bool:
        """Decodes little more than the first event: the rest may go by as bytes."""
        decoder = self._decoder
        while not self._ready and self._fed < len(self._pieces) and decoder.error is None:
            piece, at = self._pieces[self._fed], self._at
            begins = self._fed == at == 0
            border = piece.find(b"\n\n", at)
            block = piece[at:] if border < 0 else piece[at : border + 2]
            if at + len(block) == len(piece):
                self._fed, self._at = self._fed + 1, 0
            else:
                self._at += len(block)
            if begins and _is_plain(block):  # nearly every stream does
                self._decode_plain(block[6:-2])
            else:
                self._ready = decoder.feed(block)
        if not self._ready:
            self._ready = self._last()
        return bool(self._ready) or self._ended or decoder.done

    def _decode_plain(self, data: bytes) -> None:
        """The first event by itself, and its chunk remembered for a taker of bytes, who decodes it again."""
        try:
            chunk = self._decoder.chunk(data)
        except e.LiteLLMError as error:
            self._decoder.error = error
            return
        self._first = data, chunk
        self._ready.append(chunk)

    def _decode_rest(self) -> list[Json]:
        pieces = self._pieces[self._fed :]
        if self._at:
            pieces[0] = pieces[0][self._at :]
        self._forget()
        self.resume()
        return self._decoder.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces)) if pieces else []

    def _forget(self) -> None:
        self._pieces = []
        self._waiting = self._fed = self._at = 0

    def _last(self) -> list[Json]:
        """What only the end makes whole, and then what broke the stream, raised."""
        decoder = self._decoder
        if self._ended and not self._told:
            self._told = True
            if self._error is None and (chunks := decoder.end()):
                return chunks
        error = decoder.error or (None if decoder.complete else self._error)
        if error is not None:
            self.broke(error)
            raise error
        return []

    async def _see_out(self) -> None:
        until = self._due(AFTER_DONE_SECONDS)
        while not self._ended and asyncio.get_running_loop().time() < until:
            await self._arrival(until)
            self._forget()

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

    def _due(self, seconds: float | None) -> float:
        return inf if seconds is None else asyncio.get_running_loop().time() + seconds

    def _no_event(self, phase: Phase, seconds: float | None) -> e.LiteLLMError:
        return self._failure_of(TimedOut(f"no event came within {seconds} s", phase))


def _is_plain(block: bytes) -> bool:
    """One event of one line, whole."""
    end = block.find(b"\n")
    return end == len(block) - 2 and block.startswith(b"data: {") and block.endswith(b"\n") and b"\r" not in block
