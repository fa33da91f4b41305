"""Bodies that come from an iterator; answers that come before the request has been sent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from litellm.transport.base import ClosedEarly, TimedOut
from litellm.types.http import InvalidRequest, Timeouts, Tls, Upload
from support.loops import Run
from support.tls import TestTls
from transport.raw import OK, Peer, answering, failure, post, serving, transport, until

EARLY = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large"


class Chunks:
    """Yields `count` chunks of `size` bytes; knows whether it was finished off."""

    def __init__(self, count: int, size: int = 1 << 16, delay: float = 0.0) -> None:
        self.left = count
        self.size = size
        self.delay = delay
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(self.delay)
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return bytes(self.size)

    async def aclose(self) -> None:
        self.closed = True


def test_an_upload_arrives_whole_and_its_connection_is_used_again(run: Run) -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            assert b"content-length: 655360\r\n" in request or request.endswith(b"{}")
            seen.append(len(request.partition(b"\r\n\r\n")[2]))
            peer.send(OK)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(10)
            assert (await client.send(post(server.url, Upload(chunks, 655_360)))).body == b"ok"
            assert (await client.send(post(server.url))).body == b"ok"
            assert seen == [655_360, 2] and chunks.closed and server.accepted == 1

    run(main())


@pytest.mark.parametrize("length", [3 * 65536 - 1, 3 * 65536 + 1, 0])
def test_a_wrong_length_is_the_callers_error(run: Run, length: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(3)
            error = await failure(client.send(post(server.url, Upload(chunks, length))))
            assert type(error) is InvalidRequest and chunks.closed
            await until(lambda: client.open_connections == 0)

    run(main())


def test_the_iterators_own_error_reaches_the_caller(run: Run) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("no such file")

    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            error = await failure(client.send(post(server.url, Upload(chunks(), 10))))
            assert type(error) is LookupError
            await until(lambda: client.open_connections == 0)

    run(main())


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("ending", ["reads on", "closes", "resets"])
@pytest.mark.parametrize("streamed", [True, False])
def test_an_early_answer_is_returned(run: Run, tls: TestTls, streamed: bool, ending: str, secure: bool) -> None:
    """The server answers after a little of the body and will not have the rest."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.reader.readexactly(10_000)
        peer.send(EARLY)
        if ending == "reads on":
            await peer.hung_up()
        elif ending == "resets":
            await asyncio.sleep(0.02)
            peer.reset()

    async def main() -> None:
        async with serving(script, tls.server if secure else None) as server, transport() as client:
            for _ in range(5):
                chunks = Chunks(1000)
                body = Upload(chunks, 1000 << 16) if streamed else bytes(20_000_000)
                response = await client.send(post(server.url, body, tls=Tls(ca_file=tls.ca_file)))
                assert (response.status, response.body) == (413, b"too large")
                await until(lambda: client.open_connections == 0)
                if streamed:
                    await until(lambda chunks=chunks: chunks.closed)
                    assert chunks.left > 0

    run(main())


def test_an_early_answer_does_not_wait_for_the_iterator(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(EARLY)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(10, delay=30)
            response = await client.send(post(server.url, Upload(chunks, 655_360)))
            assert response.status == 413
            await until(lambda: chunks.closed)

    run(main())


def test_a_close_without_an_answer_is_closed_early(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(1000)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(1000)
            error = await failure(client.send(post(server.url, Upload(chunks, 1000 << 16))))
            assert isinstance(error, ClosedEarly) and error.sent
            await until(lambda: chunks.closed)

    run(main())


def test_a_server_that_does_not_read_an_upload_is_bounded(run: Run) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.sleep(10)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(1000)
            timeouts = Timeouts(first_byte=10, between_bytes=0.3)
            error = await failure(client.send(post(server.url, Upload(chunks, 1000 << 16), timeouts)))
            assert type(error) is TimedOut and error.phase == "between_bytes"
            assert chunks.left > 500  # it is not read into memory either
            await until(lambda: chunks.closed)

    run(main())


def test_the_wait_for_an_answer_starts_when_the_upload_is_done(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            upload = Upload(Chunks(10, 100, delay=0.08), 1000)
            timeouts = Timeouts(first_byte=0.5, between_bytes=0.5)
            assert (await client.send(post(server.url, upload, timeouts))).status == 200

    run(main())


def test_cancelling_an_upload_closes_both_ends(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            chunks = Chunks(1000, delay=0.01)
            call = asyncio.create_task(client.send(post(server.url, Upload(chunks, 1000 << 16))))
            await until(lambda: chunks.left < 990)
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: chunks.closed and client.open_connections == 0 and not server.tasks)

    run(main())


def test_an_upload_with_a_streamed_answer(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            stream = await client.stream(post(server.url, Upload(Chunks(10), 655_360)))
            assert await stream.read() == b"ok"

    run(main())


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_an_answer_that_began_early_and_stalls_after_the_upload_is_bounded(run: Run, parts: int) -> None:
    """No timer runs while a request is uploaded and its answer comes; from the upload's end on one does again."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await asyncio.sleep(0.1)
        await peer.reader.readexactly(128 << 16)
        await asyncio.sleep(0.1)
        for _ in range(parts):
            peer.send(b"4\r\npart\r\n")
            await asyncio.sleep(0.1)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            timeouts = Timeouts(first_byte=20, between_bytes=1.5)
            upload = Upload(Chunks(128), 128 << 16)
            stream = await client.stream(post(server.url, upload, timeouts))
            body = bytearray()

            async def read() -> None:
                async for data in stream:
                    body.extend(data)

            error = await failure(asyncio.wait_for(read(), 20))
            assert type(error) is TimedOut and error.phase == "between_bytes"
            assert bytes(body) == b"first" + b"part" * parts

    run(main())
