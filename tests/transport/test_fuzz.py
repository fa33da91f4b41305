"""Whatever a server sends: a response or a TransportError, soon, and nothing left behind."""

import asyncio

import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm.transport.base import TransportError
from litellm.types.http import Timeouts
from transport.raw import WAYS, Peer, post, serving, transport, until, whole

WHOLE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00",
]
FRAGMENTS = [
    b"HTTP/1.1 ", b"HTTP/1.0 ", b"200 OK", b"204", b"100", b"101", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b": ",
    b" ", b"\t", b"\x00", b"Content-Length: ", b"Transfer-Encoding: chunked", b"Content-Encoding: deflate",
    b"Connection: close", b"Keep-Alive: timeout=0", b"0", b"5", b"ffffffffffffffff", b"-1", b"hello", b"0\r\n\r\n",
    b"\xff", b"x" * 70_000,
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole answer with bytes removed, repeated, inserted or changed."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 8)))
        data[at:to] = draw(
            st.one_of(st.binary(max_size=4), st.sampled_from(FRAGMENTS), st.just(bytes(data[at:to]) * 2))
        )
    return bytes(data)


anything = st.one_of(
    damaged(), st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join)
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    answers=st.lists(st.tuples(anything, st.integers(0, 300)), min_size=1, max_size=4),
    way=st.sampled_from(WAYS),
    native=st.booleans(),
    closes=st.booleans(),
)
def test_any_bytes(answers: list[tuple[bytes, int]], way: str, native: bool, closes: bool) -> None:
    async def script(peer: Peer) -> None:
        for answer, cut in answers:
            if not await peer.request():
                return
            await peer.send_apart(answer[:cut], answer[cut:])
        if not closes:
            await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            for _ in answers:
                try:
                    status, _ = await whole(client, post(server.url, timeouts=Timeouts(5, 0.1, 0.1, 1)), way)
                    assert 200 <= status <= 599
                except TransportError:
                    pass
            await until(lambda: client.open_connections == client.idle_connections <= 1)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop if native else uvloop.new_event_loop) as runner:
        runner.run(main())
