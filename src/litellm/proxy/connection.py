"""One caller's connection: HTTP/1.1 to ASGI, with the limits that an ASGI app cannot see.

A subclass of uvicorn's protocol (pinned; the suite in tests/proxy runs against that version). What uvicorn leaves
open is closed here: heads are counted before the parser sees them, every phase of a connection has a time bound, a
caller who takes no byte is dropped, a hang-up calls back, and whatever is not plain HTTP/1.1 is refused with an error
in OpenAI's shape. Time bounds are looked after by one coarse timer per process (`Hub.tick`): a connection only notes in
which phase it is and since when, so neither a request nor a connection costs a timer.

What an app finds beside plain ASGI is the request's `Exchange`, in `scope["extensions"]["litellm"]`. One with a method
`handle(exchange)` is given that alone: no scope and no messages are made for it; its `exchange_type`, if it has one, is
the class of its exchanges.

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
import sys
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Any, Final, NamedTuple, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from litellm.proxy.refusals import (
    BAD_CONNECT,
    BAD_REQUEST,
    CRASHED,
    LARGE_HEAD,
    PIPELINED,
    SLOW_BODY,
    SLOW_HEAD,
    STATUS_LINES,
    TOO_MANY,
    Refusal,
    Refused,
    check_head,
    reason_of,
    refusal_wire,
    split_target,
)

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ  # on a socket: SIOCOUTQ, see tcp(7)

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

log = logging.getLogger("litellm.proxy.server")

# What a connection is waiting for. The order is that of Hub.bounds.
NEW: Final = 0  # the first byte ever
IDLE: Final = 1  # the first byte of a further request
HEAD: Final = 2  # the end of a head
BODY: Final = 3  # more of a body
ANSWER: Final = 4  # the app
DEAF: Final = 5  # the answers still due; what the caller sends is no longer read
LINGER: Final = 6  # the caller's FIN, after our last word

LINGER_SECONDS: Final = 2.0
GRACE_SECONDS: Final = 1.0
"""How long a connection without a request lives on once the process drains: its next request may be on the way."""

HIGH_WATER: Final = 65536  # bytes of a request's body that may wait for the app
PIPELINE_PAUSE: Final = 16  # requests waiting behind the one being answered: reading stops,
PIPELINE_MAX: Final = 64  # and those that one read had brought beyond this many are refused
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
_EVER: Final = float("inf")


class CallerGone(ConnectionError):
    """Raised by `send` once nobody is there to read."""


class Bounds(NamedTuple):
    """Seconds, bytes and counts; what they mean is told in `server.ServerOptions`."""

    keepalive: float
    head: float
    body_gap: float
    write_stall: float
    head_bytes: int
    headers: int
    connections: int


class Hub(ServerState):
    """What the connections of one process share: the app, the bounds, the clock, the `date` line, the counts.

    `now` is the loop's time at the last tick, which is exact enough for every bound here.
    """

    def __init__(self, app: object, loop: asyncio.AbstractEventLoop, bounds: Bounds) -> None:
        super().__init__()
        self.app = cast("App", app)
        self.handle: Callable[[Any], Awaitable[None]] | None = getattr(app, "handle", None)
        self.exchange_type: type[Exchange] = getattr(app, "exchange_type", Exchange)
        self.loop = loop
        self.limits = bounds
        self.head_bytes = bounds.head_bytes
        self.config = Config(
            cast("Any", app), http=Connection, ws="none", lifespan="off", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False,
        )  # fmt: skip
        self.config.load()
        self.open = cast("set[Connection]", self.connections)
        self.exchanges: set[Exchange] = set()
        self.refused: dict[int, int] = {}
        self.draining = False
        self.lag = 0.0
        self.now = loop.time()
        self.seconds = (bounds.head, bounds.keepalive, bounds.head, bounds.body_gap, _EVER, _EVER, LINGER_SECONDS)
        self.interval = min(0.5, *(seconds / 4 for seconds in (*self.seconds, bounds.write_stall) if seconds > 0))
        self._second = 0
        self._idle: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.date = b""
        self.tick()

    def connect(self) -> "Connection":
        return Connection(self)

    def tick(self) -> None:
        """The one timer: the clock, the date, and every connection's bounds."""
        self._timer = self.loop.call_later(self.interval, self.tick)  # first: nothing below may end it
        now = self.loop.time()
        self.lag = max(0.0, now - self.now - self.interval)
        self.now = now
        second = int(time())
        if second != self._second:
            self._second = second
            self.date = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        for connection in tuple(self.open):
            connection.check(now)

    def gone(self, connection: "Connection") -> None:
        self.open.discard(connection)
        self._wake()

    def done(self, exchange: "Exchange") -> None:
        self.exchanges.discard(exchange)
        self._wake()

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done() and not self.open and not self.exchanges:
            self._idle.set_result(None)

    async def drain(self, seconds: float) -> None:
        """Let what is in flight end, answers marked `connection: close`; after so many seconds, cut off the rest."""
        self.draining = True
        self.now = self.loop.time()
        self.seconds = (GRACE_SECONDS, GRACE_SECONDS, *self.seconds[2:])
        for connection in self.open:
            if connection.phase in (NEW, IDLE):
                connection.since = self.now
        if not await self._quiet(seconds):
            log.warning("%d requests did not end within %g s and are cut off", len(self.exchanges), seconds)
            for connection in tuple(self.open):
                connection.transport.abort()
            for exchange in tuple(self.exchanges):
                exchange.cancel()
            await self._quiet(GRACE_SECONDS)

    async def _quiet(self, seconds: float) -> bool:
        """Wait until no connection and no app is left; False if that takes longer."""
        self._idle = self.loop.create_future()
        self._wake()
        await asyncio.wait((self._idle,), timeout=seconds)
        return self._idle.done()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Connection(HttpToolsProtocol):
    """The parser's callbacks, and what is due to the caller. `exchange` is being answered, `reading` arriving."""

    parser: httptools.HttpRequestParser  # pyright: ignore[reportIncompatibleVariableOverride]  # never None while fed

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub.config, hub, {}, hub.loop)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)  # uvicorn sets it; strict again
        self.hub = hub
        self.phase = NEW
        self.since = hub.now
        self.overhead = 0  # bytes read since the last byte of a body, or the end of the last head
        self.exchange: Exchange | None = None
        self.reading: Exchange | None = None
        self.queue: deque[Exchange] = deque()
        self.refusal: Refusal | None = None
        self.unsent = 0
        self.unsent_since = 0.0

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        excess = len(self.connections) - self.hub.limits.connections
        if excess > PIPELINE_MAX:
            transport.abort()  # not even an answer: those who linger over one count, too
        elif excess > 0:
            self._refuse(TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = DEAF
        self._hang_up()
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]  # it holds bound methods of ours: a cycle
        self.reading = None
        self.hub.gone(self)

    def eof_received(self) -> None:
        """A caller who sends no more is gone: a FIN does not tell a half-closed connection from a closed one.

        What has been answered is still flushed (the transport closes itself after this).
        """
        if self.exchange is not None:
            self._hang_up()
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.phase >= DEAF:
            return
        overhead = self.overhead + len(data)
        if overhead <= self.hub.head_bytes:
            self.overhead = overhead
            self._feed(data)
        else:
            self._feed_slices(memoryview(data))

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(reason_of(error))

    def _feed_slices(self, data: memoryview) -> None:
        """No slice can take a head, or what stands between two parts of a body, over its limit.

        (The start of a pipelined head is not counted: its bound is twice the limit.)
        """
        while data and self.phase < DEAF:
            room = self.hub.head_bytes - self.overhead
            if room <= 0:
                return self._refuse(BAD_REQUEST if self.phase == BODY else LARGE_HEAD)
            part, data = data[:room], data[room:]
            self.overhead += len(part)
            self._feed(part)
        return None

    def _decline_upgrade(self, rest: bytes | memoryview) -> None:
        """Answer in HTTP/1.1, as a server may (RFC 9110, 7.8): Java's client asks for h2c on every request.

        The parser has skipped the body, so the head is parsed again without its Upgrade field.
        """
        head: list[bytes] = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"".join(head))
        if rest and self.phase < DEAF:
            self._feed(rest)

    # --- the parser's callbacks (on_url is uvicorn's)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.phase = HEAD
        self.since = self.hub.now

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser, hub = self.parser, self.hub
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise Refused(BAD_CONNECT)
            return  # the parser stops here: see _decline_upgrade
        headers, self.headers = self.headers, []  # trailers go into the second list, which nobody reads
        version = parser.get_http_version()
        fields = dict(headers)
        check_head(version, headers, fields, hub.limits.headers)
        path, raw_path, query = split_target(self.url)
        self.overhead = 0
        self.phase = BODY
        self.since = hub.now
        exchange = self.reading = hub.exchange_type(
            self, parser.get_method().decode(), version, path, raw_path, query, headers, fields
        )
        exchange.keep_alive = version == "1.1" and parser.should_keep_alive()
        if self.exchange is None:
            self.exchange = exchange
            exchange.start()
        else:
            self._enqueue(exchange)

    def on_body(self, body: bytes) -> None:
        self.overhead = 0
        self.since = self.hub.now
        exchange = self.reading
        assert exchange is not None
        exchange.arrived(body)
        if exchange.waiting > HIGH_WATER:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self.phase != BODY:
            return  # an upgrade, declined
        self.overhead = 0
        self.phase = ANSWER
        exchange = self.reading
        assert exchange is not None
        exchange.more_body = False
        exchange.wake()

    def _enqueue(self, exchange: "Exchange") -> None:
        """A pipelined request waits. Reading goes on a while: that is how a hang-up is noticed."""
        if len(self.queue) >= PIPELINE_MAX:
            self.reading = None
            raise Refused(PIPELINED)
        self.queue.append(exchange)
        if len(self.queue) >= PIPELINE_PAUSE:
            self.flow.pause_reading()

    # --- answering

    def room(self, exchange: "Exchange") -> None:
        """The app has taken what there was of a body: read on."""
        if exchange is self.reading and self.flow.read_paused and not self.transport.is_closing():
            self.since = self.hub.now
            self.flow.resume_reading()

    def answered(self, exchange: "Exchange") -> None:
        """An answer is complete: close, or go on with the next request."""
        hub = self.hub
        hub.total_requests += 1
        self.exchange = None
        if not exchange.keep_alive:
            self.queue.clear()
            self._linger() if exchange.more_body else self.transport.close()
        elif self.queue:
            self.exchange = self.queue.popleft()
            self.exchange.start()
            if not self.queue:
                self.flow.resume_reading()
        elif self.refusal is not None:
            self._send_refusal(self.refusal)
        elif self.phase == ANSWER:
            self.phase = IDLE
            self.since = hub.now

    def crashed(self) -> None:
        """The app has failed and nothing is sent yet."""
        self.exchange = None
        self.phase = DEAF
        self.queue.clear()
        self._send_refusal(CRASHED)

    # --- ends

    def check(self, now: float) -> None:
        """The timer's visit: has the phase lasted too long, has the caller taken no byte for too long?"""
        if now - self.since > self.hub.seconds[self.phase]:
            self._expire(now)
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            unsent += _in_kernel(self.transport)
        if unsent != self.unsent:
            self.unsent, self.unsent_since = unsent, now
        elif unsent and now - self.unsent_since > self.hub.limits.write_stall:
            self.transport.abort()

    def _expire(self, now: float) -> None:
        if self.phase == HEAD:
            self._refuse(SLOW_HEAD)
        elif self.phase == LINGER:
            self.transport.abort()
        elif self.phase != BODY:
            self.transport.close()
        elif self.flow.read_paused:
            self.since = now  # it is us who do not read
        else:
            self._refuse(SLOW_BODY)

    def _refuse(self, refusal: Refusal) -> None:
        """Read no more; say why and close, behind the answers that are still due."""
        culprit = self.reading
        self.phase = DEAF
        if culprit is not None and culprit.more_body:
            if culprit is self.exchange:
                self._hang_up()
                if culprit.begun:
                    return self.transport.abort()
            else:
                self.queue.remove(culprit)
        self.flow.resume_reading()
        if self.exchange is None:
            self._send_refusal(refusal)
        else:
            self.refusal = refusal
        return None

    def _send_refusal(self, refusal: Refusal) -> None:
        refused = self.hub.refused
        refused[refusal.status] = refused.get(refusal.status, 0) + 1
        self.transport.write(refusal_wire(refusal, self.hub.date))
        self._linger()

    def _linger(self) -> None:
        """Say FIN and wait for the caller's, reading to no purpose: closing with bytes unread would send a reset,
        which may overtake the answer."""
        self.phase = LINGER
        self.since = self.hub.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _hang_up(self) -> None:
        """The caller is gone, for the request being answered and those behind it."""
        exchange, self.exchange = self.exchange, None
        self.queue.clear()
        if exchange is not None:
            exchange.hang_up()


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
        connection: Connection,
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

    async def run(self, hub: Hub) -> None:
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
        if self.gone:
            return
        if self.begun:
            raise RuntimeError("a second head")
        self.begun = True
        self.status = status
        self.expects_continue = False
        connection = self.connection
        # (Who answers before the end of a body is rid of the rest by closing: it may never come, after 100-continue.)
        if self.more_body or (connection.hub.draining and not connection.queue):
            self.keep_alive = False
        status_line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        self.head = b"".join((status_line, connection.hub.date, fields, self._frame(status), b"\r\n"))

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer at once; its length is added to `fields`."""
        self.left = len(body)
        self.begin(status, b"%bcontent-length: %d\r\n" % (fields, len(body)))
        self.write(body, False)

    def _framing(self, name: bytes, value: bytes) -> bool:
        """Whether a framing field of the app's stands. Only the length does; the rest is the server's."""
        if name == b"content-length":
            self.left = int(value)
            return True
        if name == b"connection" and b"close" in value.lower():
            self.keep_alive = False
        return False

    def _frame(self, status: int) -> bytes:
        """How the body will end, as fields."""
        fields = b""
        if self.method == "HEAD" or status in _BODYLESS:
            self.silent = True
        elif self.left is None and self.version == "1.1":
            self.chunked = True
            fields = b"transfer-encoding: chunked\r\n"
        elif self.left is None:
            self.keep_alive = False
        return fields if self.keep_alive else fields + b"connection: close\r\n"

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
        self.wake()
        self.connection.answered(self)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        log.exception("a hang-up callback failed")


def _in_kernel(transport: asyncio.Transport) -> int:
    """Bytes the caller's end has not acknowledged. The kernel asks us for more only once a third of its buffer is
    free, which may be a megabyte: for a slow caller that can take minutes in which he does take bytes."""
    if sys.platform != "linux":
        return 0
    queued = array("i", [0])
    try:
        ioctl(transport.get_extra_info("socket").fileno(), TIOCOUTQ, queued)
    except OSError:
        return 0
    return queued[0]


@lru_cache(maxsize=1024)
def _field_name(name: bytes) -> bytes:
    """A response header's name, checked and in lower case. The names an app uses are few."""
    if not _TOKEN.fullmatch(name):
        raise RuntimeError(f"invalid response header name {name!r}")
    return name.lower()
