"""One connection to one provider: an asyncio protocol around llhttp that works for one caller at a time.

It is in exactly one state:

    idle      no caller; any byte, and the other end's FIN, close it
    sending   the request is written, no byte of an answer has come
    head      some bytes of the head have come (1xx heads included)
    body      the head has been handed to the caller
    closed    for good

What makes it safe to use again is decided in one place, `_message_done`: exactly one complete message has arrived,
its last byte was the last byte read, the request was sent in full, and the server did not ask to close. llhttp itself
goes on parsing whatever follows, so the callbacks ignore all that comes after the first message's end. What has reached
the kernel but not us is looked for before the next use (`is_quiet`). A second answer that comes later still, when the
next request is already out, cannot be told from the right one; HTTP/1.1 has no means for that.
"""

import asyncio
import re
import select
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Final, Literal, Protocol

import httptools

from litellm.transport.base import ClosedEarly, NotHTTP, TimedOut, TransportError
from litellm.transport.exchange import Exchange
from litellm.types.http import RawHeaders, Timeouts

MAX_HEAD: Final = 1 << 16
"""Bytes of head, 1xx heads included, and of what frames a chunked body (extensions, trailers) without carrying any."""
MAX_HEADERS: Final = 200
MAX_INTERIM: Final = 10
STALE_WITHIN: Final = 0.050
"""Seconds. A reused connection that closes so soon after the write was closing already: the server never saw it."""
READER_TIMEOUT: Final = 600.0
"""Seconds that reading may be paused because the caller does not read."""
_EARLY_TIMER: Final = 0.001  # loops count time in milliseconds and may call that much early

_HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
     b"upgrade"}
)  # fmt: skip
_NOTED: Final = _HOP_BY_HOP | {b"content-length", b"content-encoding"}
_KEEP_ALIVE: Final = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*(\d{1,6})", re.IGNORECASE)

State = Literal["idle", "sending", "head", "body", "closed"]


class Stale(ClosedEarly):
    """The request may be sent once more: the server cannot have acted on it."""


class Home(Protocol):
    """Where a connection lives: the pool's entry for its origin."""

    def idle_again(self, connection: "Connection", /) -> None: ...

    def not_idle(self, connection: "Connection", /) -> None: ...

    def left(self, connection: "Connection", /) -> None: ...


