"""What an exchange becomes: a whole response (`send`), or one that is read as it comes (`stream`)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol, Self, TypeVar

from litellm.transport.base import ClosedEarly, NotHTTP, Receiver, TransportError
from litellm.transport.connection import Connection
from litellm.transport.decompress import Decoder, decoder_for
from litellm.transport.exchange import Exchange
from litellm.types.http import HttpResponse, RawHeaders

T = TypeVar("T", covariant=True)

WINDOW: Final = 1 << 16
"""Bytes that may wait for a reader before reading from the socket pauses."""
_CODED: Final = (b"content-encoding", b"content-length")


def _undo(coding: bytes | None, headers: RawHeaders) -> tuple[Decoder | None, RawHeaders]:
    """The decoder of a body, and the headers without those that describe its coded form."""
    decoder = decoder_for(coding)
    if decoder is None:
        return None, headers
    return decoder, [field for field in headers if field[0] not in _CODED]


def _too_large(limit: int) -> NotHTTP:
    return NotHTTP(f"the body of the response is larger than {limit} bytes")


class Source(Protocol):
    """Where a stream comes from, as far as its reader needs it: a Connection."""

    def pause(self, exchange: Exchange, /) -> None: ...

    def resume(self, exchange: Exchange, /) -> None: ...

    def abandon(self, exchange: Exchange, /) -> None: ...


class Answer(Exchange, Protocol[T]):
    """An exchange that has `response` once `done` is set; `done` is given to it anew each time it is sent."""

    done: asyncio.Future[None]

    def response(self) -> T: ...


class Whole:
    """Collects one response of at most `limit` bytes of body. `done` is set when it is complete."""

    __slots__ = ("_body", "_decoder", "_limit", "_more", "done", "headers", "source", "status")

    onward: None = None
    source: Connection
    done: asyncio.Future[None]

    def __init__(self, limit: int) -> None:
        self.status = 0
        self.headers: RawHeaders = []
        self._limit = limit
        self._body = b""
        self._more: bytearray | None = None
        self._decoder: Decoder | None = None

    def on_head(self, status: int, headers: RawHeaders, coding: bytes | None, length: int | None, /) -> None:
        if length is not None and length > self._limit:
            raise _too_large(self._limit)
        self.status = status
        self.headers = headers
        if coding is not None:
            self._decoder, self.headers = _undo(coding, headers)

    def on_body(self, data: bytes, /) -> None:
        if self._decoder is not None:
            data = self._decoder.feed(data)
        if not self._body:
            self._body = data
        elif self._more is None:
            self._more = bytearray(self._body)
            self._more += data
        else:
            self._more += data
        if len(self._body if self._more is None else self._more) > self._limit:
            raise _too_large(self._limit)

    def on_end(self, error: Exception | None, /) -> None:
        if self._decoder is not None and error is None:
            error = _unfinished(self._decoder)
        if self.done.done():  # cancelled
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def response(self) -> HttpResponse:
        return HttpResponse(self.status, self.headers, self._body if self._more is None else bytes(self._more))


def _unfinished(decoder: Decoder) -> TransportError | None:
    try:
        decoder.finish()
    except TransportError as error:
        return error
    return None


class Stream:
    """base.ResponseStream. `done` is set when the head has arrived; failures are its before, the body's afterwards."""

    __slots__ = (
        "_buffer", "_buffered", "_closed", "_decoder", "_ended", "_error", "_limit", "_reader", "_receiver",
        "done", "headers", "onward", "source", "status",
    )  # fmt: skip

    source: Source
    done: asyncio.Future[None]

    def __init__(self, limit: int) -> None:
        self.status = 0
        self.headers: RawHeaders = []
        self._limit = limit
        self._decoder: Decoder | None = None
        self._receiver: Receiver | None = None
        self.onward: Callable[[bytes], None] | None = None  # to the receiver, without a step here
        self._reader: asyncio.Future[None] | None = None
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._ended = self._closed = False
        self._error: TransportError | None = None

    # The exchange

    def on_head(self, status: int, headers: RawHeaders, coding: bytes | None, _length: int | None, /) -> None:
        self.status = status
        self.headers = headers
        if coding is not None:
            self._decoder, self.headers = _undo(coding, headers)
        if not self.done.done():
            self.done.set_result(None)

    def on_body(self, data: bytes, /) -> None:
        if self._decoder is not None:
            data = self._decoder.feed(data)
            if not data:
                return
        if self._receiver is not None:
            self._receiver.data(data)
            return
        self._buffer.append(data)
        self._buffered += len(data)
        if self._buffered > WINDOW:
            self.pause()
        self._wake()

    def on_end(self, error: Exception | None, /) -> None:
        if not self.done.done():
            assert error is not None, "a response ends after its head"
            self.done.set_exception(error)
            return
        if self._decoder is not None and error is None:
            error = _unfinished(self._decoder)
        if error is not None and not isinstance(error, TransportError):  # the caller's own upload raised it
            error = ClosedEarly(f"the upload failed: {error!r}")
        self._ended = True
        self._error = error
        if self._receiver is not None and not self._closed:
            self._receiver.end(error)
        self._wake()

    # The reader

    def response(self) -> Self:
        return self

    def relay(self, receiver: Receiver, /) -> None:
        self._receiver = receiver
        if self._decoder is None:
            self.onward = receiver.data
        if not self._ended:
            self.resume()  # before it is given anything: it may pause at once
        if self._buffer:
            receiver.data(self._take())
        if self._ended and not self._closed:
            receiver.end(self._error)

    def pause(self) -> None:
        self.source.pause(self)

    def resume(self) -> None:
        self.source.resume(self)

    async def read(self) -> bytes:
        body = bytearray()
        async for data in self:
            body += data
            if len(body) > self._limit:
                self.close()
                raise _too_large(self._limit)
        return bytes(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while data := await self._next():
                yield data
        finally:
            self.close()

    def close(self) -> None:
        self._closed = True
        self._receiver = self.onward = None  # the two refer to each other, and all of a call hangs on them
        self._buffer.clear()
        self.source.abandon(self)
        self._wake()

    async def _next(self) -> bytes:
        """What has arrived, or b"" at the end."""
        while not self._buffer:
            if self._error is not None:
                raise self._error
            if self._ended or self._closed:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._take()

    def _take(self) -> bytes:
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        if self._receiver is None:
            self.resume()
        return data

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        self._reader = None
