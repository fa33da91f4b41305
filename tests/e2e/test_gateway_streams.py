"""Streams through the gateway: what passes, when it goes out, and what happens to the upstream when callers go."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from support import behaviours, bodies
from support.asking import MESSAGES, TEXT, chat, chunks_of, client, error_of, said, text_of, wire
from support.gateway import Gateway
from support.upstream import Recorded, UpstreamThread, wait_until

COMMENT = ": keep-alive"
CONFIG = """
model_list:
  - model_name: alias
    litellm_params: {{model: openai/ok, api_base: "{base}", api_key: k}}
  - model_name: limited
    litellm_params: {{model: openai/hang-before-event, api_base: "{base}", api_key: k, stream_timeout: 1.5}}
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_base: "{base}", api_key: k}}
general_settings:
  master_key: sk-1234
  stream_commit_seconds: 0.5
"""


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(CONFIG.format(base=shared_upstream.base_url), tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Iterator[httpx.Client]:
    with client(gateway) as caller:
        yield caller


def sent_by_the_upstream(path: str, asked: dict[str, Any]) -> bytes:
    request = Recorded("POST", path, {}, json.dumps(asked).encode(), 0, 0.0)
    exchange = behaviours.Exchange(request, None, Counter())
    return b"".join([*behaviours.event_bytes(exchange), behaviours.DONE])


# What passes


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_byte_for_byte_but_for_the_models_name(
    caller: httpx.Client, shared_upstream: UpstreamThread, path: str
) -> None:
    body = {"model": "alias", "stream": True, "stream_options": {"include_usage": True}}
    body |= {"messages": MESSAGES} if "chat" in path else {"prompt": "hi"}
    got = caller.post(path, json=body).content
    upstreams = sent_by_the_upstream(path, shared_upstream.requests[-1].json)
    assert upstreams.count(b'"ok-2024-07-18"') == upstreams.count(b"\n\n") - 1
    assert got == upstreams.replace(b'"ok-2024-07-18"', b'"alias"')


@pytest.mark.parametrize("model", ["stream-split-1", "stream-split-100", "stream-joined", "stream-crlf"])
def test_packets_make_no_difference(caller: httpx.Client, shared_upstream: UpstreamThread, model: str) -> None:
    got = chat(caller, model, stream=True, stream_options={"include_usage": True}).content
    upstreams = sent_by_the_upstream("/v1/chat/completions", shared_upstream.requests[-1].json)
    assert got == upstreams.replace(f'"{model}-2024-07-18"'.encode(), f'"{model}"'.encode())


@pytest.mark.parametrize(
    ("options", "wanted"),
    [(None, False), ({}, False), ({"include_usage": False}, False), ({"include_usage": True}, True)],
)
def test_usage_is_always_asked_for_and_passed_on_if_wanted(
    caller: httpx.Client, shared_upstream: UpstreamThread, options: dict[str, bool] | None, wanted: bool
) -> None:
    more = {} if options is None else {"stream_options": options}
    chunks = chunks_of(chat(caller, "alias", stream=True, **more).text)
    assert shared_upstream.requests[-1].json["stream_options"] == {"include_usage": True}
    with_usage = [chunk for chunk in chunks if chunk.get("usage")]
    assert with_usage == ([chunks[-1]] if wanted else [])
    if wanted:
        assert chunks[-1]["choices"] == [] and chunks[-1]["usage"] == bodies.usage(5)


def test_usage_in_the_finish_event_stays_there(caller: httpx.Client) -> None:
    chunks = chunks_of(chat(caller, "stream-usage-in-finish", stream=True).text)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop" and chunks[-1]["usage"] == bodies.usage(5)


def test_a_stream_without_done_is_given_one(caller: httpx.Client) -> None:
    assert said(chunks_of(chat(caller, "stream-no-done", stream=True).text)) == TEXT


def test_comments_of_the_upstream_pass(caller: httpx.Client) -> None:
    body = chat(caller, "stream-comments", stream=True).text
    assert ": keep-alive\n\n" in body and said(chunks_of(body)) == TEXT


# When it goes out


def timed(caller: httpx.Client, **body: Any) -> tuple[float, list[tuple[float, str]]]:
    """Seconds until the head, and until each piece of the body."""
    started = time.monotonic()
    with caller.stream("POST", "/v1/chat/completions", json={**wire("x"), "stream": True, **body}) as answer:
        assert answer.status_code == 200, answer.read()
        head = time.monotonic() - started
        return head, [(time.monotonic() - started, piece) for piece in answer.iter_text()]


def test_events_do_not_wait_for_each_other(caller: httpx.Client) -> None:
    """200 ms lie between them: each is there before the next is made."""
    head, pieces = timed(caller, model="stream-slow-200")
    times = [at for at, piece in pieces if '"content":' in piece]
    assert len(times) >= 5
    assert sum(after - before > 0.1 for before, after in pairwise(times)) >= 3, times
    assert head < times[-1] - 0.5


def test_the_status_line_goes_out_though_the_upstream_is_silent(caller: httpx.Client) -> None:
    head, pieces = timed(caller, model="stream-silent-2500")
    assert 0.4 < head < 2.2
    body = "".join(piece for _, piece in pieces)
    assert 2 <= body.count(COMMENT) <= 6 and pieces[0][0] < 2.2
    assert said(chunks_of(body)) == TEXT


def test_an_upstream_that_is_quick_is_not_waited_for(caller: httpx.Client) -> None:
    body = chat(caller, "alias", stream=True).text
    assert COMMENT not in body


def test_a_failure_after_the_status_line_is_an_event(caller: httpx.Client) -> None:
    answer = chat(caller, "limited", stream=True, num_retries=0)
    assert answer.status_code == 200
    assert COMMENT in answer.text and error_of(answer.text)["type"] == "timeout_error"


def test_no_answer_at_all_is_no_status_line(caller: httpx.Client) -> None:
    """`stream_commit_seconds` counts from the endpoint's 2xx: before it, a failure still has its status."""
    answer = chat(caller, "hang", stream=True, timeout=1.2, num_retries=0)
    assert (answer.status_code, answer.json()["error"]["type"]) == (408, "timeout_error")


