"""The gateway as the app of `server.py`, and the composition root that builds it.

Inference is dispatched from a table before any framework runs; the rest is the management app. Exceptions become
answers here and nowhere else. A reload builds a new snapshot whole, swaps one reference, and the requests in flight
keep the one they began with.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.proxy import errors, explaining, headers, logs, place, probes, routing
from litellm.proxy.admin import roles
from litellm.proxy.admin.loading import Admin
from litellm.proxy.asgi import CallerGone
from litellm.proxy.auth import UnknownKey
from litellm.proxy.config.load import Config, load
from litellm.proxy.errors import ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.guard import Guard
from litellm.proxy.inference import Route, Streaming, serve
from litellm.proxy.keys.identity import Identity
from litellm.proxy.lasting import Lasting
from litellm.proxy.metrics import Metrics
from litellm.proxy.routes import PUBLIC, inference
from litellm.proxy.server import StartError, Worker
from litellm.proxy.snapshot import Snapshot, build
from litellm.proxy.stock import EMPTY, LeftOut, Stock
from litellm.router.explain import Trace
from litellm.router.health import Health
from litellm.transport.base import is_unsent
from litellm.transport.choice import transport_for

if TYPE_CHECKING:  # loaded once there is a store
    from litellm.kv.redis import Redis
    from litellm.proxy.books import Books
    from litellm.proxy.checking import Checks
    from litellm.proxy.lease import Lease
    from litellm.router.pool import Pool
    from litellm.router.rests import Rests

WARM_SECONDS: Final = 0.2  # after the start the management app is loaded, unless somebody asked for it before
BEAT_SECONDS: Final = 0.5  # how often the loop's lag is measured, and of how many times the largest is shown
BEATS: Final = 10

_log = logging.getLogger("litellm.proxy")


class Gateway:
    """One worker's app. It owns what outlives a reload: connections, counters, what is known of the deployments."""

    exchange_type = Exchange

    def __init__(self, source: "Source", worker: Worker) -> None:
        self.worker = worker
        self.engine = Engine(transport_for(os.environ), perf_counter)
        self.health = Health()
        self.metrics = Metrics(worker.folder, worker.name)
        self._debug = _log.isEnabledFor(logging.DEBUG)
        self._source = source
        self._admin = Admin(self)
        self.warm = self._admin.warm
        self._stock = EMPTY
        self._reported: tuple[LeftOut, ...] = ()
        self._lasting = Lasting(worker, self.metrics)
        self.snapshot: Snapshot = self._whole(build(source.load(), self.engine, os.environ))
        self.guard = Guard(self.snapshot.config.general_settings.trusted_proxies)
        self.books: Books | None = None
        self._opening: asyncio.Task[Books] | None = None
        self._redis: Redis | None = None
        self._rests: Rests | None = None
        self._pool: Pool | None = None
        self.checks: Checks | None = None
        self._checking: asyncio.Task[None] | None = None
        self._lags: deque[float] = deque([0.0], maxlen=BEATS)
        self._beat()

    @property
    def version(self) -> str:
        return str(self.snapshot.version)

    async def open_books(self) -> "Books":
        """The store and all that hangs on it; made when it is first needed. Raises StoreError, JournalError."""
        opening = self._opening = self._opening or asyncio.create_task(self._open_books())
        try:
            return await asyncio.shield(opening)
        except Exception:
            if self._opening is opening:
                self._opening = None  # the next one to need it tries again
            raise

    async def _open_books(self) -> "Books":
        from litellm.proxy.books import open_books  # with SQLAlchemy

        self.books = books = await open_books(self.snapshot.config, self.worker, self.metrics)
        books.shelf.heard = self._restock
        self._restock(books.shelf.stock)
        await books.recall.ask()
        return books

    def begin(self) -> None:
        """What goes on beside the requests. With a Redis, together with other hosts. Raises ValueError, ImportError."""
        address = place.redis_of(self.snapshot.config)
        if address is not None:
            from litellm.kv.redis import Redis
            from litellm.router.rests import Rests

            self._redis = Redis(address)
            self._rests = Rests(self._redis, self.health)
        self._share()
        self._check()

    async def reload(self) -> None:
        """Serve the config as it is now, from the next request on. Raises, and then nothing has changed."""
        self._take(self._source.load(), self.snapshot.version + 1)
        self._check()
        self.guard.trust(self.snapshot.config.general_settings.trusted_proxies)
        if self.books is not None:
            self.books.reconfigure(self.snapshot.config)

    def _restock(self, stock: Stock) -> None:
        """The store has other models, or credentials: serve them from the next request on, beside the config's."""
        self._stock = stock
        try:
            self._take(self.snapshot.config, self.snapshot.version)
        except Exception:  # whatever is in the store, what was served before goes on
            _log.exception("the store's models cannot be served")

    def _take(self, config: Config, version: int) -> None:
        """Build the new snapshot whole, then swap it in. Raises, and then nothing has changed."""
        self.snapshot = self._whole(build(config, self.engine, os.environ, version, self._stock))
        self.report()
        if self.books is not None:
            self.books.keys.regroup(place.groups_of(self.snapshot.entries))
            self.books.follow(self.snapshot.budgeting and self.snapshot.budgeting.spending)
        self._share()

    def _whole(self, snapshot: Snapshot) -> Snapshot:
        """With what outlives a reload. Nothing of that is touched before all that may fail is done."""
        snapshot = self._lasting.completed(snapshot)
        spending = None if snapshot.budgeting is None else snapshot.budgeting.spending
        routing.attach(snapshot.config, snapshot.entries, snapshot.router.deployments.all, self.health, spending)
        return snapshot

    def _share(self) -> None:
        """What budgets have spent is added up with other workers and hosts, once there is something and a Redis."""
        if self._pool is None and self._redis is not None and self.snapshot.budgeting is not None:
            from litellm.router.pool import Pool

            self._pool = Pool(self._redis, self.snapshot.budgeting.spending)

    def report(self) -> None:
        """Say once which deployments are not served."""
        for one in self.snapshot.left_out:
            if one not in self._reported:
                _log.warning("deployment %s of model %r is left out: %s", one.id, one.model_name, one.reason)
        self._reported = self.snapshot.left_out

    async def identify(self, headers: Mapping[bytes, bytes], client: tuple[str, int] | None) -> Identity:
        """Who shows the key among these headers. Raises ProxyError: 401, 429, 503."""
        try:
            return self.snapshot.auth.identify(headers, self.books and self.books.keys)
        except UnknownKey as shown:
            return (await self._unknown(shown, client, headers))[0]

    async def _unknown(
        self, shown: UnknownKey, client: tuple[str, int] | None, headers: Mapping[bytes, bytes]
    ) -> tuple[Identity, "Books | None"]:
        """Whose key it is after all, and the books that say so. Raises ProxyError: 401, 429, 503."""
        books = self.books or await self._books_found()
        return await self.guard.unknown(shown, client, headers, books and books.keys), books

    async def _books_found(self) -> "Books | None":
        """Another worker may have made the store a moment ago, and the key with it. Raises ProxyError 503."""
        if not place.exists(self.snapshot.config):
            return None
        try:
            return await _opened(self)
        except StartError as error:
            _log.error("the store cannot be opened: %s", error)
            raise ProxyError(503, "The database cannot be opened", "no_db_connection") from None

    def _check(self) -> None:
        """Begins with the checks in the background, or ends them, as the config says."""
        wanted = bool(self.snapshot.config.general_settings.background_health_checks)
        if wanted and self.checks is None:
            from litellm.proxy.checking import Checks

            self.checks = Checks(self, self._lease())
            self._checking = asyncio.get_running_loop().create_task(self.checks.run())
        elif not wanted and self._checking is not None:
            self._checking.cancel()
            self.checks = self._checking = None

    def _lease(self) -> "Lease | None":
        """The right to check, of which there is one among the hosts that share a Redis."""
        if self._redis is None:
            return None
        from litellm.proxy.lease import Lease

        return Lease(self._redis, "checks")

    def _beat(self, due: float | None = None) -> None:
        """A callback that knows when it was due tells how long ready callbacks wait."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._beating = loop.call_later(BEAT_SECONDS, self._beat, now + BEAT_SECONDS)  # first: nothing below may end it
        self._lags.append(0.0 if due is None else max(0.0, now - due))
        self.metrics.lag(max(self._lags))
        self.metrics.waiting(self.health.waiting())
        self.metrics.add_up()
        if self._opening is None and place.exists(self.snapshot.config):
            self._opened = loop.create_task(self._open_found())  # another worker has made it

    async def _open_found(self) -> None:
        try:
            await _opened(self)
        except StartError as error:  # the next beat tries again
            _log.error("the store cannot be opened: %s", error)
        except Exception:  # a background job, too
            _log.exception("the store cannot be opened")

    async def aclose(self) -> None:
        self._beating.cancel()
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait((self._checking,))  # it tells Redis
        if self._pool is not None:
            await self._pool.aclose()
        if self._rests is not None:
            await self._rests.aclose()
        if self.books is not None:
            await self.books.aclose()
        await self.engine.aclose()
        await self._lasting.aclose()
        self.metrics.close()

    async def handle(self, exchange: Exchange) -> None:
        """One request, whatever it is."""
        exchange.started = perf_counter()
        exchange.named()
        self.metrics.began()
        try:
            route = inference(exchange.path)
            if route is not None and exchange.method == "POST":
                if self._debug or explaining.HEADER in exchange.fields or route.explains:
                    exchange.trace = Trace()
                streaming = await self._begun(exchange, route)  # nothing here may hold the snapshot: a stream is long
                if streaming is not None:
                    await streaming()
            else:
                await self._other(exchange, route)
        except (asyncio.CancelledError, CallerGone) as gone:
            exchange.status = exchange.status or errors.HUNG_UP
            if exchange.charge is not None:
                exchange.charge.abandoned(sent=not is_unsent(gone))
            raise
        except e.LiteLLMError as error:
            _refuse(exchange, error)
        except Exception as error:  # the outermost edge: a defect of ours, said in the log, not to the caller
            _log.exception("internal error, call %s", exchange.call_id)
            _refuse(exchange, error)
        finally:
            if exchange.recording is not None:
                await exchange.recording.ended(exchange.model)
            seconds = perf_counter() - exchange.started
            self.metrics.ended(
                _label(exchange.path), exchange.model, exchange.broke or exchange.status, seconds,
                exchange.upstream_seconds, exchange.overhead_seconds,
            )  # fmt: skip
            if exchange.trace is not None:
                explaining.log(exchange)
            if self._debug:
                _log.debug(
                    "%s %s: %d after %.3f s, upstream %.3f s, model %r, call %s",
                    exchange.method, exchange.path, exchange.status, seconds, exchange.upstream_seconds,
                    exchange.model, exchange.call_id,
                )  # fmt: skip

    def _begun(self, exchange: Exchange, route: Route) -> Awaitable[Streaming | None]:
        snapshot = self.snapshot
        serving = serve(snapshot, exchange, route, self.metrics, self.books, self._unknown)
        return serving if snapshot.hooks is None else snapshot.hooks.watched(exchange, serving)

    async def _other(self, exchange: Exchange, route: Route | None) -> None:
        """Whatever is not an inference request."""
        path, method = exchange.path, exchange.method
        if path not in PUBLIC:
            exchange.identity = await self.identify(exchange.fields, exchange.connection.client)
            roles.check(exchange.identity, method, path)
        if route is not None:
            raise ProxyError(405, f"{path} takes POST", headers={"allow": "POST"})
        probe = probes.find(path)
        if probe is None:
            await self._admin(exchange)
        elif method in ("GET", "HEAD"):
            probe(self, exchange)
        else:
            raise ProxyError(405, f"{path} takes GET", headers={"allow": "GET, HEAD"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where the config comes from: a file, the command line, or both; read again at each reload."""

    path: Path | None
    overrides: Mapping[str, Any]
    key_needed: bool = False
    """Other machines can reach the gateway: a config without a master key is refused."""

    def load(self) -> Config:
        """Checked, with its `environment_variables` set in this process. Raises ConfigError."""
        config = load(self.path, self.overrides)
        if self.key_needed and config.general_settings.master_key is None:
            raise ValueError("general_settings.master_key is missing, and the gateway does not listen on loopback only")
        os.environ.update(config.environment_variables)
        return config


