"""One connection to a Redis: an asyncio protocol around `hiredis.Reader`.

All commands of one turn of the loop go out by one write. Replies come in the order of the commands, so the oldest one
that waits is the one to watch: if it is late, all behind it are, and the connection is given up.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

Argument = bytes | str | int
Reply = Any
"""bytes, int, None, or a list of replies."""

_UNFIT: Final = ("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS")
"""Errors of a server that is not (or no longer) the one to ask: a connection made anew may reach another."""


class RedisError(Exception):
    """The server's own error reply: `WRONGTYPE ...`, `NOSCRIPT ...`."""


class RedisDown(Exception):
    """There is no answer. What had been sent may have been done all the same."""


class Connection(asyncio.Protocol):
    """`lost` is called once, when it has ended. Every future is answered, or fails with RedisDown or RedisError."""

    def __init__(self, seconds: float, lost: Callable[["Connection"], None]) -> None:
        import hiredis

        self._pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # pyright: ignore
        self._missing = object()
        self._reader = hiredis.Reader(replyError=RedisError, notEnoughData=self._missing)
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._waiting: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self.closed = self._loop.create_future()

    def send(self, future: "asyncio.Future[Reply]", args: tuple[Argument, ...]) -> None:
        """The reply goes to the future. Raises TypeError for an argument that is no Argument."""
        packed = self._pack(args)
        if self._error is not None:
            future.set_exception(RedisDown(str(self._error)))
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)
        self._waiting.append((future, self._loop.time() + self._seconds))
        if self._watch is None:
            self._watch = self._loop.call_later(self._seconds, self._look)

    def _flush(self) -> None:
        if self._transport is not None and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _look(self) -> None:
        self._watch = None
        if not self._waiting:
            return
        due = self._waiting[0][1]
        if due > self._loop.time():
            self._watch = self._loop.call_at(due, self._look)
        else:
            self.end(RedisDown(f"no answer within {self._seconds:g} s"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        import hiredis

        reader, waiting, missing = self._reader, self._waiting, self._missing
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not missing:
                if not waiting:  # nothing was asked: that is no answer to anybody
                    raise hiredis.ProtocolError("a reply to no command")
                future, _ = waiting.popleft()
                if isinstance(reply, RedisError):
                    self._refused(future, reply)
                elif not future.done():
                    future.set_result(reply)
        except hiredis.ProtocolError as error:
            self.end(RedisDown(f"it does not speak Redis's protocol: {error}"))

    def _refused(self, future: "asyncio.Future[Reply]", error: RedisError) -> None:
        unfit = str(error).startswith(_UNFIT)
        if not future.done():
            future.set_exception(RedisDown(str(error)) if unfit else error)
        if unfit:
            self.end(RedisDown(str(error)))

    def end(self, why: Exception) -> None:
        """At once, and for good: all that waits fails with `why`."""
        if self._error is None:
            self._error = why
            self._fail()
            if self._transport is not None:
                self._transport.abort()
            self._lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(RedisDown(f"the connection was closed: {exc}" if exc else "the connection was closed"))
        if not self.closed.done():
            self.closed.set_result(None)

    def _fail(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._out.clear()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(RedisDown(str(self._error)))
