"""Time bounds, cancelling, and readers that are slower than the server."""

import asyncio
import gc
import random
import socket
import tracemalloc

import pytest

from litellm.transport import connection as connection_module
from litellm.transport.base import ClosedEarly, TimedOut, TransportError
from litellm.types.http import Timeouts, Tls
from support.loops import Run
from support.tls import TestTls
from transport.raw import OK, WAYS, Peer, Sink, answering, failure, post, serving, transport, until, whole

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def timed_out(error: BaseException | None, phase: str) -> None:
    assert type(error) is TimedOut, error
    assert error.phase == phase, error


# Time


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("before", "every", "timeouts", "phase"),
    [
        (b"", 0, Timeouts(first_byte=0.1), "first_byte"),
        (b"HTTP/1.1 200 OK\r\nX: ", 0, Timeouts(first_byte=0.1), "first_byte"),
        (b"HTTP/1.1 200 OK\r\nX: ", 0.04, Timeouts(first_byte=0.2), "first_byte"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0, Timeouts(first_byte=0.1), "first_byte"),
        (HEAD, 0, Timeouts(between_bytes=0.1), "between_bytes"),
        (HEAD + b"some", 0, Timeouts(between_bytes=0.1), "between_bytes"),
        (HEAD + b"some", 0, Timeouts(total=0.2), "total"),
        (b"", 0, Timeouts(total=0.1), "total"),
        (ENDLESS, 0.02, Timeouts(between_bytes=5, total=0.3), "total"),
    ],
)
def test_each_phase_has_a_bound(
    run: Run, way: str, before: bytes, every: float, timeouts: Timeouts, phase: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(before)
        while every:
            await asyncio.sleep(every)
            peer.send(b".")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            began = asyncio.get_running_loop().time()
            error = await failure(whole(client, post(server.url, timeouts=timeouts), way))
            timed_out(error, phase)
            assert 0.09 < asyncio.get_running_loop().time() - began < 3
            await until(lambda: client.open_connections == 0)

    run(main())


def test_a_slow_but_steady_body_is_in_time(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD)
        for _ in range(10):
            await asyncio.sleep(0.05)
            peer.send(b".")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            timeouts = Timeouts(first_byte=0.4, between_bytes=0.4)
            assert (await client.send(post(server.url, timeouts=timeouts))).body == b"." * 10

    run(main())


def test_the_bounds_of_one_request_do_not_last(run: Run) -> None:
    """The one timer of a connection is armed for the shortest bound so far, and must look before it strikes."""

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            await asyncio.sleep(0.4 if request.endswith(b"slow") else 0)
            peer.send(OK)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            for _ in range(2):
                await client.send(post(server.url, timeouts=Timeouts(first_byte=0.2, total=0.3)))
                await client.send(post(server.url, b"slow", timeouts=Timeouts(None, None, None, None)))
                await client.send(post(server.url, b"slow"))
            timed_out(await failure(client.send(post(server.url, b"slow", Timeouts(first_byte=0.1)))), "first_byte")
            assert server.accepted == 1

    run(main())


def test_connecting_has_a_bound(run: Run) -> None:
    """A listener whose queue is full answers no SYN."""

    async def main() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            from litellm.types.http import Url

            url = Url(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            async with transport() as client:
                error = await failure(client.send(post(url, timeouts=Timeouts(connect=0.2))))
                timed_out(error, "connect")
                assert isinstance(error, TimedOut) and not error.sent
                error = await failure(client.send(post(url, timeouts=Timeouts(connect=5, total=0.2))))
                timed_out(error, "total")
                assert isinstance(error, TimedOut) and not error.sent
            for filler in fillers:
                filler.close()

    run(main())


def test_a_handshake_that_hangs_is_part_of_connecting(run: Run, tls: TestTls) -> None:
    async def script(peer: Peer) -> None:
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            server.scheme = "https"
            error = await failure(client.send(post(server.url, timeouts=Timeouts(connect=0.2))))
            timed_out(error, "connect")
            await until(lambda: not server.tasks)

    run(main())


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_does_not_read_is_bounded(run: Run, tls: TestTls, secure: bool) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.sleep(5)

    async def main() -> None:
        async with serving(script, tls.server if secure else None) as server, transport() as client:
            body = bytes(20_000_000)
            began = asyncio.get_running_loop().time()
            request = post(server.url, body, Timeouts(first_byte=5, between_bytes=0.3), Tls(ca_file=tls.ca_file))
            error = await failure(client.send(request))
            timed_out(error, "between_bytes")
            assert "did not read" in str(error)
            assert asyncio.get_running_loop().time() - began < 4

    run(main())


def test_a_server_that_reads_slowly_is_in_time(run: Run) -> None:
    """Between bytes is between any two, not the time the whole body takes; and the wait for an answer starts later."""

    async def script(peer: Peer) -> None:
        left = 30_000_000
        while left > 0:
            left -= len(await peer.reader.read(1 << 20))
            await asyncio.sleep(0.005)
        peer.send(OK)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            began = asyncio.get_running_loop().time()
            timeouts = Timeouts(first_byte=0.4, between_bytes=0.4)
            assert (await client.send(post(server.url, bytes(30_000_000), timeouts))).body == b"ok"
            assert asyncio.get_running_loop().time() - began > 0.5

    run(main())


# Cancelling


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200", HEAD, HEAD + b"some"])
def test_cancelling_closes_the_socket_at_once(run: Run, way: str, before: bytes) -> None:
    hung_up: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(before)
        await peer.hung_up()
        hung_up.append(asyncio.get_running_loop().time())

    async def call(client: object, url: object) -> None:
        if way != "relay":
            await whole(client, post(url), way)  # type: ignore[arg-type]
        stream = await client.stream(post(url))  # type: ignore[attr-defined]
        sink = Sink()
        stream.relay(sink)
        try:
            await asyncio.sleep(60)
        finally:
            stream.close()
            assert sink.errors == []  # after close() nothing is called any more

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            calling = asyncio.create_task(call(client, server.url))
            await until(lambda: client.open_connections == 1)
            await asyncio.sleep(0.05)
            calling.cancel()
            cancelled_at = asyncio.get_running_loop().time()
            await asyncio.wait([calling])
            assert calling.cancelled()
            await until(lambda: bool(hung_up))
            assert hung_up[0] - cancelled_at < 0.5
            assert client.open_connections == 0

    run(main())


@pytest.mark.parametrize("secure", [False, True])
def test_cancelling_at_any_moment_leaves_nothing(run: Run, tls: TestTls, secure: bool) -> None:
    live: set[Peer] = set()

    async def script(peer: Peer) -> None:
        live.add(peer)
        await peer.hung_up()
        live.discard(peer)

    async def main() -> None:
        async with serving(script, tls.server if secure else None) as server, transport() as client:
            for turn in range(60):
                call = asyncio.create_task(client.send(post(server.url, tls=Tls(ca_file=tls.ca_file))))
                for _ in range(turn % 30):
                    await asyncio.sleep(0)
                if secure:
                    await asyncio.sleep(random.random() * 0.008)
                call.cancel()
                await asyncio.wait([call])
                assert call.cancelled()
            assert client.open_connections <= 1
            await until(lambda: not server.tasks and not live and client.open_connections == 0)

    run(main())


def test_a_cancel_that_comes_with_the_answer_harms_nobody(run: Run) -> None:
    """The answer is complete, the connection already another's, when the cancelled caller gets its turn."""

    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            await client.send(post(server.url))
            for _ in range(50):
                first = asyncio.create_task(client.send(post(server.url)))
                await asyncio.sleep(0)
                await until(lambda: client.idle_connections == 1, 5)
                second = asyncio.create_task(client.send(post(server.url)))
                first.cancel()
                assert (await second).body == b"ok"
                await asyncio.wait([first])
            assert server.accepted == 1

    run(main())


def test_breaking_out_of_an_iteration_closes_the_socket(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(ENDLESS + b"data: 1\n\n")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            stream = await client.stream(post(server.url))
            async for data in stream:
                assert data == b"data: 1\n\n"
                break
            await until(lambda: client.open_connections == 0 and not server.tasks)
            stream.close()
            stream.close()

    run(main())


def test_close_before_reading(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD + b"some")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            stream = await client.stream(post(server.url))
            stream.close()
            await until(lambda: client.open_connections == 0 and not server.tasks)
            assert [data async for data in stream] == []

    run(main())


# Readers


class SlowSink(Sink):
    """Pauses the stream at each piece, from within `data`."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: object = None

    def data(self, data: bytes, /) -> None:
        super().data(data)
        self.stream.pause()  # type: ignore[attr-defined]


async def flood(peer: Peer, megabytes: int, progress: list[int]) -> None:
    """Answer with so much, counting what the client's kernel and ours have taken."""
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (megabytes << 20))
    for _ in range(megabytes):
        peer.send(bytes(1 << 20))
        await peer.writer.drain()
        progress.append(1)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("way", ["iterate", "relay"])
def test_memory_is_bounded_when_the_reader_is_slow(run: Run, tls: TestTls, way: str, secure: bool) -> None:
    progress: list[int] = []
    megabytes = 48

    async def main() -> None:
        async def script(peer: Peer) -> None:
            await flood(peer, megabytes, progress)
            await peer.hung_up()

        async with serving(script, tls.server if secure else None) as server, transport() as client:
            stream = await client.stream(post(server.url, tls=Tls(ca_file=tls.ca_file)))
            sink = SlowSink()
            sink.stream = stream
            if way == "relay":
                stream.relay(sink)
            gc.collect()
            tracemalloc.start()
            for _ in range(20):
                await asyncio.sleep(0.02)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert len(progress) < megabytes - 8, "the server could go on sending"
            assert peak < 6 << 20
            if way == "iterate":
                assert sum([len(data) async for data in stream]) == megabytes << 20
            else:
                while not sink.errors:
                    stream.resume()
                    await asyncio.sleep(0)
                assert sink.errors == [None] and sum(map(len, sink.pieces)) == megabytes << 20
            assert client.idle_connections == 1

    run(main())


def test_a_stream_waits_with_at_most_64_kib(run: Run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await flood(peer, 2, [])
            await peer.hung_up()

        async with serving(script) as server, transport() as client:
            stream = await client.stream(post(server.url))
            await asyncio.sleep(0.1)
            first = await anext(aiter(stream))
            assert len(first) <= (64 + 256) << 10  # the window, and the read that filled it
            stream.close()

    run(main())


@pytest.mark.parametrize("way", ["iterate", "relay"])
def test_a_reader_who_never_reads_is_dropped(run: Run, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "READER_TIMEOUT", 0.2)

    async def main() -> None:
        async def script(peer: Peer) -> None:
            await flood(peer, 16, [])

        async with serving(script) as server, transport() as client:
            stream = await client.stream(post(server.url, timeouts=Timeouts(between_bytes=0.1)))
            sink = SlowSink()
            sink.stream = stream
            if way == "relay":
                stream.relay(sink)
            await until(lambda: client.open_connections == 0)
            error = sink.errors[0] if way == "relay" else await failure(stream.read())
            timed_out(error, "reader")

    run(main())


def test_a_pause_of_the_reader_is_not_the_servers(run: Run) -> None:
    """While reading is paused the server is not late."""

    async def main() -> None:
        async def script(peer: Peer) -> None:
            await flood(peer, 8, [])
            await peer.hung_up()

        async with serving(script) as server, transport() as client:
            stream = await client.stream(post(server.url, timeouts=Timeouts(between_bytes=0.3)))
            await asyncio.sleep(0.8)
            assert len(await stream.read()) == 8 << 20

    run(main())


def test_pausing_and_resuming_after_the_end_is_harmless(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            stream = await client.stream(post(server.url))
            assert client.idle_connections == 1
            stream.pause()
            assert (await client.send(post(server.url))).body == b"ok"  # the same connection: another's by now
            stream.resume()
            sink = Sink()
            stream.relay(sink)
            assert sink.pieces == [b"ok"] and sink.errors == [None]
            stream.close()
            assert server.accepted == 1 and client.idle_connections == 1

    run(main())


def test_an_event_reaches_the_receiver_in_the_turn_in_which_it_is_read(run: Run) -> None:
    turns: list[str] = []

    class Tracing(Sink):
        def data(self, data: bytes, /) -> None:
            super().data(data)
            turns.append(data.decode())
            asyncio.get_running_loop().call_soon(turns.append, "next turn")

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(ENDLESS, b"1", b"2")

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            sink = Tracing()
            (await client.stream(post(server.url))).relay(sink)
            await sink.ended.wait()
            assert [turn for turn in turns if turn != "next turn"] == ["1", "2"]
            assert turns[1] == "next turn"

    run(main())


@pytest.mark.parametrize("last", [b"\x00garbage", None])
def test_what_came_before_a_failure_is_delivered(run: Run, last: bytes | None) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n" + (last or b""))

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            sink = Sink()
            (await client.stream(post(server.url))).relay(sink)
            await sink.ended.wait()
            assert b"".join(sink.pieces) == b"first"
            assert isinstance(sink.errors[0], TransportError) and len(sink.errors) == 1
            stream = await client.stream(post(server.url))
            got: list[bytes] = []
            with pytest.raises(TransportError):
                async for data in stream:
                    got.append(data)
            assert got == [b"first"]

    run(main())


def test_a_receiver_may_close_from_within(run: Run) -> None:
    class Closing(Sink):
        stream: object = None

        def data(self, data: bytes, /) -> None:
            super().data(data)
            self.stream.close()  # type: ignore[attr-defined]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(ENDLESS, b"1", b"2", b"3")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            sink = Closing()
            sink.stream = stream = await client.stream(post(server.url))
            stream.relay(sink)
            await until(lambda: client.open_connections == 0)
            assert len(sink.pieces) == 1 and sink.errors == []

    run(main())


def test_many_streams_at_once(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.01)
            peer.send(b"1\r\n.\r\n")
        peer.send(b"0\r\n\r\n")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            calls = [whole(client, post(server.url), WAYS[number % 4]) for number in range(60)]
            assert await asyncio.gather(*calls) == [(200, b"." * 10)] * 60
            assert client.open_connections == client.idle_connections == 60

    run(main())


def test_closed_early_in_a_stream(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(HEAD, b"some")

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            error = await failure(whole(client, post(server.url), "iterate"))
            assert type(error) is ClosedEarly and "in the middle" in str(error)

    run(main())
