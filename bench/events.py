"""The reader of the separate-events row: opens streams, counts events, and says how late each came.

usage: python -m bench.events HOST:PORT PATH MODEL KEY STREAMS SECONDS
Reads for SECONDS after all streams are open, then prints {"events", "p50_ms", "p99_ms", "failed"} as JSON.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from bench import payloads


class Stream(asyncio.Protocol):
    """One stream. `delays` is shared: microseconds from an event's writing to its arrival here."""

    def __init__(self, request: bytes, delays: list[int]) -> None:
        self._request = request
        self._delays = delays
        self._rest = b""
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, with the same methods
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self.opened.set_result(data.startswith(b"HTTP/1.1 200"))
        now = time.monotonic_ns() // 1000
        data = self._rest + data
        start, end = data.find(payloads.STAMP), 0
        while start >= 0 and start + len(payloads.STAMP) + 16 <= len(data):
            digits = start + len(payloads.STAMP)
            self._delays.append(now - int(data[digits : digits + 16]))
            end = digits + 16
            start = data.find(payloads.STAMP, end)
        self._rest = data[max(end, len(data) - len(payloads.STAMP) - 16) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)


def _request(host: str, path: str, model: str, key: str) -> bytes:
    message = {"role": "user", "content": "Tell me a long story."}
    body = json.dumps({"model": model, "messages": [message], "stream": True}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def percentile(ordered: list[int], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000 if ordered else 0.0


async def read(address: str, path: str, model: str, key: str, streams: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    host, port = address.split(":")
    request = _request(address, path, model, key)
    delays: list[int] = []
    opened = [(await loop.create_connection(lambda: Stream(request, delays), host, int(port))) for _ in range(streams)]
    good = await asyncio.gather(*(stream.opened for _, stream in opened))
    print("open", flush=True)
    delays.clear()
    await asyncio.sleep(seconds)
    ordered = sorted(delays)
    print("done", flush=True)
    for _, stream in opened:
        stream.transport.abort()
    return {
        "events": len(ordered),
        "p50_ms": percentile(ordered, 0.5),
        "p99_ms": percentile(ordered, 0.99),
        "failed": good.count(False),
    }


if __name__ == "__main__":
    target, where, name, secret, many, long = sys.argv[1:]
    print(json.dumps(uvloop.run(read(target, where, name, secret, int(many), float(long)))))
