"""An OpenAI-compatible upstream that behaves as the request's model name tells it to (`behaviours.py` has the table).

It speaks HTTP/1.1 on a bare asyncio protocol, so that it can break every rule of it. Three ways to run it:

    async with Upstream() as upstream: ...          in the caller's own event loop
    with UpstreamThread() as upstream: ...          for synchronous tests
    with UpstreamProcess() as upstream: ...         as a process (python -m support.upstream)

It records what it was asked, on which connection, and whether and when the client hung up.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from support import behaviours

PATIENCE: Final = 30.0
"""Seconds that a test waits for what ought to come at once: a bound for a busy machine, not an expectation."""
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


@dataclass
class Recorded:
    """One request as it arrived. Times are `time.monotonic()` seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float
    answered_at: float | None = None
    disconnected_at: float | None = None

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def model(self) -> str:
        """The model's name without the prefixes that routers put before it."""
        return str(self.json.get("model", "")).rpartition("/")[2]

    @property
    def disconnected(self) -> bool:
        """Whether the client hung up before the answer was complete."""
        return self.disconnected_at is not None


class Connection(asyncio.Protocol):
    """One client's connection: reads requests one after the other and lets a behaviour answer each."""

    def __init__(self, upstream: "Upstream", number: int) -> None:
        self.upstream = upstream
        self.number = number
        self.gone = asyncio.Event()
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # set by connection_made
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._current: Recorded | None = None

    # The protocol's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.upstream.connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._news.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self.upstream.connections.discard(self)
        if self._current is not None:
            self._current.disconnected_at = time.monotonic()
        if self._task is not None:
            self._task.cancel()

    # What behaviours use.

    async def send(self, data: bytes) -> None:
        """Write, and wait while the client does not read."""
        if self.gone.is_set():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        await self._writable.wait()

    def close(self) -> None:
        """FIN, after what was written."""
        self._current = None
        self._transport.close()

    def reset(self) -> None:
        """RST, at once."""
        self._current = None
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    async def ended(self) -> None:
        """Wait until the connection has gone and its task with it."""
        await self.gone.wait()
        if self._task is not None:
            await asyncio.wait([self._task])

    # Reading.

    async def _serve(self) -> None:
        with contextlib.suppress(ConnectionError):
            while not self.gone.is_set() and not self._transport.is_closing():
                await self._answer(await self._read_request())

    async def _answer(self, request: Recorded) -> None:
        self._current = request
        self.upstream.requests.append(request)
        exchange = behaviours.Exchange(request, self, self.upstream.counts)
        await behaviours.behave(exchange, self.upstream.mood or request.model)
        request.answered_at = time.monotonic()
        self._current = None
        if request.headers.get("connection", "").lower() == "close":
            self.close()

    async def _read_request(self) -> Recorded:
        head = (await self._read_until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._read_body(headers)
        return Recorded(method, path, headers, body, self.number, time.monotonic())

    async def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._read_exactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int(await self._read_until(b"\r\n"), 16):
            body += (await self._read_exactly(size + 2))[:-2]
        await self._read_until(b"\r\n")
        return body

    async def _read_until(self, mark: bytes) -> bytes:
        """What stands before the mark; the mark is consumed."""
        while (end := self._buffer.find(mark)) < 0:
            await self._more()
        return (await self._read_exactly(end + len(mark)))[: -len(mark)]

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()


@dataclass
class Upstream:
    """The server. Runs in the event loop that starts it; port 0 lets the system choose."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    mood: str | None = None
    """Behaves so, whatever the model's name says."""
    requests: list[Recorded] = field(default_factory=list)
    connections: set[Connection] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    _server: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        """Without a path. With TLS the name is `localhost`, which is what the certificate says."""
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What users write as `api_base`."""
        return f"{self.origin}/v1"

    @property
    def open_connections(self) -> int:
        return len(self.connections)

    def asked(self, model: str) -> list[Recorded]:
        """The requests for one model, in the order of arrival."""
        return [request for request in self.requests if request.model == model]

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset whatever is still open."""
        if self._server is None:
            return
        self._server.close()
        left = list(self.connections)
        for connection in left:
            connection.reset()
        await self._server.wait_closed()
        await asyncio.gather(*(connection.ended() for connection in left))
        self._server = None

    def _accept(self) -> Connection:
        self.accepted += 1
        return Connection(self, self.accepted)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class UpstreamThread(Upstream):
    """The same in a thread of its own. Its lists may be read from any thread."""

    _loop: asyncio.AbstractEventLoop
    _thread: threading.Thread

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def wait(self, condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
        """Wait until the condition holds; whether it did within the time."""
        return wait_until(condition, seconds)

    def wait_closed(self, seconds: float = PATIENCE) -> bool:
        """Wait until no client has a connection open."""
        return wait_until(lambda: not self.connections, seconds)


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE, *, every: float = 0.01) -> bool:
    """Poll a condition that another thread or process makes true; whether it became so within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


class UpstreamProcess:
    """The same in a process of its own, which behaves as it is told to: for tests of bad days, under load."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "support.upstream"]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)
        self.base_url = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def be(self, mood: str) -> None:
        """Behave so from now on; empty: as the model's name says."""
        self._tell(f"mood {mood}")

    def asked(self) -> int:
        """How many requests there were since this was last asked."""
        return int(self._tell("asked"))

    def _tell(self, line: str) -> str:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._line()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


async def _serve_forever(port: int) -> None:
    """Until the end of stdin; its lines are commands, and each has an answer: `mood NAME`, `asked`."""
    async with Upstream(port) as upstream:
        print(upstream.base_url, flush=True)
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := await commands.readline():
            command, _, value = line.decode().strip().partition(" ")
            if command == "mood":
                upstream.mood = value or None
            print(len(upstream.requests), flush=True)
            if command == "asked":
                upstream.requests.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible upstream that behaves as the model name says.")
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_forever(parser.parse_args().port))


if __name__ == "__main__":
    main()