async def make(worker: Worker, settings: Mapping[str, Any]) -> Gateway:
    """The factory that `server.py` calls in each process that serves; `settings` are those of `run`."""
    logs.set_up(settings["debug"])
    path = Path(settings["config"]) if settings["config"] else None
    gateway = Gateway(Source(path, settings["overrides"], settings["key_needed"]), worker)
    if place.exists(gateway.snapshot.config):
        await _opened(gateway)
    try:
        gateway.begin()
    except (ValueError, ImportError) as error:
        raise StartError(str(error)) from None
    gateway.report()
    asyncio.get_running_loop().call_later(WARM_SECONDS, gateway.warm)
    return gateway


async def _opened(gateway: Gateway) -> "Books":
    """Raises StartError for a store that cannot be opened, or a folder that no journal can be kept in."""
    from litellm.proxy.spend.journal import JournalError
    from litellm.store.base import StoreError

    try:
        return await gateway.open_books()
    except (StoreError, JournalError) as error:
        raise StartError(str(error)) from error


def _refuse(exchange: Exchange, error: Exception) -> None:
    """An exception as the answer; after the status line only the connection's end can say that it failed."""
    if exchange.status:
        exchange.broke = errors.status_of(error)
        raise error
    _log.debug("call %s: %s", exchange.call_id, error)
    if exchange.charge is not None:
        exchange.charge.failed(error)
    hints = b"".join(headers.line(name, value) for name, value in errors.headers_of(error))
    if exchange.trace is not None:
        hints += explaining.line(exchange)
    exchange.answer(errors.status_of(error), headers.of_error(exchange) + hints, errors.encoded(error))


def _label(path: str) -> str:
    """A path as a metric's label: none that a caller can make up."""
    route = inference(path)
    if route is not None:
        return route.path
    return path if path in PUBLIC or path in probes.PROBES else "other"
