"""Which connection a request gets. Bookkeeping: nothing here opens a socket or reads a clock.

Idle connections are kept per origin (with its TLS settings and its proxy) and used last in, first out, so that the
surplus of a burst grows old and expires. Each connection expires by its own timer.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from litellm.transport.connection import Connection
from litellm.transport.tunnel import Proxy
from litellm.types.http import Tls

HANDSHAKES: Final = 64
"""TLS handshakes at once per origin: one costs a millisecond of CPU, here and there."""


@dataclass(frozen=True, slots=True)
class Key:
    """Connections with equal keys may stand in for each other; no others."""

    origin: tuple[str, str, int]
    tls: Tls
    proxy: Proxy | None


@dataclass(slots=True, eq=False)
class Origin:
    """The connections to one place. `idle`: the most recently used last (a dict, for the sake of removal)."""

    key: Key
    pool: "Pool"
    idle: dict[Connection, None] = field(default_factory=dict[Connection, None])
    handshakes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDSHAKES))

    def take(self) -> Connection | None:
        """The idle connection used last; those that turn out to have ended, or to have spoken unasked, are closed."""
        while self.idle:
            connection, _ = self.idle.popitem()
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def idle_again(self, connection: Connection, /) -> None:
        self.idle[connection] = None

    def not_idle(self, connection: Connection, /) -> None:
        self.idle.pop(connection, None)

    def left(self, connection: Connection, /) -> None:
        self.pool.left(connection)


@dataclass(slots=True, eq=False)
class Pool:
    """All connections of a transport. `limit`: of sockets, those being opened (`opening`) included."""

    limit: int
    opening: int = 0
    open: dict[Connection, None] = field(default_factory=dict[Connection, None])
    origins: dict[Key, Origin] = field(default_factory=dict[Key, Origin])
    _emptied: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])

    def origin(self, key: Key) -> Origin:
        found = self.origins.get(key)
        if found is None:
            found = self.origins[key] = Origin(key, self)
        return found

    def is_full(self) -> bool:
        return len(self.open) + self.opening >= self.limit

    def expendable(self) -> Connection | None:
        """The idle connection to close for the sake of a new one: the one opened first."""
        return next((connection for connection in self.open if connection.state == "idle"), None)

    def left(self, connection: Connection) -> None:
        self.open.pop(connection, None)
        if not self.open:
            for waiter in self._emptied:
                if not waiter.done():
                    waiter.set_result(None)
            self._emptied.clear()

    async def emptied(self) -> None:
        """Returns when no connection is open."""
        if self.open:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._emptied.append(waiter)
            await waiter
