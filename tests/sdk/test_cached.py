"""The SDK's semantic cache: questions that mean the same, as the upstream embeds them by their words."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import litellm
from litellm.caching.caching import Cache
from litellm.engine.delivery import delivery
from support.redis import RedisServer
from support.redis import shared_redis as shared_redis
from support.upstream import UpstreamThread

FRANCE = "what is the capital of france"
LIKE_FRANCE = "what is the capital city of france"  # a cosine of 6 / sqrt(6 * 7), 0.9258
AFRICA = "what is the longest river of all africa"
EMBEDS = "openai/by-words"


@pytest.fixture(autouse=True)
def surroundings(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The embedding model has its address and key from the package's settings."""
    monkeypatch.setattr(litellm, "api_base", upstream.base_url)
    monkeypatch.setattr(litellm, "api_key", "k")
    yield
    litellm.disable_cache()


@pytest.fixture(params=["local-semantic", "redis-semantic"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    more: dict[str, Any] = {"redis_semantic_cache_embedding_model": EMBEDS}
    if request.param == "redis-semantic":
        server: RedisServer = request.getfixturevalue("shared_redis")
        server.ask("FLUSHALL")
        more["url"] = server.url
    made = litellm.cache = Cache(type=request.param, similarity_threshold=0.8, **more)
    yield made
    asyncio.run(made.disconnect())


def given(content: Any, **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": content}]
    return {"model": "openai/ok", "messages": messages, "max_retries": 0, **more}


def call(content: Any, **more: Any) -> Any:
    return litellm.completion(**given(content, **more))


def similarity(made: Any) -> float | None:
    hidden = made._hidden_params
    assert ("semantic_similarity" in hidden) <= (hidden.get("cache_hit") is True)
    return hidden.get("semantic_similarity")


def text(made: Any) -> str:
    return made.choices[0].message.content


def test_a_question_gets_the_answer_to_one_that_means_the_same(cache: Cache, upstream: UpstreamThread):
    first = call(FRANCE)
    assert similarity(first) is None and "cache_hit" not in first._hidden_params
    again = call([{"type": "text", "text": LIKE_FRANCE}])
    assert text(again) == text(first)
    assert similarity(again) == pytest.approx(0.9258, abs=1e-4)
    assert again._hidden_params["response_cost"] == 0.0
    same = call(FRANCE)
    assert similarity(same) is None
    assert same._hidden_params["cache_key"] == again._hidden_params["cache_key"]
    assert similarity(call(AFRICA)) is None
    assert (len(upstream.asked("ok")), len(upstream.asked("by-words"))) == (2, 3), "the same words need no embedding"
    asyncio.run(cache.delete_cache_keys([same._hidden_params["cache_key"]]))
    assert "cache_hit" not in call(LIKE_FRANCE)._hidden_params
    cache.flush_cache()
    assert "cache_hit" not in call(LIKE_FRANCE)._hidden_params


def test_asynchronous_calls_and_streams(cache: Cache, upstream: UpstreamThread):
    async def streamed(content: str) -> tuple[str, float | None]:
        stream = await litellm.acompletion(stream=True, **given(content))
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        return said, similarity(stream)

    said, none = asyncio.run(streamed(FRANCE))
    assert said and none is None
    whole = asyncio.run(litellm.acompletion(**given(LIKE_FRANCE)))
    assert (text(whole), similarity(whole)) == (said, pytest.approx(0.9258, abs=1e-4))
    assert asyncio.run(streamed(LIKE_FRANCE)) == (said, pytest.approx(0.9258, abs=1e-4))
    stream = call(LIKE_FRANCE, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == said
    assert len(upstream.asked("ok")) == 1


def test_nothing_but_the_question_may_differ(cache: Cache, upstream: UpstreamThread):
    call(FRANCE, temperature=0.5)
    assert similarity(call(LIKE_FRANCE, temperature=0.5, cache={"no-store": True})) is not None
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    for more in (
        {"temperature": 0.6},
        {"api_key": "another"},
        {"model": "openai/tokens-3"},
        {"cache": {"namespace": "n"}},
        {"cache": {"no-cache": True}},
        {"preset_cache_key": "mine"},
        {"caching": False},
        {"content": [{"type": "text", "text": LIKE_FRANCE}, image]},
    ):
        asked = {"content": LIKE_FRANCE, "temperature": 0.5, "cache": {"no-store": True}, **more}
        assert "cache_hit" not in call(**asked)._hidden_params, more
    litellm.text_completion("a", "openai/ok")
    litellm.embedding("openai/ok", input=["a"])
    assert all(request.json["model"] != "ok" or "input" not in request.json for request in upstream.asked("by-words"))


def test_the_embedding_is_a_call_of_its_own(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch):
    """Callbacks are told of it, under the call's trace; a hit is told of as a call that cost nothing."""
    litellm.cache = Cache(type="local-semantic", similarity_threshold=0.8, embedding_model=EMBEDS)
    heard: list[Any] = []
    monkeypatch.setattr(litellm, "success_callback", [lambda kwargs, *_: heard.append(kwargs)])
    call(FRANCE, input_cost_per_token=1.0)
    call(LIKE_FRANCE, input_cost_per_token=1.0)
    assert delivery.flush(20)
    assert [one["call_type"] for one in heard] == ["aembedding", "completion"] * 2
    assert [one["cache_hit"] for one in heard if one["call_type"] == "completion"] == [False, True]
    assert heard[2]["litellm_trace_id"] == heard[3]["litellm_trace_id"]
    hit = heard[3]["standard_logging_object"]
    assert (hit["cache_hit"], hit["response_cost"]) == (True, 0.0) and hit["cache_key"]


@pytest.mark.parametrize(("model", "why"), [("status-500", "InternalServerError"), ("delay-30000", "no answer within")])
def test_without_embeddings_only_the_same_words_hit(
    upstream: UpstreamThread, caplog: pytest.LogCaptureFixture, model: str, why: str
):
    litellm.cache = Cache(type="semantic", similarity_threshold=0.8, embedding_model=f"openai/{model}")
    with caplog.at_level(logging.WARNING, "litellm"):
        for content in (FRANCE, LIKE_FRANCE):
            assert "cache_hit" not in call(content)._hidden_params
            assert call(content)._hidden_params["cache_hit"] is True
    said = [record.getMessage() for record in caplog.records if "does not embed" in record.getMessage()]
    assert len(said) == 1 and why in said[0] and FRANCE not in said[0]
    assert len(upstream.asked(model)) == (1 if model.startswith("delay") else 2), "no retries; a rest after slowness"


def test_what_has_been_put_in_the_functions_place_embeds(monkeypatch: pytest.MonkeyPatch):
    async def aembedding(**asked: Any) -> Any:
        return {"data": [{"embedding": [1.0, 0.0] if "france" in json.dumps(asked) else [0.0, 1.0]}]}

    monkeypatch.setattr(litellm, "aembedding", aembedding)
    litellm.cache = Cache(type="local-semantic", similarity_threshold=1.0)
    call(FRANCE)
    assert similarity(call("anything of france")) == 1.0
    assert similarity(call(AFRICA)) is None


@pytest.mark.parametrize("threshold", [None, 0, 1.5])
def test_a_threshold_that_is_none(threshold: Any):
    with pytest.raises(ValueError, match="similarity_threshold"):
        Cache(type="redis-semantic", host="127.0.0.1", port=1, similarity_threshold=threshold)


def test_a_cache_that_is_away_costs_no_answer(upstream: UpstreamThread, caplog: pytest.LogCaptureFixture):
    litellm.cache = Cache(
        type="redis-semantic", host="127.0.0.1", port=1, similarity_threshold=0.8, embedding_model=EMBEDS
    )
    assert [text(call(content)) for content in (FRANCE, FRANCE, LIKE_FRANCE)]
    assert len(upstream.asked("ok")) == 3
    assert len([one for one in caplog.records if "cannot be asked" in one.getMessage()]) == 1
