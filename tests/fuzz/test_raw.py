"""Raw bytes on the gateway's port: whatever comes, an answer of HTTP/1.1 or a closed connection, and it serves on."""

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from fuzz.attacks import ATTACKS, SMUGGLED, request, smuggling
from fuzz.report import Report
from support.counts import fuzz_requests, fuzz_seed
from support.gateway import Gateway
from support.upstream import UpstreamThread

pytestmark = [pytest.mark.slow, pytest.mark.soak]

AT_ONCE: Final = 24
QUIET_SECONDS: Final = 0.3  # an attacker who hears nothing for so long goes away
REFUSED: Final = frozenset({501, 503, 505})
"""What the server refuses with 5xx, as HTTP wants it: other codings than chunked, endless pipelines, other versions."""
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z' -]+\r\n")
_RESET: Final = struct.pack("ii", 1, 0)


async def attack(port: int, data: bytes, random: Random, quiet: float = QUIET_SECONDS) -> bytes:
    """Send bytes in up to three pieces; everything that comes back before it falls silent, or closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 2))))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            writer.write(data[start:end])
            await writer.drain()
            await asyncio.sleep(0)
        while True:
            part = await asyncio.wait_for(reader.read(1 << 16), quiet)
            if not part:
                break
            heard += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        if random.random() < 0.3:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    return heard


async def attack_all(gateway: Gateway, number: int, seed: int, saw: "Seen") -> None:
    """`number` attacks, some at a time; the bytes of each follow from the seed and its number."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> None:
        random = Random(f"{seed} {index}")
        make = random.choice(ATTACKS)
        data = make(random, gateway.key)
        async with gate:
            saw.heard(make.__name__, data, await attack(gateway.port, data, random))

    for start in range(0, number, 1000):
        await asyncio.gather(*(one(index) for index in range(start, min(number, start + 1000))))


class Seen:
    """Answers by status and by kind of attack."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.kinds: dict[str, Counter[int]] = {}

    def heard(self, kind: str, data: bytes, heard: bytes) -> None:
        counts = self.kinds.setdefault(kind, Counter())
        if not heard:
            counts[0] += 1
            return
        statuses = [int(status) for status in _STATUS_LINE.findall(heard)]
        if not _STATUS_LINE.match(heard):
            self.report.wrong.append(f"no HTTP/1.1 in {heard[:100]!r} for {data[:500]!r}")
        for status in statuses:
            counts[status] += 1
            self.report.saw(status, False, b"", repr(data[:1500]))


def test_bytes_of_any_kind_are_answered_or_refused(
    target: Gateway, shared_upstream: UpstreamThread, tell: Callable[[str], None]
) -> None:
    number, report = fuzz_requests(), Report("raw bytes", fuzz_seed(), allowed=REFUSED)
    seen = Seen(report)
    asyncio.run(attack_all(target, number, report.seed, seen))
    for kind, counts in sorted(seen.kinds.items()):
        tell(f"  {kind}: {dict(sorted(counts.items()))} (0: no answer)")
    report.check(tell)
    assert sum(counts.total() for counts in seen.kinds.values()) >= number
    assert {200, 400, 431} <= set(report.statuses) and report.statuses[400] > number / 20
    assert set(seen.kinds) == {make.__name__ for make in ATTACKS}
    assert shared_upstream.asked(SMUGGLED) == []


def test_a_doubtful_end_is_refused_and_the_connection_closed(target: Gateway, shared_upstream: UpstreamThread) -> None:
    """Every framing of the table, many times: nothing behind it is ever taken for a request of its own."""
    for index in range(150):
        random = Random(index)
        heard = asyncio.run(attack(target.port, smuggling(random, target.key), random))
        statuses = _STATUS_LINE.findall(heard)
        assert statuses in ([], [b"400"], [b"501"]), heard
    assert shared_upstream.asked(SMUGGLED) == []


def test_well_formed_requests_are_answered_over_the_same_sockets(target: Gateway) -> None:
    """The fuzzer's own requests are good ones: what it breaks is what it means to break."""
    for index in range(60):
        random = Random(index)
        heard = asyncio.run(attack(target.port, request(random, target.key, close=True), random, 30))
        [status] = _STATUS_LINE.findall(heard)
        assert status in (b"200", b"404"), heard[:500]
