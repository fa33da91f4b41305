"""Answers from the cache: a router for one call that looks there first, and keeps what it had to ask for.

A hit is served by the group's first deployment at no price, so that all that follows (names, hooks, spend, streams) is
the same code. The cache is the process's and outlives a reload that does not change its settings.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import orjson

from litellm.caching.answers import DEFAULT_TTL, MAX_ENTRY, Answers
from litellm.caching.base import Store
from litellm.caching.controls import Controls, controls
from litellm.caching.keys import cache_key
from litellm.caching.memory import MemoryStore
from litellm.catalog import models, params
from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import headers, kept
from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.errors import ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import MASTER, Identity
from litellm.proxy.metrics import Metrics
from litellm.router.deployments import Deployment
from litellm.router.router import Router, Served
from litellm.types.calls import Ask, Json

WAIT_SECONDS: Final = 60.0
"""How long an ask waits for the same one that is under way, before it goes on its own."""

Group = tuple[Deployment, ...]

_FREE: Final = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}

_log = logging.getLogger("litellm.proxy")


@dataclass(slots=True)
class Cache:
    """The process's: its answers, its settings, and which asks are under way."""

    settings: CacheParams
    answers: Answers
    metrics: Metrics
    flights: dict[str, asyncio.Future[bytes | None]] = field(default_factory=dict[str, Any])
    writing: set[asyncio.Task[None]] = field(default_factory=set[Any])

    @property
    def store(self) -> Store:
        return self.answers.store

    def before(self, router: Router, exchange: Exchange, identity: Identity, ours: Json) -> "Router | CachedRouter":
        """The router of one call. Raises ProxyError 400 for controls that make no sense."""
        try:
            said = controls(ours.get("cache"), exchange.header(b"cache-control"))
        except ValueError as error:
            raise ProxyError(400, str(error), param="cache") from None
        wanted = self.settings.mode != "default_off" or said.use_cache
        if not wanted or any(ours[name] is not None and params.is_credential(name) for name in ours):
            return router  # an address or a key of the caller's own: another answerer
        return self.around(router, exchange, self._scope(identity), said)

    def embedders(self, router: Router, ask: Ask) -> Group:
        """Who is asked, beside whoever answers, and billed."""
        return ()

    def around(self, router: Router, exchange: Exchange, scope: str, said: Controls) -> "CachedRouter":
        return CachedRouter(self, router, exchange, scope, said)

    def _scope(self, identity: Identity) -> str:
        scope = self.settings.scope
        if scope == "global":
            return "global"
        if identity is MASTER:
            return "master"
        if identity.team_id and scope != "key":
            return f"team:{identity.team_id}"
        return f"key:{identity.key}"

    async def keep(self, key: str, wire: bytes, seconds: float) -> None:
        await self.answers.keep(key, wire, seconds)
        self.count()

    def keep_stream(self, keep: Callable[[bytes], Awaitable[None]], pieces: list[bytes]) -> None:
        """The caller, who has all of it, does not wait for this."""
        task = asyncio.get_running_loop().create_task(self._keep_stream(keep, pieces))
        self.writing.add(task)
        task.add_done_callback(self.writing.discard)

    async def _keep_stream(self, keep: Callable[[bytes], Awaitable[None]], pieces: list[bytes]) -> None:
        wire = await asyncio.to_thread(kept.answer_of, pieces)
        if wire is not None:
            await keep(wire)

    def count(self) -> None:
        """For `/metrics`: what lies in this process's memory."""
        if isinstance(self.store, MemoryStore):
            self.metrics.cache_holds(self.store.size)

    async def aclose(self) -> None:
        if self.writing:
            await asyncio.wait(self.writing)
        await self.store.aclose()


def make(settings: CacheParams, metrics: Metrics) -> Cache:
    """Raises ImportError for Redis without its library, ValueError for an address that is none."""
    answers = Answers(settings.place.store(), _log, settings.ttl or DEFAULT_TTL, settings.supported_call_types)
    if settings.is_semantic:
        from litellm.proxy import semantic

        return semantic.make(settings, answers, metrics)
    return Cache(settings, answers, metrics)