# Callers who go


def hang_up(gateway: Gateway, model: str, *, stream: bool, after: str | None) -> None:
    """Asks, waits for `after` in the answer (None: a moment), and closes."""
    body = json.dumps(wire(model, stream=stream)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        got = b""
        while after is not None and after.encode() not in got:
            got += connection.recv(65536)
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("model", "stream", "after"),
    [
        ("hang", False, None),
        ("hang", True, None),
        ("hang-mid-head", False, None),
        ("hang-mid-body", False, None),
        ("endless", False, None),
        ("hang-before-event", True, None),
        ("hang-mid-body", True, "tok0"),
        ("endless", True, "tok0"),
        ("endless-comments", True, COMMENT),
        ("flood", True, "tok0"),
    ],
)
def test_a_caller_who_goes_ends_the_call_at_once(
    gateway: Gateway, shared_upstream: UpstreamThread, model: str, stream: bool, after: str | None
) -> None:
    before = len(shared_upstream.asked(model))
    hang_up(gateway, model, stream=stream, after=after)
    assert wait_until(lambda: len(shared_upstream.asked(model)) > before)
    (request,) = shared_upstream.asked(model)[before:]
    assert wait_until(lambda: request.disconnected), "what nobody waits for must stop costing money"


def test_a_caller_who_goes_is_not_tried_again_for(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    """Gone in the pause before a retry."""
    before = len(shared_upstream.asked("retry-after-2"))
    hang_up(gateway, "retry-after-2", stream=False, after=None)
    time.sleep(2.5)
    assert len(shared_upstream.asked("retry-after-2")) - before == 1


def test_a_complete_answer_leaves_the_upstreams_connection_open(
    caller: httpx.Client, shared_upstream: UpstreamThread
) -> None:
    chat(caller, "alias")
    accepted = shared_upstream.accepted
    for _ in range(5):
        assert text_of(chat(caller, "alias")) == TEXT
        assert said(chunks_of(chat(caller, "alias", stream=True).text)) == TEXT
    assert shared_upstream.accepted == accepted


@pytest.mark.parametrize(
    ("model", "stream", "after", "status"),
    [
        ("hang", True, None, 499),
        ("hang-mid-body", True, "tok0", 499),
        ("flood", True, "tok0", 499),
        ("stream-done-and-open", True, "[DONE]", 200),
    ],
)
def test_a_hang_up_is_counted_unless_the_caller_has_all_of_it(
    gateway: Gateway, caller: httpx.Client, model: str, stream: bool, after: str | None, status: int
) -> None:
    def counted() -> Counter[int]:
        found: Counter[int] = Counter()
        for line in caller.get("/metrics").text.splitlines():
            if line.startswith("litellm_proxy_total_requests_metric_total{"):
                found[int(line.split('status_code="')[1][:3])] += int(float(line.rpartition(" ")[2]))
        return found

    before = counted()
    hang_up(gateway, model, stream=stream, after=after)
    assert wait_until(lambda: counted()[status] > before[status] + (status == 200))  # of which one asked for these
    assert counted()[499] - before[499] == (status == 499)


def test_hang_ups_are_not_logged(gateway: Gateway) -> None:
    assert "Traceback" not in gateway.log and "ERROR" not in gateway.log, gateway.log
    assert "never retrieved" not in gateway.log


def test_a_caller_who_does_not_read_costs_little_memory(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    """Twenty floods that nobody reads: the upstream is paused, everybody else is served."""
    chat_body = json.dumps(wire("flood", stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
    before = gateway.usage().rss_kib
    callers: list[socket.socket] = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", gateway.port))
        connection.sendall(f"{head}content-length: {len(chat_body)}\r\n\r\n".encode() + chat_body)
        callers.append(connection)
    assert wait_until(lambda: len(shared_upstream.asked("flood")) >= 20)
    time.sleep(2)
    assert gateway.usage().rss_kib - before < 30_000
    started = time.monotonic()
    assert gateway.get("/health/liveliness")[0] == 200
    assert time.monotonic() - started < 5
    floods = shared_upstream.asked("flood")[-20:]
    assert not any(request.disconnected for request in floods), "they wait"
    for connection in callers:
        connection.close()
    assert wait_until(lambda: all(request.disconnected for request in floods))


def test_many_streams_at_once_do_not_mix(gateway: Gateway) -> None:
    wrong: list[str] = []

    def one(number: int) -> None:
        with client(gateway) as caller:
            for turn in range(5):
                model = f"stream-slow-{1 + (number + turn) % 3}" if turn % 2 else f"tokens-{20 + number}"
                chunks = chunks_of(chat(caller, model, stream=True).text)
                words = 5 if turn % 2 else 20 + number
                if {chunk["model"] for chunk in chunks} != {model} or said(chunks) != "".join(bodies.words(words)):
                    wrong.append(model)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
