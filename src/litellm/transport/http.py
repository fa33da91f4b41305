"""The real transport: HTTP/1.1 over our own connections."""

import asyncio
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NoReturn, TypeVar

from litellm.transport.base import UNSENT, ClosedEarly, ConnectFailed, ResponseStream, TimedOut
from litellm.transport.connect import open_socket
from litellm.transport.connection import Connection, Stale
from litellm.transport.decompress import ACCEPTED
from litellm.transport.pool import Key, Origin, Pool
from litellm.transport.response import Answer, Stream, Whole
from litellm.transport.tls import Contexts
from litellm.transport.tunnel import Proxies, open_tunnel
from litellm.transport.upload import pump
from litellm.types.http import Headers, HttpRequest, HttpResponse, InvalidRequest, Tls, Upload, Url

T = TypeVar("T")

MAX_BODY: Final = 100_000_000
IDLE_SECONDS: Final = 55.0
"""How long an idle connection is kept: load balancers commonly close at 60."""
_SPARE_FILES: Final = 64
"""Descriptors left to the rest of the process when connections are bounded by RLIMIT_NOFILE."""
_JOIN_BELOW: Final = 1 << 16
"""A body up to this size is copied behind the head, so that one write carries both; a larger one goes in pieces, or
TLS would encrypt all of it beforehand and nobody could tell whether the server reads."""
_MAX_ROUTES: Final = 512

