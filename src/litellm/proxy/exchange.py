"""One request and its answer, over ASGI: what the handlers of the fast lane are given.

A caller who hangs up cancels the task that serves it, by a callback from the connection (`litellm.hangup`).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from random import getrandbits
from typing import Any

from litellm.proxy.errors import ProxyError
from litellm.types.calls import Json

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]


class Exchange:
    """`started` is when the app was called (seconds, monotonic); `call_id` names the exchange everywhere."""

    __slots__ = ("call_id", "headers", "model", "receive", "scope", "send", "started", "status", "upstream_seconds")

    def __init__(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        self.scope = scope
        self.send = send
        self.started = started
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.call_id = self._call_id()
        self.model = ""  # the group asked for, once it is known to exist
        self.status = 0  # of the answer; 0 until its status line has gone out
        self.upstream_seconds = 0.0
        self.receive = receive

    def _call_id(self) -> str:
        given = self.headers.get(b"x-litellm-call-id")
        if given is not None and len(given) <= 128 and given.isascii() and given.decode("latin-1").isprintable():
            return given.decode("latin-1")
        bits = "%032x" % (getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62))
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def cancel_on_hangup(self) -> None:
        task = asyncio.current_task()
        extensions: Json = self.scope.get("extensions") or {}
        register = extensions.get("litellm.hangup")
        if register is not None and task is not None:
            register(task.cancel)

    async def body(self, limit: int) -> bytes:
        """The request's body. Raises ProxyError 413 for more than `limit` bytes."""
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            self._unless_gone(message)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self.receive()
            self._unless_gone(message)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(parts)

    def _unless_gone(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError

    async def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole answer; its length is added."""
        headers.append((b"content-length", b"%d" % len(body)))
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.scope["method"] == "HEAD" else body})


def _too_large(limit: int) -> ProxyError:
    return ProxyError(413, f"Request body is larger than {limit} bytes (general_settings.max_request_size_mb)")
