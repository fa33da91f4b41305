"""`litellm.cache = Cache(...)`: answers that are kept and given again, by the same stores as the gateway's.

A hit makes no request, costs nothing, and says so in `_hidden_params`: `cache_hit`, `cache_key`. Answers are found by
what was asked, of which address, with which API key. Whoever cannot reach the cache makes the call.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from litellm import exceptions as e
from litellm.caching import entries
from litellm.caching.base import Store, Unreachable
from litellm.caching.controls import NOTHING, Controls, controls
from litellm.caching.disk import DiskStore
from litellm.caching.keys import cache_key
from litellm.caching.memory import MAX_ENTRIES, MemoryStore
from litellm.catalog import params
from litellm.engine.builder import stream_chunk_builder
from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.engine.tapped import Tapped
from litellm.router.deployments import Deployment
from litellm.router.router import Router, Served
from litellm.sdk import portal
from litellm.settings import settings
from litellm.types.calls import Ask, Json, Op
from litellm.unbuilt import NotBuilt

if TYPE_CHECKING:
    from litellm.engine.events import Record

T = TypeVar("T")

DEFAULT_TTL: Final = 600.0
DEFAULT_FOLDER: Final = ".litellm_cache"
MAX_ENTRY: Final = 16 * 1024 * 1024

_OPS: Final[dict[Op, str]] = {"chat": "completion", "completion": "text_completion", "embedding": "embedding"}
_log = logging.getLogger("litellm")


class Cache:
    """What `litellm.cache` may be set to.

    `type`: local (this process's memory), disk (a folder) or redis. Times are in seconds. `mode="default_off"`: only
    calls that say `cache={"use-cache": True}` or `caching=True`. `get_cache_key` may be replaced by a function of the
    call's arguments. Raises NotBuilt for LiteLLM's other types, ImportError for Redis without its library.
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
        supported_call_types: Sequence[str] | None = None,
        disk_cache_dir: str | None = None,
        max_size_in_memory: int | None = None,
        ssl: bool = False,
        url: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.type = str(type)
        self.mode = mode
        self.namespace = namespace
        self.ttl = ttl or (default_in_redis_ttl if self.type == "redis" else default_in_memory_ttl)
        self.supported_call_types = supported_call_types
        if self.type == "disk":
            self.store: Store = DiskStore(Path(disk_cache_dir or DEFAULT_FOLDER))
        elif self.type == "redis":
            self.store = _redis(url, host, port, password, ssl, namespace)
        elif self.type == "local":
            self.store = MemoryStore(entries=max_size_in_memory or MAX_ENTRIES)
        else:
            raise NotBuilt(f"litellm.Cache(type={self.type!r})")
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


class Use:
    """The cache for one call: the router's place is taken by this. `hit` is the entry's key, if there was one."""

    def __init__(self, cache: Cache, said: Controls, key: str, messages: Any) -> None:
        self._cache = cache
        self._said = said
        self._key = key
        self._messages = messages
        self._router: Router | None = None
        self.hit: str | None = None

    def over(self, router: Router) -> "Use":
        self._router = router
        return self

    async def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Served[Reply]:
        assert self._router is not None
        found = await self._found()
        if found is not None:
            return Served(Reply(found, [], 0.0), group[0])
        served = await self._router.send(ask, group, num_retries)
        await self.keep(orjson.dumps(served.result.wire))
        return served

    async def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Served[EventStream]:
        assert self._router is not None
        found = await self._found()
        if found is not None:
            return await self._router.stream(replace(ask, mock=found), group, 0)
        served = await self._router.stream(ask, group, num_retries)
        served.result = _Kept(served.result, self)
        return served

    def mark(self, hidden: Json, record: "Record | None") -> None:
        """What is said of a hit beside its answer, and to callbacks."""
        if self.hit is not None:
            hidden.update(cache_hit=True, cache_key=self.hit, response_cost=0.0)
        if record is not None:
            record.kwargs["cache_hit"] = self.hit is not None

    async def _found(self) -> Json | None:
        if self._said.no_cache:
            return None
        try:
            raw = self._cache.store.here(self._key) or await self._cache.store.get(self._key)
        except Unreachable as error:
            _log.warning("litellm: the cache cannot be asked: %s", error)
            return None
        found = entries.unpacked(raw, time.time(), self._said.max_age)
        self.hit = None if found is None else self._key
        return found

    async def keep(self, wire: bytes) -> None:
        if self._said.no_store or len(wire) > MAX_ENTRY:
            return
        try:
            ttl = self._said.ttl or self._cache.ttl or DEFAULT_TTL
            await self._cache.store.set(self._key, entries.packed(wire, time.time()), ttl)
        except Unreachable as error:
            _log.warning("litellm: the cache cannot be asked: %s", error)

    async def keep_stream(self, chunks: list[bytes]) -> None:
        made = stream_chunk_builder([orjson.loads(chunk) for chunk in chunks], self._messages)
        if made is not None:
            await self.keep(orjson.dumps(made.model_dump(exclude_none=True)))


def use(op: Op, given: Json, ask: Ask, deployment: Deployment) -> Use | None:
    """None for a call without the cache. Raises BadRequestError for controls that make no sense."""
    cache = settings.cache
    caching = given.get("caching")
    if not isinstance(cache, Cache) or caching is False or not _takes(cache, op):
        return None
    said = _said(given, ask.model)
    if cache.mode == "default_off" and not (said.use_cache or caching):
        return None
    key = given.get("preset_cache_key") or _key(cache, op, given, ask, deployment, said)
    return None if key is None else Use(cache, said, key, given.get("messages"))


def _said(given: Json, model: str) -> Controls:
    if given.get("cache") is None and given.get("ttl") is None:
        return NOTHING
    ttl = {} if given.get("ttl") is None else {"ttl": given["ttl"]}
    try:
        return controls({**ttl, **(given.get("cache") or {})})
    except (TypeError, ValueError) as error:
        raise e.BadRequestError(message=f"cache: {error}", llm_provider="", model=model) from None


def _takes(cache: Cache, op: Op) -> bool:
    kinds = cache.supported_call_types
    return kinds is None or not {_OPS[op], f"a{_OPS[op]}"}.isdisjoint(kinds)


def _key(cache: Cache, op: Op, given: Json, ask: Ask, deployment: Deployment, said: Controls) -> str | None:
    if "get_cache_key" in vars(cache):  # the caller's own
        return cache.get_cache_key(**given)
    target = deployment.target
    secret = sha256((target.api_key or "").encode()).hexdigest()
    scope = f"{target.base_url}\n{secret}"
    asked = ask.params if ask.mock_tool_calls is None else {**ask.params, "mock_tool_calls": ask.mock_tool_calls}
    namespace = said.namespace or cache.namespace or ""
    return cache_key(scope, op, f"{target.provider}/{target.model}", asked, namespace=namespace, mock=ask.mock)


class _Kept(Tapped):
    """A stream whose chunks are kept when it has come to its end."""

    __slots__ = ("_chunks", "_size", "_use")

    def __init__(self, inner: EventStream, use: Use) -> None:
        super().__init__(inner)
        self._use = use
        self._chunks: list[bytes] = []
        self._size = 0

    def heard(self, data: bytes) -> None:
        """The SDK takes chunks, not bytes."""

    async def batch(self) -> list[Json]:
        chunks = await super().batch()
        if not chunks:
            if self._chunks and self._size <= MAX_ENTRY:
                await self._use.keep_stream(self._chunks)
            self._chunks = []
            return chunks
        for chunk in chunks:  # as they are now: the taker changes them
            written = orjson.dumps(chunk)
            self._size += len(written)
            if self._size <= MAX_ENTRY:
                self._chunks.append(written)
        return chunks


def _redis(
    url: str | None, host: str | None, port: int | str | None, password: str | None, ssl: bool, namespace: str | None
) -> Store:
    from litellm.caching.redis import RedisStore
    from litellm.kv.redis import Address, Redis, parse

    plain = Address(host or "localhost", int(port or 6379), password=password, tls=ssl)
    return _OnPortal(RedisStore(Redis(parse(url) if url else plain), f"litellm:cache:{namespace or ''}:"))


class _OnPortal:
    """A store that belongs to one loop, for callers on any: it lives on the portal's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def here(self, key: str) -> bytes | None:
        return self._store.here(key)

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


async def _there(make: Callable[[], Awaitable[T]]) -> T:
    async def made() -> T:
        return await make()

    return await made() if portal.is_here() else await asyncio.to_thread(portal.run_sync, made)
