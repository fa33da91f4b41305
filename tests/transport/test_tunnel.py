"""Proxies: the environment's variables, and tunnels through a proxy that may say no."""

import asyncio
from base64 import b64encode

import pytest

from litellm.transport.base import ConnectFailed, TimedOut
from litellm.transport.tunnel import Proxies, Proxy, proxies_from_environment
from litellm.types.http import Headers, Timeouts, Tls, Url
from support.loops import Run
from support.tls import TestTls
from transport.raw import OK, Peer, Script, answering, failure, post, serving, transport


def through(port: int, authorization: str | None = None) -> Proxies:
    proxy = Proxy("127.0.0.1", port, authorization)
    return Proxies({"http": proxy, "https": proxy})


def proxying(seen: list[bytes], answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Script:
    """A proxy: reads CONNECT, answers, and joins the two ends."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.send(answer)
        if not answer.startswith(b"HTTP/1.1 200"):
            return
        host, _, port = seen[-1].split(b" ")[1].rpartition(b":")
        reader, writer = await asyncio.open_connection(host.strip(b"[]").decode(), int(port))
        try:
            await asyncio.gather(copy(peer.reader, writer), copy(reader, peer.writer))
        finally:
            writer.close()

    return script


@pytest.mark.parametrize("secure", [False, True])
def test_a_tunnel(run: Run, tls: TestTls, secure: bool) -> None:
    """Plain or TLS, the origin sees the request as without a proxy; TLS is with the origin, by its name."""
    asked: list[bytes] = []
    seen: list[bytes] = []
    names: list[object] = []
    tls.server.sni_callback = lambda _sock, name, _context: names.append(name)

    async def origin(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            peer.send(OK)

    async def main() -> None:
        async with serving(origin, tls.server if secure else None) as server, serving(proxying(asked)) as proxy:
            async with transport(proxies=through(proxy.port, "Basic c2VjcmV0")) as client:
                url = Url(f"{server.scheme}://localhost:{server.port}/v1/x")
                headers = Headers((("Authorization", "Bearer sk-1"),))
                for _ in range(2):
                    request = post(url, tls=Tls(ca_file=tls.ca_file), headers=headers)
                    assert (await client.send(request)).body == b"ok"
                assert client.idle_connections == 1
            assert asked == [
                b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:%d\r\nproxy-authorization: Basic c2VjcmV0\r\n\r\n"
                % (server.port, server.port)
            ]
            assert len(seen) == 2 and seen[0].startswith(b"POST /v1/x HTTP/1.1\r\nhost: localhost:")
            assert b"proxy" not in seen[0].lower() and b"c2VjcmV0" not in seen[0]
            assert names == (["localhost"] if secure else [])

    try:
        run(main())
    finally:
        tls.server.sni_callback = None


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200",
        b"",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000,
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
def test_a_proxy_that_says_no(run: Run, answer: bytes) -> None:
    async def proxy_script(peer: Peer) -> None:
        await peer.request()
        peer.send(answer)

    async def main() -> None:
        async with serving(answering(OK)) as server, serving(proxy_script) as proxy:
            async with transport(proxies=through(proxy.port, "Basic c2VjcmV0")) as client:
                error = await failure(client.send(post(server.url)))
                assert type(error) is ConnectFailed and not error.sent, error
                assert "proxy 127.0.0.1" in str(error) and "c2VjcmV0" not in str(error)
                assert client.open_connections == 0
            assert server.accepted == 0

    run(main())


def test_a_proxy_that_hangs_is_part_of_connecting(run: Run) -> None:
    async def proxy_script(peer: Peer) -> None:
        await peer.hung_up()

    async def main() -> None:
        async with serving(proxy_script) as proxy, transport(proxies=through(proxy.port)) as client:
            error = await failure(client.send(post(Url("http://model.test/"), timeouts=Timeouts(connect=0.2))))
            assert type(error) is TimedOut and error.phase == "connect"

    run(main())


def test_no_proxy_goes_directly(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server:
            proxies = Proxies({"http": Proxy("127.0.0.1", 1)}, ("127.0.0.0/8",))
            async with transport(proxies=proxies) as client:
                assert (await client.send(post(server.url))).body == b"ok"

    run(main())


def test_the_environment() -> None:
    proxies = proxies_from_environment(
        {"HTTP_PROXY": "http://upper:1", "http_proxy": "lower:3128", "HTTPS_PROXY": "http://us%40er:p%3Aw@[::1]:8080/"}
    )
    assert proxies.by_scheme["http"] == Proxy("lower", 3128)
    basic = "Basic " + b64encode(b"us@er:p:w").decode()
    assert proxies.by_scheme["https"] == Proxy("::1", 8080, basic)
    assert basic not in repr(proxies)
    assert proxies_from_environment({}) == Proxies({}, ())
    assert proxies_from_environment({"HTTP_PROXY": "  ", "https_proxy": ""}) == Proxies({}, ())
    assert proxies_from_environment({"HTTP_PROXY": "http://h"}).by_scheme == {"http": Proxy("h", 80)}


def test_under_cgi_http_proxy_is_the_clients() -> None:
    assert proxies_from_environment({"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}).by_scheme == {}
    assert proxies_from_environment({"http_proxy": "http://ours", "REQUEST_METHOD": "GET"}).by_scheme != {}


@pytest.mark.parametrize("value", ["socks5://h:1", "https://h:1", "http://", "http://h:port", "http://h:99999"])
def test_a_proxy_we_cannot_use_is_an_error_that_names_the_variable(value: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY"):
        proxies_from_environment({"HTTPS_PROXY": value})


def test_an_error_does_not_show_the_password() -> None:
    with pytest.raises(ValueError) as caught:
        proxies_from_environment({"HTTP_PROXY": "socks5://user:hunter2@h:1"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("*", "model.test", 443, True),
        ("model.test", "model.test", 443, True),
        ("MODEL.test", "model.test", 443, True),
        ("model.test", "api.model.test", 443, True),
        (".model.test", "api.model.test", 443, True),
        ("*.model.test", "api.model.test", 443, True),
        ("model.test", "supermodel.test", 443, False),
        ("other.test, model.test", "model.test", 443, True),
        ("model.test:443", "model.test", 443, True),
        ("model.test:8443", "model.test", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "model.test", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("fd00::/8", "fd12::1", 443, True),
        ("", "model.test", 443, False),
        (" , ", "model.test", 443, False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, direct: bool) -> None:
    proxies = proxies_from_environment({"HTTPS_PROXY": "http://p:1", "NO_PROXY": no_proxy})
    assert (proxies.for_origin(("https", host, port)) is None) is direct
