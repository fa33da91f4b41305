"""One request and its answer: what the handlers of the fast lane are given.

They answer through the server's own exchange (`scope["extensions"]["litellm"]`, see `connection.py`): plain functions
instead of ASGI messages, and header lines that are encoded once. The management app behind them is plain ASGI.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from uuid import uuid4

from litellm.proxy.connection import Exchange as ServerExchange
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import MASTER, Identity

if TYPE_CHECKING:  # there is a charge only if there is a store
    from litellm.proxy.meter import Charge
    from litellm.proxy.spend.prompts import Kept

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_PROCESS: Final = str(uuid4())[:24]
_count: Final = count(getrandbits(47))


def new_call_id() -> str:
    """Of a random UUID's form: its first part is this process's, its last one counts. (All of it random: 1.5 us.)"""
    return f"{_PROCESS}{next(_count):012x}"


def _usable(given: bytes) -> str:
    """A caller's own id, if it can stand in a header and a log line."""
    text = given.decode("latin-1")
    return text if len(given) <= 128 and given.isascii() and text.isprintable() else new_call_id()


class Exchange:
    """`started` is when the app was called (seconds, monotonic); `call_id` names the exchange everywhere."""

    __slots__ = (
        "_wire", "call_id", "charge", "headers", "identity", "kept",
        "model", "overhead_seconds", "receive", "scope", "send", "started", "status",
        "upstream_seconds",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        self.scope = scope
        self.send = send
        self._wire: ServerExchange = scope["extensions"]["litellm"]
        self.started = started
        self.headers: dict[bytes, bytes] = self._wire.fields
        given = self.headers.get(b"x-litellm-call-id")
        self.call_id = new_call_id() if given is None else _usable(given)
        self.model = ""  # the group asked for, once it is known to exist
        self.status = 0  # of the answer; 0 until its status line has gone out
        self.upstream_seconds = 0.0  # up to its answer, or a stream's first event; 0 until then
        self.overhead_seconds = 0.0  # ours, up to the status line
        self.receive = receive
        self.identity: Identity = MASTER
        self.charge: Charge | None = None  # what the call costs whom, if there are books
        self.kept: Kept | None = None  # what it says, if that is to be kept

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self, name: str) -> str | None:
        """The first value of a query parameter."""
        query: bytes = self.scope["query_string"]
        return parse_qs(query.decode("latin-1")).get(name, [None])[0] if query else None

    def cancel_on_hangup(self) -> None:
        self._wire.cancel_on_hangup()

    async def body(self, limit: int) -> bytes:
        """The request's body. Raises ProxyError 413 for more than `limit` bytes."""
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        left, more = limit, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            parts.append(message["body"])
            left -= len(parts[-1])
            if left < 0:
                raise _too_large(limit)
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer; its length is added. `fields` are header lines, each with its line end."""
        self.status = status
        self._wire.answer(status, fields, body)

    def begin(self, status: int, fields: bytes) -> None:
        """The head of an answer whose parts follow by `write`."""
        self.status = status
        self._wire.begin(status, fields)

    def write(self, part: bytes) -> bool:
        """A part of the answer, now. False: the caller does not keep up; `room` returns when it does again."""
        return self._wire.write(part)

    async def room(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": True})

    def end(self) -> None:
        self._wire.write(b"", False)


def _too_large(limit: int) -> ProxyError:
    return ProxyError(413, f"Request body is larger than {limit} bytes (general_settings.max_request_size_mb)")
