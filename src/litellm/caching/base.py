"""The seam of the response caches: where entries, which are bytes, are kept for a while."""

from typing import Protocol


class Unreachable(Exception):
    """A cache cannot be asked now. Whoever only wanted to save a call makes the call."""


class Store(Protocol):
    """Every method but `here` raises Unreachable. `ttl` is in seconds."""

    def here(self, key: str) -> bytes | None:
        """The entry if it is in this process's memory: without waiting."""
        ...

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, ttl: float) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def flush(self) -> None:
        """Forget all entries of this cache, and nothing else."""
        ...

    async def aclose(self) -> None: ...
