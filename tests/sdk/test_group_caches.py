"""A Router's own cache: an answer is its model group's, whichever deployment gave it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import litellm
from litellm import Router
from support.redis import RedisServer
from support.redis import shared_redis as shared_redis
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]

Make = Callable[..., Router]


@pytest.fixture
def make(upstream: UpstreamThread) -> Make:
    def made(*rows: tuple[Any, ...], **settings: Any) -> Router:
        return Router([row(upstream, *given) for given in rows], **{"num_retries": 0, **settings})

    return made


@pytest.fixture(autouse=True)
def no_cache_after() -> Iterator[None]:
    yield
    litellm.disable_cache()


def row(upstream: UpstreamThread, group: str, model: str, params: Any = None) -> dict[str, Any]:
    own = {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "sk-1", **(params or {})}
    return {"model_name": group, "litellm_params": own}


def hit(made: Any) -> bool:
    return made._hidden_params.get("cache_hit") is True


def content(stream: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


@pytest.mark.parametrize("kind", ["local", "redis", "redis-semantic"])
def test_an_answer_is_its_groups(make: Make, upstream: UpstreamThread, request: pytest.FixtureRequest, kind: str):
    more: dict[str, Any] = {}
    if kind != "local":
        server: RedisServer = request.getfixturevalue("shared_redis")
        server.ask("FLUSHALL")
        more["redis_url"] = server.url
    if kind == "redis-semantic":
        more["cache_kwargs"] = {"type": kind, "similarity_threshold": 0.8, "embedding_model": "vectors"}
    rows = ("m", "a"), ("m", "b"), ("n", "a"), ("vectors", "by-words")
    router = make(*rows, cache_responses=True, **more)
    first = router.completion("m", HI)
    for _ in range(6):
        again = asyncio.run(router.acompletion("m", HI))
        assert hit(again) and again.choices[0].message.content == first.choices[0].message.content
    assert content(router.completion("m", HI, stream=True)) == first.choices[0].message.content
    assert len(upstream.asked("a")) + len(upstream.asked("b")) == 1
    assert not hit(router.completion("n", HI)), "another group, at the same address"
    assert not hit(router.completion("m", HI, api_key="mine")), "a key of the caller's own"
    assert not hit(router.completion("m", HI, caching=False))
    assert not hit(router.completion("m", HI, temperature=0.1))
    assert hit(router.text_completion("m", "a")) is False and hit(router.text_completion("m", "a"))
    assert hit(router.embedding("m", ["a"])) is False and hit(router.embedding("m", ["a"]))
    router.flush_cache()
    assert not hit(router.completion("m", HI))
    assert litellm.cache is None, "nobody else's calls are cached"
    router.discard()
    assert hit(router.completion("m", HI)) == (kind == "local")


def test_another_router_with_the_same_groups_shares_nothing_but_what_is_the_same(
    make: Make, upstream: UpstreamThread, shared_redis: RedisServer
):
    shared_redis.ask("FLUSHALL")
    more: dict[str, Any] = {"cache_responses": True, "redis_url": shared_redis.url}
    first = make(("m", "a"), ("m", "b"), **more)
    first.completion("m", HI)
    same, other_key = make(("m", "b"), ("m", "a"), **more), make(("m", "a", {"api_key": "sk-2"}), ("m", "b"), **more)
    other_model = make(("m", "a"), ("m", "c"), **more)
    assert hit(same.completion("m", HI))
    assert not hit(other_key.completion("m", HI))
    assert not hit(other_model.completion("m", HI))
    for router in (first, same, other_key, other_model):
        router.discard()


def test_groups_that_answer_for_one_another(make: Make, upstream: UpstreamThread):
    rows = ("m", "a"), ("n", "b"), ("o", "c"), ("w/*", "*")
    router = make(*rows, cache_responses=True, caching_groups=[("m", "n")], model_group_alias={"short": "m"})
    router.completion("m", HI)
    assert hit(router.completion("n", HI)) and hit(router.completion("short", HI))
    assert not hit(router.completion("o", HI))
    router.completion("w/ok", HI)
    assert hit(router.completion("w/ok", HI)) and not hit(router.completion("w/tokens-3", HI))


def test_the_packages_cache_is_its_groups_too(make: Make, upstream: UpstreamThread):
    litellm.enable_cache(mode="default_off")
    router = make(("m", "a"), ("m", "b"))
    assert not hit(router.completion("m", HI, caching=True))
    assert [hit(router.completion("m", HI, caching=True)) for _ in range(4)] == [True] * 4
    assert not hit(router.completion("m", HI))


def test_a_fallbacks_answer_is_the_fallbacks(make: Make, upstream: UpstreamThread):
    router = make(("bad", "status-500"), ("good", "ok"), fallbacks=[{"bad": ["good"]}], cache_responses=True)
    assert not hit(router.completion("bad", HI))
    assert hit(router.completion("good", HI)) and hit(router.completion("bad", HI))
    assert len(upstream.asked("ok")) == 1 and len(upstream.asked("status-500")) == 2


def test_a_fallback_with_a_key_of_its_own_shares_nothing_with_its_group(make: Make, upstream: UpstreamThread):
    router = make(("bad", "status-500"), ("good", "ok"), cache_responses=True)
    router.completion("good", HI)
    for fallback, known in ((["good"], True), ([{"model": "good", "api_key": "mine"}], False)):
        assert hit(router.completion("bad", HI, fallbacks=fallback)) == known


def test_other_tags_are_another_model(make: Make, upstream: UpstreamThread):
    rows = [("m", name, {"tags": [name]}) for name in ("free", "paid")]
    router = make(*rows, cache_responses=True, enable_tag_filtering=True)
    for name in ("free", "paid"):
        assert [hit(router.completion("m", HI, tags=[name])) for _ in range(3)] == [False, True, True]


def test_a_question_is_embedded_by_a_group_of_the_router(make: Make, upstream: UpstreamThread):
    kind = {"type": "local-semantic", "similarity_threshold": 0.8, "redis_semantic_cache_embedding_model": "vectors"}
    router = make(("m", "ok"), ("vectors", "by-words"), cache_responses=True, cache_kwargs=kind)

    def asked(text: str) -> Any:
        return router.completion("m", [{"role": "user", "content": text}])

    asked("what is the capital of france")
    again = asked("what is the capital city of france")
    assert again._hidden_params["semantic_similarity"] == pytest.approx(0.9258, abs=1e-4)
    assert (len(upstream.asked("ok")), len(upstream.asked("by-words"))) == (1, 2)


def test_the_tokens_of_a_hit_are_nobodys(make: Make, upstream: UpstreamThread):
    router = make(("m", "ok", {"tpm": 1_000_000}), cache_responses=True)
    state = router._routed.deployments.all[0].state  # pyright: ignore[reportPrivateUsage]
    assert state is not None
    router.completion("m", HI)
    used = state.tokens
    assert used > 0
    assert hit(router.completion("m", HI))
    stream = router.completion("m", HI, stream=True)
    content(stream)
    assert hit(stream) and wait_until(lambda: state.inflight == 0) and state.tokens == used