class CachedRouter:
    """For one call: the cache, then the router."""

    __slots__ = ("_cache", "_exchange", "_router", "_said", "_scope")

    def __init__(self, cache: Cache, router: Router, exchange: Exchange, scope: str, said: Controls) -> None:
        self._cache = cache
        self._router = router
        self._exchange = exchange
        self._scope = scope
        self._said = said

    async def send(self, ask: Ask, group: Group, num_retries: int | None = None) -> Served[Reply]:
        key = self._key(ask, group)
        if key is None:
            return await self._router.send(ask, group, num_retries)
        with self._unsent():
            found = await self._found(key)
        if found is None and self._cache.settings.single_flight and not (self._said.no_cache or self._said.no_store):
            flight = self._cache.flights.get(key)
            if flight is None:
                return await self._lead(key, ask, group, num_retries)
            with self._unsent():
                await asyncio.wait((flight,), timeout=WAIT_SECONDS)
            led = flight.result() if flight.done() else None
            found = None if led is None else orjson.loads(led)
        if found is not None:
            return self._whole(key, ask, found, self._hit(key, group))
        return (await self._ask(key, ask, group, num_retries))[0]

    async def _lead(self, key: str, ask: Ask, group: Group, num_retries: int | None) -> Served[Reply]:
        """Others wait for this one; if it fails, or its caller hangs up, each goes on its own."""
        flight: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._cache.flights[key] = flight
        answer = None
        try:
            served, answer = await self._ask(key, ask, group, num_retries)
            return served
        finally:
            del self._cache.flights[key]
            flight.set_result(answer)

    async def _ask(
        self, key: str, ask: Ask, group: Group, num_retries: int | None
    ) -> tuple[Served[Reply], bytes | None]:
        """What was answered, and that encoded. The answer of a fallback is not kept: it is another model's."""
        self._missed(group)
        served = await self._router.send(ask, group, num_retries)
        if served.fallbacks:
            return served, None
        wire = orjson.dumps(served.result.wire)
        if not self._said.no_store:
            await self._keep(key, wire)
        return served, wire

    async def stream(self, ask: Ask, group: Group, num_retries: int | None = None) -> Served[EventStream]:
        """An answer that was kept is played as a stream; a stream that was complete is kept as an answer."""
        key = self._key(ask, group)
        if key is None:
            return await self._router.stream(ask, group, num_retries)
        with self._unsent():
            found = await self._found(key)
        if found is not None:
            return await self._played(key, ask, found, self._hit(key, group))
        return await self._open(key, ask, group, num_retries)

    def _whole(self, key: str, ask: Ask, found: Json, served_by: Deployment) -> Served[Reply]:
        served = Served(Reply(found, [], 0.0), served_by)
        ask.cached = key
        self._router.remembered(ask, served)
        return served

    async def _played(self, key: str, ask: Ask, found: Json, served_by: Deployment) -> Served[EventStream]:
        played = await self._router.stream(replace(ask, mock=found, cached=key), (served_by,), 0)
        played.result.seconds = 0.0  # no provider was waited for
        return played

    async def _open(self, key: str, ask: Ask, group: Group, num_retries: int | None) -> Served[EventStream]:
        self._missed(group)
        served = await self._router.stream(ask, group, num_retries)
        if not (served.fallbacks or self._said.no_store):
            keep = partial(self._cache.keep_stream, partial(self._keep, key))
            served.result = kept.KeptStream(served.result, MAX_ENTRY, keep)
        return served

    async def _keep(self, key: str, wire: bytes) -> None:
        await self._cache.keep(key, wire, self._cache.answers.seconds(self._said))

    def _key(self, ask: Ask, group: Group) -> str | None:
        return self._key_of(ask.op, ask.params, ask, group) if self._cache.answers.takes(ask.op) else None

    def _key_of(self, op: str, wanted: Json, ask: Ask, group: Group) -> str | None:
        """Of an ask with these parameters in place of its own."""
        namespace = self._said.namespace or self._cache.settings.namespace or ""
        params = wanted if ask.mock_tool_calls is None else {**wanted, "mock_tool_calls": ask.mock_tool_calls}
        model = f"{group[0].model_name}\n{ask.model}"  # of a wildcard each name is another model
        if len(group) < len(
            self._router.deployments.group(ask.model)
        ):  # so is what some may answer: by tags, by region
            model = "\n".join((model, *(one.id for one in group)))
        return cache_key(self._scope, op, model, params, namespace=namespace, mock=ask.mock)

    async def _found(self, key: str) -> Json | None:
        return None if self._said.no_cache else await self._cache.answers.find(key, self._said.max_age)

    @contextmanager
    def _unsent(self) -> Generator[None]:
        """Nothing has been sent yet: who hangs up here owes nothing."""
        charge = self._exchange.charge
        if charge is not None:
            charge.waiting = True
        yield
        if charge is not None:  # not after a cancellation: then it has been waiting to its end
            charge.waiting = False

    def _missed(self, group: Group) -> None:
        if not self._said.no_cache:
            self._cache.metrics.cache_asked(group[0].model_name, hit=False)

    def _hit(self, key: str, group: Group, more: bytes = b"") -> Deployment:
        """`more`: header lines."""
        self._cache.metrics.cache_asked(group[0].model_name, hit=True)
        self._exchange.cache_hit = True
        charge = self._exchange.charge
        if charge is not None:
            charge.row.cache_hit = True
        lines = headers.of_deployment(group[0]) + headers.line("x-litellm-cache-key", key) + more
        return replace(
            group[0], rates=models.custom_rates(_FREE, None), headers=lines, resolve=None, keyless=None, mock=None,
            state=None,
        )  # fmt: skip
