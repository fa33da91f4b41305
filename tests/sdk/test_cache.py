"""`litellm.cache`: the same call again makes no request, whoever makes it and however it is answered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import litellm
from litellm.caching.base import Unreachable
from litellm.caching.caching import Cache
from litellm.engine.delivery import delivery
from litellm.unbuilt import NotBuilt
from support.ports import free_port
from support.redis import RedisServer
from support.redis import shared_redis as shared_redis
from support.upstream import UpstreamThread

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread() as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def no_cache_after() -> Iterator[None]:
    yield
    litellm.disable_cache()


def made(kind: str, request: pytest.FixtureRequest, tmp_path: Path, **more: Any) -> Iterator[Cache]:
    if kind == "disk":
        more["disk_cache_dir"] = str(tmp_path)
    if kind.startswith("redis"):
        server: RedisServer = request.getfixturevalue("shared_redis")
        server.ask("FLUSHALL")
        more["url"] = server.url
    cache = litellm.cache = Cache(type=kind, **more)
    yield cache
    asyncio.run(cache.disconnect())


@pytest.fixture(params=["local", "disk", "redis", "local-semantic", "redis-semantic"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    """Without an embedding model the semantic ones find the same words, as all others do."""
    more = {"similarity_threshold": 0.8} if request.param.endswith("semantic") else {}
    yield from made(request.param, request, tmp_path, **more)


def call(upstream: UpstreamThread, model: str = "ok", **more: Any) -> Any:
    given = {"messages": MESSAGES, "api_base": upstream.base_url, "api_key": "k", "max_retries": 0, **more}
    return litellm.completion(f"openai/{model}", **given)


def text(stream: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_the_same_call_is_answered_from_the_cache(upstream: UpstreamThread, cache: Cache):
    first, again = call(upstream), call(upstream)
    assert first.choices[0].message.content == again.choices[0].message.content
    assert again._hidden_params["cache_hit"] is True and "cache_hit" not in first._hidden_params
    assert again._hidden_params["response_cost"] == 0.0
    assert text(call(upstream, stream=True)) == first.choices[0].message.content

    async def elsewhere() -> Any:
        given = {"messages": MESSAGES, "api_base": upstream.base_url, "api_key": "k"}
        return await litellm.acompletion("openai/ok", **given)

    assert asyncio.run(elsewhere())._hidden_params["cache_hit"] is True
    assert len(upstream.requests) == 1
    call(upstream, temperature=0.3)
    call(upstream, api_key="another")
    assert len(upstream.requests) == 3
    asyncio.run(cache.delete_cache_keys([again._hidden_params["cache_key"]]))
    call(upstream)
    assert len(upstream.requests) == 4
    cache.flush_cache()
    call(upstream)
    assert len(upstream.requests) == 5
    assert asyncio.run(cache.ping())


def test_embeddings_and_text_completions(upstream: UpstreamThread, cache: Cache):
    given = {"api_base": upstream.base_url, "api_key": "k"}
    vectors = [litellm.embedding("openai/ok", input=["a"], **given).data[0]["embedding"] for _ in range(2)]
    texts = [litellm.text_completion("a", "openai/ok", **given).choices[0].text for _ in range(2)]
    assert vectors[0] == vectors[1] and texts[0] == texts[1]
    assert len(upstream.requests) == 2


def test_a_stream_that_was_read_to_its_end_is_kept(upstream: UpstreamThread, cache: Cache):
    said = text(call(upstream, stream=True))
    again = call(upstream, stream=True)
    assert (text(again), again._hidden_params["cache_hit"]) == (said, True)
    whole = call(upstream)
    assert whole.choices[0].message.content == said != "" and whole.usage.total_tokens > 0

    async def streamed() -> str:
        given = {"messages": MESSAGES, "api_base": upstream.base_url, "api_key": "k", "stream": True}
        stream = await litellm.acompletion("openai/ok", **given)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(streamed()) == said
    assert len(upstream.requests) == 1


def test_a_stream_that_broke_off_or_was_closed_is_not_kept(upstream: UpstreamThread):
    litellm.enable_cache()
    for _ in range(2):
        with pytest.raises(litellm.exceptions.LiteLLMError):
            text(call(upstream, "error-later-event", stream=True))
        stream = call(upstream, "ok", stream=True)
        next(stream)
        stream.close()
    assert len(upstream.requests) == 4


def test_what_a_call_says_about_the_cache(upstream: UpstreamThread):
    litellm.enable_cache(ttl=60)
    call(upstream)
    for more in ({"caching": False}, {"cache": {"no-cache": True}}, {"cache": {"namespace": "n"}}):
        before = len(upstream.requests)
        call(upstream, **more)
        assert len(upstream.requests) == before + 1, more
    call(upstream, seed=1, cache={"no-store": True})
    call(upstream, seed=1, ttl=30)
    assert "cache_hit" in call(upstream, seed=1)._hidden_params
    assert "cache" not in upstream.requests[-1].json and "ttl" not in upstream.requests[-1].json
    with pytest.raises(litellm.BadRequestError, match=r"cache\.ttl"):
        call(upstream, cache={"ttl": -1})
    call(upstream, seed=2, preset_cache_key="mine")
    assert call(upstream, seed=3, preset_cache_key="mine")._hidden_params["cache_key"] == "mine"
    litellm.disable_cache()
    assert "cache_hit" not in call(upstream)._hidden_params
    assert "cache_hit" not in call(upstream, cache={"no-cache": True})._hidden_params


def test_off_by_default_and_for_some_calls_only(upstream: UpstreamThread):
    litellm.update_cache(mode="default_off", supported_call_types=["acompletion"])
    for more in ({}, {}, {"cache": {"use-cache": True}}, {"caching": True}):
        call(upstream, **more)
    assert len(upstream.requests) == 3
    for _ in range(2):
        litellm.embedding("openai/ok", input="a", api_base=upstream.base_url, api_key="k", caching=True)
    assert len(upstream.requests) == 5


def test_a_key_of_ones_own_and_callbacks(upstream: UpstreamThread):
    litellm.cache = cache = Cache()
    cache.get_cache_key = lambda **given: given["model"]  # type: ignore[method-assign]
    heard: list[Any] = []
    call(upstream)
    litellm.success_callback = [lambda kwargs, *_: heard.append(kwargs["cache_hit"])]
    try:
        call(upstream, messages=[{"role": "user", "content": "another"}])
        assert delivery.flush(20)
    finally:
        del litellm.success_callback
    assert (heard, len(upstream.requests)) == ([True], 1)


def test_what_there_is_not():
    with pytest.raises(NotBuilt, match="Cache"):
        Cache(type="s3")


@pytest.mark.parametrize("said", ["url", "host"])
def test_where_redis_is_may_be_said_by_the_environment(
    upstream: UpstreamThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
):
    server = RedisServer(tmp_path, free_port(), "--requirepass", "secret")
    server.start()
    try:
        address = {"HOST": "127.0.0.1", "PORT": str(server.port), "PASSWORD": "secret"}
        if said == "url":
            address = {"URL": f"redis://:secret@127.0.0.1:{server.port}/0", "HOST": "nowhere.invalid"}
        for name, value in address.items():
            monkeypatch.setenv(f"REDIS_{name}", value)
        litellm.cache = cache = Cache(type="redis")
        assert asyncio.run(cache.ping())
        assert [call(upstream).choices[0].message.content for _ in range(2)]
        assert len(upstream.requests) == 1
        away = Cache(type="redis", host="127.0.0.1", port=1)
        with pytest.raises(Unreachable):  # what is said wins
            asyncio.run(away.ping())
        monkeypatch.setenv("REDIS_PORT", "many")
        monkeypatch.delenv("REDIS_URL", raising=False)
        with pytest.raises(ValueError, match="REDIS_PORT must be a number"):
            Cache(type="redis")
    finally:
        server.kill()


def test_a_cache_that_is_away_costs_no_answer(upstream: UpstreamThread):
    litellm.cache = Cache(type="redis", host="127.0.0.1", port=1)
    assert [call(upstream).choices[0].message.content for _ in range(2)]
    assert len(upstream.requests) == 2