_METHODS: Final = {name: name.encode() + b" " for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_BODYLESS: Final = frozenset({"GET", "DELETE", "OPTIONS"})
_ACCEPT: Final = b"accept-encoding: " + ACCEPTED + b"\r\n"


@dataclass(slots=True)
class _Route:
    """What is the same for every request of a deployment: its origin in the pool, and the head behind the method."""

    origin: Origin
    tls: Tls
    headers: Headers
    wire: bytes


class HttpTransport:
    """base.Transport. It belongs to the event loop it is first used in, and so to one process.

    `max_body` bounds, in bytes, bodies that are not streamed. `max_connections` bounds all that are open; by default
    the process's limit of open files does. An idle connection makes room for a new one; if none is idle, the request
    is ConnectFailed.
    """

    def __init__(
        self,
        *,
        proxies: Proxies | None = None,
        max_body: int = MAX_BODY,
        max_connections: int | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._proxies = proxies or Proxies()
        self._max_body = max_body
        self._idle_seconds = idle_seconds
        self._pool = Pool(max_connections or _limit_of_files() - _SPARE_FILES)
        self._contexts = Contexts()
        self._routes: dict[Url, _Route] = {}  # by identity: a deployment's are made once
        self._opening: set[asyncio.Timeout] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def open_connections(self) -> int:
        return len(self._pool.open)

    @property
    def idle_connections(self) -> int:
        return sum(len(origin.idle) for origin in self._pool.origins.values())

    def send(self, request: HttpRequest, /) -> Coroutine[Any, Any, HttpResponse]:
        return self._carry(request, Whole(self._max_body))

    def stream(self, request: HttpRequest, /) -> Coroutine[Any, Any, ResponseStream]:
        return self._carry(request, Stream(self._max_body))

    async def aclose(self) -> None:
        self._closed = True
        for scope in self._opening:
            scope.reschedule(0)
        for connection in list(self._pool.open):
            connection.fail(ClosedEarly("the transport was closed"))
        await self._pool.emptied()

    async def _carry(self, request: HttpRequest, exchange: Answer[T]) -> T:
        """Send the request, a second time if the first reached nobody; return what the exchange has brought."""
        loop = self._own_loop()
        total = request.timeouts.total
        end_by = inf if total is None else loop.time() + total
        route = self._route(request)
        head, body = _wire(route, request)
        # A connection that may be stale is taken only by what can be sent again: not by an upload, nor the second time.
        for may_send_again in (not isinstance(body, Upload), False):
            connection = route.origin.take() if may_send_again else None
            if connection is None:
                connection = await self._connect(route.origin, request, end_by)
            exchange.done = loop.create_future()
            connection.start(head, exchange, request.timeouts, end_by)
            if body and connection.state == "sending":
                connection.upload(pump(connection, body))
            try:
                await exchange.done
                break
            except Stale:
                if not may_send_again:
                    raise
            except asyncio.CancelledError:
                connection.abandon(exchange)
                raise
        return exchange.response()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:
                raise RuntimeError("this HttpTransport belongs to another event loop")
            self._loop = loop
        return loop

    def _route(self, request: HttpRequest) -> _Route:
        route = self._routes.get(request.url)
        if route is None or route.headers is not request.headers or route.tls is not request.tls:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[request.url] = self._make_route(request.url, request.tls, request.headers)
        return route

    def _make_route(self, url: Url, tls: Tls, headers: Headers) -> _Route:
        key = Key(url.origin, tls if url.scheme == "https" else Tls(), self._proxies.for_origin(url.origin))
        host = f"[{url.host}]" if ":" in url.host else url.host
        authority = host if url.port == (443 if url.scheme == "https" else 80) else f"{host}:{url.port}"
        line = f"{url.target} HTTP/1.1\r\nhost: {authority}\r\n".encode("ascii")
        return _Route(self._pool.origin(key), tls, headers, line + _fields(headers))

    # Opening connections

    async def _connect(self, origin: Origin, request: HttpRequest, end_by: float) -> Connection:
        """A new connection. Raises ConnectFailed, TimedOut, and ClosedEarly if the transport is closed meanwhile."""
        self._make_room()
        connect = request.timeouts.connect
        due = min(end_by, inf if connect is None else self._own_loop().time() + connect)
        scope = asyncio.timeout_at(None if due == inf else due)
        self._pool.opening += 1
        self._opening.add(scope)
        try:
            async with scope:
                connection = await self._open(origin)
        except asyncio.CancelledError as cancelled:
            cancelled.args = (UNSENT,)  # the same object: asyncio's timeouts know the class itself only
            raise
        except OSError as error:  # TimeoutError, gaierror and SSLError are among them
            self._connect_failed(origin, error, request, total=due == end_by < inf)
        finally:
            self._pool.opening -= 1
            self._opening.discard(scope)
        if self._closed:
            connection.close()
            raise ClosedEarly("the transport was closed", sent=False)
        if connection.state == "idle":  # else it is lost already, and start() says so
            self._pool.open[connection] = None
        return connection

    def _make_room(self) -> None:
        if self._closed:
            raise ClosedEarly("the transport is closed", sent=False)
        if self._pool.is_full():
            expendable = self._pool.expendable()
            if expendable is None:
                raise ConnectFailed(f"{self._pool.limit} connections are open, which is the limit")
            expendable.close()

    async def _open(self, origin: Origin) -> Connection:
        scheme, host, _ = origin.key.origin
        if scheme == "http":
            return await self._speak(await _reach(origin), origin)
        context = self._contexts.get(origin.key.tls)
        async with origin.handshakes:
            return await self._speak(await _reach(origin), origin, ssl=context, server_hostname=host)

    async def _speak(self, sock: socket.socket, origin: Origin, **tls: Any) -> Connection:
        """Put the protocol on a connected socket. The loop owns the socket from here on: to close it would free its
        number for another one while the loop still uses it for this."""
        loop = self._own_loop()
        _, host, port = origin.key.origin
        connection = Connection(loop, origin, f"{host}:{port}", sock, self._idle_seconds)
        await loop.create_connection(lambda: connection, sock=sock, **tls)
        return connection

    def _connect_failed(self, origin: Origin, error: OSError, request: HttpRequest, *, total: bool) -> NoReturn:
        if self._closed:
            raise ClosedEarly("the transport was closed", sent=False) from None
        _, host, port = origin.key.origin
        if not isinstance(error, TimeoutError) or error.errno is not None:  # with a number it is the kernel's
            raise ConnectFailed(f"cannot connect to {host}:{port}: {error}") from error
        seconds = request.timeouts.total if total else request.timeouts.connect
        timed_out = TimedOut(f"no connection to {host}:{port} within {seconds} s", "total" if total else "connect")
        timed_out.sent = False
        raise timed_out from None


async def _reach(origin: Origin) -> socket.socket:
    """A socket with the origin, not yet its TLS, at the other end."""
    _, host, port = origin.key.origin
    proxy = origin.key.proxy
    if proxy is None:
        return await open_socket(host, port)
    sock = await open_socket(proxy.host, proxy.port)
    try:
        await open_tunnel(sock, proxy, host, port)
    except BaseException:
        sock.close()
        raise
    return sock


def _wire(route: _Route, request: HttpRequest) -> tuple[bytes, bytes | Upload]:
    """A request's bytes: what is written at once, and the body if it is not part of that. Raises InvalidRequest.

    CONNECT is the tunnel's, and HEAD has no body whatever its length says, which the parser would have to be told.
    """
    method = _METHODS.get(request.method)
    if method is None:
        raise InvalidRequest(f"method {request.method!r} is not one of {', '.join(_METHODS)}")
    body = request.body
    if isinstance(body, Upload):
        if body.length < 0:
            raise InvalidRequest("an upload has a negative length")
        return b"%b%bcontent-length: %d\r\n\r\n" % (method, route.wire, body.length), body
    if not body and request.method in _BODYLESS:
        return b"%b%b\r\n" % (method, route.wire), b""
    if len(body) > _JOIN_BELOW:
        return b"%b%bcontent-length: %d\r\n\r\n" % (method, route.wire, len(body)), body
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (method, route.wire, len(body), body), b""


def _fields(headers: Headers) -> bytes:
    """The caller's header fields, and which codings we decode unless the caller has said so."""
    wire = headers.wire
    return wire if b"\naccept-encoding:" in b"\n" + wire.lower() else wire + _ACCEPT


def _limit_of_files() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1 << 20
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else max(soft, 2 * _SPARE_FILES)