class Connection(asyncio.Protocol):
    """`state` is for reading only. All methods return at once; what happens is told to the exchange."""

    __slots__ = (
        "_armed", "_began", "_chunked", "_complete", "_deadline", "_drained", "_end_by", "_exchange", "_fault",
        "_fresh", "_head_bytes", "_head_ready", "_headers", "_home", "_idle_seconds", "_interim", "_is_1_1",
        "_is_interim", "_is_readable", "_length", "_loop", "_name", "_notes", "_parser", "_paused", "_pieces",
        "_pump", "_reusable", "_said", "_status", "_timeouts", "_timer", "_transport", "_unaccepted", "_unframed",
        "_unread", "_unsent", "_until_eof", "_whole", "_write_paused", "on_body", "state",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, home: Home, name: str, sock: socket.socket, idle_seconds: float
    ) -> None:
        """`name` is the origin as error messages show it; `sock` the socket that the loop's transport will own."""
        self.state: State = "idle"
        self._loop = loop
        self._home = home
        self._name = name
        self._idle_seconds = idle_seconds
        self._is_readable = _watch(sock)
        self._fresh = True
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # called by llhttp for each part of a body: there may be hundreds in a read
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._exchange: Exchange | None = None
        self._timeouts: Timeouts
        self._timer: asyncio.TimerHandle | None = None
        self._armed = self._deadline = self._end_by = inf
        self._pump: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = self._paused = False
        # Of the message that is arriving.
        self._headers: RawHeaders = []
        self._notes: dict[bytes, bytes] = {}
        self._fault: TransportError | None = None
        self._head_bytes = self._interim = self._unframed = self._whole = 0
        self._is_1_1 = self._is_interim = self._head_ready = self._complete = self._reusable = self._unaccepted = False

    # What the transport asks for

    def is_quiet(self) -> bool:
        """Whether an idle connection has brought neither bytes nor an end that the loop has not delivered yet."""
        return not self._is_readable()

    def start(self, request: bytes, exchange: Exchange, timeouts: Timeouts, end_by: float) -> None:
        """Write a request, or its head; `end_by` is the loop's time at which all must be over."""
        if self.state != "idle":
            exchange.on_end(ClosedEarly(f"{self._name} spoke or hung up before the request", sent=False))
            return
        transport = self._transport
        self._exchange = exchange
        exchange.source = self
        self._timeouts = timeouts
        self._end_by = end_by
        self._began = self._loop.time()
        self.state = "sending"
        transport.write(request)
        self._unaccepted = transport.is_closing()  # the very first write failed
        self._wait_for_answer()

    def upload(self, pump: Coroutine[None, None, None]) -> None:
        """Let a task write the request's body; until it is done the connection is not used again."""
        self._pump = self._loop.create_task(pump)
        self._due_in(None)

    def uploaded(self) -> None:
        """The body has been written."""
        self._pump = None
        if self.state in ("sending", "head"):
            self._wait_for_answer()
        elif self.state == "body" and not self._paused:
            self._due_in(self._timeouts.between_bytes)

    async def write(self, data: bytes) -> None:
        """Write a piece of the body; returns when the kernel has it, or at the end."""
        self._transport.write(data)
        if self._write_paused:
            self._wait_for_answer()
            self._drained = self._loop.create_future()
            await self._drained
            self._due_in(None)

    def abandon(self, exchange: Exchange) -> None:
        """The exchange's caller has gone. No effect if the connection has ended that exchange already."""
        if self._exchange is exchange:
            self._exchange = None
            self.close()

    def fail(self, error: Exception) -> None:
        """Close, and end the exchange with the error."""
        exchange, self._exchange = self._exchange, None
        self.close()
        if exchange is not None:
            exchange.on_end(error)

    def close(self) -> None:
        """Close at once; whatever is unsent or unread is dropped."""
        if self.state == "closed":
            return
        if self.state == "idle":
            self._home.not_idle(self)
        self.state = "closed"
        if self._timer is not None:
            self._timer.cancel()
        if self._pump is not None:
            self._pump.cancel()
        self._transport.abort()

    def pause(self, exchange: Exchange) -> None:
        if self._exchange is exchange and not self._paused:
            self._paused = True
            self._transport.pause_reading()
            self._due_in(READER_TIMEOUT)

    def resume(self, exchange: Exchange) -> None:
        if self._exchange is exchange and self._paused:
            self._paused = False
            self._transport.resume_reading()
            self._due_in(self._timeouts.between_bytes)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue] - uvloop's are not asyncio's classes
        # So that pause_writing tells what the kernel has not taken. (With 0 asyncio's TLS pauses at every other turn.)
        self._transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        exchange, before, parser = self._exchange, self.state, self._parser
        if exchange is None:  # nobody asked for this
            self.close()
            return
        assert parser is not None
        try:  # what llhttp finds, and what it refuses, is in the fields afterwards
            if before == "body":
                parser.feed_data(data)
            else:
                self._feed_head(parser, data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._not_http(error)
        try:
            pieces = self._pieces
            if before == "body" and len(pieces) == 1 and not self._complete and self._fault is None:
                self._unframed = 0  # one more part of a body and not the last, which is what a stream brings
                gap = self._timeouts.between_bytes
                if gap is not None and not self._paused:
                    self._deadline = when = self._loop.time() + gap
                    if when < self._armed:  # while the request is still being uploaded, or was, there may be no timer
                        self._arm(min(when, self._end_by))
                (exchange.onward or exchange.on_body)(pieces.pop())
            else:
                self._hand_over(exchange, data, before)
        except TransportError as error:
            self.fail(error)

    def eof_received(self) -> None:
        if self.state == "body" and self._until_eof and self._is_clean_end():
            exchange, self._exchange = self._exchange, None
            self.close()
            assert exchange is not None
            exchange.on_end(None)
        elif self.state != "closed":
            self.fail(self._closed_early(None))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.state != "closed":
            self.fail(self._closed_early(exc))
        self._parser = None  # the two refer to each other
        self._home.left(self)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None
        elif self.state in ("sending", "head") and self._pump is None:
            self._wait_for_answer()

    # What llhttp calls

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOTED:
            notes = self._notes
            notes[name] = notes[name] + b", " + value if name in notes else value
            if name in _HOP_BY_HOP:
                return
        self._headers.append((name, value.strip()))

    def on_headers_complete(self) -> None:
        if self._complete or self._fault is not None:  # a second answer to one request, or what follows a bad one
            self._reusable = False
            return
        assert self._parser is not None
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []  # fields that come later are trailers: they are dropped,
        notes, self._notes = self._notes, {}  # and mean nothing
        if 100 <= status < 200:
            self._skip_interim(status)
            return
        if status != 200 or not self._is_1_1 or len(headers) > MAX_HEADERS or b"transfer-encoding" in notes:
            refusal = self._refusal(status, headers, notes)
            if refusal is not None:
                self._refuse(refusal)
                return
        length = notes.get(b"content-length")
        self._status = status
        self._unread = headers
        self._said = notes
        self._chunked = b"transfer-encoding" in notes
        self._length = None if length is None else int(length)
        self._until_eof = length is None and not self._chunked and status not in (204, 304)
        self._reusable = self._parser.should_keep_alive()
        self._head_ready = True
        self.state = "body"

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif self._fault is None and not self._complete:
            self._complete = True
            self._whole = len(self._pieces)

    # Heads

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        self._is_interim = True
        self._is_1_1 = False  # what comes next has a version of its own
        if status == 101:
            self._refuse("101 Switching Protocols was not asked for")
        elif self._interim > MAX_INTERIM:
            self._refuse(f"more than {MAX_INTERIM} interim (1xx) responses")

    def _refusal(self, status: int, headers: RawHeaders, notes: dict[bytes, bytes]) -> str | None:
        """Why a head that llhttp accepts is not accepted here."""
        assert self._parser is not None
        if not 200 <= status <= 599:
            return f"status {status}"
        if not self._is_1_1 and self._parser.get_http_version() not in ("1.1", "1.0"):
            return f"HTTP version {self._parser.get_http_version()}"
        if len(headers) > MAX_HEADERS:
            return f"more than {MAX_HEADERS} header fields"
        coding = notes.get(b"transfer-encoding")
        if coding is not None and coding.strip().lower() != b"chunked":
            return f"unknown transfer coding {coding[:40].decode('latin-1')!r}"
        return None

    def _refuse(self, reason: str) -> None:
        if self._fault is None:
            self._fault = NotHTTP(f"{self._name} sent what is not acceptable as an HTTP response: {reason}")

    # Bytes

    def _not_http(self, error: Exception) -> None:
        if isinstance(error, httptools.HttpParserCallbackError):  # a mistake of ours, not of the other end
            raise error.__context__ or error from None
        self._garbage("an upgrade was not asked for" if isinstance(error, httptools.HttpParserUpgrade) else str(error))

    def _feed_head(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        """llhttp collects a header field of any length, in quadratic time: what it is given before the end of the head
        is counted here. It also takes RTSP, ICE and leading blank lines for HTTP; an answer of ours starts with H."""
        if self.state == "sending":
            if data[0] != 0x48:
                self._refuse("it does not start with HTTP/")
                return
            self._is_1_1 = data.startswith(b"HTTP/1.1 ")  # to ask the parser takes ten times as long
            self.state = "head"
        room = MAX_HEAD - self._head_bytes
        self._head_bytes += len(data)
        if len(data) <= room:
            parser.feed_data(data)
            return
        parser.feed_data(data[:room])
        if self.state == "head":
            self._refuse(f"a head of more than {MAX_HEAD} bytes")
        else:
            parser.feed_data(data[room:])

    def _garbage(self, reason: str) -> None:
        if self._complete:
            self._reusable = False
        else:
            self._refuse(reason)

    def _hand_over(self, exchange: Exchange, data: bytes, before: State) -> None:
        """Tell the exchange what one read has brought."""
        if self._head_ready:
            self._head_ready = False
            exchange.on_head(self._status, self._unread, self._said.get(b"content-encoding"), self._length)
        got, pieces = 0, self._pieces
        if self._complete:
            del pieces[self._whole :]  # of a second answer
        if pieces and self.state == "body":
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            got = len(body)
            self._unframed = 0
            (exchange.onward or exchange.on_body)(body)
            if self._exchange is not exchange:  # it has been closed meanwhile
                return
        if self._complete:
            self._message_done(exchange, self._ends_with_message(data, got, before))
        elif self._fault is not None:
            self.fail(self._fault)
        elif self.state == "body":
            if not got:
                self._unframed += len(data)
            if self._unframed > MAX_HEAD:
                self.fail(NotHTTP(f"{self._name} sent more than {MAX_HEAD} bytes of trailers or chunk extensions"))
            elif not self._paused:
                self._due_in(self._timeouts.between_bytes)

    def _ends_with_message(self, data: bytes, got: int, before: State) -> bool:
        """Whether the read in which the message ended holds nothing after it.

        llhttp reports a second message and refuses other bytes, but it skips blank lines. Where it takes more than a
        glance (heads that came in pieces, 1xx heads before) the answer is no, which only costs the connection.
        """
        if self._chunked:  # the end is an empty line; a second empty line is not part of it
            return len(data) > 4 and data.endswith(b"\r\n\r\n") and data[-5] != 0x0A
        if before == "body":
            return len(data) == got
        return before == "sending" and len(data) - data.find(b"\r\n\r\n") - 4 == got

    # Ends

    def _message_done(self, exchange: Exchange, nothing_follows: bool) -> None:
        self._exchange = None
        sent = self._pump is None and not self._write_paused
        keep = 0.0
        if self._reusable and nothing_follows and sent:
            keep = self._keep_alive_seconds() if b"keep-alive" in self._said else self._idle_seconds
        if keep > 0:
            self._rest(keep)
        else:
            self.close()
        exchange.on_end(None)

    def _rest(self, seconds: float) -> None:
        self.state = "idle"
        self._fresh = False
        if self._paused:
            self._paused = False
            self._transport.resume_reading()  # an idle connection keeps reading, to see a FIN
        self._complete = False
        self._head_bytes = self._interim = self._unframed = 0
        if self._chunked:  # trailers
            self._headers, self._notes = [], {}
        self._end_by = inf
        self._due_in(seconds)
        self._home.idle_again(self)

    def _keep_alive_seconds(self) -> float:
        """How long to keep it idle: a second less than the server says (in a field) it does."""
        found = _KEEP_ALIVE.search(self._said[b"keep-alive"])
        return self._idle_seconds if found is None else min(self._idle_seconds, int(found[1]) - 1.0)

    def _is_clean_end(self) -> bool:
        """Whether the end of the stream was announced: over TLS by close_notify (RFC 9112, 9.8), else anyone on the
        way could cut a body that has no length. asyncio tells an unannounced end in the same way, so OpenSSL is asked.
        """
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def _closed_early(self, cause: Exception | None) -> ClosedEarly:
        why = f": {cause}" if cause is not None else ""
        if self.state == "body":
            return ClosedEarly(f"{self._name} closed the connection in the middle of the response{why}")
        if self.state == "head":
            return ClosedEarly(f"{self._name} closed the connection within the head of the response{why}")
        message = f"{self._name} closed the connection before it answered{why}"
        soon = self._loop.time() - self._began < STALE_WITHIN if self.state == "sending" else False
        if self._unaccepted or (soon and not self._fresh):
            return Stale(message, sent=not self._unaccepted)
        return ClosedEarly(message)

    # Time: one timer, armed at the earliest deadline there was; it re-arms itself for the one there is

    def _wait_for_answer(self) -> None:
        if self._write_paused:
            self._unsent = self._transport.get_write_buffer_size()
            self._due_in(self._timeouts.between_bytes)
        else:
            self._due_in(self._timeouts.first_byte)

    def _is_being_read(self) -> bool:
        """Whether the other end has taken some of the request since this was last asked."""
        return self._write_paused and self._transport.get_write_buffer_size() < self._unsent

    def _due_in(self, seconds: float | None) -> None:
        self._deadline = when = inf if seconds is None else self._loop.time() + seconds
        if when > self._end_by:
            when = self._end_by
        if when < self._armed:
            self._arm(when)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = when
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._armed = inf
        due = min(self._deadline, self._end_by)
        if due > self._loop.time() + _EARLY_TIMER:
            if due < inf:
                self._arm(due)
        elif self.state == "idle":
            self.close()
        elif self._is_being_read() and self._loop.time() < self._end_by:
            self._wait_for_answer()
        else:
            self.fail(self._timed_out())

    def _timed_out(self) -> TimedOut:
        timeouts = self._timeouts
        if self._loop.time() + _EARLY_TIMER >= self._end_by:
            return TimedOut(f"{self._name} did not finish within {timeouts.total} s", "total")
        if self._paused:
            return TimedOut(f"the response of {self._name} was not read for {READER_TIMEOUT} s", "reader")
        if self.state == "body":
            return TimedOut(f"{self._name} paused for {timeouts.between_bytes} s", "between_bytes")
        if self._write_paused:
            return TimedOut(f"{self._name} did not read the request for {timeouts.between_bytes} s", "between_bytes")
        return TimedOut(f"{self._name} did not answer within {timeouts.first_byte} s", "first_byte")


def _watch(sock: socket.socket) -> Callable[[], object]:
    """A function that tells whether there is anything to read: poll costs a third of a recv that would block."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: select.select((sock,), (), (), 0)[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return partial(poll.poll, 0)
