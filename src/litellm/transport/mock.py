"""A transport without a network, for tests and for trying things out.

    transport = MockTransport(lambda request: HttpResponse(200, [], b'{"ok": true}'))

The handler sees the HttpRequest and answers with an HttpResponse, or with (status, headers, chunks), the chunks being a
list or an async iterator; or it raises a TransportError, also from within the iterator. It may be async. What the
real transport promises about streams (back-pressure, cancelling, one end) holds here too: they share the code.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing

from litellm.transport.base import ClosedEarly, ResponseStream
from litellm.transport.exchange import Exchange
from litellm.transport.http import MAX_BODY
from litellm.transport.response import Stream
from litellm.types.http import HttpRequest, HttpResponse, RawHeaders

Chunks = Iterable[bytes] | AsyncIterator[bytes]
MockAnswer = HttpResponse | tuple[int, RawHeaders, Chunks]
Handler = Callable[[HttpRequest], MockAnswer | Awaitable[MockAnswer]]


class MockTransport:
    """base.Transport. `requests` are those it has seen, in order; `open_streams` counts those not read to the end."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[HttpRequest] = []
        self._handler = handler
        self._running: dict[_Playback, None] = {}
        self._closed = False

    @property
    def open_streams(self) -> int:
        return len(self._running)

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        status, headers, chunks = await self._answer(request)
        async with aclosing(_each(chunks)) as each:
            return HttpResponse(status, headers, b"".join([chunk async for chunk in each]))

    async def stream(self, request: HttpRequest, /) -> ResponseStream:
        status, headers, chunks = await self._answer(request)
        stream = Stream(MAX_BODY)
        stream.done = asyncio.get_running_loop().create_future()
        stream.source = _Playback(stream, chunks, self._running)
        stream.on_head(status, headers, None, None)
        return stream

    async def aclose(self) -> None:
        self._closed = True
        for playback in list(self._running):
            playback.fail(ClosedEarly("the transport was closed"))
            await asyncio.wait([playback.task])

    async def _answer(self, request: HttpRequest) -> tuple[int, RawHeaders, Chunks]:
        if self._closed:
            raise ClosedEarly("the transport is closed", sent=False)
        self.requests.append(request)
        answer = self._handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, HttpResponse):
            return answer.status, answer.headers, [answer.body] if answer.body else []
        return answer


class _Playback:
    """Plays chunks to a stream, in a task; to the stream it is what a connection is."""

    def __init__(self, stream: Stream, chunks: Chunks, running: "dict[_Playback, None]") -> None:
        self._stream: Stream | None = stream
        self._chunks = chunks
        self._running = running
        self._going = asyncio.Event()
        self._going.set()
        running[self] = None
        self.task = asyncio.get_running_loop().create_task(self._play())

    def pause(self, _exchange: Exchange, /) -> None:
        self._going.clear()

    def resume(self, _exchange: Exchange, /) -> None:
        self._going.set()

    def abandon(self, _exchange: Exchange, /) -> None:
        self._stream = None
        self._running.pop(self, None)
        self.task.cancel()

    def fail(self, error: Exception | None) -> None:
        stream, self._stream = self._stream, None
        self._running.pop(self, None)
        if stream is not None:
            stream.on_end(error)
        self.task.cancel()

    async def _play(self) -> None:
        error: Exception | None = None
        try:
            async with aclosing(_each(self._chunks)) as each:
                async for chunk in each:
                    await self._going.wait()
                    if self._stream is not None and chunk:
                        self._stream.on_body(chunk)
        except Exception as raised:  # a test's iterator may raise anything; the stream's reader gets it
            error = raised
        self.fail(error)


async def _each(chunks: Chunks) -> AsyncGenerator[bytes, None]:
    try:
        if isinstance(chunks, AsyncIterator):
            async for chunk in chunks:
                yield chunk
        else:
            for chunk in chunks:
                yield chunk
                await asyncio.sleep(0)
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            await aclose()
