"""Running the gateway in one process: sockets, signals, reload, drain.

The app is made by a factory given by name, in the process that runs it: one process and many (`supervisor.py`) start
the same way, and a reload, a restart and a first start are the same code.
"""

import asyncio
import errno
import gc
import importlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from litellm.proxy.connection import Bounds, Connection, Hub

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

log = logging.getLogger("litellm.proxy.server")

Settings = Mapping[str, Any]
"""What the factory is told: JSON, because it may have to travel to another process."""

FILES_WANTED: Final = 65536
FILES_KEPT: Final = 100  # for logs, the store, libraries
"""Of the rest, half is for callers: each may need a connection to a provider."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, and every bound on a caller. Times in seconds."""

    host: str = "127.0.0.1"
    port: int = 4000
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ciphers: str | None = None
    num_workers: int = 1
    backlog: int = 2048
    max_connections: int = 10_000
    """Per process; 503 above it. At most what RLIMIT_NOFILE allows."""
    max_header_bytes: int = 65536
    """Of a request's head (431), and of what stands between two parts of a chunked body (400)."""
    max_headers: int = 100
    head_seconds: float = 10
    """From a head's first byte to its last (408); to the first byte on a new connection (closed); for a handshake."""
    body_gap_seconds: float = 30
    """Between two parts of a request's body (408)."""
    keepalive_timeout: float = 65
    """Between an answer and the next request. Longer than the 60 s of common load balancers: they close first."""
    write_stall_seconds: float = 60
    """A caller who takes no byte of an answer for so long is dropped."""
    drain_seconds: float = 30
    """What requests in flight get to end in, once the process is told to stop."""


@dataclass(slots=True)
class Worker:
    """A process's place among its siblings, for the service to read; the supervisor's news arrives here.

    `admin` marks the one worker that runs jobs there must be only one of: ask before each run, it moves when that
    worker ends. `folder` is shared by all workers of this service and lives as long: for one file per worker
    *incarnation* (`<purpose>-<name>`), read and added up by whoever answers `/metrics`. The files of ended workers
    stay, so sums do not fall.
    """

    index: int = 0
    count: int = 1
    folder: Path | None = None
    admin: bool = True
    draining: bool = False
    version: str = ""
    fleet: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """{index, pid, state, version} of every worker, as the supervisor last told it; empty in a single process."""
    hub: Hub | None = None
    """For `/metrics`: `open` connections, `exchanges` in flight, `total_requests`, `refused` by status, loop `lag`."""

    @property
    def name(self) -> str:
        return f"{self.index}-{os.getpid()}"


class Service(Protocol):
    """What a factory makes: an app, of ASGI or with `handle` (see connection.py), and how it changes and ends."""

    version: str

    async def reload(self) -> None:
        """Build the new, swap, and set `version`. Raises, with a message for the operator, and the old goes on."""
        ...

    async def aclose(self) -> None: ...


Factory = Callable[[Worker, Settings], Awaitable[Service]]


class StartError(Exception):
    """The server cannot start; the message is for the operator."""


class Channel(Protocol):
    """A worker's line to its supervisor: see `worker.py`. A single process has none."""

    def open(self, on_command: Callable[[dict[str, Any]], None], on_end: Callable[[], None]) -> None: ...

    def say(self, **news: Any) -> None: ...


def serve(
    factory: str,
    settings: Settings,
    options: ServerOptions,
    *,
    check: Callable[[], Sequence[str]] = tuple,
    on_ready: Callable[[Sequence[str]], None] | None = None,
) -> int:
    """Serve until told to stop; the process's exit code.

    `factory` is "package.module:name" of a Factory. `check` looks at the configuration before a supervisor passes a
    reload on, and returns what is wrong with it. `on_ready` gets the addresses once callers are answered.

    SIGTERM and SIGINT stop accepting, let requests in flight end and return 0; a second one ends the process at once
    with 128 + its number. SIGHUP reloads. What prevents a start is logged, and 1 returned.
    """
    raise_file_limit()
    try:
        if options.num_workers > 1:
            from litellm.proxy.supervisor import supervise

            return supervise(factory, settings, options, check, on_ready)
        return run(factory, settings, options, listen(options), Worker(), on_ready=on_ready)
    except StartError as error:
        log.error("%s", error)
        return 1


# --- sockets


def listen(options: ServerOptions, *, shared: bool = False) -> list[socket.socket]:
    """Bound sockets, one for each address of the host. With `shared`, more of the same can be bound beside them.

    Raises StartError if the port is taken: another one would be found by nobody.
    """
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"host {options.host!r} has no address: {error}") from None
    sockets: list[socket.socket] = []
    port = options.port
    failure: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            bound = _bind((family, kind, protocol), (address[0], port, *address[2:]), options.backlog, shared)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                _close_all(sockets)
                raise StartError(_bind_failure(error, options)) from None
            failure = error  # an address family this host does not have
        else:
            sockets.append(bound)
            port = bound.getsockname()[1]  # port 0: the same for every address
    if not sockets:
        raise StartError(f"cannot listen on {options.host}:{port}: {failure}")
    return sockets


def _bind(kind: tuple[int, int, int], address: tuple[Any, ...], backlog: int, shared: bool) -> socket.socket:
    bound = socket.socket(*kind)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        bound.listen(backlog)  # now, not when all is loaded: only a listening socket keeps others off the port
    except OSError:
        bound.close()
        raise
    return bound


def _bind_failure(error: OSError, options: ServerOptions) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {options.port} is already in use on {options.host}: stop what listens there, or choose another"
    return f"port {options.port} may not be used: {error.strerror}"


