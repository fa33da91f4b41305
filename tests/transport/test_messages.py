"""What is accepted as an HTTP response, and what is not; what a request looks like on the wire."""

import asyncio
import gzip
import time
import tracemalloc
import zlib

import pytest

from litellm.transport.base import ClosedEarly, NotHTTP, TransportError
from litellm.types.http import Headers, InvalidRequest, Upload, Url
from support.loops import Run
from transport.raw import (
    OK,
    WAYS,
    Peer,
    Sink,
    answering,
    answering_then_close,
    failure,
    post,
    serving,
    transport,
    whole,
)  # fmt: skip

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
JSON = b'{"id": "chatcmpl-1", "text": "hello, hello, hello"}'
GZIPPED = gzip.compress(JSON)


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


def sized(body: bytes, *fields: bytes) -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


# Accepted: (the answer, its body, whether the connection is used again)
GOOD = {
    "length": (sized(b"ok"), b"ok", True),
    "empty": (sized(b""), b"", True),
    "body that ends in blank lines": (sized(b"{}\r\n\r\n"), b"{}\r\n\r\n", True),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b"", True),
    "500": (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", b"no", True),
    "chunked": (CHUNKED + chunks(b"hello ", b"world"), b"hello world", True),
    "chunk extensions": (CHUNKED + b"2;a=b\r\nok\r\n0;c\r\n\r\n", b"ok", True),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\nAuthorization: z\r\n\r\n", b"ok", True),
    "trailers that would mean something in a head": (
        CHUNKED + b"2\r\nok\r\n0\r\nContent-Encoding: gzip\r\nKeep-Alive: timeout=0\r\n\r\n", b"ok", True),
    "connection: close": (sized(b"ok", b"Connection: close"), b"ok", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "HTTP/1.0 keep-alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "gzip": (sized(GZIPPED, b"Content-Encoding: gzip"), JSON, True),
    "x-gzip": (sized(GZIPPED, b"Content-Encoding: x-gzip"), JSON, True),
    "gzip of two members": (sized(gzip.compress(b"one ") + gzip.compress(b"two"), b"Content-Encoding: gzip"),
                            b"one two", True),
    "deflate": (sized(zlib.compress(JSON), b"Content-Encoding: deflate"), JSON, True),
    "deflate without a container": (sized(zlib.compress(JSON, wbits=-15), b"Content-Encoding: deflate"), JSON, True),
    "gzip in chunks": (HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
                       + chunks(GZIPPED[:9], GZIPPED[9:]), JSON, True),
    "gzip of nothing": (sized(b"", b"Content-Encoding: gzip"), b"", True),
    "a coding we do not know": (sized(b"ok", b"Content-Encoding: br"), b"ok", True),
    "one interim head": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok", False),
    "ten interim heads": (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 10 + OK, b"ok", False),
    "an upgrade that was not taken": (sized(b"ok", b"Upgrade: h2c", b"Connection: upgrade"), b"ok", True),
    "200 header fields": (sized(b"ok", *[b"x: y"] * 199), b"ok", True),
    "a head of almost 64 KiB": (sized(b"ok", b"x: " + b"y" * 65_000), b"ok", True),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_accepts(run: Run, name: str) -> None:
    answer, body, reused = GOOD[name]

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            for way in WAYS:
                status, got = await whole(client, post(server.url), way)
                assert (status, got) == (int(answer.rpartition(b"HTTP/1.")[2][2:5]), body)
            assert server.accepted == (1 if reused else len(WAYS))

    run(main())


# Refused: llhttp is upgraded now and then, so its strictness is tested here.
STRICT = {
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "two lengths in one field": HEAD + b"Content-Length: 2, 2\r\n\r\nok",
    "length and chunked": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "signed length": HEAD + b"Content-Length: +2\r\n\r\nok",
    "negative length": HEAD + b"Content-Length: -2\r\n\r\nok",
    "empty length": HEAD + b"Content-Length:\r\n\r\nok",
    "hexadecimal length": HEAD + b"Content-Length: 0x2\r\n\r\nok",
    "length beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare LF in the head": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
    "bare CR": b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 2\r\n\r\nok",
    "folded field": HEAD + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "NUL in a value": HEAD + b"A: b\x00c\r\nContent-Length: 2\r\n\r\nok",
    "NUL in a name": HEAD + b"A\x00: b\r\nContent-Length: 2\r\n\r\nok",
    "space before the colon": HEAD + b"A : b\r\nContent-Length: 2\r\n\r\nok",
    "no name": HEAD + b": b\r\nContent-Length: 2\r\n\r\nok",
    "no colon": HEAD + b"Content-Length 2\r\n\r\nok",
    "bare LF after a chunk size": CHUNKED + b"2\nok\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"2\r\nokXX0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": CHUNKED + b"f" * 17 + b"\r\nok\r\n0\r\n\r\n",
    "transfer coding gzip": HEAD + b"Transfer-Encoding: gzip\r\n\r\nok",
    "transfer coding gzip, chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "transfer coding xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked, identity": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a length among the trailers": CHUNKED + b"2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "101 without upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK,
    "eleven interim heads": b"HTTP/1.1 100 Continue\r\n\r\n" * 11 + OK,
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.9": b"HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "ICE": b"ICE/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a blank line before": b"\r\n" + OK,
    "status 999": b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok",
    "status 999, and a good answer behind it": b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok" + OK,
    "status 000": b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nok",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x0a",
    "JSON": b'{"error": "plain"}',
    "201 header fields": sized(b"ok", *[b"x: y"] * 200),
    "a head of more than 64 KiB": sized(b"ok", b"x: " + b"y" * 66_000),
    "many interim bytes": b"HTTP/1.1 100 Continue\r\nx: " + b"y" * 30_000 + b"\r\n\r\n"
                          b"HTTP/1.1 100 Continue\r\nx: " + b"y" * 40_000 + b"\r\n\r\n" + OK,
}  # fmt: skip


@pytest.mark.parametrize("name", STRICT)
def test_refuses(run: Run, name: str) -> None:
    async def main() -> None:
        async with serving(answering(STRICT[name])) as server, transport() as client:
            for way in WAYS:
                error = await failure(whole(client, post(server.url), way))
                assert type(error) is NotHTTP, error
            assert client.idle_connections == 0 and server.accepted == len(WAYS)

    run(main())


# Well-formed messages whose content is not
DAMAGED = {
    "damaged gzip": sized(b"no gzip at all", b"Content-Encoding: gzip"),
    "gzip cut short within a whole message": sized(GZIPPED[:-9], b"Content-Encoding: gzip"),
    "bytes after gzip": sized(GZIPPED + b"x", b"Content-Encoding: gzip"),
    "bytes after deflate": sized(zlib.compress(JSON) + b"x", b"Content-Encoding: deflate"),
    "gzip bomb": sized(gzip.compress(bytes(20_000_000)), b"Content-Encoding: gzip"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_refuses_damaged_codings(run: Run, name: str) -> None:
    async def main() -> None:
        async with serving(answering(DAMAGED[name])) as server, transport() as client:
            for way in WAYS:
                error = await failure(whole(client, post(server.url), way))
                assert type(error) is NotHTTP, error

    run(main())


CUT = {
    "nothing": b"",
    "part of the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "less than the length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    "chunks without an end": CHUNKED + b"2\r\nok\r\n",
    "chunks without the last line": CHUNKED + b"2\r\nok\r\n0\r\n",
    "an interim head only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_closed_early(run: Run, name: str) -> None:
    async def main() -> None:
        async with serving(answering_then_close(CUT[name])) as server, transport() as client:
            for way in WAYS:
                assert type(await failure(whole(client, post(server.url), way))) is ClosedEarly

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_body_without_a_length_ends_with_the_connection(run: Run, way: str) -> None:
    async def main() -> None:
        async with serving(answering_then_close(HEAD + b"\r\nto the end")) as server, transport() as client:
            assert await whole(client, post(server.url), way) == (200, b"to the end")
            assert client.open_connections <= 1 and client.idle_connections == 0

    run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_reset_does_not_end_a_body(run: Run, way: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(HEAD + b"\r\nto the")
        peer.reset()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            assert isinstance(await failure(whole(client, post(server.url), way)), ClosedEarly)

    run(main())


# Whole answers, to be cut everywhere
REPLAYED = {
    "length": (sized(b'{"a": 1}\n', b"Content-Type: application/json"), b'{"a": 1}\n'),
    "chunked": (CHUNKED + chunks(b"data: 1\n\n", b"data: 2\n\n"), b"data: 1\n\ndata: 2\n\n"),
    "gzip": (sized(GZIPPED, b"Content-Encoding: gzip"), JSON),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"ok"), b"ok"),
}


@pytest.mark.parametrize("name", REPLAYED)
@pytest.mark.parametrize("way", ["send", "relay"])
def test_delivery_in_two_pieces_cut_at_each_byte(run: Run, name: str, way: str) -> None:
    answer, body = REPLAYED[name]

    async def main() -> None:
        cut = 0

        async def script(peer: Peer) -> None:
            while await peer.request():
                await peer.send_apart(answer[:cut], answer[cut:])

        async with serving(script) as server, transport() as client:
            for cut in range(1, len(answer)):  # noqa: B007 - the script reads it
                assert await whole(client, post(server.url), way) == (200, body)

    run(main())


@pytest.mark.parametrize("name", [*REPLAYED, "eof"])
@pytest.mark.parametrize("way", ["send", "relay"])
def test_truncation_at_each_byte(run: Run, name: str, way: str) -> None:
    """Never an answer shorter than it was. Without a length the head decides: nothing else marks the end."""
    answer, body = REPLAYED.get(name, (HEAD + b"X: y\r\n\r\nto the end", b""))

    async def main() -> None:
        cut = 0

        async def script(peer: Peer) -> None:
            await peer.request()
            peer.send(answer[:cut])

        async with serving(script) as server, transport() as client:
            for cut in range(len(answer)):
                if name == "eof" and cut >= answer.index(b"\r\n\r\n") + 4:
                    break
                error = await failure(whole(client, post(server.url), way))
                assert isinstance(error, ClosedEarly), (cut, error)

    assert body or name == "eof"
    run(main())


def test_delivery_byte_by_byte(run: Run) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            for answer, _ in REPLAYED.values():
                await peer.request()
                await peer.send_apart(*(answer[i : i + 1] for i in range(len(answer))))
                await peer.hung_up()

        async with serving(script) as server, transport() as client:
            _, body = REPLAYED["length"]
            assert await whole(client, post(server.url), "relay") == (200, body)

    run(main())


def test_what_one_read_brings_is_handed_over_once(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(CHUNKED, chunks(b"a", b"b", b"c")[:-5], b"1\r\nd\r\n0\r\n\r\n")

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            sink = Sink()
            (await client.stream(post(server.url))).relay(sink)
            await sink.ended.wait()
            assert sink.pieces == [b"abc", b"d"] and sink.errors == [None]

    run(main())


def test_a_50_mb_header_is_refused_fast_and_in_little_memory(run: Run) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HEAD + b"x: ")
        for _ in range(50):
            peer.send(b"y" * (1 << 20))
            await peer.writer.drain()

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            tracemalloc.start()
            began = time.monotonic()
            error = await failure(client.send(post(server.url)))
            took = time.monotonic() - began
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert type(error) is NotHTTP and "65536 bytes" in str(error)
            assert client.open_connections <= 1
            assert took < 2 and peak < 10 << 20  # of which the server's own buffers are most

    run(main())


@pytest.mark.parametrize("endless", [b"2\r\nok\r\n0\r\nx: ", b"2;"], ids=["trailer", "extension"])
def test_endless_trailers_and_extensions_are_refused(run: Run, endless: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(CHUNKED + endless)
        while not peer.writer.is_closing():
            peer.send(b"y" * 4096)
            await peer.writer.drain()
            await asyncio.sleep(0)

    async def main() -> None:
        async with serving(script) as server, transport() as client:
            error = await failure(client.send(post(server.url)))
            assert type(error) is NotHTTP and "trailers" in str(error)

    run(main())


@pytest.mark.parametrize("way", ["send", "read"])
@pytest.mark.parametrize(
    "answer",
    [
        sized(b"x" * 1001),
        CHUNKED + chunks(b"x" * 600, b"x" * 401),
        sized(gzip.compress(b"x" * 1001), b"Content-Encoding: gzip"),
    ],
    ids=["length", "chunked", "gzip"],
)
def test_bodies_that_are_not_streamed_are_bounded(run: Run, way: str, answer: bytes) -> None:
    async def main() -> None:
        async with serving(answering(answer)) as server, transport(max_body=1000) as client:
            error = await failure(whole(client, post(server.url), way))
            assert type(error) is NotHTTP and "larger than 1000 bytes" in str(error)
            assert (await whole(client, post(server.url), "iterate"))[1] == b"x" * 1001

    run(main())


def test_a_large_length_is_refused_before_the_body_comes(run: Run) -> None:
    async def main() -> None:
        async with serving(answering(HEAD + b"Content-Length: 100000001\r\n\r\n")) as server, transport() as client:
            assert type(await failure(client.send(post(server.url)))) is NotHTTP

    run(main())


def test_response_headers_are_lower_case_in_order_and_without_hop_by_hop_fields(run: Run) -> None:
    answer = sized(
        b"ok", b"X-B: 1", b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"x-A: \xe9 2 ", b"Set-Cookie: a",
        b"Set-Cookie: b", b"Trailer: x",
    )  # fmt: skip

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            expected = [(b"x-b", b"1"), (b"x-a", b"\xe9 2"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
            assert (await client.send(post(server.url))).headers == [*expected, (b"content-length", b"2")]

    run(main())


def test_headers_of_a_decoded_body_do_not_describe_its_coded_form(run: Run) -> None:
    answer = sized(GZIPPED, b"Content-Encoding: gzip", b"Content-Type: a/b")

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            assert (await client.send(post(server.url))).headers == [(b"content-type", b"a/b")]
            stream = await client.stream(post(server.url))
            assert stream.headers == [(b"content-type", b"a/b")]
            assert await stream.read() == JSON

    run(main())


def test_redirects_are_answers(run: Run) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"

    async def main() -> None:
        async with serving(answering(answer)) as server, transport() as client:
            assert (await client.send(post(server.url))).status == 302

    run(main())


# Requests


async def sent(request_of: object, **options: object) -> bytes:
    """The bytes that arrive for a request, made from the server's URL."""
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.send(OK)
        await peer.hung_up()

    async with serving(script) as server, transport() as client:
        await client.send(request_of(server))  # type: ignore[operator]
        return seen[0].replace(b":%d" % server.port, b":PORT")


def test_a_request_on_the_wire(run: Run) -> None:
    headers = Headers((("Authorization", "Bearer sk-1"), ("Content-Type", "application/json")))
    assert run(sent(lambda server: post(server.url, b'{"a": 1}', headers=headers))) == (
        b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nAuthorization: Bearer sk-1\r\n"
        b"Content-Type: application/json\r\naccept-encoding: gzip, deflate\r\ncontent-length: 8\r\n\r\n" + b'{"a": 1}'
    )


def test_the_callers_own_accept_encoding_stands(run: Run) -> None:
    wire = run(sent(lambda server: post(server.url, headers=Headers((("Accept-Encoding", "identity"),)))))
    assert wire.lower().count(b"accept-encoding") == 1 and b"Accept-Encoding: identity" in wire


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_length_without_a_body(run: Run, method: str) -> None:
    wire = run(sent(lambda server: post(server.url, b"", method=method)))
    assert wire.startswith(method.encode()) and b"content-length" not in wire


def test_an_empty_post_says_so(run: Run) -> None:
    assert b"content-length: 0\r\n" in run(sent(lambda server: post(server.url, b"")))


def test_a_large_body_arrives_whole(run: Run) -> None:
    body = bytes(range(256)) * 20_000
    assert run(sent(lambda server: post(server.url, body))).endswith(b"\r\n\r\n" + body)


def test_percent_encoding_of_the_target(run: Run) -> None:
    wire = run(sent(lambda server: post(Url(f"http://127.0.0.1:{server.port}/a%20b/ü?q=ä#fragment"))))
    assert wire.startswith(b"POST /a%20b/%C3%BC?q=%C3%A4 HTTP/1.1\r\n")


@pytest.mark.parametrize("bad", ["a\r\nb", "a\nb", "a\rb", "a\x00b", "a\x7fb", "snow\u2603"])
def test_control_characters_never_go_out(bad: str) -> None:
    for make in (lambda: Headers((("x", bad),)), lambda: Headers(((bad, "x"),))):
        with pytest.raises(InvalidRequest):
            make()
    if not bad.endswith("\u2603"):  # which is encoded instead
        for text in (f"http://h/{bad}", f"http://{bad}/", f"http://h/?{bad}"):
            with pytest.raises(InvalidRequest):
                Url(text)


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a:b", "(a)", "Content-Length", "transfer-encoding", "HOST", "Connection", "Keep-Alive", "TE",
     "Trailer", "Upgrade", "Proxy-Authorization", "Expect"],
)  # fmt: skip
def test_framing_fields_and_names_that_are_no_tokens_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Headers(((name, "x"),))


@pytest.mark.parametrize("method", ["HEAD", "CONNECT", "TRACE", "post", "GET / HTTP/1.1\r\nx:", ""])
def test_only_known_methods_go_out(run: Run, method: str) -> None:
    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            assert type(await failure(client.send(post(server.url, method=method)))) is InvalidRequest
            assert server.accepted == 0

    run(main())


def test_a_negative_upload_length_is_refused(run: Run) -> None:
    async def nothing() -> object:
        return
        yield

    async def main() -> None:
        async with serving(answering(OK)) as server, transport() as client:
            upload = Upload(nothing(), -1)  # type: ignore[arg-type]
            assert type(await failure(client.send(post(server.url, upload)))) is InvalidRequest

    run(main())


def test_every_error_is_a_transport_error_and_says_whether_it_was_sent() -> None:
    assert issubclass(NotHTTP, TransportError) and NotHTTP("x").sent
    assert not ClosedEarly("x", sent=False).sent
