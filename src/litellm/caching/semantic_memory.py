"""A semantic cache in this process's memory: an answer and its question's embedding come and go together."""

import time
from collections.abc import Callable
from typing import Final

from litellm.caching.memory import MAX_BYTES, MemoryStore
from litellm.caching.semantic import Near, Vector, nearest

MAX_VECTORS: Final = 2000


class SemanticMemoryStore(MemoryStore):
    def __init__(
        self, entries: int = MAX_VECTORS, size: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(min(entries, MAX_VECTORS), size, clock)
        self._buckets: dict[str, dict[str, Vector]] = {}
        self._bucket_of: dict[str, str] = {}
        self._vector_bytes = 0

    @property
    def size(self) -> int:
        return self._bytes + self._vector_bytes

    async def place(self, bucket: str, key: str, vector: Vector, ttl: float) -> None:
        with self._lock:
            if key not in self._kept:  # too large, or gone already
                return
            self._displace(key)
            self._buckets.setdefault(bucket, {})[key] = vector
            self._bucket_of[key] = bucket
            self._vector_bytes += _bytes(vector)

    async def near(self, bucket: str, asked: Vector, least: float) -> list[Near]:
        with self._lock:
            return nearest(asked, self._buckets.get(bucket, {}), least)

    async def flush(self) -> None:
        with self._lock:
            for key in tuple(self._kept):
                self._drop(key)

    def _drop(self, key: str) -> None:
        super()._drop(key)
        self._displace(key)

    def _displace(self, key: str) -> None:
        bucket = self._bucket_of.pop(key, None)
        if bucket is None:
            return
        vectors = self._buckets[bucket]
        self._vector_bytes -= _bytes(vectors.pop(key))
        if not vectors:
            del self._buckets[bucket]


def _bytes(vector: Vector) -> int:
    return len(vector.numbers) * vector.numbers.itemsize
