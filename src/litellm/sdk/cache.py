"""`litellm.cache = Cache(...)`: answers that are kept and given again, by the same stores as the gateway's.

A hit makes no request, costs nothing, and says so in `_hidden_params`: `cache_hit`, `cache_key`. Answers are found by
what was asked, of which address, with which API key. Whoever cannot reach the cache makes the call.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from litellm.caching.answers import DEFAULT_TTL, Answers
from litellm.caching.keys import cache_key
from litellm.caching.places import IN_REDIS, SEMANTIC, STORES, Place
from litellm.catalog import params
from litellm.sdk import portal
from litellm.settings import settings
from litellm.unbuilt import NotBuilt

if TYPE_CHECKING:
    from litellm.caching.likeness import Likeness
    from litellm.caching.semantic import Near, SemanticStore, Vector

T = TypeVar("T")

EMBEDDING_MODEL: Final = "text-embedding-ada-002"

_log = logging.getLogger("litellm")


class Cache:
    """What `litellm.cache` may be set to.

    `type`: local (this process's memory), disk (a folder), redis; local-semantic and redis-semantic, which also give a
    chat the answer to one that means the same: to a question whose embedding (by `embedding_model`, also called
    `redis_semantic_cache_embedding_model`) is as near as `similarity_threshold`, a cosine above 0, up to 1. Times are
    in seconds. Where Redis is may be left to REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_PASSWORD and REDIS_SSL.
    `mode="default_off"`: only calls that say `cache={"use-cache": True}` or `caching=True`. `get_cache_key` may be
    replaced by a function of the call's arguments.

    Raises NotBuilt for LiteLLM's other types, ImportError for Redis without its library, ValueError for an address or
    a threshold that is none.
    """

    def __init__(
        self,
        type: str = "local",
        mode: str = "default_on",
        host: str | None = None,
        port: int | str | None = None,
        password: str | None = None,
        namespace: str | None = None,
        ttl: float | None = None,
        default_in_memory_ttl: float | None = None,
        default_in_redis_ttl: float | None = None,
        similarity_threshold: float | None = None,
        supported_call_types: Sequence[str] | None = None,
        redis_semantic_cache_embedding_model: str | None = None,
        disk_cache_dir: str | None = None,
        max_size_in_memory: int | None = None,
        ssl: bool = False,
        url: str | None = None,
        embedding_model: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.type = str(type)
        if self.type not in STORES:
            raise NotBuilt(f"litellm.Cache(type={self.type!r})")
        self.mode = mode
        self.namespace = namespace
        self.ttl = ttl or (default_in_redis_ttl if self.type in IN_REDIS else default_in_memory_ttl)
        self.supported_call_types = supported_call_types
        place = Place(
            self.type, namespace, max_size_in_memory, disk_cache_dir, url, host, int(port) if port else None, password,
            ssl,
        )  # fmt: skip
        self.store = place.completed(os.environ).store()
        if self.type in IN_REDIS:
            self.store = _OnPortal(self.store)
        self.answers = Answers(self.store, _log, self.ttl or DEFAULT_TTL, supported_call_types)
        self.likeness: Likeness | None = None
        if self.type in SEMANTIC:
            model = embedding_model or redis_semantic_cache_embedding_model or EMBEDDING_MODEL
            self.likeness = _likeness(self.answers, model, similarity_threshold)
        if kwargs:
            _log.warning("litellm: Cache(%s) has no effect", ", ".join(sorted(kwargs)))

    def get_cache_key(self, **kwargs: Any) -> str | None:
        """Of a call's arguments; None for one that cannot be written down. It says nothing of whose they are."""
        asked = {name: value for name, value in kwargs.items() if name not in params.OURS and name != "model"}
        return cache_key("", "", str(kwargs.get("model")), asked, namespace=self.namespace or "")

    def flush_cache(self) -> None:
        portal.run_sync(self.store.flush)

    async def delete_cache_keys(self, keys: Sequence[str]) -> None:
        """As `_hidden_params["cache_key"]` says them."""
        for key in keys:
            await self.store.delete(key)

    async def ping(self) -> bool:
        """Whether it keeps what it is given. Raises `caching.base.Unreachable`."""
        await self.store.set("ping", b"1", 10)
        return await self.store.get("ping") == b"1"

    async def disconnect(self) -> None:
        await self.store.aclose()


def enable_cache(type: str = "local", **kwargs: Any) -> None:
    """Sets `litellm.cache`, if none is set; the arguments are Cache's."""
    if settings.cache is None:
        settings.cache = Cache(type=type, **kwargs)


def update_cache(type: str = "local", **kwargs: Any) -> None:
    """Sets `litellm.cache`, in the place of any that is."""
    settings.cache = Cache(type=type, **kwargs)


def disable_cache() -> None:
    settings.__dict__.pop("cache", None)


def _likeness(answers: Answers, model: str, threshold: float | None) -> "Likeness":
    from litellm.caching.likeness import Likeness

    if threshold is None or not 0 < threshold <= 1:
        raise ValueError(f"similarity_threshold: expected a number above 0, up to 1, not {threshold!r}")
    return Likeness(answers, cast("SemanticStore", answers.store), model, threshold)


class _OnPortal:
    """A store that belongs to one loop, for callers on any: it lives on the portal's. `near` and `place` are those of
    a semantic one."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def here(self, key: str) -> bytes | None:
        return None

    async def get(self, key: str) -> bytes | None:
        return await _there(lambda: self._store.get(key))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await _there(lambda: self._store.set(key, value, ttl))

    async def delete(self, key: str) -> None:
        await _there(lambda: self._store.delete(key))

    async def flush(self) -> None:
        await _there(self._store.flush)

    async def aclose(self) -> None:
        await _there(self._store.aclose)

    async def place(self, bucket: str, key: str, vector: "Vector", ttl: float) -> None:
        await _there(lambda: self._store.place(bucket, key, vector, ttl))

    async def near(self, bucket: str, asked: "Vector", least: float) -> "list[Near]":
        return await _there(lambda: self._store.near(bucket, asked, least))


async def _there(make: Callable[[], Awaitable[T]]) -> T:
    async def made() -> T:
        return await make()

    return await made() if portal.is_here() else await asyncio.to_thread(portal.run_sync, made)
