"""Answers to questions that mean the same, through real sockets. The upstream embeds a text by its words."""

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Gateway, upstream_config, wait_for_log
from support.redis import RedisServer
from support.redis import redis as redis
from support.redis import shared_redis as shared_redis
from support.upstream import UpstreamThread, wait_until

EMBEDS = "by-words"
FRANCE = "what is the capital of france"
LIKE_FRANCE = "what is the capital city of france"  # a cosine of 6 / sqrt(6 * 7), 0.9258


def settings(kind: str = "semantic", model: str = EMBEDS, more: str = "") -> str:
    params = f"type: {kind}, similarity_threshold: 0.8, embedding_model: {model}{more}"
    return f"litellm_settings: {{cache: true, cache_params: {{{params}}}}}\n"


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=["semantic", "redis-semantic"])
def shared(
    request: pytest.FixtureRequest, upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    more = ""
    if request.param == "redis-semantic":
        server: RedisServer = request.getfixturevalue("shared_redis")
        server.ask("FLUSHALL")
        more = f", url: '{server.url}'"
    config = upstream_config(upstream.base_url, settings=settings(request.param, more=more))
    with Gateway(config, tmp_path_factory.mktemp("semantic")) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Gateway) -> Gateway:
    assert shared.post("/cache/flushall", {})[0] == 200
    return shared


