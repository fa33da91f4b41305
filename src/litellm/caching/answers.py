"""Answers by their keys, in a store that may be away: then nothing is found, and nobody is refused for it."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from logging import Logger
from typing import Final

from litellm.caching import entries
from litellm.caching.base import Store, Unreachable
from litellm.caching.controls import Controls
from litellm.types.calls import Json, Op

DEFAULT_TTL: Final = 600.0
MAX_ENTRY: Final = 16 * 1024 * 1024

_CALL_TYPES: Final[dict[Op, str]] = {"chat": "completion", "completion": "text_completion", "embedding": "embedding"}


@dataclass(slots=True)
class Answers:
    """They are kept for `ttl` seconds, of calls whose type is among `kinds` (`completion`, `aembedding`, ...; None: of
    all)."""

    store: Store
    log: Logger
    ttl: float = DEFAULT_TTL
    kinds: Collection[str] | None = None
    reached: bool = True
    """Said to the log once when it changes."""

    def takes(self, op: Op) -> bool:
        """The name with and without its `a` is the same."""
        return self.kinds is None or not {_CALL_TYPES[op], f"a{_CALL_TYPES[op]}"}.isdisjoint(self.kinds)

    def seconds(self, said: Controls) -> float:
        """How long the answer of a call is kept."""
        return said.ttl or self.ttl

    async def find(self, key: str, max_age: float | None) -> Json | None:
        try:
            raw = self.store.here(key) or await self.store.get(key)
        except Unreachable as error:
            self.unreachable(error)
            return None
        self.reached = True
        return entries.unpacked(raw, time.time(), max_age)

    async def keep(self, key: str, wire: bytes, seconds: float) -> None:
        """Nothing that is larger than MAX_ENTRY."""
        raw = entries.packed(wire, time.time())
        if len(raw) > MAX_ENTRY:
            return
        try:
            await self.store.set(key, raw, seconds)
        except Unreachable as error:
            self.unreachable(error)

    def unreachable(self, error: Unreachable) -> None:
        """A day of it is one line."""
        if self.reached:
            self.log.warning("the cache cannot be asked, calls go on without: %s", error)
        self.reached = False
