"""One contract for every place where answers are kept; and what is each one's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from litellm.caching.base import Store, Unreachable
from litellm.caching.disk import DiskStore
from litellm.caching.memory import MemoryStore
from litellm.caching.redis import RedisStore
from litellm.caching.semantic_memory import SemanticMemoryStore
from litellm.caching.semantic_redis import SemanticRedisStore
from litellm.kv.redis import Redis, parse
from support.redis import RedisServer
from support.redis import redis as redis
from support.redis import shared_redis as shared_redis

Make = Callable[[], Any]


REDIS = {"redis": RedisStore, "redis-semantic": SemanticRedisStore}
HERE = {"memory": MemoryStore, "semantic": SemanticMemoryStore}


@pytest.fixture(params=["disk", *HERE, *REDIS])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param in REDIS:
        server: RedisServer = request.getfixturevalue("shared_redis")
        server.ask("FLUSHALL")
        return lambda: REDIS[request.param](Redis(parse(server.url), 20), "mine:")
    return HERE.get(request.param) or (lambda: DiskStore(tmp_path))


@asynccontextmanager
async def opened(make: Make) -> AsyncIterator[Store]:
    store = make()
    try:
        yield store
    finally:
        await store.aclose()


def test_an_entry_is_found_until_it_is_deleted_or_all_are_forgotten(make: Make):
    async def check() -> None:
        async with opened(make) as store:
            assert await store.get("a") is None
            await store.set("a", b"\x00one", 60)
            await store.set("b", b"two", 60)
            assert (await store.get("a"), await store.get("b")) == (b"\x00one", b"two")
            await store.set("a", b"three", 60)
            assert await store.get("a") == b"three"
            await store.delete("a")
            await store.delete("never there")
            assert (await store.get("a"), await store.get("b")) == (None, b"two")
            await store.flush()
            assert await store.get("b") is None

    asyncio.run(check())


def test_an_entry_expires(make: Make):
    async def check() -> None:
        async with opened(make) as store:
            await store.set("short", b"1", 0.02)
            await store.set("long", b"2", 60)
            for _ in range(500):
                if await store.get("short") is None:
                    break
                await asyncio.sleep(0.02)
            assert (await store.get("short"), await store.get("long")) == (None, b"2")

    asyncio.run(check())


def test_memory_forgets_the_least_recently_used():
    async def check() -> None:
        store = MemoryStore(entries=2)
        for key in "ab":
            await store.set(key, b"v", 60)
        assert store.here("a") == b"v"
        await store.set("c", b"v", 60)
        assert [store.here(key) for key in "abc"] == [b"v", None, b"v"]
        small = MemoryStore(size=1000)
        await small.set("x", bytes(600), 60)
        await small.set("y", bytes(600), 60)
        await small.set("z", bytes(2000), 60)
        assert [small.here(key) and 1 for key in "xyz"] == [None, 1, None]

    asyncio.run(check())


def test_the_disk_is_bounded_shared_and_kept(tmp_path: Path):
    async def check() -> None:
        one, other = DiskStore(tmp_path, 1000), DiskStore(tmp_path, 1000)
        await one.set("a", bytes(400), 60)
        await one.set("b", bytes(400), 60)
        assert await other.get("a") is not None
        await other.set("c", bytes(400), 60)
        assert [await one.get(key) is not None for key in "abc"] == [True, False, True]
        await one.aclose()
        await other.aclose()
        again = DiskStore(tmp_path, 1000)
        assert await again.get("c") == bytes(400)
        await again.aclose()

    asyncio.run(check())


def test_redis_forgets_its_own_entries_only_and_says_when_it_is_away(redis: RedisServer):
    async def check() -> None:
        mine, theirs = (RedisStore(Redis(parse(redis.url), 20), prefix) for prefix in ("m[1]*:", "m1:"))
        for number in range(1200):
            await mine.set(str(number), b"v", 60)
        await theirs.set("a", b"v", 60)
        await mine.flush()
        assert (await mine.get("7"), await theirs.get("a")) == (None, b"v")
        redis.kill()
        with pytest.raises(Unreachable):
            await mine.get("7")
        for store in (mine, theirs):
            await store.aclose()

    asyncio.run(check())
