"""Redis or Valkey over one pipelined connection of its own: commands, and scripts by their hash.

It connects when it is first asked, and again when it has been cut off. While the server is known to be away every
command fails at once, and now and then one of them makes a new attempt in the background: nobody waits for it.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Final

from litellm.kv.address import Address
from litellm.kv.address import parse as parse
from litellm.kv.connection import Argument, Connection, RedisError, Reply
from litellm.kv.connection import RedisDown as RedisDown

TIMEOUT: Final = 1.0
"""Seconds for a command, and for a new connection."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds until a server that is away is tried again: doubled from attempt to attempt."""


class NotSent(RedisDown):
    """The server is away, and has not seen the command."""


@dataclass(frozen=True, slots=True)
class Script:
    """Lua text, which the server knows by its hash once it has run it."""

    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.source.encode(), usedforsecurity=False).hexdigest())


class Redis:
    """For one event loop. Raises ImportError without hiredis.

    What it sends fails with RedisDown (no answer) or RedisError (the server's own).
    """

    def __init__(self, address: Address, timeout: float = TIMEOUT) -> None:
        try:
            import hiredis as _  # noqa: F401
        except ImportError:
            raise ImportError("Redis needs hiredis: pip install 'litellm[redis]'") from None
        self.address = address
        self._timeout = timeout
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._queue: list[tuple[asyncio.Future[Reply], tuple[Argument, ...]]] = []  # for the connection to come
        self._why: str | None = None  # it is known to be away
        self._pause = FIRST_PAUSE
        self._again_at = 0.0
        self._closed = False

    @property
    def is_up(self) -> bool:
        """As far as is known."""
        return self._why is None

    def send(self, *args: Argument) -> "asyncio.Future[Reply]":
        """A command, written at the end of this turn of the loop; its reply."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        if self._connection is not None:
            self._connection.send(future, args)
            return future
        if self._connecting is None and not self._closed and loop.time() >= self._again_at:
            self._connecting = asyncio.create_task(self._connect())
        if self._why is None:
            self._queue.append((future, args))
        else:
            future.set_exception(NotSent(self._why))
        return future

    async def command(self, *args: Argument) -> Reply:
        return await self.send(*args)

    async def run(self, script: Script, keys: tuple[str, ...], *args: Argument) -> Reply:
        try:
            return await self.send("EVALSHA", script.sha, len(keys), *keys, *args)
        except RedisError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.send("EVAL", script.source, len(keys), *keys, *args)

    async def aclose(self) -> None:
        """What still waits fails with RedisDown."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        connection = self._connection
        self._is_away("it has been closed here", connection)
        if connection is not None:
            await connection.closed

    async def _connect(self) -> None:
        connection: Connection | None = None
        why: str | None = "the attempt was given up"
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._open()
                await self._greet(connection)
            why = None
        except (OSError, RedisError, RedisDown) as error:  # a TimeoutError is an OSError
            why = _said(error)
        finally:
            self._connecting = None
            if connection is None or why is not None:
                self._is_away(why or "", connection)
            else:
                self._is_there(connection)

    async def _open(self) -> Connection:
        loop, address = asyncio.get_running_loop(), self.address

        def made() -> Connection:
            return Connection(self._timeout, self._lost)

        if address.path is not None:
            _, connection = await loop.create_unix_connection(made, address.path)
        else:
            tls = _tls(address) if address.tls else None
            _, connection = await loop.create_connection(made, address.host, address.port, ssl=tls)
        return connection

    async def _greet(self, connection: Connection) -> None:
        """The last reply tells whether it is a Redis that answers."""
        address = self.address
        greetings: list[tuple[Argument, ...]] = []
        if address.password is not None:
            greetings.append(("AUTH", *([address.user] if address.user else []), address.password))
        if address.database:
            greetings.append(("SELECT", address.database))
        for greeting in (*greetings, ("PING",)):
            reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            connection.send(reply, greeting)
            await reply

    def _lost(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None

    def _is_there(self, connection: Connection) -> None:
        self._connection, self._why, self._pause = connection, None, FIRST_PAUSE
        queued, self._queue = self._queue, []
        for future, args in queued:
            connection.send(future, args)

    def _is_away(self, why: str, connection: Connection | None) -> None:
        if connection is not None:
            connection.end(RedisDown(why))
        self._why = why = f"Redis at {self.address} cannot be reached: {why}"
        self._again_at = asyncio.get_running_loop().time() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        queued, self._queue = self._queue, []
        for future, _ in queued:
            if not future.done():
                future.set_exception(NotSent(why))


def _said(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


def _tls(address: Address) -> ssl.SSLContext:
    """Raises OSError."""
    context = ssl.create_default_context(cafile=address.ca_file)
    if not address.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
