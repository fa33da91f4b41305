"""One caller's connection: HTTP/1.1 to ASGI, with the limits that an ASGI app cannot see.

A subclass of uvicorn's protocol (pinned; the suite in tests/proxy runs against that version). What uvicorn leaves
open is closed here: heads are counted before the parser sees them, every phase of a connection has a time bound, a
caller who takes no byte is dropped, a hang-up calls back, and whatever is not plain HTTP/1.1 is refused with an error
in OpenAI's shape. Time bounds are looked after by one coarse timer per process (`Hub.tick`): a connection only notes in
which phase it is and since when, so neither a request nor a connection costs a timer.
"""

import asyncio
import logging
import sys
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from time import time
from typing import Any, Final, NamedTuple, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from litellm.proxy.asgi import App, Exchange
from litellm.proxy.refusals import (
    BAD_CONNECT,
    BAD_REQUEST,
    CRASHED,
    LARGE_HEAD,
    PIPELINED,
    SLOW_BODY,
    SLOW_HEAD,
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
_EVER: Final = float("inf")


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
        self._second: int = 0
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


class Flow(FlowControl):
    """uvicorn's, but an idle connection has no Event, whose queue takes 700 bytes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = self.write_paused = False
        self._writable: asyncio.Event | None = None

    async def drain(self) -> None:
        if self.write_paused:
            self._writable = self._writable or asyncio.Event()
            await self._writable.wait()

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None


_UNUSED: Final[deque[Any]] = deque()
"""Stands for uvicorn's own queue of requests: an empty one takes 700 bytes, too."""


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
        self.queue: list[Exchange] = []  # behind `exchange`
        self.pipeline = _UNUSED
        self.refusal: Refusal | None = None
        self.unsent = 0
        self.unsent_since = 0.0

    # --- the transport's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
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
            self.exchange = self.queue.pop(0)
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
