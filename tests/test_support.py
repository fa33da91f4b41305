"""The tests' own upstream: it is healthy where it says so, and broken exactly as it says."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest

from support import behaviours
from support.gateway import ROOT, Gateway, settled, upstream_config
from support.llama import Llama, byte_alphabet
from support.tls import TestTls
from support.upstream import UpstreamThread, wait_until

BROKEN_TRANSPORT = {
    "reset-before-headers": httpx.ReadError,
    "close-before-headers": httpx.RemoteProtocolError,
    "close-mid-head": httpx.RemoteProtocolError,
    "reset-mid-body": httpx.ReadError,
    "close-mid-body": httpx.RemoteProtocolError,
    "not-http": httpx.RemoteProtocolError,
    "big-header": httpx.RemoteProtocolError,
    "bad-chunk": httpx.RemoteProtocolError,
    "bad-gzip": httpx.DecodingError,
    "hang": httpx.ReadTimeout,
    "hang-mid-head": httpx.ReadTimeout,
    "hang-mid-body": httpx.ReadTimeout,
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread() as server:
        yield server


@contextmanager
def openai_client(upstream: UpstreamThread) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-x", base_url=upstream.base_url, max_retries=0, timeout=20) as client:
        yield client


def ask(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def post(upstream: UpstreamThread, model: str, *, timeout: float = 20, **more: object) -> httpx.Response:
    return httpx.post(f"{upstream.base_url}/chat/completions", json=ask(model, **more), timeout=timeout)


def raw(upstream: UpstreamThread, model: str, **more: object) -> socket.socket:
    """A bare connection on which one request was sent."""
    connection = socket.create_connection(("127.0.0.1", upstream.port), timeout=20)
    body = json.dumps(ask(model, **more)).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    connection.sendall(head + body)
    return connection


def read_all(connection: socket.socket, until: bytes | None = None) -> bytes:
    """Everything until the mark or the end of the connection."""
    data = b""
    while until is None or until not in data:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_real_client_gets_answer_embeddings_completion_and_models(upstream: UpstreamThread) -> None:
    with openai_client(upstream) as client:
        chat = client.chat.completions.create(model="ok", messages=[{"role": "user", "content": "hi"}])
        assert chat.choices[0].message.content == " tok0 tok1 tok2 tok3 tok4"
        assert chat.usage is not None and chat.usage.total_tokens == 18
        assert chat.system_fingerprint == "fp_0705bf87c0"
        assert chat.model_extra == {"x_vendor": {"region": "eu-1", "queue_ms": 3}}
        vectors = client.embeddings.create(model="ok", input=["a", "b"])
        assert [item.embedding for item in vectors.data] == [[0.5, -0.25, 0.125, 0.0], [0.5, -0.25, 0.125, 1.0]]
        assert client.completions.create(model="ok", prompt="hi").choices[0].text == " tok0 tok1 tok2 tok3 tok4"
        assert [model.id for model in client.models.list()] == ["ok"]


@pytest.mark.parametrize(
    "model",
    ["ok", "stream-split-1", "stream-split-7", "stream-joined", "stream-crlf", "stream-comments", "stream-until-close",
     "gzip", "informational", "stream-slow-2", "stream-silent-20", "body-longer"],
)  # fmt: skip
@pytest.mark.parametrize("usage", [False, True])
def test_healthy_streams_are_what_the_real_client_expects(upstream: UpstreamThread, model: str, usage: bool) -> None:
    with openai_client(upstream) as client:
        chunks = list(
            client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                stream_options={"include_usage": usage},
            )
        )
    assert [c.choices[0].delta.content for c in chunks[1:6]] == [" tok0", " tok1", " tok2", " tok3", " tok4"]
    assert chunks[6].choices[0].finish_reason == "stop"
    assert [(c.choices, c.usage.completion_tokens if c.usage else None) for c in chunks[7:]] == ([([], 5)] * usage)


def test_text_completion_streams_and_tool_calls_stream(upstream: UpstreamThread) -> None:
    with openai_client(upstream) as client:
        texts = [c.choices[0].text for c in client.completions.create(model="ok", prompt="hi", stream=True)]
        assert "".join(texts) == " tok0 tok1 tok2 tok3 tok4"
        stream = client.chat.completions.create(
            model="tool-call", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        calls = [c.choices[0].delta.tool_calls for c in stream if c.choices[0].delta.tool_calls]
    assert "".join(part[0].function.arguments or "" for part in calls if part[0].function) == '{"city":"Paris"}'


@pytest.mark.parametrize("number", [400, 401, 404, 429, 500, 503])
def test_statuses_with_json_text_and_nothing(upstream: UpstreamThread, number: int) -> None:
    coded, text, bare = (post(upstream, f"{kind}-{number}") for kind in ("status", "text-status", "empty-status"))
    assert coded.status_code == text.status_code == bare.status_code == number
    assert coded.json()["error"]["message"] == f"told to fail with {number}"
    assert text.headers["content-type"] == "text/html" and "told to fail" in text.text
    assert bare.content == b""


def test_limits_and_failures_that_pass(upstream: UpstreamThread) -> None:
    limited = post(upstream, "retry-after-7")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert [post(upstream, "fail-first-2").status_code for _ in range(3)] == [503, 503, 200]
    assert [post(upstream, "limit-first-1").status_code for _ in range(2)] == [429, 200]
    assert len(upstream.asked("fail-first-2")) == 3


@pytest.mark.parametrize("model", BROKEN_TRANSPORT)
def test_broken_answers_break_as_they_say(upstream: UpstreamThread, model: str) -> None:
    with pytest.raises(BROKEN_TRANSPORT[model]):
        post(upstream, model, timeout=0.5 if model.startswith("hang") else 20)
    assert post(upstream, "ok").status_code == 200


def test_reset_is_a_reset_and_close_is_a_close(upstream: UpstreamThread) -> None:
    with raw(upstream, "reset-before-headers") as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    with raw(upstream, "close-before-headers") as connection:
        assert connection.recv(1) == b""


def test_streams_that_are_cut_stop_in_the_middle(upstream: UpstreamThread) -> None:
    with raw(upstream, "close-mid-body", stream=True) as connection:
        data = read_all(connection)
    assert data.count(b"data: ") == 3 and not data.endswith(behaviours.LAST_CHUNK)
    with raw(upstream, "reset-mid-body", stream=True) as connection, pytest.raises(ConnectionResetError):
        read_all(connection)


@pytest.mark.parametrize(
    ("model", "events", "ends"),
    [
        ("bad-json-event", 5, b'{"delta"\n\ndata: [DONE]\n\n'),
        ("bad-json-first", 2, b"data: {oh no}\n\ndata: [DONE]\n\n"),
        ("stream-unfinished", 3, b""),
        ("stream-empty", 0, b""),
        ("stream-no-done", 7, b""),
        ("error-first-event", 1, b""),
        ("error-later-event", 4, b""),
    ],
)
def test_malformed_streams_hold_what_they_say(upstream: UpstreamThread, model: str, events: int, ends: bytes) -> None:
    response = post(upstream, model, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content.count(b"data: ") == events
    assert response.content.endswith(ends)
    assert (b'"error"' in response.content) == model.startswith("error")


def test_two_hundreds_that_are_no_answer(upstream: UpstreamThread) -> None:
    assert post(upstream, "not-json").text.startswith("<html>")
    assert post(upstream, "json-not-object").json() == [1, 2, 3]
    assert post(upstream, "empty").content == b""
    assert post(upstream, "redirect").status_code == 302


def test_big_answers_are_ten_megabytes(upstream: UpstreamThread) -> None:
    body = post(upstream, "big").json()
    assert len(body["choices"][0]["message"]["content"]) == behaviours.BIG
    assert len(post(upstream, "big", stream=True).content) > behaviours.BIG


def test_second_answers_come_on_the_same_connection(upstream: UpstreamThread) -> None:
    with raw(upstream, "answer-twice") as connection:
        data = read_all(connection, until=b"nobody asked for")
    assert data.count(b"HTTP/1.1 200") == 2
    with raw(upstream, "answer-unasked") as connection:
        data = read_all(connection, until=b"HTTP/1.1 408")
    assert data.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("model", ["endless", "flood", "endless-line", "endless-comments"])
def test_endless_streams_go_on_until_the_client_leaves(upstream: UpstreamThread, model: str) -> None:
    with raw(upstream, model, stream=True) as connection:
        received = 0
        while received < 1000:
            received += len(connection.recv(65536))
    assert upstream.wait(lambda: upstream.asked(model)[-1].disconnected)


def test_it_records_requests_connections_and_who_hung_up(upstream: UpstreamThread) -> None:
    assert upstream.wait_closed()
    before = len(upstream.requests)
    with httpx.Client() as client:
        for model in ("ok", "openai/tokens-3"):
            client.post(f"{upstream.base_url}/chat/completions", json=ask(model), headers={"X-Mine": "1"}).json()
        first, second = upstream.requests[before:]
        assert (first.method, first.path, first.headers["x-mine"]) == ("POST", "/v1/chat/completions", "1")
        assert (first.connection, second.model) == (second.connection, "tokens-3")
        assert upstream.wait(lambda: second.answered_at) and not second.disconnected
        assert upstream.open_connections == 1
    assert upstream.wait_closed()
    started, earlier = time.monotonic(), len(upstream.asked("hang"))
    raw(upstream, "hang").close()
    assert upstream.wait(lambda: len(upstream.asked("hang")) > earlier and upstream.asked("hang")[-1].disconnected)
    gone = upstream.asked("hang")[-1].disconnected_at
    assert gone is not None and started <= gone <= time.monotonic()


def test_chunked_uploads_are_read(upstream: UpstreamThread) -> None:
    body = json.dumps(ask("tokens-2")).encode()
    response = httpx.post(f"{upstream.base_url}/chat/completions", content=iter([body[:10], body[10:]]))
    assert response.json()["usage"]["completion_tokens"] == 2


def test_every_behaviour_has_a_note_or_a_name_that_says_it_all() -> None:
    assert len(behaviours.BEHAVIOURS) > 40
    assert all(callable(behaviour) for behaviour in (*behaviours.BEHAVIOURS.values(), *behaviours.NUMBERED.values()))
    assert not {name for name in behaviours.BEHAVIOURS if name != name.lower()}


def test_tls(tls_upstream: UpstreamThread, tls: TestTls) -> None:
    context = ssl.create_default_context(cafile=tls.ca_file)
    with httpx.Client(verify=context) as client:
        response = client.post(f"{tls_upstream.base_url}/chat/completions", json=ask("ok"))
    assert response.status_code == 200 and tls_upstream.base_url.startswith("https://localhost:")
    with pytest.raises(httpx.ConnectError):
        httpx.get(tls_upstream.base_url)


def test_as_a_process() -> None:
    command = [sys.executable, "-m", "support.upstream", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT / "tests", stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        assert httpx.post(f"{base_url}/chat/completions", json=ask("ok")).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_llama_cpp_answers_streams_and_embeds(llama: Llama) -> None:
    with openai.OpenAI(api_key="sk-x", base_url=llama.base_url, timeout=60) as client:
        chat = client.chat.completions.create(
            model=llama.model, messages=[{"role": "user", "content": "hi"}], max_tokens=8, temperature=0
        )
        assert chat.usage is not None and 1 <= chat.usage.completion_tokens <= 8
        stream = client.chat.completions.create(
            model=llama.model, messages=[{"role": "user", "content": "hi"}], max_tokens=8, temperature=0, stream=True
        )
        assert [c.choices[0].finish_reason for c in stream if c.choices][-1] in ("stop", "length")
    with openai.OpenAI(api_key="sk-x", base_url=llama.embedding_url, timeout=60) as client:
        assert len(client.embeddings.create(model=llama.model, input="hi").data[0].embedding) == 64


def test_byte_alphabet_is_one_letter_per_byte() -> None:
    alphabet = byte_alphabet()
    assert len(set(alphabet)) == 256 and alphabet[ord("a")] == "a" and alphabet[0] == "Ā"


def test_wait_until_gives_up() -> None:
    assert wait_until(lambda: os.getpid(), 0)
    assert not wait_until(lambda: False, 0.05)


def test_gateway_process_serves_in_front_of_the_upstream(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    status, body = gateway.post("/v1/chat/completions", ask("tokens-3"))
    assert (status, json.loads(body)["usage"]["completion_tokens"]) == (200, 3)
    assert shared_upstream.asked("tokens-3")[-1].headers["authorization"] == "Bearer sk-upstream"
    assert gateway.get("/v1/models", key="sk-wrong")[0] == 401
    usage = gateway.usage()
    assert usage.fds > 3 and usage.rss_kib > 10_000 and usage.threads >= 1
    assert settled(gateway, usage.fds)
    assert "Traceback" not in gateway.log


def test_gateway_fixture_stops_by_sigterm_and_wants_zero(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(upstream_config("http://127.0.0.1:1/v1"), "--drain_seconds", "1", SOME_NAME="x")
    assert b"SOME_NAME=x" in Path(f"/proc/{gateway.process.pid}/environ").read_bytes()
    assert gateway.stop() == 0


def test_gateway_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="general_settings"):
        Gateway("general_settings: 7", tmp_path).start()
