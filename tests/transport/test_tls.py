"""Whom we trust over TLS, and how a body ends there."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from litellm.transport.base import ClosedEarly, ConnectFailed
from litellm.transport.http import HttpTransport
from litellm.transport.pool import HANDSHAKES
from litellm.types.http import Tls, Url
from support.loops import Run
from support.tls import TestTls, make_tls
from transport.raw import OK, WAYS, Peer, answering, answering_then_close, failure, post, serving, transport, whole

TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nto the end"


def trusting(tls: TestTls) -> Tls:
    return Tls(ca_file=tls.ca_file)


@pytest.mark.parametrize("way", WAYS)
def test_a_trusted_server(run: Run, tls: TestTls, way: str) -> None:
    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            for _ in range(3):
                assert await whole(client, post(server.url, tls=trusting(tls)), way) == (200, b"ok")
            assert server.accepted == 1

    run(main())


def test_an_unknown_authority_is_refused(run: Run, tls: TestTls) -> None:
    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            error = await failure(client.send(post(server.url)))  # certifi does not know the CA of this test
            assert type(error) is ConnectFailed and "certificate verify failed" in str(error) and not error.sent

    run(main())


def test_a_wrong_name_is_refused(run: Run, tmp_path: Path) -> None:
    tls = make_tls(tmp_path, "other.test")

    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            error = await failure(client.send(post(server.url, tls=trusting(tls))))
            assert type(error) is ConnectFailed and "127.0.0.1" in str(error)

    run(main())


def test_verify_off(run: Run, tmp_path: Path) -> None:
    tls = make_tls(tmp_path, "other.test")

    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            assert (await client.send(post(server.url, tls=Tls(verify=False)))).body == b"ok"

    run(main())


def test_a_connection_that_was_not_verified_serves_nobody_who_verifies(run: Run, tls: TestTls) -> None:
    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            url = server.url
            for settings in (Tls(verify=False), trusting(tls), Tls(verify=False), trusting(tls)):
                assert (await client.send(post(url, tls=settings))).body == b"ok"
            assert server.accepted == 2
            assert type(await failure(client.send(post(url)))) is ConnectFailed
            assert client.idle_connections == 2

    run(main())


@pytest.mark.parametrize("settings", [Tls(ca_file="/no/such/file"), Tls(verify=False, cert_file="/no/such/file")])
def test_a_missing_file_is_a_failure_to_connect(run: Run, settings: Tls, tls: TestTls) -> None:
    async def main() -> None:
        async with serving(answering(OK), tls.server) as server, transport() as client:
            assert type(await failure(client.send(post(server.url, tls=settings)))) is ConnectFailed

    run(main())


def test_a_client_certificate(run: Run, tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    own = ca.issue_cert("client@example.test")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    subjects: list[object] = []

    async def script(peer: Peer) -> None:
        subjects.append(peer.writer.get_extra_info("peercert")["subjectAltName"])
        await answering(OK)(peer)

    async def main() -> None:
        async with serving(script, context) as server, transport() as client:
            with_own = Tls(True, str(tmp_path / "ca.pem"), str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
            assert (await client.send(post(server.url, tls=with_own))).body == b"ok"
            assert subjects == [(("email", "client@example.test"),)]
            error = await failure(client.send(post(server.url, tls=Tls(ca_file=str(tmp_path / "ca.pem")))))
            assert isinstance(error, (ClosedEarly, ConnectFailed))

    run(main())


def test_sni_and_alpn(run: Run, tls: TestTls) -> None:
    names: list[object] = []
    alpn: list[object] = []
    tls.server.sni_callback = lambda _sock, name, _context: names.append(name)
    tls.server.set_alpn_protocols(["h2", "http/1.1"])

    async def script(peer: Peer) -> None:
        alpn.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering(OK)(peer)

    async def main() -> None:
        async with serving(script, tls.server) as server, transport() as client:
            url = Url(f"https://localhost:{server.port}/")
            assert (await client.send(post(url, tls=trusting(tls)))).body == b"ok"
            assert names == ["localhost"] and alpn == ["http/1.1"]

    try:
        run(main())
    finally:
        tls.server.sni_callback = None


@pytest.mark.parametrize("way", WAYS)
def test_a_body_without_a_length_ends_with_close_notify(run: Run, tls: TestTls, way: str) -> None:
    async def main() -> None:
        async with serving(answering_then_close(TO_THE_END), tls.server) as server, transport() as client:
            request = post(server.url, tls=trusting(tls))
            assert await whole(client, request, way) == (200, b"to the end")

    run(main())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", [TO_THE_END, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsome"])
def test_without_close_notify_it_was_cut(run: Run, tls: TestTls, way: str, answer: bytes) -> None:
    """Anyone on the way can send a FIN; only the server can send close_notify."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(answer)
        await asyncio.sleep(0.02)
        raw = peer.writer.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(raw.fileno())) as copy:
            copy.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.2)
        peer.writer.transport.abort()

    async def main() -> None:
        async with serving(script, tls.server) as server, transport() as client:
            error = await failure(whole(client, post(server.url, tls=trusting(tls)), way))
            assert isinstance(error, ClosedEarly), error

    run(main())


def test_plain_http_at_a_tls_port_and_tls_at_a_plain_port(run: Run, tls: TestTls) -> None:
    async def main() -> None:
        async def bad_request(peer: Peer) -> None:
            await peer.reader.read(1)
            peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        async with serving(bad_request) as plain, transport() as client:
            plain.scheme = "https"
            error = await failure(client.send(post(plain.url, tls=trusting(tls))))
            assert isinstance(error, ConnectFailed)
        async with serving(answering(OK), tls.server) as secure, transport() as client:
            secure.scheme = "http"
            assert isinstance(await failure(client.send(post(secure.url))), ClosedEarly)

    run(main())


def test_64_handshakes_at_once(run: Run, tls: TestTls) -> None:
    """Counted by a server that accepts and says nothing until all have come who will."""
    arrived: list[asyncio.StreamWriter] = []

    async def main() -> None:
        async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.append(writer)

        listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=512)
        port = listener.sockets[0].getsockname()[1]
        async with transport() as client:
            request = post(Url(f"https://127.0.0.1:{port}/"), tls=trusting(tls))
            calls = [asyncio.create_task(client.send(request)) for _ in range(HANDSHAKES + 20)]
            await asyncio.sleep(0.5)
            assert len(arrived) == HANDSHAKES == 64
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
        for writer in arrived:
            writer.transport.abort()
        listener.close()

    run(main())


def test_contexts_are_made_once(run: Run, tls: TestTls) -> None:
    async def main() -> None:
        async with serving(answering(OK), tls.server) as server:
            client = HttpTransport()
            for _ in range(3):
                await client.send(post(server.url, tls=Tls(ca_file=tls.ca_file)))
            assert len(client._contexts._made) == 1 and server.accepted == 1
            await client.aclose()

    run(main())
