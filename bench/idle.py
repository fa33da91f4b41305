"""What a stream costs in memory while nothing comes: KiB that the server's processes grow by for each."""

import asyncio
import contextlib
import json
from typing import Final

from bench import machine
from bench.servers import Subject

WARM: Final = 100
AT_ONCE: Final = 50


def measure(subject: Subject, streams: int) -> float:
    """Opens so many streams, and `WARM` before them that do not count."""
    return asyncio.run(_measure(subject, streams))


async def _measure(subject: Subject, streams: int) -> float:
    machine.raise_file_limit()
    pids = machine.family(subject.process.pid)
    async with contextlib.AsyncExitStack() as stack:
        await _open(subject, WARM, stack)
        before = machine.rss_mb(pids)
        await _open(subject, streams, stack)
        await asyncio.sleep(1)
        return (machine.rss_mb(pids) - before) * 1024 / streams


async def _open(subject: Subject, streams: int, stack: contextlib.AsyncExitStack) -> None:
    body = json.dumps({"model": "idle", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = (
        f"POST {subject.path('idle')} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {subject.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
        stack.callback(writer.close)
        writer.write(head.encode() + body)
        await reader.readuntil(b"data: ")

    for _ in range(0, streams, AT_ONCE):
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))
