"""A cache in this process's memory: the least recently used entries go first, by count and by size."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

MAX_ENTRIES: Final = 200
MAX_BYTES: Final = 64 * 1024 * 1024
_OVERHEAD: Final = 256
"""Bytes that an entry takes beside its key and value, about."""


class MemoryStore:
    """May be used from several threads: the SDK's callers have loops of their own. `clock` gives seconds."""

    def __init__(
        self, entries: int = MAX_ENTRIES, size: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_entries = entries
        self._most_bytes = size
        self._clock = clock
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self._bytes

    def here(self, key: str) -> bytes | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            value, until = found
            if self._clock() >= until:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    async def get(self, key: str) -> bytes | None:
        return self.here(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """An entry that is larger than the whole cache is not kept."""
        with self._lock:
            self._drop(key)
            if _size(key, value) > self._most_bytes:
                return
            self._kept[key] = value, self._clock() + ttl
            self._bytes += _size(key, value)
            while self._bytes > self._most_bytes or len(self._kept) > self._most_entries:
                self._drop(next(iter(self._kept)))

    async def delete(self, key: str) -> None:
        with self._lock:
            self._drop(key)

    async def flush(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    async def aclose(self) -> None:
        pass

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= _size(key, found[0])


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _OVERHEAD
