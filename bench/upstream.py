"""Two upstreams that wait cheaply, in one uvloop process: precomputed bytes, one timer for everybody.

    POST /delay/v1/chat/completions     the plain answer, 50 ms later
    POST /events/v1/chat/completions    one event every 10 ms for SECONDS, each with the time it was written
    POST /idle/v1/chat/completions      one event, and nothing more

usage: python -m bench.upstream PORT SECONDS
"""

import asyncio
import sys
import time
from collections import deque
from typing import Final, cast

import uvloop

from bench import machine, payloads

DELAY: Final = 0.050
EVERY_MS: Final = 10
_TICK: Final = 0.001
_END: Final = b"\r\n\r\n"
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _answer() -> bytes:
    body = payloads.chat()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Wheel:
    """One tick each millisecond: sends the answers that are due, and the events of that millisecond's streams."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._events = int(seconds * 1000 / EVERY_MS)
        self._due: deque[tuple[float, asyncio.Transport]] = deque()
        self._slots: list[dict[asyncio.Transport, int]] = [{} for _ in range(EVERY_MS)]
        self._opened = 0
        self._tick = 0
        self._next = loop.time()
        self._answer = _answer()
        before, after = payloads.stamped()
        size = len(before) + 16 + len(after)
        self._before, self._after = b"%x\r\n" % size + before, after + b"\r\n"
        self._last = _chunked(payloads.chunk({}, "stop") + b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def start(self) -> None:
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            transport = self._due.popleft()[1]
            if not transport.is_closing():
                transport.write(self._answer)
        self._tick = (self._tick + 1) % EVERY_MS
        self._send_events(self._slots[self._tick])
        self._next = max(self._next + _TICK, now)
        self._loop.call_at(self._next, self.start)

    def answer_later(self, transport: asyncio.Transport) -> None:
        self._due.append((self._loop.time() + DELAY, transport))

    def open_stream(self, transport: asyncio.Transport) -> None:
        transport.write(_STREAM_HEAD + _chunked(payloads.chunk({"role": "assistant", "content": ""})))
        self._opened += 1
        self._slots[self._opened % EVERY_MS][transport] = self._events

    def open_idle(self, transport: asyncio.Transport) -> None:
        transport.write(_STREAM_HEAD + _chunked(payloads.chunk({"role": "assistant", "content": ""})))

    def forget(self, transport: asyncio.Transport) -> None:
        for slot in self._slots:
            slot.pop(transport, None)

    def _send_events(self, slot: dict[asyncio.Transport, int]) -> None:
        for transport, left in list(slot.items()):
            if left == 0:
                del slot[transport]
                transport.write(self._last)
                continue
            slot[transport] = left - 1
            transport.write(b"%s%016d%s" % (self._before, time.monotonic_ns() // 1000, self._after))


class Connection(asyncio.Protocol):
    """Reads requests with a Content-Length and hands each to the wheel."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._buffer = b""
        self._serve = {
            b"post /delay": wheel.answer_later, b"post /events": wheel.open_stream, b"post /idle": wheel.open_idle
        }  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, with the same methods

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._serve[head[: head.find(b"/v1/")]](self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wheel.forget(self._transport)


async def serve(port: int, seconds: float) -> None:
    machine.raise_file_limit()
    loop = asyncio.get_running_loop()
    wheel = Wheel(loop, seconds)
    server = await loop.create_server(lambda: Connection(wheel), "127.0.0.1", port, backlog=4096)
    wheel.start()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
