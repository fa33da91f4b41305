"""A gateway's life: draining, reloading, watching, several workers, and what must outlast each of them."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.asking import TEXT, chat, chunks_of, client, said, text_of, wire
from support.gateway import Gateway, wait_for_log
from support.upstream import UpstreamThread, wait_until

pytestmark = pytest.mark.slow

Start = Callable[..., Gateway]


def config(upstream: UpstreamThread, *names: str, settings: str = "") -> str:
    rows = "".join(
        f"  - model_name: '{name}'\n    litellm_params: {{model: 'openai/{name}', api_base: '{upstream.base_url}', "
        "api_key: k}\n"
        for name in names
    )
    return f"model_list:\n{rows}general_settings:\n  master_key: sk-1234\n{settings}"


class Streaming:
    """A streamed chat in a thread of its own."""

    def __init__(self, gateway: Gateway, model: str, **more: Any) -> None:
        self.body = ""
        self.error: Exception | None = None
        self.begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(gateway, wire(model, stream=True, **more)), daemon=True)
        self._thread.start()
        assert self.begun.wait(30)

    def _run(self, gateway: Gateway, body: dict[str, Any]) -> None:
        try:
            with client(gateway) as caller, caller.stream("POST", "/v1/chat/completions", json=body) as answer:
                for piece in answer.iter_text():
                    self.body += piece
                    self.begun.set()
        except httpx.HTTPError as error:
            self.error = error
        self.begun.set()

    def join(self) -> str:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.body


def served(gateway: Gateway, model: str) -> int:
    return gateway.post("/v1/chat/completions", wire(model))[0]


def version(gateway: Gateway) -> int:
    return json.loads(gateway.get("/health/readiness")[1])["config_version"]


def reload(gateway: Gateway, text: str) -> None:
    """Written whole, as careful editors do; then the signal; then the new version is served."""
    before = version(gateway)
    write(gateway, text)
    gateway.signal(signal.SIGHUP)
    assert wait_until(lambda: version(gateway) == before + 1, 30, every=0.02)


def ready(gateway: Gateway) -> Gateway:
    """All its workers serve: a worker that is still starting reads the file that a test is about to change."""
    assert wait_for_log(gateway, "try: curl ", 60)
    return gateway


def write(gateway: Gateway, text: str) -> None:
    fresh = gateway.config_file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(gateway.config_file)


# Draining


def test_stopping_finishes_what_is_in_flight(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "*"))
    stream = Streaming(gateway, "stream-slow-300")
    plain: list[httpx.Response] = []

    def ask() -> None:
        with client(gateway) as caller:
            plain.append(chat(caller, "delay-1500"))

    thread = threading.Thread(target=ask)
    thread.start()
    assert wait_until(lambda: upstream.asked("delay-1500"))
    gateway.signal(signal.SIGTERM)
    assert wait_until(lambda: not gateway.alive()), "it takes no more"
    assert gateway.process.poll() is None
    assert said(chunks_of(stream.join())) == TEXT and stream.error is None
    thread.join(60)
    assert text_of(plain[0]) == TEXT and plain[0].headers["connection"] == "close"
    assert gateway.wait() == 0
    assert upstream.wait_closed()


def test_a_second_signal_ends_it_at_once(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "*"))
    stream = Streaming(gateway, "endless")
    gateway.signal(signal.SIGTERM)
    assert wait_until(lambda: not gateway.alive())
    time.sleep(0.3)
    assert gateway.process.poll() is None
    started = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - started < 10
    assert "[DONE]" not in stream.join() and upstream.wait_closed()


def test_draining_does_not_wait_for_ever(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "*"), "--drain-seconds", "1")
    stream = Streaming(gateway, "endless")
    started = time.monotonic()
    assert gateway.stop() == 0
    assert 0.9 < time.monotonic() - started < 20
    assert "[DONE]" not in stream.join() and upstream.wait_closed()
    assert "Traceback" not in gateway.log, gateway.log


# Reloading


def test_a_reload_serves_the_new_and_disturbs_nobody(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "one", "stream-slow-200"))
    stream = Streaming(gateway, "stream-slow-200")
    assert (served(gateway, "one"), served(gateway, "two")) == (200, 400)
    reload(gateway, config(upstream, "two"))
    assert (served(gateway, "one"), served(gateway, "two"), served(gateway, "stream-slow-200")) == (400, 200, 400)
    assert said(chunks_of(stream.join())) == TEXT, "it goes on under the config it began with"


def test_a_reload_may_change_the_key(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "one"))
    reload(gateway, config(upstream, "one").replace("sk-1234", "sk-5678"))
    assert gateway.get("/v1/models")[0] == 401
    assert gateway.get("/v1/models", key="sk-5678")[0] == 200


def test_a_reload_keeps_connections_and_counters(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = start_gateway(config(upstream, "one"))
    with client(gateway) as caller:
        for _ in range(3):
            assert text_of(chat(caller, "one")) == TEXT
        ids = chat(caller, "one").headers["x-litellm-model-id"]
        accepted = upstream.accepted
        reload(gateway, config(upstream, "one", "two"))
        answer = chat(caller, "one")
        assert text_of(answer) == TEXT and answer.headers["x-litellm-model-id"] == ids
        assert upstream.accepted == accepted, "the same connection to the upstream"
        metrics = caller.get("/metrics").text
    name = (
        'litellm_proxy_total_requests_metric_total{route="/chat/completions",requested_model="one",status_code="200"}'
    )
    assert f"{name} 5" in metrics


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("model_list: [", "config.yaml:"),
        ("model_list:\n  - model_nam: x\n", "config.yaml:2:"),
        ("model_list:\n  - model_name: x\n    litellm_params: {model: nobody-knows/x}\n", "nobody-knows"),
        (None, "config.yaml"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_file_is_told_and_the_old_config_goes_on(
    start_gateway: Start, upstream: UpstreamThread, broken: str | None, told: str, workers: int
) -> None:
    gateway = ready(start_gateway(config(upstream, "one"), "--num_workers", str(workers)))
    seen = len(gateway.log)
    if broken is None:
        gateway.config_file.unlink()
    else:
        write(gateway, broken)
    gateway.signal(signal.SIGHUP)
    assert wait_until(lambda: told in gateway.log[seen:]), gateway.log[seen:]
    assert served(gateway, "one") == 200 and version(gateway) == 1
    assert "Traceback" not in gateway.log
    reload(gateway, config(upstream, "two"))
    assert served(gateway, "two") == 200


def test_watching_notices_every_file(start_gateway: Start, upstream: UpstreamThread, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(config(upstream, "two").partition("general_settings")[0])
    gateway = start_gateway(config(upstream, "one", settings=f"include: ['{more}']\n"), "--watch")
    assert (served(gateway, "one"), served(gateway, "two")) == (200, 200)
    write(gateway, config(upstream, "three", settings=f"include: ['{more}']\n"))
    assert wait_until(lambda: served(gateway, "three") == 200, 30, every=0.1)
    more.write_text(config(upstream, "four").partition("general_settings")[0])
    assert wait_until(lambda: served(gateway, "four") == 200, 30, every=0.1)
    more.write_text("model_list: [")
    assert wait_for_log(gateway, "more.yaml:")
    assert (served(gateway, "three"), served(gateway, "four")) == (200, 200)


def open_stream(gateway: Gateway, model: str) -> socket.socket:
    """A stream whose first event has come."""
    body = json.dumps(wire(model, stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
    connection = socket.create_connection(("127.0.0.1", gateway.port), 60)
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    got = b""
    while b"data: " not in got:
        got += connection.recv(65536)
    return connection


def test_a_hundred_reloads_with_streams_open_take_no_memory(start_gateway: Start, upstream: UpstreamThread) -> None:
    """Each stream begins under another config, and goes on under none: 40 that were held on to would take 17 MB."""
    names = [f"model-{number}" for number in range(80)]
    texts = [config(upstream, *names, last, "stream-slow-60000") for last in ("a", "b")]
    gateway = start_gateway(texts[0])
    streams: list[socket.socket] = []

    def rounds(count: int, with_stream: int) -> int:
        for turn in range(count):
            if turn < with_stream:
                streams.append(open_stream(gateway, "stream-slow-60000"))
            reload(gateway, texts[turn % 2])
            assert served(gateway, ("a", "b")[turn % 2]) == 200
        return gateway.usage().rss_kib

    early = rounds(80, with_stream=2)  # until the heap is as large as reloads make it
    late = rounds(80, with_stream=40)
    print(early, late)
    assert late - early < 9_000, (early, late)
    assert not any(request.disconnected for request in upstream.asked("stream-slow-60000"))
    for stream in streams:
        stream.close()
    assert wait_until(lambda: upstream.open_connections <= 1)


# Several workers


@contextmanager
def callers(gateway: Gateway, count: int) -> Iterator[list[httpx.Client]]:
    """Each with a connection of its own."""
    made = [client(gateway) for _ in range(count)]
    yield made
    for caller in made:
        caller.close()


def test_workers_share_the_load_and_add_up_their_counts(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = ready(start_gateway(config(upstream, "one"), "--num_workers", "2"))
    with callers(gateway, 30) as asking:
        for caller in asking:
            assert text_of(chat(caller, "one")) == TEXT
        assert upstream.open_connections == 2, "each worker has its own: both have served"
        texts = {caller.get("/metrics").text for caller in asking[:10]}
    name = (
        'litellm_proxy_total_requests_metric_total{route="/chat/completions",requested_model="one",status_code="200"}'
    )
    assert all(f"{name} 30" in text for text in texts), "whichever is asked"


def test_a_worker_that_dies_is_replaced_and_its_counts_stay(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = ready(start_gateway(config(upstream, "one"), "--num_workers", "2"))
    with callers(gateway, 12) as asking:
        for caller in asking:
            assert text_of(chat(caller, "one")) == TEXT
    assert wait_until(lambda: _counted(gateway) == 12), "a call is counted when its last byte is out"
    first, _ = workers(gateway)
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: first not in workers(gateway) and len(workers(gateway)) == 2, 30)
    assert wait_until(lambda: _ask(gateway) == 200, 30)
    assert wait_until(lambda: _counted(gateway) >= 13)


def _counted(gateway: Gateway) -> int:
    """Calls that were answered."""
    text = gateway.get("/metrics")[1].decode()
    found = re.search(r'total_requests_metric_total\{route="/chat/completions",[^}]*status_code="200"\} (\d+)', text)
    return int(found[1]) if found else 0


def workers(gateway: Gateway) -> list[int]:
    """Their process ids."""
    pid = gateway.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ask(gateway: Gateway) -> int:
    try:
        return served(gateway, "one")
    except OSError:
        return 0


def test_workers_reload_and_stop_together(start_gateway: Start, upstream: UpstreamThread) -> None:
    gateway = ready(start_gateway(config(upstream, "one"), "--num_workers", "2"))
    write(gateway, config(upstream, "two"))
    gateway.signal(signal.SIGHUP)

    def all_serve(model: str) -> bool:
        with callers(gateway, 8) as asking:
            return all(chat(caller, model).status_code == 200 for caller in asking)

    assert wait_until(lambda: all_serve("two"), 30, every=0.2)
    stream = Streaming(gateway, "two")
    assert gateway.stop() == 0
    assert said(chunks_of(stream.join())) == TEXT


# Starting


def test_a_key_that_does_not_resolve_prevents_the_start(tmp_path: Path) -> None:
    text = "model_list: []\ngeneral_settings: {master_key: os.environ/NOT_SET_ANYWHERE}\n"
    with pytest.raises(RuntimeError, match="NOT_SET_ANYWHERE"):
        Gateway(text, tmp_path / "g").start()


def test_without_a_key_it_listens_on_this_machine_only(start_gateway: Start, upstream: UpstreamThread) -> None:
    text = config(upstream, "one").partition("general_settings")[0]
    gateway = start_gateway(text)
    assert served(gateway, "one") == 200
    assert "http://127.0.0.1:" in gateway.log and "0.0.0.0" not in gateway.log
    opened = start_gateway(text, "--allow-unauthenticated")
    assert served(opened, "one") == 200 and "0.0.0.0" in opened.log


def test_one_model_without_a_config(upstream: UpstreamThread, tmp_path: Path) -> None:
    gateway = Gateway("", tmp_path / "g", ("--model", "openai/ok", "--api_base", upstream.base_url, "--api_key", "k"))
    gateway.config = "general_settings: {master_key: sk-1234}\n"
    with gateway:
        assert json.loads(gateway.get("/v1/models")[1])["data"][0]["id"] == "openai/ok"
        assert served(gateway, "openai/ok") == 200
        status, body = gateway.post("/v1/chat/completions", {"messages": wire("x")["messages"]})
        assert status == 200 and json.loads(body)["model"] == "openai/ok"
