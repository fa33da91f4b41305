"""One request and its answer: ASGI, and what an app finds beside it.

An app finds the request's `Exchange` in `scope["extensions"]["litellm"]`. One with a method `handle(exchange)` is given
that alone: no scope and no messages are made for it; its `exchange_type`, if it has one, is the class of its exchanges.

* `on_hangup(callback)`: the callback runs once, from the connection's own callback, if the caller goes before the
  answer is complete (at once, if that has happened already). `cancel_on_hangup()` cancels the app's task then.
* `fields`: the request's header fields as a dict.
* `begin(status, fields)`, `write(body, more_body=True) -> bool`, `answer(status, fields, body)`: what `send` does, as
  plain functions, with header lines already encoded; for whoever relays by callback. `write` returns False if the
  caller does not keep up: stop producing and `await send()` an empty part with `more_body`, which returns when there is
  room again. Once the caller is gone they do nothing.

`send` suspends only then, too. It raises CallerGone (an OSError, as ASGI 2.4 asks) once the caller is gone. As ASGI
asks too, the head travels with the first part of the body; an empty part sends it alone.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from litellm.proxy.refusals import STATUS_LINES

if TYPE_CHECKING:  # which makes exchanges
    from litellm.proxy.connection import Connection, Hub

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

log = logging.getLogger("litellm.proxy.server")

JOIN_MAX: Final = 65536  # above this, copying a body behind its head costs more than a second write

_USUAL: Final = 2048
_SIZES: Final = tuple(b"%x\r\n" % size for size in range(_USUAL))
"""The line before a part of a chunked body, for sizes that a stream's events have."""

_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_DISCONNECT: Final[Message] = {"type": "http.disconnect"}
_HUNDRED_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODYLESS: Final = frozenset({204, 304})
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


class CallerGone(ConnectionError):
    """Raised by `send` once nobody is there to read."""


