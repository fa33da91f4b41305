"""Where answers are kept: what users write about it (`cache_params`, `litellm.Cache`), as a store.

A store's code is loaded by whoever wants one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from litellm.caching.base import Store

if TYPE_CHECKING:
    from litellm.kv.redis import Redis

DEFAULT_FOLDER: Final = ".litellm_cache"

IN_REDIS: Final = frozenset({"redis", "redis-semantic"})
SEMANTIC: Final = frozenset({"semantic", "local-semantic", "redis-semantic"})
"""Kinds whose stores are a `semantic.SemanticStore`. The first two are the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """`most` answers in memory, files in `folder`, or a Redis: at `url`, or else at host and port."""

    kind: str = "local"
    namespace: str | None = None
    most: int | None = None
    folder: str | None = None
    url: str | None = None
    host: str | None = None
    port: int | None = None
    password: str | None = None
    tls: bool = False

    def completed(self, environ: Mapping[str, str]) -> "Place":
        """What is not said of a Redis is as REDIS_URL says, or else REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, REDIS_SSL.
        Raises ValueError."""
        if self.kind not in IN_REDIS or self.url:
            return self
        from litellm.kv.address import port_of, tls_of

        if self.host is None and self.port is None and environ.get("REDIS_URL"):
            return replace(self, url=environ["REDIS_URL"])
        return replace(
            self,
            host=self.host or environ.get("REDIS_HOST"),
            port=self.port or port_of(environ),
            password=self.password or environ.get("REDIS_PASSWORD"),
            tls=self.tls or tls_of(environ),
        )

    def store(self) -> Store:
        """Raises KeyError for a kind that there is not, ImportError for Redis without its library, ValueError for an
        address that is none."""
        return STORES[self.kind](self)

    def redis(self, name: str) -> "tuple[Redis, str]":
        """A connection, and the prefix of all keys: places of two names share none. Raises as `store` does."""
        from litellm.kv.redis import Address, Redis, parse

        plain = Address(self.host or "localhost", self.port or 6379, password=self.password, tls=self.tls)
        return Redis(parse(self.url) if self.url else plain), f"litellm:{name}:{self.namespace or ''}:"


def _memory(place: Place) -> Store:
    from litellm.caching.memory import MemoryStore

    return MemoryStore() if place.most is None else MemoryStore(entries=place.most)


def _disk(place: Place) -> Store:
    from litellm.caching.disk import DiskStore

    return DiskStore(Path(place.folder or DEFAULT_FOLDER))


def _redis(place: Place) -> Store:
    from litellm.caching.redis import RedisStore

    return RedisStore(*place.redis("cache"))


def _semantic(place: Place) -> Store:
    from litellm.caching.semantic_memory import SemanticMemoryStore

    return SemanticMemoryStore() if place.most is None else SemanticMemoryStore(place.most)


def _semantic_redis(place: Place) -> Store:
    from litellm.caching.semantic_redis import SemanticRedisStore

    return SemanticRedisStore(*place.redis("semantic"))


STORES: Final[dict[str, Callable[[Place], Store]]] = {
    "local": _memory,
    "disk": _disk,
    "redis": _redis,
    "semantic": _semantic,
    "local-semantic": _semantic,
    "redis-semantic": _semantic_redis,
}
