"""proxy/connection.py and proxy/server.py, through real sockets, real processes and real signals."""

import hashlib
import json
import os
import signal
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litellm.proxy.server import ServerOptions
from support.served import Caller, Served, request

PLAIN = ServerOptions(port=0, drain_seconds=10)
QUICK = replace(
    PLAIN, head_seconds=1.5, body_gap_seconds=1.5, keepalive_timeout=1.5, write_stall_seconds=1.5, max_connections=20
)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One process for the tests that leave it as it was, on each kind of loop."""
    with Served(PLAIN, plain_loop=request.param == "asyncio") as served:
        assert (request.param in served.get("/who")["loop"]) is True
        yield served


@pytest.fixture(scope="module")
def quick() -> Iterator[Served]:
    """The same with short time bounds, and few connections."""
    with Served(QUICK) as served:
        yield served


# --- plain HTTP


def test_a_request_reaches_the_app_and_its_answer_the_caller(server: Served) -> None:
    with server.connect() as caller:
        answer = caller.post("/a%20b/%C3%BC?x=1&y=%20", b"hello", "X-Thing: Väl", "x-thing: again")
        seen = answer.json()
        assert (answer.status, seen["method"], seen["length"], seen["scheme"]) == (200, "POST", 5, "http")
        assert (seen["path"], seen["raw_path"], seen["http_version"]) == ("/a b/ü", "/a%20b/%C3%BC", "1.1")
        assert seen["query"] == {"x": "1", "y": " "}
        assert seen["client"] == list(caller.sock.getsockname()) and seen["server"] == ["127.0.0.1", server.port]
        assert [value for name, value in seen["headers"] if name == "x-thing"] == ["Väl", "again"]
        assert set(answer.headers) == {"date", "content-type", "content-length"}, "no banner, nothing else"
        assert caller.get("/echo").json()["length"] == 0, "the connection is kept"


def test_the_date_is_now(server: Served) -> None:
    from email.utils import parsedate_to_datetime

    with server.connect() as caller:
        dates = [parsedate_to_datetime(caller.get("/echo").headers["date"]).timestamp()]
        time.sleep(1.6)
        dates.append(parsedate_to_datetime(caller.get("/echo").headers["date"]).timestamp())
    assert dates[0] < dates[1]
    assert abs(dates[1] - time.time()) < 5


@pytest.mark.parametrize("size", [1, 1000, 65_536, 65_537, 300_000, 5_000_000])
def test_bodies_arrive_whole(server: Served, size: int) -> None:
    body = os.urandom(size)
    with server.connect() as caller:
        seen = caller.post("/echo", body).json()
        assert (seen["length"], seen["sha"]) == (size, hashlib.sha256(body).hexdigest())
        caller.send(request("POST", "/echo", "Transfer-Encoding: chunked"))
        for start in range(0, size, 70_000):
            caller.send(b"%x;ext=1\r\n%b\r\n" % (len(body[start : start + 70_000]), body[start : start + 70_000]))
        caller.send(b"0\r\nX-Trailer: 1\r\n\r\n")
        seen = caller.answer().json()
        assert (seen["length"], seen["sha"]) == (size, hashlib.sha256(body).hexdigest())
        assert caller.get("/echo").status == 200


def test_a_request_may_arrive_byte_by_byte(server: Served) -> None:
    wire = request("POST", "/echo?a=1", "Content-Length: 4", "X-Test: yes") + b"body"
    with server.connect() as caller:
        for position in range(len(wire)):
            caller.send(wire[position : position + 1])
        seen = caller.answer().json()
    assert (seen["length"], seen["query"]) == (4, {"a": "1"})
    assert ["x-test", "yes"] in seen["headers"]


def test_a_trailer_is_no_header(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("POST", "/echo", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\nX-Late: 1\r\n\r\n")
        assert "x-late" not in dict(caller.answer().json()["headers"])


def test_a_body_the_app_does_not_read_waits_in_the_kernel(server: Served) -> None:
    with server.connect() as caller:
        assert caller.post("/unread?s=0.5", b"x" * 3_000_000).json() == {"length": 3_000_000}


def test_100_continue_is_said_when_the_app_reads(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("POST", "/echo", "Content-Length: 5", "Expect: 100-continue"))
        assert caller.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert caller.file.readline() == b"\r\n"
        caller.send(b"hello")
        assert caller.answer().json()["length"] == 5


def test_without_100_continue_if_the_app_refuses(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("POST", "/early", "Content-Length: 5000000", "Expect: 100-continue"))
        answer = caller.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        assert caller.closed()


def test_an_early_answer_reaches_a_caller_who_is_still_sending(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("POST", "/early", "Content-Length: 50000000"))
        sender = threading.Thread(target=caller.try_send, args=(b"x" * 50_000_000,))
        sender.start()
        answer = caller.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        sender.join(30)
        assert not sender.is_alive()


def test_a_stream_is_chunked_and_its_head_goes_out_first(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("GET", "/stream?n=3&gap=0.3"))
        status, headers = caller.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        assert list(iter(caller.chunk, None)) == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n", b""]
        assert caller.get("/echo").status == 200


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(server: Served, status: int) -> None:
    with server.connect() as caller:
        answer = caller.get(f"/bodyless?status={status}")
        assert answer.status == status
        assert "transfer-encoding" not in answer.headers
        assert caller.get("/echo").status == 200


def test_head_has_the_length_and_no_body(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("HEAD", "/big?size=12345"))
        assert caller.answer("HEAD").headers["content-length"] == "12345"
        assert caller.get("/echo").status == 200


def test_http_1_0_gets_no_chunks_and_a_close(server: Served) -> None:
    with server.connect() as caller:
        caller.send(b"GET /stream?n=2 HTTP/1.0\r\n\r\n")
        answer = caller.answer()
        assert answer.headers["connection"] == "close"
        assert "transfer-encoding" not in answer.headers
        assert answer.body == b"data: 0\n\ndata: 1\n\n"


@pytest.mark.parametrize("path", ["/closing", "/echo"])
def test_either_side_may_ask_for_a_close(server: Served, path: str) -> None:
    with server.connect() as caller:
        answer = caller.get(path, *(["Connection: close"] if path == "/echo" else []))
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert caller.closed()


def test_an_answer_larger_than_every_buffer(server: Served) -> None:
    with server.connect() as caller:
        assert caller.get("/big?size=20000000").body == b"x" * 20_000_000
        assert caller.get("/echo").status == 200


@pytest.mark.parametrize("target", ["http://elsewhere/echo?x=1", "/echo?x=1"])
def test_both_forms_of_a_target(server: Served, target: str) -> None:
    with server.connect() as caller:
        assert caller.get(target).json()["query"] == {"x": "1"}


def test_options_star(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("OPTIONS", "*"))
        assert caller.answer().json()["path"] == "*"


# --- pipelines


def test_pipelined_requests_are_answered_in_order(server: Served) -> None:
    with server.connect() as caller:
        wire = [request("POST", f"/slow?s=0&n={n}", f"Content-Length: {n}") + b"x" * n for n in range(40)]
        caller.send(b"".join(wire))
        assert [caller.answer().json()["n"] for _ in wire] == [str(n) for n in range(40)]
        assert caller.get("/echo").status == 200


def test_a_pipeline_without_end_is_cut_after_what_fits(server: Served) -> None:
    with server.connect() as caller:
        caller.try_send(request("GET", "/slow?s=0.2") + request("GET", "/slow?s=0") * 5000)
        answers = [caller.answer() for _ in range(66)]
        assert [answer.status for answer in answers[:65]] == [200] * 65
        assert answers[65].error() == (503, "service_unavailable_error")
        assert caller.closed()


def test_pipelined_garbage_is_refused_behind_the_answers_that_are_due(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("GET", "/slow?s=0.3") + request("GET", "/echo") + b"garbage\r\n\r\n")
        assert [caller.answer().status for _ in range(3)] == [200, 200, 400]
        assert caller.closed()


def test_nothing_is_answered_after_connection_close(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("GET", "/slow?s=0.1", "Connection: close") + request("GET", "/echo"))
        assert caller.answer().json() == {"s": "0.1"}
        assert caller.closed()


# --- strictness (this table runs at every upgrade of uvicorn and httptools)

POST = "POST /echo HTTP/1.1\r\nHost: x\r\n"
STRICT = {
    "both framings": (400, POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "both framings, other order": (400, POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    "two equal lengths": (400, POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "a list of lengths": (400, POST + "Content-Length: 5, 5\r\n\r\nhello"),
    "a signed length": (400, POST + "Content-Length: +5\r\n\r\nhello"),
    "a negative length": (400, POST + "Content-Length: -5\r\n\r\nhello"),
    "a hexadecimal length": (400, POST + "Content-Length: 0x5\r\n\r\nhello"),
    "an empty length": (400, POST + "Content-Length: \r\n\r\nhello"),
    "a length beyond 64 bits": (400, POST + f"Content-Length: {2**64 + 5}\r\n\r\nhello"),
    "an unknown coding": (501, POST + "Transfer-Encoding: cow\r\n\r\nhello"),
    "identity": (501, POST + "Transfer-Encoding: identity\r\n\r\nhello"),
    "gzip, chunked": (501, POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "chunked in two fields": (501, POST + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked, not last": (400, POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "vertical tab before chunked": (400, POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "chunks in HTTP/1.0": (400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a chunk size with 0x": (400, POST + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": (400, POST + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    "an endless chunk size": (400, POST + "Transfer-Encoding: chunked\r\n\r\n" + "F" * 17 + "\r\nhello"),
    "a chunk longer than its size": (400, POST + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"),
    "a chunk size ended by LF": (400, POST + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
    "a space after the chunk size": (400, POST + "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
    "lines ended by LF": (400, "GET /echo HTTP/1.1\nHost: x\n\n"),
    "one line ended by LF": (400, "GET /echo HTTP/1.1\r\nHost: x\nX: y\r\n\r\n"),
    "one line ended by CR": (400, "GET /echo HTTP/1.1\r\nHost: x\rX: y\r\n\r\n"),
    "a folded header": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n"),
    "a space before the first header": (400, "GET /echo HTTP/1.1\r\n Host: x\r\n\r\n"),
    "a space before the colon": (400, POST + "Content-Length : 5\r\n\r\nhello"),
    "a space in a name": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n"),
    "an empty name": (400, "GET /echo HTTP/1.1\r\nHost: x\r\n: z\r\n\r\n"),
    "a line without a colon": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n"),
    "NUL in a value": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
    "NUL in a name": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n"),
    "NUL in the target": (400, "GET /echo\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a control character in a value": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n"),
    "no host": (400, "GET /echo HTTP/1.1\r\n\r\n"),
    "two hosts": (400, "GET /echo HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    "an unknown method": (400, "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method in lower case": (400, "get /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    "CONNECT": (400, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "HTTP/0.9": (505, "GET /echo\r\n\r\n"),
    "HTTP/3.7": (400, "GET /echo HTTP/3.7\r\nHost: x\r\n\r\n"),
    "HTTP/2.0": (505, "GET /echo HTTP/2.0\r\nHost: x\r\n\r\n"),
    "HTTP/2 by prior knowledge": (400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a space in the target": (400, "GET /ec ho HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a fragment in the target": (400, "GET /echo#here HTTP/1.1\r\nHost: x\r\n\r\n"),
    "raw bytes in the target": (400, "GET /echo\xff HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a target without a slash": (400, "GET echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    "TLS where there is none": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
}


@pytest.mark.parametrize("case", STRICT)
@pytest.mark.parametrize("bytewise", [False, True])
def test_what_is_not_plain_http_is_refused(server: Served, case: str, bytewise: bool) -> None:
    status, text = STRICT[case]
    wire = text.encode("latin-1")
    with server.connect() as caller:
        for piece in (wire[n : n + 1] for n in range(len(wire))) if bytewise else [wire]:
            caller.try_send(piece)
        answer = caller.answer()
        if answer.status == 200:  # the head was fine, the body was not, and the app answers bodies: it may not get one
            raise AssertionError(answer.json())
        assert answer.error() == (status, "invalid_request_error")
        assert answer.headers["connection"] == "close"
        assert caller.closed()


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_an_upgrade_is_declined_and_its_body_is_no_request(server: Served, upgrade: str, pause: float) -> None:
    body = request("GET", "/die")
    head = request("POST", "/echo", "Connection: Upgrade, x", f"Upgrade: {upgrade}", f"Content-Length: {len(body)}")
    with server.connect() as caller:
        caller.send(head)
        time.sleep(pause)
        caller.send(body)
        seen = caller.answer().json()
        assert seen["length"] == len(body)
        assert caller.get("/echo").status == 200


# --- sizes


@pytest.mark.parametrize("step", [1 << 20, 1000, 37])
def test_a_head_over_64_kib_is_refused(server: Served, step: int) -> None:
    wire = request("GET", "/echo", "X-Long: " + "a" * 66_000)
    with server.connect() as caller:
        for start in range(0, len(wire), step):
            caller.try_send(wire[start : start + step])
        assert caller.answer().error() == (431, "invalid_request_error")
        assert caller.closed()


def test_a_head_just_under_64_kib_is_fine(server: Served) -> None:
    empty = len(request("GET", "/echo", "X-Long: "))
    with server.connect() as caller:
        assert caller.get("/echo", "X-Long: " + "a" * (65_536 - empty)).status == 200
        assert caller.get("/echo", "X-Long: " + "a" * (65_537 - empty)).error()[0] == 431


def test_a_head_behind_a_body_is_bounded_too(server: Served) -> None:
    with server.connect() as caller:
        caller.try_send(request("POST", "/echo", "Content-Length: 70000") + b"x" * 70_000)
        caller.try_send(b"GET /echo HTTP/1.1\r\nX: " + b"a" * 200_000)
        assert caller.answer().json()["length"] == 70_000
        assert caller.answer().error()[0] == 431


def test_at_most_100_headers(server: Served) -> None:
    with server.connect() as caller:
        assert caller.get("/echo", *(f"X-{n}: 1" for n in range(99))).status == 200
        answer = caller.get("/echo", *(f"X-{n}: 1" for n in range(100)))
        assert answer.error() == (431, "invalid_request_error")
        assert caller.closed()


@pytest.mark.parametrize("filler", [b"5;" + b"x" * 200_000, b"5\r\nhello\r\n0\r\nX: " + b"x" * 200_000])
def test_chunk_extensions_and_trailers_are_bounded(server: Served, filler: bytes) -> None:
    with server.connect() as caller:
        caller.try_send(request("POST", "/echo", "Transfer-Encoding: chunked") + filler)
        assert caller.answer().error() == (400, "invalid_request_error")


@pytest.mark.alone
def test_64_mb_of_head_do_not_disturb_another_caller(server: Served) -> None:
    """The figure itself is printed; the bound is loose because the machine may be busy with other things."""

    def p99(seconds: float) -> float:
        times: list[float] = []
        end = time.monotonic() + seconds
        with server.connect() as caller:
            while time.monotonic() < end:
                before = time.perf_counter()
                assert caller.get("/echo").status == 200
                times.append(time.perf_counter() - before)
        return statistics.quantiles(times, n=100)[98]

    idle = p99(0.5)

    def attack() -> None:
        with server.connect() as attacker:
            attacker.send(b"GET /echo HTTP/1.1\r\nX: ")
            for _ in range(64):
                attacker.try_send(b"a" * (1 << 20))

    threads = [threading.Thread(target=attack) for _ in range(3)]
    for thread in threads:
        thread.start()
    busy = p99(1.5)
    for thread in threads:
        thread.join()
    print(f"p99 {1e3 * idle:.1f} ms idle, {1e3 * busy:.1f} ms under 3 x 64 MB of head")
    assert busy < 0.05 + 20 * idle


# --- time


def test_a_head_has_to_end_in_time(quick: Served) -> None:
    with quick.connect() as caller:
        started = time.monotonic()
        caller.send(b"GET /echo HTTP/1.1\r\n")
        while time.monotonic() - started < 1.2:
            caller.send(b"X: y\r\n")
            time.sleep(0.1)
        assert caller.answer().error() == (408, "timeout_error")
        assert time.monotonic() - started < 10
        assert caller.closed()


def test_many_slow_heads_leave_room_again(quick: Served) -> None:
    callers = [quick.connect() for _ in range(15)]
    for caller in callers:
        caller.send(b"GET /echo HTTP/1.1\r\nX")
    assert [caller.answer().status for caller in callers] == [408] * 15
    for caller in callers:
        caller.close()
    quick.wait_for("/who", lambda seen: seen["open"] == 1)


def test_a_connection_without_a_request_is_closed(quick: Served) -> None:
    with quick.connect() as caller:
        assert caller.closed()
    with quick.connect() as caller:
        assert caller.get("/echo").status == 200
        assert caller.closed(), "keep-alive has an end"


def test_the_second_request_s_head_has_to_end_in_time_too(quick: Served) -> None:
    with quick.connect() as caller:
        assert caller.get("/echo").status == 200
        caller.send(b"GET /echo HTTP/1.1\r\n")
        assert caller.answer().error()[0] == 408


@pytest.mark.parametrize("path", ["/echo", "/hang?id=body"])
def test_a_body_has_to_keep_arriving(quick: Served, path: str) -> None:
    with quick.connect() as caller:
        caller.send(request("POST", path, "Content-Length: 100"))
        for _ in range(5):
            caller.send(b"x")
            time.sleep(0.5)  # longer than the bound altogether, never at once
        assert caller.answer().error() == (408, "timeout_error")
        assert caller.closed()
    if "hang" in path:
        quick.wait_event("hangup body")


def test_a_caller_who_waits_for_an_answer_is_left_alone(quick: Served) -> None:
    with quick.connect() as caller:
        assert caller.get("/slow?s=4").status == 200


def test_a_body_that_we_do_not_read_is_not_late(quick: Served) -> None:
    with quick.connect() as caller:
        caller.send(request("POST", "/unread?s=4", "Content-Length: 3000000") + b"x" * 3_000_000)
        assert caller.answer().json() == {"length": 3_000_000}


@pytest.mark.parametrize("tail", ["", "?size=8000000"])
def test_a_caller_who_takes_no_byte_is_dropped(quick: Served, tail: str) -> None:
    before = quick.get("/events").count("flood dropped")
    with Caller(quick.port, receive_buffer=4096) as caller:
        caller.send(request("GET", f"/big{tail}" if tail else "/flood"))
        if not tail:
            quick.wait_for("/events", lambda seen: seen.count("flood dropped") == before + 1)
            quick.wait_event("flood ended")
        quick.wait_for("/who", lambda seen: seen["open"] == 1)


def test_a_caller_who_is_slow_is_not_dropped(quick: Served) -> None:
    with Caller(quick.port, receive_buffer=65536) as caller:
        caller.send(request("GET", "/big?size=8000000"))
        _, headers = caller.head()
        left = int(headers["content-length"])
        for _ in range(8):
            left -= len(caller.file.read(300_000))
            time.sleep(0.5)
        assert len(caller.file.read(left)) == left


def test_more_connections_than_allowed_are_told_so(quick: Served) -> None:
    quick.wait_for("/who", lambda seen: seen["open"] == 1)
    callers = [quick.connect() for _ in range(QUICK.max_connections)]
    for caller in callers:
        assert caller.get("/echo").status == 200
    with quick.connect() as caller:
        caller.try_send(request("GET", "/echo"))
        answer = caller.answer()
        assert answer.error() == (503, "service_unavailable_error")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
        assert caller.closed()
    for caller in callers:
        caller.close()
    seen = quick.wait_for("/who", lambda seen: seen["open"] == 1)
    assert seen["refused"]["503"] >= 1


# --- hanging up

ENDS: dict[str, Callable[[Caller], None]] = {
    "close": Caller.close,
    "reset": Caller.reset,
    "half-close": lambda caller: caller.sock.shutdown(socket.SHUT_WR),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["no body", "body", "half a body", "pipelined behind", "pipelined before"])
def test_a_hang_up_calls_back(server: Served, end: str, kind: str) -> None:
    name = f"{end}-{kind}".replace(" ", "-")
    wires = {
        "no body": request("GET", f"/hang?id={name}&read=1"),
        "body": request("POST", f"/hang?id={name}&read=1", "Content-Length: 5") + b"hello",
        "half a body": request("POST", f"/hang?id={name}", "Content-Length: 5") + b"he",
        "pipelined behind": request("GET", f"/hang?id={name}&read=1") + request("GET", "/echo") * 3,
        "pipelined before": request("GET", "/echo") + request("GET", f"/hang?id={name}&read=1"),
    }
    caller = server.connect()
    caller.send(wires[kind])
    server.wait_event(f"waiting {name}")
    ENDS[end](caller)
    server.wait_event(f"hangup {name}")
    caller.close()
    server.wait_for("/who", lambda seen: (seen["open"], seen["exchanges"]) == (1, 1))


def test_a_hang_up_in_mid_stream(server: Served) -> None:
    caller = server.connect()
    caller.send(request("GET", "/stream?n=100000&gap=0.001"))
    caller.head()
    assert caller.chunk()
    before = server.get("/events").count("hangup stream")
    caller.close()
    server.wait_for("/events", lambda seen: seen.count("hangup stream") == before + 1)


def test_a_complete_answer_is_no_hang_up(server: Served) -> None:
    before = server.get("/events")
    with server.connect() as caller:
        assert caller.get("/stream?n=1").whole
    server.wait_for("/who", lambda seen: seen["open"] == 1)
    after = server.get("/events")
    assert after.count("stream ended") == before.count("stream ended") + 1
    assert after.count("hangup stream") == before.count("hangup stream")


def test_every_waiter_hears_of_a_disconnect(server: Served) -> None:
    with server.connect() as caller:
        caller.send(request("GET", "/disconnect"))
        server.wait_for("/who", lambda seen: seen["exchanges"] == 2)
    server.wait_event("http.disconnect http.disconnect")


# --- callback relays


def test_parts_written_by_callback_arrive_whole(server: Served) -> None:
    with server.connect() as caller:
        answer = caller.get("/relay?n=1000&size=30")
        assert answer.whole and answer.body == b"x" * 30_000
        assert caller.get("/echo").status == 200


def test_a_relay_is_told_when_the_caller_does_not_keep_up(server: Served) -> None:
    with Caller(server.port, receive_buffer=4096) as caller:
        caller.send(request("GET", "/relay?n=400&size=65536"))
        time.sleep(0.5)
        assert len(caller.answer().body) == 400 * 65536
    server.wait_event("relayed True")


def test_an_answer_by_the_exchange_s_own_functions(server: Served) -> None:
    with server.connect() as caller:
        answer = caller.post("/direct", b"hello")
        assert (answer.status, answer.body, answer.headers["x-a"]) == (201, b"hello", "b")
        caller.send(request("GET", "/direct?cancel=1"))
        server.wait_for("/who", lambda seen: seen["exchanges"] == 2)
    server.wait_event("cancelled")


# --- apps that fail


@pytest.mark.parametrize(
    "path", ["/crash", "/silent", "/inject?value=a%0D%0AX:%20b", "/inject?value=a%0Ab", "/inject?value=a%00b",
             "/inject?name=a%20b", "/inject?name=a%0D%0Ab", "/inject?name="]
)  # fmt: skip
def test_an_app_that_fails_before_its_answer_is_a_500(server: Served, path: str) -> None:
    with server.connect() as caller:
        answer = caller.get(path)
        if path == "/inject?name=":  # dropped by the query's parser: nothing wrong with that one
            assert answer.status == 200
        else:
            assert answer.error() == (500, "internal_server_error")
            assert "bug" not in answer.body.decode()


@pytest.mark.parametrize("path", ["/crash?midway=1", "/silent?short=1"])
def test_half_an_answer_does_not_look_whole(server: Served, path: str) -> None:
    with server.connect() as caller:
        caller.send(request("GET", path))
        try:
            answer = caller.answer()
        except OSError:
            return
        assert not answer.whole or answer.status == 500


def test_requests_leave_nothing_for_the_collector(server: Served) -> None:
    server.get("/collect")
    with server.connect() as caller:
        for _ in range(200):
            assert caller.post("/echo", b"hello").status == 200
            assert caller.get("/stream?n=2").whole
        seen = caller.get("/collect").json()
    assert seen["unreachable"] < 100, "fewer than one object per request"
    assert seen["frozen"] > 1000


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """(certificate, key, CA) as files."""
    import trustme

    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    names = [str(folder / name) for name in ("server.pem", "key.pem", "ca.pem")]
    issued.cert_chain_pems[0].write_to_path(names[0])
    issued.private_key_pem.write_to_path(names[1])
    authority.cert_pem.write_to_path(names[2])
    return names[0], names[1], names[2]


@pytest.mark.parametrize("plain_loop", [False, True])
def test_tls(certificate: tuple[str, str, str], plain_loop: bool) -> None:
    chain, key, ca = certificate
    options = replace(PLAIN, ssl_certfile=chain, ssl_keyfile=key, ciphers="ECDHE+AESGCM")
    options = replace(options, write_stall_seconds=2, head_seconds=3)
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Served(options, plain_loop=plain_loop) as server:
        with server.connect(context) as caller:
            assert isinstance(caller.sock, ssl.SSLSocket)
            assert caller.sock.selected_alpn_protocol() == "http/1.1"
            seen = caller.post("/echo", b"x" * 300_000).json()
            assert (seen["scheme"], seen["length"]) == ("https", 300_000)
            assert caller.get("/big?size=3000000").body == b"x" * 3_000_000
            assert caller.get("/stream?n=3").whole
            assert caller.get("/echo", "X: " + "a" * 70_000).error()[0] == 431

        def seen_by(path: str, wanted: Callable[[object], bool]) -> None:
            end = time.monotonic() + 30
            while True:
                with server.connect(context) as caller:
                    seen = caller.get(path).json()
                if wanted(seen):
                    return
                assert time.monotonic() < end, seen
                time.sleep(0.05)

        for end in (Caller.close, Caller.reset):
            caller = server.connect(context)
            caller.send(request("GET", f"/hang?id={end.__name__}&read=1"))
            seen_by("/events", lambda seen, name=end.__name__: f"waiting {name}" in seen)
            end(caller)
            seen_by("/events", lambda seen, name=end.__name__: f"hangup {name}" in seen)
        with server.connect(context) as caller:
            caller.send(request("GET", "/flood"))
            seen_by("/events", lambda seen: "flood dropped" in seen)
        with server.connect() as silent:  # no handshake at all
            assert silent.closed()


def test_a_certificate_that_cannot_be_used_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nothing")
    for workers in (1, 2):
        server = Served(replace(PLAIN, ssl_certfile=str(tmp_path / "c.pem"), num_workers=workers)).launch()
        assert b"TLS cannot be set up" in server.end()
        assert server.process.returncode == 1


# --- the port


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", [1, 2])
def test_a_busy_port_is_an_error(first: int, second: int) -> None:
    with Served(replace(PLAIN, num_workers=first)) as server:
        other = Served(replace(PLAIN, port=server.port, num_workers=second)).launch()
        log = other.end()
        assert f"port {server.port} is already in use" in log.decode()
        assert b"Traceback" not in log
        assert other.process.returncode == 1
        assert server.get("/echo")["length"] == 0


def test_the_port_is_free_again_after_the_end() -> None:
    with Served(PLAIN) as server:
        server.get("/echo")
    with Served(replace(PLAIN, port=server.port)) as again:
        assert again.get("/echo")["length"] == 0


def test_a_host_without_an_address_is_an_error() -> None:
    server = Served(replace(PLAIN, host="no-such-host.invalid")).launch()
    assert b"no-such-host.invalid" in server.end()
    assert server.process.returncode == 1


def test_localhost_means_all_of_its_addresses() -> None:
    with Served(replace(PLAIN, host="localhost")) as server:
        assert server.get("/echo")["length"] == 0
        if len({found[0] for found in socket.getaddrinfo("localhost", 80)}) > 1:
            with socket.create_connection(("::1", server.port), 10):
                pass


# --- signals


def test_stopping_lets_requests_end_and_takes_no_more(tmp_path: Path) -> None:
    with Served(PLAIN, closed_file=str(tmp_path / "closed")) as server:
        stream, plain, idle, late = (server.connect() for _ in range(4))
        stream.send(request("GET", "/stream?n=20&gap=0.1"))
        stream.head()
        assert stream.chunk() == b"data: 0\n\n"
        plain.send(request("GET", "/slow?s=2"))
        assert late.get("/echo").headers.get("connection") is None
        server.wait_for("/who", lambda seen: seen["exchanges"] == 3)
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        answer = late.get("/echo")
        assert (answer.status, answer.headers["connection"]) == (200, "close"), "its request was on the way"
        started = time.monotonic()
        assert idle.closed() and time.monotonic() - started < 8, "nothing on the way"
        assert plain.answer().headers["connection"] == "close"
        assert list(iter(stream.chunk, None))[-2:] == [b"data: 19\n\n", b""]
        server.end()
        assert server.process.returncode == 0
        assert (tmp_path / "closed").read_text() == "closed"
        for caller in (stream, plain, idle, late):
            caller.close()


def test_stopping_with_nothing_to_do_is_quick() -> None:
    with Served(PLAIN) as server:
        server.get("/echo")
        server.signal(signal.SIGINT)
        started = time.monotonic()
        server.end()
        assert server.process.returncode == 0
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["/slow?s=100", "/stream?n=100000&gap=0.05", "/hang?id=x", "/flood"])
def test_draining_has_an_end(path: str) -> None:
    with Served(replace(PLAIN, drain_seconds=1)) as server, server.connect() as caller:
        caller.send(request("GET", path))
        server.wait_for("/who", lambda seen: seen["exchanges"] == 2)
        server.signal(signal.SIGTERM)
        started = time.monotonic()
        assert b"cut off" in server.end()
        assert server.process.returncode == 0
        assert 0.9 < time.monotonic() - started < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    server = Served(PLAIN).__enter__()
    with server.connect() as caller:
        caller.send(request("GET", "/slow?s=100"))
        server.wait_for("/who", lambda seen: seen["exchanges"] == 2)
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.signal(number)
        started = time.monotonic()
        server.end()
        assert server.process.returncode == 128 + number
        assert time.monotonic() - started < 5


def test_a_reload_swaps_and_a_bad_one_is_told(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("1")
    with Served(PLAIN, version_file=str(version)) as server, server.connect() as caller:
        caller.send(request("GET", "/stream?n=10&gap=0.1"))
        version.write_text("2")
        server.signal(signal.SIGHUP)
        server.wait_for("/who", lambda seen: seen["version"] == "2")
        version.write_text("bad")
        server.signal(signal.SIGHUP)
        time.sleep(0.5)
        assert server.get("/who")["version"] == "2"
        version.write_text("3")
        server.signal(signal.SIGHUP)
        server.wait_for("/who", lambda seen: seen["version"] == "3")
        assert caller.answer().whole, "a reload disturbs nobody"
    assert b"reload failed, still serving version 2: the version is 'bad'" in server.log


def test_a_configuration_that_does_not_load_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("bad")
    server = Served(PLAIN, version_file=str(tmp_path / "version")).launch()
    log = server.end()
    assert b"the version is 'bad'" in log and b"Traceback" not in log
    assert server.process.returncode == 1


def test_nothing_of_a_request_is_logged() -> None:
    with Served(PLAIN) as server:
        with server.connect() as caller:
            caller.post("/echo?secret-query", b"secret-body", "X-Secret: secret-header")
        with server.connect() as caller:
            caller.send(b"secret garbage\r\n\r\n")
            assert caller.answer().status == 400
        with server.connect() as caller:
            assert caller.post("/crash?secret-query", b"secret-body").status == 500
    assert b"secret" not in server.log


def test_the_counts_for_metrics(quick: Served) -> None:
    before = quick.get("/who")["requests"]
    quick.get("/echo")
    seen = quick.get("/who")
    assert seen["requests"] == before + 2
    assert json.loads(json.dumps(seen["lag"])) >= 0
