"""`Idempotency-Key`, through real sockets: a retry is the same call, whatever became of the first."""

import http.client
import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway, upstream_config
from support.redis import RedisServer
from support.redis import shared_redis as shared_redis
from support.upstream import UpstreamThread, wait_until


@pytest.fixture
def upstream(shared_upstream: UpstreamThread) -> UpstreamThread:
    """The module's, asked nothing yet by this test."""
    shared_upstream.requests.clear()
    return shared_upstream


@pytest.fixture
def one() -> str:
    """A name that no other test uses."""
    return f"one {next(NUMBERS)}"


NUMBERS = itertools.count()


Answer = tuple[int, dict[str, str], bytes]


def opened(gateway: Gateway, name: str, key: str | None = None, model: str = "ok", **more: Any):
    """A request that has been sent, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}
    headers = {"Authorization": f"Bearer {key or gateway.key}", "Idempotency-Key": name}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection


def ask(gateway: Gateway, name: str, key: str | None = None, model: str = "ok", **more: Any) -> Answer:
    connection = opened(gateway, name, key, model, **more)
    try:
        response = connection.getresponse()
        headers = {field.lower(): value for field, value in response.getheaders()}
        return response.status, headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_retry_gets_the_same_bytes_and_is_no_call(gateway: Gateway, upstream: UpstreamThread, one: str, stream: bool):
    status, first, said = ask(gateway, one, stream=stream)
    again = ask(gateway, one, stream=stream)
    assert (status, again[0], again[2]) == (200, 200, said)
    assert again[1]["x-litellm-call-id"] == first["x-litellm-call-id"]
    assert (first.get("idempotent-replayed"), again[1]["idempotent-replayed"]) == (None, "true")
    assert again[1]["content-type"] == first["content-type"]
    assert len(upstream.requests) == 1
    ask(gateway, one + " more", stream=stream)
    assert len(upstream.requests) == 2


def test_another_request_under_the_same_name_is_refused(gateway: Gateway, upstream: UpstreamThread, one: str):
    ask(gateway, one)
    status, _, said = ask(gateway, one, temperature=0.5)
    assert (status, json.loads(said)["error"]["param"]) == (422, "Idempotency-Key")
    assert ask(gateway, " ")[0] == ask(gateway, "x" * 256)[0] == 400
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("model", "stream"),
    [("status-400", False), ("error-later-event", True), ("bad-json-event", True), ("stream-unfinished", True)],
)
def test_a_failure_is_not_kept(gateway: Gateway, upstream: UpstreamThread, one: str, model: str, stream: bool):
    for count in (1, 2):
        _, headers, _ = ask(gateway, one, model=model, stream=stream)
        assert "idempotent-replayed" not in headers
        assert len(upstream.requests) == count


@pytest.mark.parametrize("stream", [False, True])
def test_those_who_ask_at_once_share_a_call(gateway: Gateway, upstream: UpstreamThread, one: str, stream: bool):
    answers: list[Answer] = []
    model = "delay-500"
    threads = [
        threading.Thread(target=lambda: answers.append(ask(gateway, one, model=model, stream=stream))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {(status, said) for status, _, said in answers} == {(200, answers[0][2])}
    assert sum("idempotent-replayed" in headers for _, headers, _ in answers) == 4
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_goes_on_when_its_caller_has_hung_up(
    gateway: Gateway, upstream: UpstreamThread, one: str, stream: bool
):
    first = opened(gateway, one, model="delay-500", stream=stream)
    assert wait_until(lambda: len(upstream.requests) == 1, 30)
    first.close()
    status, headers, said = ask(gateway, one, model="delay-500", stream=stream)
    assert (status, headers["idempotent-replayed"]) == (200, "true")
    assert said
    assert len(upstream.requests) == 1


def test_names_belong_to_a_key_and_a_retry_is_billed_once(gateway: Gateway, upstream: UpstreamThread, one: str):
    keys = [json.loads(gateway.post("/key/generate", {"rpm_limit": 1})[1])["key"] for _ in range(2)]
    for key in (*keys, *keys):
        assert ask(gateway, one, key)[0] == 200  # a replay is not counted: the limit is one call
    assert len(upstream.requests) == 2

    def rows() -> int:
        return sum(len(json.loads(gateway.get("/spend/logs?summarize=false", key=key)[1])) for key in keys)

    assert wait_until(lambda: rows() >= 2, 30)
    assert rows() == 2


def test_workers_of_a_host_know_each_others_calls(upstream: UpstreamThread, tmp_path: Path):
    with Gateway(upstream_config(upstream.base_url), tmp_path, ("--num_workers", "2")) as gateway:
        _, _, said = ask(gateway, "one")
        assert all(ask(gateway, "one")[2] == said for _ in range(8))
        assert len(upstream.requests) == 1
        slow = opened(gateway, "two", model="delay-1000")
        assert wait_until(lambda: len(upstream.requests) == 2, 30)
        answers: list[Answer] = []
        threads = [
            threading.Thread(target=lambda: answers.append(ask(gateway, "two", model="delay-1000"))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert {status for status, _, _ in answers} == {200}
        assert slow.getresponse().status == 200
        slow.close()
        assert len(upstream.requests) == 2


def test_redis_is_used_where_the_cache_is_in_it(upstream: UpstreamThread, tmp_path: Path, shared_redis: RedisServer):
    shared_redis.ask("FLUSHALL")
    url = f"{{cache: true, cache_params: {{type: redis, url: '{shared_redis.url}'}}}}"
    config = upstream_config(upstream.base_url, settings=f"litellm_settings: {url}\n")
    no_cache = {"cache": {"no-cache": True}}
    with Gateway(config, tmp_path / "a") as one, Gateway(config, tmp_path / "b") as other:
        first = ask(one, "one", **no_cache)
        again = ask(other, "one", **no_cache)
        assert (again[2], again[1]["idempotent-replayed"]) == (first[2], "true")
    assert len(upstream.requests) == 1


def test_it_can_be_switched_off(upstream: UpstreamThread, tmp_path: Path):
    config = upstream_config(upstream.base_url) + "  idempotency_ttl: 0\n"
    with Gateway(config, tmp_path) as gateway:
        assert all("idempotent-replayed" not in ask(gateway, "one")[1] for _ in range(2))
    assert len(upstream.requests) == 2