def _close_all(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


def addresses(sockets: Sequence[socket.socket], options: ServerOptions) -> list[str]:
    """The sockets as URLs."""
    scheme = "https" if options.ssl_certfile else "http"
    names = [each.getsockname()[:2] for each in sockets]
    return [f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}" for host, port in names]


def tls_context(options: ServerOptions) -> ssl.SSLContext | None:
    """Raises StartError if the certificate, its key or the ciphers cannot be used."""
    if options.ssl_certfile is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.ssl_certfile, options.ssl_keyfile)
        if options.ciphers:
            context.set_ciphers(options.ciphers)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"TLS cannot be set up with {options.ssl_certfile}: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def raise_file_limit() -> None:
    """Files are connections: ask for as many as the hard limit gives, up to 65,536."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard < 0 else min(FILES_WANTED, hard)
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connection_limit(wanted: int) -> int:
    if resource is None:
        return wanted
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft < 0 else max(1, min(wanted, (soft - FILES_KEPT) // 2))


# --- one process


def run(
    factory: str,
    settings: Settings,
    options: ServerOptions,
    sockets: Sequence[socket.socket],
    worker: Worker,
    *,
    channel: Channel | None = None,
    on_ready: Callable[[Sequence[str]], None] | None = None,
) -> int:
    """Serve on these sockets, in this process; its exit code. Raises StartError."""
    process = _Process(factory, settings, options, sockets, worker, channel, on_ready)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(process.main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists: half the time per request, and a sixth of the memory per TLS connection."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Process:
    """A serving process from start to end, as one object because signals arrive in the middle of everything."""

    def __init__(
        self,
        factory: str,
        settings: Settings,
        options: ServerOptions,
        sockets: Sequence[socket.socket],
        worker: Worker,
        channel: Channel | None,
        on_ready: Callable[[Sequence[str]], None] | None,
    ) -> None:
        self.factory = factory
        self.settings = settings
        self.options = options
        self.sockets = sockets
        self.worker = worker
        self.channel = channel
        self.on_ready = on_ready
        self.stop = asyncio.Event()
        self.reloads: asyncio.Queue[int | None] = asyncio.Queue()

    async def main(self) -> int:
        loop = asyncio.get_running_loop()
        context = tls_context(self.options)
        self._take_signals(loop)
        if self.channel is not None:
            self.channel.open(self._command, self.stop.set)
        service = await load_factory(self.factory)(self.worker, self.settings)
        hub = self.worker.hub = Hub(service, loop, _bounds(self.options))
        servers = [await self._accept(loop, hub, each, context) for each in self.sockets]
        settle_garbage()
        self._tell_ready(service)
        reloading = asyncio.create_task(self._reload_loop(service))
        await self.stop.wait()
        self.worker.draining = True
        for server in servers:
            server.close()
        reloading.cancel()
        await hub.drain(self.options.drain_seconds)
        await service.aclose()
        hub.close()
        return 0

    async def _accept(
        self, loop: asyncio.AbstractEventLoop, hub: Hub, bound: socket.socket, context: ssl.SSLContext | None
    ) -> asyncio.Server:
        def connect() -> Connection:
            return Connection(hub)

        backlog = self.options.backlog
        if context is None:
            return await loop.create_server(connect, sock=bound, backlog=backlog)
        seconds = self.options.head_seconds
        return await loop.create_server(
            connect, sock=bound, backlog=backlog, ssl=context, ssl_handshake_timeout=seconds, ssl_shutdown_timeout=2
        )

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if os.name != "posix":
            return  # there, Ctrl-C ends the runner, and nothing else is known
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self.reloads.put_nowait, None)

    def _stop(self, number: int) -> None:
        if self.stop.is_set():
            os._exit(128 + number)  # asked twice: no finishing, no handlers
        log.info("stopping: requests in flight get %g s to end", self.options.drain_seconds)
        self.stop.set()

    def _tell_ready(self, service: Service) -> None:
        self.worker.version = service.version
        if self.channel is not None:
            self.channel.say(state="serving", version=service.version)
        if self.on_ready is not None:
            self.on_ready(addresses(self.sockets, self.options))

    def _command(self, command: dict[str, Any]) -> None:
        """The supervisor's news: who the workers are, or `reload` with a number to answer with."""
        if "reload" in command:
            self.reloads.put_nowait(command["reload"])
        else:
            self.worker.fleet = command["fleet"]
            self.worker.admin = command["admin"] == os.getpid()

    async def _reload_loop(self, service: Service) -> None:
        """One reload at a time, in the order asked for."""
        while True:
            generation = await self.reloads.get()
            try:
                await service.reload()
            except Exception as error:  # whatever is wrong with the new configuration, the old one serves
                log.error("reload failed, still serving version %s: %s", service.version, error)
                self._say(state="reload failed", message=str(error), generation=generation)
            else:
                self.worker.version = service.version
                log.info("reloaded, serving version %s", service.version)
                self._say(state="serving", version=service.version, generation=generation)

    def _say(self, **news: Any) -> None:
        if self.channel is not None:
            self.channel.say(**news)


def load_factory(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _bounds(options: ServerOptions) -> Bounds:
    return Bounds(
        keepalive=options.keepalive_timeout,
        head=options.head_seconds,
        body_gap=options.body_gap_seconds,
        write_stall=options.write_stall_seconds,
        head_bytes=options.max_header_bytes,
        headers=options.max_headers,
        connections=connection_limit(options.max_connections),
    )


def settle_garbage() -> None:
    """Tell the collector what this process is like, once everything is loaded.

    What exists now stays for good: frozen, it is never visited again (a full collection took the pause of a slow
    request). What comes later is nearly all freed by reference counts, the hot path makes no cycles, so the youngest
    generation may be 25,000 objects instead of 700 before it is looked at: some 100 requests' worth in flight.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 20)
