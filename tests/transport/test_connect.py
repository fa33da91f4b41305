"""Opening sockets: all addresses of a name, IPv6 first, 250 ms apart."""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from litellm.transport import connect
from litellm.transport.base import ClosedEarly, ConnectFailed
from litellm.types.http import Url
from support.loops import Run
from transport.raw import OK, Peer, answering, failure, post, serving, transport


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
V4 = [(socket.AF_INET, (f"10.0.0.{n}", 80)) for n in range(3)]
V6 = [(socket.AF_INET6, (f"fd00::{n}", 80, 0, 0)) for n in range(3)]


def test_families_take_turns_ipv6_first() -> None:
    assert connect.in_turn([*V4, *V6]) == [V6[0], V4[0], V6[1], V4[1], V6[2], V4[2]]
    assert connect.in_turn([*V4, V6[0]]) == [V6[0], *V4]
    assert connect.in_turn(V4) == V4
    assert connect.in_turn([]) == []


@contextmanager
def silent(family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """An address that answers no SYN: a listener with a full queue."""
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen(0)
        fillers = [socket.socket(family) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for filler in fillers:
            filler.close()


@contextmanager
def refusing() -> Iterator[tuple[str, int]]:
    """An address where nobody listens: bound, so that no one else gets it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()


async def race(*addresses: tuple[str, int]) -> tuple[object, float]:
    """Where the race ended up, and after how long."""
    began = asyncio.get_running_loop().time()
    sock = await connect._race([(socket.AF_INET, address) for address in addresses])
    with sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.getblocking()
        return sock.getpeername(), asyncio.get_running_loop().time() - began


def test_the_next_address_is_tried_after_250_ms(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server:
            with silent() as first:
                where, took = await race(first, ("127.0.0.1", server.port))
                assert where == ("127.0.0.1", server.port) and 0.24 < took < 2

    run(main())


def test_or_at_once_when_one_is_refused(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server:
            with refusing() as first, refusing() as second:
                where, took = await race(first, second, ("127.0.0.1", server.port))
                assert where == ("127.0.0.1", server.port) and took < 0.24

    run(main())


def test_a_slow_first_address_still_wins_against_silence(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server:
            with silent() as other:
                where, _ = await race(("127.0.0.1", server.port), other)
                assert where == ("127.0.0.1", server.port)

    run(main())


def test_when_all_refuse_the_first_error_is_raised(run: Run) -> None:
    async def main() -> None:
        with refusing() as first, refusing() as second:
            assert isinstance(await failure(race(first, second)), ConnectionRefusedError)
        assert isinstance(await failure(race()), OSError)

    run(main())


def test_cancelling_a_race(run: Run) -> None:
    async def main() -> None:
        with silent() as first, silent() as second:
            racing = asyncio.create_task(race(first, second))
            await asyncio.sleep(0.35)
            racing.cancel()
            await asyncio.wait([racing])
            assert racing.cancelled()

    run(main())


def test_a_race_that_is_cancelled_as_it_is_won_leaves_no_socket(run: Run) -> None:
    """Some turns of the loop after the winner was accepted: an unclosed socket would be a warning, so an error."""

    async def main(turns: int) -> None:
        accepted, ended = asyncio.Event(), asyncio.Event()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set()
            await reader.read()
            writer.close()
            ended.set()

        with silent() as first:
            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            racing = asyncio.create_task(race(first, server.sockets[0].getsockname()))
            await accepted.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            racing.cancel()
            await asyncio.wait([racing])
            del racing
            await asyncio.wait_for(ended.wait(), 30)
            server.close()
            await server.wait_closed()

    for turns in range(6):
        run(main(turns))
        gc.collect()


@needs_ipv6
def test_localhost_with_a_dead_ipv6_side(run: Run) -> None:
    """Something sits on ::1 and does not answer; the server is on 127.0.0.1 at the same port."""

    async def main() -> None:
        addresses = await connect.resolve("localhost", 80)
        if {family for family, _ in addresses} != {socket.AF_INET, socket.AF_INET6}:
            addresses = [(socket.AF_INET6, ("::1", 80, 0, 0)), (socket.AF_INET, ("127.0.0.1", 80))]
        async with serving(answering(OK)) as server:
            with socket.socket(socket.AF_INET6) as dead:
                dead.bind(("::1", server.port))
                dead.listen(0)
                fillers = [socket.socket(socket.AF_INET6) for _ in range(3)]
                for filler in fillers:
                    filler.setblocking(False)
                    filler.connect_ex(("::1", server.port))
                waiting = connect.in_turn([(f, (a[0], server.port, *a[2:])) for f, a in addresses])
                assert waiting[0][0] == socket.AF_INET6
                with await connect._race(waiting) as sock:
                    assert sock.family == socket.AF_INET
                for filler in fillers:
                    filler.close()

    run(main())


@needs_ipv6
def test_an_ipv6_address_in_the_url(run: Run) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.send(OK)

    async def main() -> None:
        async with serving(script, host="::1") as server, transport() as client:
            assert (await client.send(post(Url(f"http://[::1]:{server.port}/")))).body == b"ok"
            assert b"\r\nhost: [::1]:%d\r\n" % server.port in seen[0]

    run(main())


def test_localhost_by_name(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            assert (await client.send(post(Url(f"http://localhost:{server.port}/")))).body == b"ok"

    run(main())


def test_refused(run: Run) -> None:
    async def main() -> None:
        with refusing() as (_, port):
            async with transport() as client:
                error = await failure(client.send(post(Url(f"http://127.0.0.1:{port}/"))))
                assert type(error) is ConnectFailed and not error.sent and f"127.0.0.1:{port}" in str(error)

    run(main())


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid", "a..invalid", "256.256.256.256"])
def test_a_name_that_does_not_resolve(run: Run, host: str) -> None:
    async def main() -> None:
        async with transport() as client:
            error = await failure(client.send(post(Url(f"http://{host}/"))))
            assert type(error) is ConnectFailed and not error.sent, error

    run(main())


def test_a_server_that_speaks_first(run: Run) -> None:
    async def script(peer: Peer) -> None:
        peer.send(b"220 mail.test ESMTP\r\n")
        await peer.hung_up()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            error = await failure(client.send(post(server.url)))
            assert error is not None and not isinstance(error, ConnectFailed)
            assert client.open_connections == 0

    run(main())


def test_a_server_that_closes_at_once(run: Run) -> None:
    async def script(_peer: Peer) -> None:
        return

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            for _ in range(20):
                assert isinstance(await failure(client.send(post(server.url))), ClosedEarly)

    run(main())