def ask(
    gateway: Gateway, content: Any, key: str | None = None, system: str = "be brief", **more: Any
) -> tuple[Any, Any]:
    """The answer's headers, and the answer or what was streamed."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    body = {"model": "ok", "messages": messages, **more}
    headers = {"Authorization": f"Bearer {key or gateway.key}", "Content-Type": "application/json"}
    request = urllib.request.Request(gateway.origin + "/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        said = response.read()
        return response.headers, said.decode() if more.get("stream") else json.loads(said)


def hit(gateway: Gateway, content: Any, *args: Any, **more: Any) -> bool:
    """Whether it was answered from the cache. Nothing is kept by asking."""
    return ask(gateway, content, *args, cache={"no-store": True}, **more)[0]["x-litellm-cache-key"] is not None


def test_a_paraphrase_gets_the_answer_and_says_how_like_it_is(gateway: Gateway, upstream: UpstreamThread):
    before, embedded = len(upstream.asked("ok")), len(upstream.asked(EMBEDS))
    headers, first = ask(gateway, FRANCE)
    assert (headers["x-litellm-cache-key"], headers["x-litellm-semantic-similarity"]) == (None, None)
    headers, again = ask(gateway, [{"type": "text", "text": LIKE_FRANCE}])
    assert again == first
    assert headers["x-litellm-semantic-similarity"] == "0.9258"
    assert float(headers["x-litellm-response-cost"]) == 0
    assert len(upstream.asked(EMBEDS)) == embedded + 2
    same, _ = ask(gateway, FRANCE)
    assert (same["x-litellm-cache-key"], same["x-litellm-semantic-similarity"]) == (
        headers["x-litellm-cache-key"],
        None,
    )
    assert len(upstream.asked(EMBEDS)) == embedded + 2, "the same words cost no embedding"
    assert not hit(gateway, "what is the longest river of all africa")
    assert len(upstream.asked("ok")) == before + 2


def test_nothing_but_the_question_may_differ(gateway: Gateway):
    ask(gateway, FRANCE, temperature=0.5)
    assert hit(gateway, LIKE_FRANCE, temperature=0.5)
    assert not hit(gateway, LIKE_FRANCE, temperature=0.6)
    assert not hit(gateway, LIKE_FRANCE, system="be verbose", temperature=0.5)
    assert not hit(gateway, LIKE_FRANCE, model="tokens-3", temperature=0.5)
    assert not hit(gateway, LIKE_FRANCE, temperature=0.5, response_format={"type": "json_object"})
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    assert not hit(gateway, [{"type": "text", "text": LIKE_FRANCE}, image], temperature=0.5)


def test_two_keys_share_nothing(gateway: Gateway):
    one, other = (json.loads(gateway.post("/key/generate", {})[1])["key"] for _ in range(2))
    ask(gateway, FRANCE, one)
    assert hit(gateway, LIKE_FRANCE, one)
    assert not hit(gateway, LIKE_FRANCE, other)


def test_streams_are_played_and_kept(gateway: Gateway):
    _, streamed = ask(gateway, FRANCE, stream=True, stream_options={"include_usage": True})
    assert "[DONE]" in streamed
    assert wait_until(lambda: hit(gateway, LIKE_FRANCE), 20)
    headers, played = ask(gateway, LIKE_FRANCE, stream=True)
    assert headers["x-litellm-semantic-similarity"] == "0.9258"
    assert "tok0" in played and played.rstrip().endswith("data: [DONE]")


def test_controls_hold(gateway: Gateway):
    ask(gateway, FRANCE, cache={"no-store": True})
    assert not hit(gateway, LIKE_FRANCE)
    ask(gateway, FRANCE, cache={"namespace": "n"})
    assert not hit(gateway, LIKE_FRANCE)
    ask(gateway, FRANCE, cache={"ttl": 0.3})
    ask(gateway, "how many people live in spain today", cache={"no-cache": True})
    assert wait_until(lambda: not hit(gateway, LIKE_FRANCE), 20, every=0.05)
    assert hit(gateway, "how many people live in spain now")
    headers, _ = ask(gateway, "how many people live in spain now", cache={"no-cache": True, "no-store": True})
    assert headers["x-litellm-cache-key"] is None


def test_a_forgotten_answer_is_no_answer(gateway: Gateway):
    ask(gateway, FRANCE)
    key = ask(gateway, LIKE_FRANCE)[0]["x-litellm-cache-key"]
    assert gateway.post("/cache/delete", {"keys": [key]})[0] == 200
    assert not hit(gateway, LIKE_FRANCE)
    assert json.loads(gateway.get("/cache/ping")[1])["status"] == "healthy"


@pytest.mark.parametrize(("model", "why"), [("status-500", "InternalServerError"), ("delay-30000", "no answer within")])
def test_without_embeddings_only_the_same_words_hit(upstream: UpstreamThread, tmp_path: Path, model: str, why: str):
    with Gateway(upstream_config(upstream.base_url, settings=settings(model=model)), tmp_path) as gateway:
        for content in (FRANCE, LIKE_FRANCE):
            assert ask(gateway, content)[0]["x-litellm-cache-key"] is None
            assert ask(gateway, content)[0]["x-litellm-cache-key"] is not None
        assert wait_for_log(gateway, why)
        assert gateway.log.count("does not embed") == 1
    assert len(upstream.asked(model)) == (1 if model.startswith("delay") else 2), (
        "no retries, and a rest after slowness"
    )


def test_redis_away_is_a_miss(upstream: UpstreamThread, tmp_path: Path, redis: RedisServer):
    config = settings("redis-semantic", more=f", url: '{redis.url}'")
    with Gateway(upstream_config(upstream.base_url, settings=config), tmp_path) as gateway:
        ask(gateway, FRANCE)
        assert hit(gateway, LIKE_FRANCE)
        redis.kill()
        assert not hit(gateway, LIKE_FRANCE)
        assert not hit(gateway, FRANCE)
        redis.start()
        assert wait_until(lambda: ask(gateway, FRANCE) and hit(gateway, LIKE_FRANCE), 20, every=0.1)


def test_a_question_does_not_leave_its_region(upstream: UpstreamThread, tmp_path: Path):
    row = "  - {model_name: %s, litellm_params: {model: openai/%s, api_base: %s, api_key: k, region_name: %s}}\n"
    models = "".join(row % (name, name, upstream.base_url, region) for name, region in (("ok", "eu"), (EMBEDS, "us")))
    config = f"model_list:\n{models}{settings()}general_settings: {{master_key: sk-1234}}\n"
    before = len(upstream.asked(EMBEDS))
    with Gateway(config, tmp_path) as gateway:
        key = json.loads(gateway.post("/key/generate", {"allowed_model_region": "eu"})[1])["key"]
        for content in (FRANCE, LIKE_FRANCE):
            assert ask(gateway, content, key)[0]["x-litellm-cache-key"] is None
        assert len(upstream.asked(EMBEDS)) == before


def test_the_embedding_is_on_the_callers_bill(upstream: UpstreamThread, tmp_path: Path):
    row = "  - {model_name: %s, litellm_params: {model: openai/%s, api_base: %s, api_key: k, %s}}\n"
    rates = (("ok", "input_cost_per_token: 0, output_cost_per_token: 1"), (EMBEDS, "input_cost_per_token: 0.25"))
    models = "".join(row % (name, name, upstream.base_url, rate) for name, rate in rates)
    config = f"model_list:\n{models}{settings()}general_settings: {{master_key: sk-1234}}\n"
    with Gateway(config, tmp_path) as gateway:
        key = json.loads(gateway.post("/key/generate", {"rpm_limit": 2})[1])["key"]
        ask(gateway, FRANCE, key)
        headers, _ = ask(gateway, LIKE_FRANCE, key)
        assert float(headers["x-litellm-response-cost"]) == 0
        assert float(headers["x-litellm-key-spend"]) == 2 * 6 * 0.25 + 5

        def logged() -> list[Any]:
            return json.loads(gateway.get(f"/spend/logs?api_key={key}")[1])

        assert wait_until(lambda: len(logged()) == 4, 20, every=0.1)
        told = sorted((one["call_type"], one["spend"]) for one in logged())
        assert told == [("attempt", 1.5), ("attempt", 1.5), ("chat", 0), ("chat", 5)]
        assert [one["model_group"] for one in logged() if one["call_type"] == "attempt"] == [EMBEDS] * 2


def test_an_embedding_that_nobody_got_is_on_the_bill_and_nothing_else(upstream: UpstreamThread, tmp_path: Path):
    slow = "delay-20000"
    row = "  - {model_name: %s, litellm_params: {model: openai/%s, api_base: %s, api_key: k, %s}}\n"
    rates = (("ok", "input_cost_per_token: 0, output_cost_per_token: 1"), (slow, "input_cost_per_token: 0.25"))
    models = "".join(row % (name, name, upstream.base_url, rate) for name, rate in rates)
    config = f"model_list:\n{models}{settings(model=slow)}general_settings: {{master_key: sk-1234}}\n"
    with Gateway(config, tmp_path) as gateway:
        key = json.loads(gateway.post("/key/generate", {})[1])["key"]
        before = len(upstream.asked(slow))
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        body = json.dumps({"model": "ok", "messages": [{"role": "user", "content": FRANCE}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        assert wait_until(lambda: len(upstream.asked(slow)) == before + 1, 20)
        connection.close()

        def logged() -> list[tuple[Any, ...]]:
            rows = json.loads(gateway.get(f"/spend/logs?api_key={key}")[1])
            return sorted((one["call_type"], one["status"], one["model_group"], one["spend"] > 0) for one in rows)

        hung_up = [("attempt", "failure", slow, True), ("chat", "failure", "ok", False)]
        assert wait_until(lambda: logged() == hung_up, 20, every=0.1), logged()
        ask(gateway, FRANCE, key)  # the embedding takes too long
        late = [("attempt", "failure", slow, True), ("chat", "success", "ok", True)]
        assert wait_until(lambda: logged() == sorted(hung_up + late), 20, every=0.1), logged()


def test_a_strict_budget_reserves_for_the_embedding(upstream: UpstreamThread, tmp_path: Path):
    row = "  - {model_name: %s, litellm_params: {model: openai/%s, api_base: %s, api_key: k, %s}}\n"
    rates = (
        ("ok", "input_cost_per_token: 0, output_cost_per_token: 0.000001"),
        (EMBEDS, "input_cost_per_token: 0.001"),
    )
    models = "".join(row % (name, name, upstream.base_url, rate) for name, rate in rates)
    general = "general_settings: {master_key: sk-1234, budget_enforcement: strict}\n"
    with Gateway(f"model_list:\n{models}{settings()}{general}", tmp_path) as gateway:
        poor, rich = (json.loads(gateway.post("/key/generate", {"max_budget": most})[1])["key"] for most in (0.05, 1.0))
        before = len(upstream.asked(EMBEDS))
        with pytest.raises(urllib.error.HTTPError, match="429"):
            ask(gateway, FRANCE, poor, max_tokens=5)
        assert len(upstream.asked(EMBEDS)) == before
        ask(gateway, FRANCE, rich, max_tokens=5)
        headers, _ = ask(gateway, LIKE_FRANCE, rich, max_tokens=5)
        assert headers["x-litellm-semantic-similarity"] == "0.9258"
        spent = json.loads(gateway.get(f"/key/info?key={rich}")[1])["info"]["spend"]
        assert spent == pytest.approx(0.006 + 0.006 + 5e-6), "and nothing of it is cut off"


def test_the_code_is_loaded_for_such_a_cache_only():
    code = "import sys, litellm.proxy.app, litellm.proxy.cached; print([m for m in sys.modules if 'semantic' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
