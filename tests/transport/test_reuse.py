"""One connection, one caller: what may be used again, and what is sent again."""

import asyncio
import os

import pytest

from litellm.transport.base import ClosedEarly, ConnectFailed
from litellm.transport.http import HttpTransport
from litellm.types.http import Upload
from support.loops import Run
from transport.raw import OK, WAYS, Peer, answering, failure, post, serving, transport, until, whole

CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsecret!"
EVIL_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsecret!\r\n0\r\n\r\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "first",
    [
        OK + EVIL,
        OK + EVIL_CHUNKED,
        OK + EVIL[:-3],
        OK + EVIL[:10],
        OK + b"x",
        OK + b"\r\n",
        OK + b"\r\n\r\n",
        OK + b"\n",
        CHUNKED_OK + EVIL,
        CHUNKED_OK + EVIL_CHUNKED,
        CHUNKED_OK + b"\r\n",
        CHUNKED_OK + b"\r",
        CHUNKED_OK + b"\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL,
        b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n" + EVIL,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + EVIL,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + EVIL,
        OK + b"HTTP/1.1 100 Continue\r\n\r\n",
        OK + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    ],
)  # fmt: skip
def test_what_follows_an_answer_reaches_nobody(run: Run, way: str, first: bytes) -> None:
    """An upstream that answers twice: the second answer is nobody's, and the connection is dropped."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(first if peer.number == 0 else OK)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            _, body = await whole(client, post(server.url), way)
            assert body in (b"ok", b"")
            assert client.idle_connections == 0
            assert (await client.send(post(server.url))).body == b"ok"
            assert server.accepted == 2

    run(main())


@pytest.mark.parametrize("late", [EVIL, b"x", b"\r\n", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"])
def test_bytes_on_an_idle_connection_close_it(run: Run, late: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(OK, late)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            for count in range(1, 4):
                assert (await client.send(post(server.url))).body == b"ok"
                await until(lambda: client.open_connections == 0)
                assert client.idle_connections == 0 and server.accepted == count

    run(main())


def test_bytes_that_the_loop_has_not_seen_yet_close_it_too(run: Run) -> None:
    """The second answer is in the kernel, unread, when the next request is about to take the connection."""
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.request()
        peer.send(OK)
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            assert client.idle_connections == 1
            os.write(peers[0].writer.get_extra_info("socket").fileno(), EVIL)
            assert (await client.send(post(server.url))).body == b"ok"
            assert server.accepted == 2 and client.open_connections == 1

    run(main())


def test_many_callers_never_get_each_others_answers(run: Run) -> None:
    """Each answer names its request. Some answers come twice, some connections are cut, some callers leave."""

    async def script(peer: Peer) -> None:
        count = 0
        while request := await peer.request():
            body = request.rpartition(b"\r\n\r\n")[2]
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            count += 1
            match (peer.number + count) % 5:
                case 0:
                    peer.send(answer + answer)
                case 1:
                    peer.send(answer)
                    peer.send(answer)
                case 2:
                    await peer.send_apart(answer[:-1], answer[-1:])
                case 3:
                    await asyncio.sleep(0.002)
                    peer.send(answer)
                case _:
                    peer.send(answer)

    async def caller(client: HttpTransport, server: object, number: int) -> int:
        got = 0
        for turn in range(15):
            mine = b"%d-%d" % (number, turn)
            try:
                async with asyncio.timeout(0.001 if turn % 4 == 3 else 30):
                    _, body = await whole(client, post(server.url, mine), WAYS[turn % 4])  # type: ignore[attr-defined]
            except (TimeoutError, ClosedEarly):
                continue
            assert body == mine
            got += 1
        return got

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            counts = await asyncio.gather(*(caller(client, server, number) for number in range(20)))
            assert sum(counts) > 100
            await until(lambda: client.open_connections == client.idle_connections)

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_is_used_again(run: Run, way: str) -> None:
    async def main() -> None:
        async with serving(answering(OK, CHUNKED_OK)) as server, transport() as client:
            for _ in range(5):
                assert await whole(client, post(server.url), way) == (200, b"ok")
                assert client.open_connections == client.idle_connections == 1
            assert server.accepted == 1

    run(main())


def test_the_last_in_is_the_first_out(run: Run) -> None:
    served: list[int] = []
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            served.append(peer.number)
            if request.endswith(b"slow"):
                await gate.wait()
            peer.send(OK)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            slow = asyncio.create_task(client.send(post(server.url, b"slow")))
            await until(lambda: served == [0])
            await client.send(post(server.url))
            gate.set()
            await slow
            assert served == [0, 1] and client.idle_connections == 2
            for _ in range(3):
                await client.send(post(server.url))
            assert served == [0, 1, 0, 0, 0]

    run(main())


def test_idle_connections_expire(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport(idle_seconds=0.2) as client:
            await client.send(post(server.url))
            assert client.idle_connections == 1
            await until(lambda: client.open_connections == 0)
            assert client.idle_connections == 0

    run(main())


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        (b"timeout=5", True),
        (b"timeout=1", False),
        (b"timeout=0", False),
        (b"max=10, timeout=1", False),
        (b"Timeout = 1", False),
        (b"max=10", True),
        (b"nonsense", True),
    ],
)
def test_keep_alive_says_how_long(run: Run, field: bytes, kept: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\nContent-Length: 2\r\n\r\nok" % field

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            await client.send(post(server.url))
            assert client.idle_connections == int(kept)

    run(main())


def test_keep_alive_is_kept_a_second_less(run: Run) -> None:
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok"

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            began = asyncio.get_running_loop().time()
            await client.send(post(server.url))
            await until(lambda: client.open_connections == 0)
            assert 0.9 < asyncio.get_running_loop().time() - began < 1.9

    run(main())


def test_a_connection_the_server_closes_leaves_the_pool(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(OK)
        await asyncio.sleep(0.02)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            assert client.idle_connections == 1
            await until(lambda: client.open_connections == 0)
            assert client.idle_connections == 0

    run(main())


# Sending again


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_stale_connection_is_no_error(run: Run, way: str, ending: str) -> None:
    """The server closes as the second request arrives, as one that has just reached its keep-alive timeout does."""

    async def script(peer: Peer) -> None:
        assert await peer.request()
        peer.send(OK)
        if peer.number == 0:
            await peer.request()
            peer.reset() if ending == "reset" else peer.close()
        else:
            await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            assert await whole(client, post(server.url), way) == (200, b"ok")
            assert server.accepted == 2

    run(main())


def test_it_is_sent_again_once_only_and_on_a_new_connection(run: Run) -> None:
    served: list[int] = []

    async def script(peer: Peer) -> None:
        while await peer.request():
            served.append(peer.number)
            if len(served) > 2:
                return
            peer.send(OK)
            await asyncio.sleep(0.05)  # so that the two first callers need two connections

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await asyncio.gather(client.send(post(server.url)), client.send(post(server.url)))
            await asyncio.sleep(0.1)
            assert client.idle_connections == 2
            error = await failure(client.send(post(server.url)))
            assert isinstance(error, ClosedEarly) and error.sent
            assert len(served) == 4 and served[3] == 2

    run(main())


def test_a_new_connection_that_closes_is_an_error(run: Run) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.request())

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            error = await failure(client.send(post(server.url)))
            assert type(error) is ClosedEarly and error.sent
            assert len(requests) == 1

    run(main())


def test_a_close_after_more_than_50_ms_is_an_error(run: Run) -> None:
    """By then the server may have worked on it, and the call may have been billed."""
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.request())
        peer.send(OK)
        requests.append(await peer.request())
        await asyncio.sleep(0.1)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            error = await failure(client.send(post(server.url)))
            assert type(error) is ClosedEarly and error.sent
            assert len(requests) == 2 and server.accepted == 1

    run(main())


def test_a_close_after_a_byte_of_the_answer_is_an_error(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(OK)
        await peer.request()
        peer.send(b"H")

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            error = await failure(client.send(post(server.url)))
            assert type(error) is ClosedEarly and server.accepted == 1

    run(main())


def test_an_upload_is_never_sent_again_and_takes_no_used_connection(run: Run) -> None:
    requests: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            requests.append((peer.number, request[-2:]))
            if request.endswith(b"up"):
                return
            peer.send(OK)

    async def chunks() -> object:
        yield b"u"
        yield b"p"

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            await client.send(post(server.url))
            error = await failure(client.send(post(server.url, Upload(chunks(), 2))))  # type: ignore[arg-type]
            assert isinstance(error, ClosedEarly)
            assert requests == [(0, b"{}"), (1, b"up")]

    run(main())


# The transport as a whole


def test_a_limit_of_connections(run: Run) -> None:
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            if request.endswith(b"slow"):
                await gate.wait()
            peer.send(OK)

    async def main() -> None:
        async with serving(script) as one, serving(script) as two, transport(max_connections=2) as client:
            await client.send(post(one.url))
            slow = [asyncio.create_task(client.send(post(two.url, b"slow"))) for _ in range(2)]
            await until(lambda: two.accepted == 2 and client.idle_connections == 0)  # the idle one has made room
            error = await failure(client.send(post(one.url)))
            assert type(error) is ConnectFailed and "limit" in str(error) and not error.sent
            gate.set()
            await asyncio.gather(*slow)
            await client.send(post(one.url))
            assert client.open_connections == 2

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_closing_the_transport_fails_calls_in_flight(run: Run, way: str) -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        if request.endswith(b"head"):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server:
            client = HttpTransport()
            calls = [asyncio.create_task(whole(client, post(server.url, body), way)) for body in (b"none", b"head")]
            await until(lambda: client.open_connections == 2)
            await asyncio.sleep(0.05)
            await client.aclose()
            assert client.open_connections == 0
            for call in calls:
                assert type(await failure(call)) is ClosedEarly
            error = await failure(client.send(post(server.url)))
            assert type(error) is ClosedEarly and not error.sent
            await client.aclose()

    run(main())


def test_a_transport_belongs_to_one_loop(run: Run) -> None:
    client = HttpTransport()

    async def use() -> None:
        async with serving(answering(OK)) as server:
            await client.send(post(server.url))

    async def first() -> None:
        await use()
        for connection in list(client._pool.open):
            connection.close()

    async def second() -> None:
        async with serving(answering(OK)) as server:
            error = await failure(client.send(post(server.url)))
            assert type(error) is RuntimeError and "another event loop" in str(error)

    run(first())
    run(second())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_does_not_share_connections() -> None:
    """A child that makes a transport of its own leaves the parent's connection alone."""
    import subprocess
    import sys

    program = """
import asyncio, os, sys
from litellm.transport.http import HttpTransport
from transport.raw import OK, answering, post, serving

async def main():
    async with serving(answering(OK)) as server:
        client = HttpTransport()
        await client.send(post(server.url))
        child = os.fork()
        if not child:
            os._exit(in_child(client, server.url))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert status == 0, status
        await client.send(post(server.url))
        assert server.accepted == 2, server.accepted
        await client.aclose()

def in_child(inherited, url):
    async def body():
        try:
            await inherited.send(post(url))
        except RuntimeError:
            own = HttpTransport()
            await own.send(post(url))
            await own.aclose()
            return 0
        return 1
    asyncio._set_running_loop(None)
    return asyncio.new_event_loop().run_until_complete(body())

asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                         capture_output=True, text=True, timeout=60)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
