"""The gateway's cache, through real sockets."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway, upstream_config
from support.upstream import UpstreamThread

CACHE = "litellm_settings: {cache: true, cache_params: {type: %s, ttl: 300}}\n"


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread() as upstream:
        yield upstream


@pytest.fixture(params=["local", "disk"])
def gateway(request: pytest.FixtureRequest, upstream: UpstreamThread, tmp_path: Path) -> Iterator[Gateway]:
    config = upstream_config(upstream.base_url, settings=CACHE % request.param)
    with Gateway(config, tmp_path) as gateway:
        yield gateway


def ask(gateway: Gateway, content: str, key: str | None = None, **more: Any) -> tuple[Any, bytes]:
    body = {"model": "ok", "messages": [{"role": "user", "content": content}], **more}
    headers = {"Authorization": f"Bearer {key or gateway.key}", "Content-Type": "application/json"}
    request = urllib.request.Request(gateway.origin + "/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.headers, response.read()


def test_the_same_ask_is_answered_from_the_cache(gateway: Gateway, upstream: UpstreamThread):
    first, said = ask(gateway, "hello")
    again, same = ask(gateway, "hello", user="somebody")
    assert json.loads(said) == json.loads(same)
    assert first["x-litellm-cache-key"] is None
    assert len(again["x-litellm-cache-key"]) == 64
    assert float(again["x-litellm-response-cost"]) == 0
    _, streamed = ask(gateway, "hello", stream=True)
    events = [line[6:] for line in streamed.decode().splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    texts = [choice["delta"].get("content") or "" for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert "".join(texts) == json.loads(said)["choices"][0]["message"]["content"]
    assert len(upstream.requests) == 1
    ask(gateway, "hello", cache={"no-cache": True})
    ask(gateway, "hello", cache={"namespace": "other"})
    ask(gateway, "hullo")
    assert len(upstream.requests) == 4


def test_two_keys_share_nothing(gateway: Gateway, upstream: UpstreamThread):
    keys = [json.loads(gateway.post("/key/generate", {})[1])["key"] for _ in range(2)]
    for key in (*keys, *keys):
        ask(gateway, "secret", key)
    assert len(upstream.requests) == 2


def test_wrong_controls_are_named(gateway: Gateway):
    body = {"model": "ok", "messages": [{"role": "user", "content": "x"}], "cache": {"ttl": -1}}
    status, said = gateway.post("/v1/chat/completions", body)
    assert (status, "'cache.ttl'" in said.decode()) == (400, True)


def test_the_same_ask_many_times_at_once_is_sent_once(gateway: Gateway, upstream: UpstreamThread):
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(gateway, "at once")[1])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert len(upstream.requests) == 1
