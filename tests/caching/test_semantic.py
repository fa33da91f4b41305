"""What is compared, how near it is, and what the stores do with it; memory and a real Redis."""

import asyncio
import random
from typing import Any

import pytest

from litellm.caching.semantic import MAX_NUMBERS, MAX_TEXT, MOST, Near, SemanticStore, Vector, nearest, question, vector
from litellm.caching.semantic_memory import SemanticMemoryStore
from litellm.caching.semantic_redis import MAX_VECTORS, SemanticRedisStore
from litellm.kv.redis import Redis, parse
from support.redis import RedisServer
from support.redis import shared_redis as shared_redis

USER = {"role": "user", "content": "hello"}


def of(*numbers: float) -> Vector:
    made = vector({"data": [{"embedding": list(numbers)}]})
    assert made is not None
    return made


def key(number: int) -> str:
    return f"{number:064x}"


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([USER], "hello"),
        ([{"role": "system", "content": "s"}, {**USER, "content": " a "}], "a"),
        ([{**USER, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "a\nb"),
        ([{**USER, "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]}], None),
        ([USER, {"role": "assistant", "content": "x"}], None),
        ([{**USER, "content": "  "}], None),
        ([{**USER, "content": None}], None),
        ([{**USER, "content": "x" * (MAX_TEXT + 1)}], None),
        (["hello"], None),
        ([], None),
        ("hello", None),
        (None, None),
    ],
)
def test_what_a_question_is(messages: Any, text: str | None):
    found = question({"messages": messages})
    assert (found and found[0]) == text


def test_what_is_asked_beside_the_question():
    before = {"role": "system", "content": "s"}
    found = question({"messages": [before, {**USER, "name": "n"}], "seed": 1})
    assert found == ("hello", {"messages": [before, {"role": "user", "content": None, "name": "n"}], "seed": 1})


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"data": []},
        {"data": [1]},
        {"data": [{"embedding": "AAAA"}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": [0, 0]}]},
        {"data": [{"embedding": [1, None]}]},
        {"data": [{"embedding": [float("inf"), 1.0]}]},
        {"data": [{"embedding": [10**400, 1.0]}]},
        {"data": [{"embedding": [1.0] * (MAX_NUMBERS + 1)}]},
    ],
)
def test_what_is_no_embedding(wire: dict[str, Any]):
    assert vector(wire) is None


def test_the_nearest_come_first_and_only_those_that_are_near():
    kept = {"same": of(3, 0), "near": of(4, 3), "far": of(0, 1), "longer": of(1, 0, 0)}
    found = nearest(of(1, 0), kept, 0.7)
    assert [one.key for one in found] == ["same", "near"]
    assert [one.similarity for one in found] == pytest.approx([1, 0.8])


def test_the_signs_leave_no_near_one_out():
    """300 questions that are alike by 0.3, as questions of one kind are; each is found by another like it by 0.82."""
    rng = random.Random(7)
    common = [rng.gauss(0, 0.7) for _ in range(256)]
    numbers = [[one + rng.gauss(0, 1) for one in common] for _ in range(300)]
    kept = {str(index): of(*row) for index, row in enumerate(numbers)}
    for index in range(0, 300, 10):
        asked = of(*(one + rng.gauss(0, 0.85) for one in numbers[index]))
        found = nearest(asked, kept, 0.6)
        assert found[0].key == str(index) and len(found) <= MOST


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return SemanticMemoryStore
    server: RedisServer = request.getfixturevalue("shared_redis")
    server.ask("FLUSHALL")
    return lambda: SemanticRedisStore(Redis(parse(server.url), 20), "mine:")


def test_a_store_finds_what_is_near_in_its_bucket(make: Any):
    async def check() -> None:
        store: SemanticStore = make()
        for number, made in enumerate((of(1, 0), of(4, 3), of(0, 1))):
            await store.set(key(number), b"v", 60)
            await store.place("b", key(number), made, 60)
        await store.place("b", key(0), of(1, 0), 60)
        assert [one.key for one in await store.near("b", of(1, 0), 0.7)] == [key(0), key(1)]
        assert await store.near("other", of(1, 0), 0.7) == []
        await store.flush()
        assert await store.near("b", of(1, 0), 0.7) == []
        await store.aclose()

    asyncio.run(check())


def test_redis_forgets_the_oldest_and_what_is_over_and_others_entries(shared_redis: RedisServer):
    async def check() -> None:
        shared_redis.ask("FLUSHALL")
        store = SemanticRedisStore(Redis(parse(shared_redis.url), 20), "mine:")
        for number in range(MAX_VECTORS + 1):
            await store.place("b", key(number), of(1, number), 60)
        assert await store.near("b", of(1, 0), 0.999999) == []
        assert (await store.near("b", of(1, 1), 0.999999))[0].key == key(1)
        assert await store.redis.command("LLEN", "mine:near:b") == MAX_VECTORS
        await store.place("c", key(1), of(1, 1), 60)
        await store.place("c", key(2), of(1, 1), 0.001)
        remaining = await store.redis.command("PTTL", "mine:near:c")
        assert remaining > 10_000, "a short entry does not end the longer ones' list"
        for wrong in (b"", b"x" * 44, b"x" * 200):
            await store.redis.command("LPUSH", "mine:near:c", wrong)
        await asyncio.sleep(0.01)
        assert await store.near("c", of(1, 1), 0.9) == [Near(key(1), pytest.approx(1))]
        await store.aclose()

    asyncio.run(check())


def test_memory_holds_answers_and_embeddings_together():
    async def check() -> None:
        now = 0.0
        store = SemanticMemoryStore(2, clock=lambda: now)
        for number in range(3):
            await store.set(key(number), b"v", 60)
            await store.place("b", key(number), of(1, 1), 60)
        held = store.size
        assert {one.key for one in await store.near("b", of(1, 1), 0.9)} == {key(1), key(2)}
        await store.place("b", "never set", of(1, 1), 60)
        await store.place("c", key(1), of(1, 1), 60)
        assert [one.key for one in await store.near("b", of(1, 1), 0.9)] == [key(2)]
        assert store.size == held
        now = 61.0
        assert store.here(key(2)) is None
        assert await store.near("b", of(1, 1), 0.9) == []
        await store.flush()
        assert store.size == 0

    asyncio.run(check())
