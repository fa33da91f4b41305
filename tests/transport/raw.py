"""A server that does exactly what a test tells it, byte by byte; and the client's side of a test."""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from litellm.transport.base import Transport
from litellm.transport.http import HttpTransport
from litellm.types.http import DEFAULT_TLS, Headers, HttpRequest, Timeouts, Tls, Upload, Url

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO_HEADERS = Headers()
QUICK = Timeouts(connect=10, first_byte=10, between_bytes=10)


class Peer:
    """The server's end of one connection. `number` counts connections from 0."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request, head and body, or b"" if the client has hung up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = re.search(rb"content-length: (\d+)", head)
        return head + (await self.reader.readexactly(int(length[1])) if length else b"")

    def send(self, data: bytes) -> None:
        """Raises ConnectionResetError, which ends the script, if the client has gone: a loop of its own would warn."""
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(data)

    async def send_apart(self, *pieces: bytes) -> None:
        """Send pieces so that the client reads them one by one (it lives in this very loop)."""
        for piece in pieces:
            self.send(piece)
            for _ in range(4):
                await asyncio.sleep(0)

    async def hung_up(self) -> None:
        """Returns when the client has closed or reset; what it sent before is dropped."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass

    def reset(self) -> None:
        """Close with RST."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """`url` is its root; `accepted` counts connections; `live` those whose script is still running."""

    def __init__(self, script: Script, tls: bool) -> None:
        self.script = script
        self.scheme = "https" if tls else "http"
        self.accepted = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.port = 0

    @property
    def url(self) -> Url:
        return Url(f"{self.scheme}://127.0.0.1:{self.port}/v1/x")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        peer = Peer(self.accepted, reader, writer)
        self.accepted += 1
        try:
            await self.script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self.tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    server = Server(script, tls is not None)
    listener = await asyncio.start_server(server.serve, host, 0, ssl=tls, backlog=512)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(server.tasks):
            task.cancel()
        for _ in range(100):
            if not server.tasks:
                break
            await asyncio.sleep(0.01)


@asynccontextmanager
async def transport(**options: Any) -> AsyncIterator[HttpTransport]:
    """An HttpTransport that is closed at the end, and then holds nothing."""
    client = HttpTransport(**options)
    try:
        yield client
    finally:
        await client.aclose()
        assert client.open_connections == client.idle_connections == 0


def post(
    url: Url,
    body: bytes | Upload = b"{}",
    timeouts: Timeouts = QUICK,
    tls: Tls = DEFAULT_TLS,
    headers: Headers = NO_HEADERS,
    method: str = "POST",
) -> HttpRequest:
    return HttpRequest(method, url, headers, body, timeouts, tls)


def answering(*answers: bytes) -> Script:
    """A script that answers the nth request of each connection with the nth answer, the last one again and again."""

    async def script(peer: Peer) -> None:
        count = 0
        while await peer.request():
            peer.send(answers[min(count, len(answers) - 1)])
            count += 1

    return script


def answering_then_close(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(answer)

    return script


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that happens by itself; fail if it does not."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


async def failure(awaitable: Awaitable[Any]) -> BaseException | None:
    try:
        await awaitable
    except Exception as error:
        return error
    return None


class Sink:
    """A Receiver that keeps everything."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended = asyncio.Event()
        self.errors: list[Exception | None] = []

    def data(self, data: bytes, /) -> None:
        assert not self.errors, "data after the end"
        self.pieces.append(data)

    def end(self, error: Exception | None, /) -> None:
        self.errors.append(error)
        self.ended.set()


async def whole(client: Transport, request: HttpRequest, way: str) -> tuple[int, bytes]:
    """Status and body, by one of the four ways to read a response."""
    if way == "send":
        response = await client.send(request)
        return response.status, response.body
    stream = await client.stream(request)
    if way == "read":
        return stream.status, await stream.read()
    if way == "iterate":
        return stream.status, b"".join([data async for data in stream])
    sink = Sink()
    stream.relay(sink)
    await sink.ended.wait()
    assert len(sink.errors) == 1
    if sink.errors[0] is not None:
        raise sink.errors[0]
    return stream.status, b"".join(sink.pieces)


WAYS = ("send", "read", "iterate", "relay")
