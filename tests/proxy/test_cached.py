"""The gateway's cache, through real sockets."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import Gateway, upstream_config
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

CACHE = "litellm_settings: {cache: true, cache_params: {type: %s, ttl: 300}}\n"


@pytest.fixture
def upstream(shared_upstream: UpstreamThread) -> UpstreamThread:
    """The module's, asked nothing yet by this test."""
    shared_upstream.requests.clear()
    return shared_upstream


@pytest.fixture(scope="module", params=["local", "disk"])
def shared(
    request: pytest.FixtureRequest, shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    config = upstream_config(shared_upstream.base_url, settings=CACHE % request.param)
    with Gateway(config, tmp_path_factory.mktemp("cached")) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Gateway:
    """The module's, its cache empty."""
    assert shared.post("/cache/flushall", {})[0] == 200
    return shared


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


def test_calls_of_other_tags_share_nothing(upstream: UpstreamThread, tmp_path: Path):
    row = "  - {model_name: any, litellm_params: {model: openai/%s, api_base: %s, api_key: k, tags: [%s]}}\n"
    models = "".join(row % (model, upstream.base_url, tag) for model, tag in (("ok", "free"), ("many-packets", "paid")))
    settings = CACHE % "local" + "router_settings: {enable_tag_filtering: true}\n"
    with Gateway(f"model_list:\n{models}{settings}general_settings: {{master_key: sk-1234}}\n", tmp_path) as gateway:
        for tag in ("free", "paid", "free", "paid"):
            ask(gateway, "hello", model="any", metadata={"tags": [tag]})
    assert Counter(one.model for one in upstream.requests) == {"ok": 1, "many-packets": 1}


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


def test_the_answer_of_a_fallback_is_not_kept(upstream: UpstreamThread, tmp_path: Path):
    entry = "  - {model_name: %s, litellm_params: {model: openai/%s, api_base: %s, api_key: k, max_retries: 0}}\n"
    named = (("bad", "status-503"), ("good", "ok"))
    models = "".join(entry % (name, model, upstream.base_url) for name, model in named)
    settings = CACHE % "local" + "router_settings: {fallbacks: [{bad: [good]}]}\n"
    with Gateway(f"model_list:\n{models}{settings}general_settings: {{master_key: sk-1234}}\n", tmp_path) as gateway:
        for _ in range(2):
            headers, _ = ask(gateway, "hello", model="bad")
            assert headers["x-litellm-attempted-fallbacks"] == "1"
            assert headers["x-litellm-cache-key"] is None
    assert len(upstream.requests) == 4


def test_what_others_wrote_into_the_cache_is_no_answer(upstream: UpstreamThread, tmp_path: Path):
    folder = tmp_path / "kept"
    settings = f"litellm_settings: {{cache: true, cache_params: {{type: disk, disk_cache_dir: {folder}}}}}\n"
    with Gateway(upstream_config(upstream.base_url, settings=settings), tmp_path) as gateway:
        ask(gateway, "hello")
        for wrong in (b"{", b"[]", b'{"at": "noon", "wire": {}}', b'{"at": 1.0}', b"\xff"):
            with closing(sqlite3.connect(folder / "responses.sqlite")) as db, db:
                assert db.execute("UPDATE entries SET value = ?", (wrong,)).rowcount == 1
            headers, said = ask(gateway, "hello")
            assert headers["x-litellm-cache-key"] is None and json.loads(said)["choices"]
        assert ask(gateway, "hello")[0]["x-litellm-cache-key"]
        assert {file.stat().st_mode & 0o077 for file in (folder, *folder.iterdir())} == {0}


def test_a_cache_that_is_away_costs_no_answer_and_one_line(upstream: UpstreamThread, tmp_path: Path):
    settings = "litellm_settings: {cache: true, cache_params: {type: redis, host: 127.0.0.1, port: 1}}\n"
    with Gateway(upstream_config(upstream.base_url, settings=settings), tmp_path) as gateway:
        for _ in range(5):
            ask(gateway, "hello")
        assert gateway.log.count("the cache cannot be asked") == 1
    assert len(upstream.requests) == 5


def text_of(streamed: bytes) -> str:
    events = [json.loads(line[6:]) for line in streamed.decode().splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


def test_a_stream_that_was_complete_is_kept(gateway: Gateway, upstream: UpstreamThread):
    headers, streamed = ask(gateway, "hello", stream=True)
    assert headers["x-litellm-cache-key"] is None

    def kept() -> bool:
        return ask(gateway, "hello", stream=True)[0]["x-litellm-cache-key"] is not None

    assert wait_until(kept, 30)
    asked = len(upstream.requests)
    _, again = ask(gateway, "hello", stream=True)
    _, whole = ask(gateway, "hello")
    answer = json.loads(whole)
    assert text_of(again) == text_of(streamed) == answer["choices"][0]["message"]["content"] != ""
    assert answer["object"] == "chat.completion" and answer["usage"]["total_tokens"] > 0
    assert len(upstream.requests) == asked


in_memory = pytest.mark.parametrize("shared", ["local"], indirect=True)


@in_memory
@pytest.mark.parametrize("model", ["error-later-event", "bad-json-event", "stream-unfinished", "stream-no-usage"])
def test_a_broken_stream_is_not_kept(gateway: Gateway, upstream: UpstreamThread, model: str):
    for _ in range(3):
        assert ask(gateway, "hello", model=model, stream=True)[0]["x-litellm-cache-key"] is None
        ask(gateway, "other")  # time enough for what is not to happen: this one is kept after it
    assert len([one for one in upstream.requests if one.model == model]) == 3


@in_memory
def test_a_stream_whose_caller_hangs_up_is_not_kept(gateway: Gateway, upstream: UpstreamThread):
    body = {"model": "stream-slow", "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    request = urllib.request.Request(gateway.origin + "/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        response.read(10)
    assert wait_until(lambda: upstream.requests[0].disconnected, 30)
    headers, _ = ask(gateway, "x", model="stream-slow", stream=True)
    assert headers["x-litellm-cache-key"] is None


def test_a_hit_is_counted_as_one_and_its_tokens_are_no_providers(gateway: Gateway, upstream: UpstreamThread):
    key = json.loads(gateway.post("/key/generate", {"tpm_limit": 100_000})[1])["key"]

    def counts() -> Counter[str]:
        """Of each metric, over all its labels."""
        lines = [line.rpartition(" ") for line in gateway.get("/metrics")[1].decode().splitlines()]
        summed: Counter[str] = Counter()
        for name, _, value in lines:
            if not name.startswith("#"):
                summed[name.partition("{")[0]] += float(value)
        return summed

    misses, hits = "litellm_cache_misses_metric_total", "litellm_cache_hits_metric_total"
    earlier = counts()
    first, _ = ask(gateway, "hello", key)
    before = counts()
    again, _ = ask(gateway, "hello", key)
    ask(gateway, "hello", key, stream=True)
    after = counts()
    assert before[misses] == after[misses] == earlier[misses] + 1
    assert (before[hits], after[hits]) == (earlier[hits], earlier[hits] + 2)
    total = "litellm_total_tokens_metric_total"
    assert before[total] == after[total] > earlier[total]
    assert after["litellm_llm_api_latency_metric_count"] == before["litellm_llm_api_latency_metric_count"]
    left = [int(headers["x-ratelimit-remaining-tokens"]) for headers in (again, ask(gateway, "hello", key)[0])]
    assert left[0] == left[1]  # nothing was taken by the hits between
    assert float(again["x-litellm-key-spend"]) == float(first["x-litellm-key-spend"]) + float(
        first["x-litellm-response-cost"] or 0
    )


def test_the_cache_can_be_asked_and_emptied_by_an_admin(gateway: Gateway, upstream: UpstreamThread):
    said = json.loads(gateway.get("/cache/ping")[1])
    assert (said["status"], said["ping_response"]) == ("healthy", True)
    ask(gateway, "hello")
    key = ask(gateway, "hello")[0]["x-litellm-cache-key"]
    assert gateway.post("/cache/delete", {"keys": [key, "never there"]}) == (200, b'{"status":"success"}')
    assert ask(gateway, "hello")[0]["x-litellm-cache-key"] is None
    assert gateway.post("/cache/flushall", {}) == (200, b'{"status":"success"}')
    assert ask(gateway, "hello")[0]["x-litellm-cache-key"] is None
    assert len(upstream.requests) == 3
    assert gateway.post("/cache/delete", {"keys": []})[0] == 422
    assert gateway.get("/cache/redis/info")[0] == 400
    own = json.loads(gateway.post("/key/generate", {})[1])["key"]
    for method, path in (("GET", "ping"), ("GET", "redis/info"), ("POST", "delete"), ("POST", "flushall")):
        assert gateway.request(method, f"/cache/{path}", b"{}", key=own)[0] == 403


def test_what_the_routes_say_of_redis(upstream: UpstreamThread, tmp_path: Path, redis: RedisServer):
    params = f"{{cache: true, cache_params: {{type: redis, url: '{redis.url}'}}}}"
    with Gateway(upstream_config(upstream.base_url, settings=f"litellm_settings: {params}\n"), tmp_path) as gateway:
        assert json.loads(gateway.get("/cache/ping")[1])["cache_type"] == "redis"
        said = json.loads(gateway.get("/cache/redis/info")[1])
        assert said["num_clients"] == len(said["clients"]) > 0
        assert "uptime_in_seconds" in said["info"]
        redis.kill()
        assert wait_until(lambda: gateway.get("/cache/ping")[0] == 503, 30)
        assert gateway.post("/cache/flushall", {})[0] == 503


def test_where_redis_is_may_be_said_by_the_environment(upstream: UpstreamThread, tmp_path: Path, redis: RedisServer):
    params = "litellm_settings: {cache: true, cache_params: {type: redis}}\n"
    with Gateway(
        upstream_config(upstream.base_url, settings=params), tmp_path, env={"REDIS_URL": redis.url}
    ) as gateway:
        status, said = gateway.get("/cache/ping")
        assert (status, json.loads(said)["cache_type"]) == (200, "redis")
        assert json.loads(gateway.get("/cache/redis/info")[1])["num_clients"] > 0


@pytest.mark.parametrize(
    ("params", "env", "why"),
    [
        ("{type: redis}", {"REDIS_HOST": "h", "REDIS_PORT": "many"}, "REDIS_PORT must be a number"),
        ("{type: redis}", {"REDIS_URL": "nonsense"}, "not a Redis URL"),
        ("{type: redis, url: nonsense}", {}, "not a Redis URL"),
    ],
)
def test_an_address_that_is_none_is_told_at_the_start(tmp_path: Path, params: str, env: dict[str, str], why: str):
    config = tmp_path / "config.yaml"
    config.write_text(
        "model_list: [{model_name: m, litellm_params: {model: openai/m, api_base: 'http://h', api_key: k}}]\n"
        f"general_settings: {{master_key: sk-1234}}\nlitellm_settings: {{cache: true, cache_params: {params}}}\n"
    )
    command = [sys.executable, "-m", "litellm", "--config", str(config), "--host", "127.0.0.1", "--port", "0"]
    ended = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert f"litellm_settings.cache_params: {why}" in ended.stderr and "Traceback" not in ended.stderr


def test_without_a_cache_the_routes_say_so(upstream: UpstreamThread, tmp_path: Path):
    with Gateway(upstream_config(upstream.base_url), tmp_path) as gateway:
        status, said = gateway.get("/cache/ping")
        assert (status, json.loads(said)["error"]["type"]) == (503, "cache_ping_error")
        asked = (
            gateway.get("/cache/redis/info"),
            gateway.post("/cache/flushall", {}),
            gateway.post("/cache/delete", {"keys": ["a"]}),
        )
        assert [status for status, _ in asked] == [400, 400, 400]
        assert all("litellm_settings.cache is not true" in json.loads(said)["error"]["message"] for _, said in asked)


def priced(base_url: str, model: str) -> str:
    prices = {"input_cost_per_token": 1e-3, "output_cost_per_token": 1e-3}
    params = {"model": f"openai/{model}", "api_base": base_url, "api_key": "k", **prices}
    settings = {"cache": True, "cache_params": {"type": "local"}, "num_retries": 0}
    general = {"master_key": "sk-1234"}
    models = [{"model_name": "ok", "litellm_params": params}]
    return json.dumps({"model_list": models, "litellm_settings": settings, "general_settings": general})


def spends(gateway: Gateway, key: str, rows: int) -> list[tuple[str, float]]:
    path = f"/spend/logs?api_key={key}"
    assert wait_until(lambda: len(json.loads(gateway.get(path)[1])) >= rows, 30)
    return sorted((row["status"], row["spend"]) for row in json.loads(gateway.get(path)[1]))


class WithoutUsage(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        body = json.dumps({"id": "x", "object": "chat.completion", "model": "ok", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


def test_a_hit_costs_nothing_where_no_usage_is_told(tmp_path: Path):
    with ThreadingHTTPServer(("127.0.0.1", 0), WithoutUsage) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            base_url = f"http://127.0.0.1:{server.server_port}/v1"
            with Gateway(priced(base_url, "ok"), tmp_path) as gateway:
                key = json.loads(gateway.post("/key/generate", {})[1])["key"]
                ask(gateway, "hello", key)
                assert ask(gateway, "hello", key)[0]["x-litellm-cache-key"]
                (_, nothing), (_, estimate) = spends(gateway, key, 2)
                assert nothing == 0 < estimate
        finally:
            server.shutdown()


def test_who_hangs_up_while_another_asks_the_same_pays_nothing(upstream: UpstreamThread, tmp_path: Path):
    with Gateway(priced(upstream.base_url, "delay-4000"), tmp_path) as gateway:
        key = json.loads(gateway.post("/key/generate", {})[1])["key"]
        first = threading.Thread(target=ask, args=(gateway, "hello", key))
        first.start()
        assert wait_until(lambda: len(upstream.requests) == 1, 30)
        with pytest.raises(httpx.ReadTimeout):
            body = {"model": "ok", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"Authorization": f"Bearer {key}"}
            httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=headers, timeout=1)
        first.join(60)
        (failed, nothing), (served, paid) = spends(gateway, key, 2)
        assert (failed, served) == ("failure", "success") and nothing == 0 < paid
        assert len(upstream.requests) == 1