class Exchange:
    """One request and its answer: ASGI's `receive` and `send`. Defaults stand on the class: one is made per request.

    `fields` are the request's header fields by name, of repeated ones the last; `headers` are all of them. `status` is
    the answer's, 0 until its head is there. `flows`: the head is sent, further parts go out as chunks.
    """

    more_body = True
    waiting = 0
    delivered = False
    gone = False
    begun = False
    complete = False
    keep_alive = False
    chunked = False
    silent = False
    flows = False
    left: int | None = None
    head = b""
    status = 0
    event: asyncio.Event | None = None
    task: asyncio.Task[None] | None = None
    callback: Callable[[], None] | None = None

    def __init__(
        self,
        connection: "Connection",
        method: str,
        version: str,
        path: str,
        raw_path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        fields: dict[bytes, bytes],
    ) -> None:
        self.connection = connection
        self.method = method
        self.version = version
        self.path = path
        self.raw_path = raw_path
        self.query_string = query
        self.headers = headers
        self.fields = fields
        self.expects_continue = b"expect" in fields and fields[b"expect"].lower() == b"100-continue"
        self.parts: list[bytes] = []

    def scope(self) -> Scope:
        """ASGI's. It refers to this exchange and is not kept in it: no cycle is left to the collector."""
        connection = self.connection
        return {
            "type": "http", "asgi": _ASGI, "http_version": self.version, "server": connection.server,
            "client": connection.client, "scheme": connection.scheme, "root_path": "", "method": self.method,
            "path": self.path, "raw_path": self.raw_path, "query_string": self.query_string, "headers": self.headers,
            "extensions": {"litellm": self},
        }  # fmt: skip

    # --- the connection's side

    def start(self) -> None:
        hub = self.connection.hub
        hub.exchanges.add(self)
        self.task = hub.loop.create_task(self.run(hub))

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def arrived(self, body: bytes) -> None:
        self.parts.append(body)
        self.waiting += len(body)
        self.wake()

    def wake(self) -> None:
        if self.event is not None:
            self.event.set()

    def hang_up(self) -> None:
        if self.complete or self.gone:
            return
        self.gone = True
        self.flows = False
        self.wake()
        callback, self.callback = self.callback, None
        if callback is not None:
            _call(callback)

    async def run(self, hub: "Hub") -> None:
        """The app, and an answer whatever it does. The last stop for its exceptions."""
        try:
            if hub.handle is not None:
                await hub.handle(self)
            else:
                await hub.app(self.scope(), self.receive, self.send)
            if not (self.complete or self.gone):
                log.error("the app returned without completing its answer")
        except asyncio.CancelledError:
            if not (self.gone or self.complete):
                self.connection.transport.abort()
            raise
        except Exception:
            if not self.gone:
                log.exception("the app failed")
        finally:
            self.task = None
            self.callback = None
            hub.done(self)
        if not (self.complete or self.gone):
            self._crash()

    def _crash(self) -> None:
        """Nothing sent yet: a 500. Otherwise the connection is cut, so that half an answer does not look whole."""
        self.gone = True
        self.flows = False
        if self.begun and not self.head:
            self.connection.transport.abort()
        else:
            self.connection.crashed()

    # --- the app's side

    def on_hangup(self, callback: Callable[[], None]) -> None:
        if self.gone:
            _call(callback)
        elif not self.complete:
            self.callback = callback

    def cancel_on_hangup(self) -> None:
        """If the caller goes, the app's task is cancelled."""
        self.on_hangup(self.cancel)

    async def receive(self) -> Message:
        while not self.parts and (self.more_body or self.delivered) and not (self.gone or self.complete):
            if self.expects_continue and self.more_body:
                self.expects_continue = False
                self.connection.transport.write(_HUNDRED_CONTINUE)
            if self.event is None:
                self.event = asyncio.Event()
            self.event.clear()
            await self.event.wait()
        if self.gone or self.complete:
            return _DISCONNECT
        parts, self.parts = self.parts, []
        self.waiting = 0
        self.connection.room(self)
        self.delivered = not self.more_body
        return {
            "type": "http.request",
            "body": parts[0] if len(parts) == 1 else b"".join(parts),
            "more_body": self.more_body,
        }

    async def send(self, message: Message) -> None:
        flow = self.connection.flow
        if flow.write_paused and not self.gone:
            await flow.drain()
        if self.gone:
            raise CallerGone("the caller has hung up")
        if message["type"] == "http.response.body":
            self.write(message.get("body", b""), message.get("more_body", False))
        else:
            self._start(message)

    def _start(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        fields: list[bytes] = []
        for name, value in message.get("headers", ()):
            name = _field_name(name)
            if name not in _FRAMING or self._framing(name, value):
                fields += (name, b": ", value, b"\r\n")
        block = b"".join(fields)
        lines = len(fields) // 4
        if block.count(b"\r") != lines or block.count(b"\n") != lines or b"\0" in block:
            raise RuntimeError("a response header holds a control character")
        self.begin(message["status"], block)

    def begin(self, status: int, fields: bytes) -> None:
        """The head, as `http.response.start` but from field lines that the app has encoded (and answers for).

        A `content-length` among them has to be in `left` already.
        """
        if not self.gone:
            self.head = self._begin(status, fields)

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer at once; its length is added to `fields`."""
        if self.gone:
            return
        self.left = 0  # nothing is due after this
        head = self._begin(status, b"%bcontent-length: %d\r\n" % (fields, len(body)))
        if self.silent:
            self.connection.transport.write(head)
        elif len(body) > JOIN_MAX:
            self.connection.transport.write(head)
            self.connection.transport.write(body)
        else:
            self.connection.transport.write(head + body)
        self._finish()

    def _begin(self, status: int, fields: bytes) -> bytes:
        if self.begun:
            raise RuntimeError("a second head")
        self.begun = True
        self.status = status
        self.expects_continue = False
        connection = self.connection
        # (Who answers before the end of a body is rid of the rest by closing: it may never come, after 100-continue.)
        if self.more_body or (connection.hub.draining and not connection.queue):
            self.keep_alive = False
        end = b"\r\n"  # of the head, after how the body will end
        if self.method == "HEAD" or status in _BODYLESS:
            self.silent = True
        elif self.left is None and self.version == "1.1":
            self.chunked = True
            end = b"transfer-encoding: chunked\r\n\r\n"
        elif self.left is None:
            self.keep_alive = False
        if not self.keep_alive:
            end = b"connection: close\r\n" + end
        line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        return b"%b%b%b%b" % (line, connection.hub.date, fields, end)

    def _framing(self, name: bytes, value: bytes) -> bool:
        """Whether a framing field of the app's stands. Only the length does; the rest is the server's."""
        if name == b"content-length":
            self.left = int(value)
            return True
        if name == b"connection" and b"close" in value.lower():
            self.keep_alive = False
        return False

    def write(self, body: bytes, more_body: bool = True) -> bool:
        """Send a part of the body now; see the top of the file. Nothing happens once the caller is gone."""
        connection = self.connection
        if self.flows and more_body and body:  # a stream's next part
            size = _SIZES[len(body)] if len(body) < _USUAL else b"%x\r\n" % len(body)
            connection.transport.write(b"".join((size, body, b"\r\n")))
            return not connection.flow.write_paused
        if self.gone:
            return True
        if not self.begun or self.complete:
            raise RuntimeError("a part of a body before the head, or after the end")
        transport = connection.transport
        data, self.head = self.head, b""
        if self.chunked:
            last = b"" if more_body else b"0\r\n\r\n"
            data = b"%b%x\r\n%b\r\n%b" % (data, len(body), body, last) if body else data + last
        elif not self.silent:
            if self.left is not None:
                self.left -= len(body)
                if self.left < 0:
                    raise RuntimeError("the body is longer than its content-length")
            if data and len(body) > JOIN_MAX:
                transport.write(data)
                data = body
            else:
                data = data + body if data else body
        if data:
            transport.write(data)
        if more_body:
            self.flows = self.chunked
        else:
            self._finish()
        return not connection.flow.write_paused

    def _finish(self) -> None:
        if self.left and not self.silent:
            raise RuntimeError("the body is shorter than its content-length")
        self.complete = True
        self.flows = False
        self.callback = None
        if self.event is not None:
            self.event.set()
        self.connection.answered(self)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        log.exception("a hang-up callback failed")


@lru_cache(maxsize=1024)
def _field_name(name: bytes) -> bytes:
    """A response header's name, checked and in lower case. The names an app uses are few."""
    if not _TOKEN.fullmatch(name):
        raise RuntimeError(f"invalid response header name {name!r}")
    return name.lower()
