"""The hot path: an inference request, from the caller's bytes to the answer, on one screen.

Nothing here catches anything: exceptions become answers in `app.py`. `serve` returns a stream instead of relaying it,
so that a long one holds on to its own call only and not to the config it began under.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import orjson

from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import body, errors, explaining, headers, prices
from litellm.proxy.auth import UnknownKey
from litellm.proxy.destination import destination
from litellm.proxy.errors import DISCONNECTED
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import Identity
from litellm.proxy.metrics import Metrics
from litellm.proxy.snapshot import Snapshot
from litellm.proxy.splice import Splicer
from litellm.proxy.streaming import Relay
from litellm.router.deployments import Deployment
from litellm.router.router import Served
from litellm.types.calls import Ask, Op, as_object

if TYPE_CHECKING:  # there are books only if there is a store, a passage only if callbacks have hooks
    from litellm.proxy.books import Books
    from litellm.proxy.charge import Charge
    from litellm.proxy.continuing import Continued
    from litellm.proxy.filtering import FilteredRelay
    from litellm.proxy.hooks import Passage

Streaming = Callable[[], Awaitable[None]]
Unknown = Callable[
    [UnknownKey, tuple[str, int] | None, Mapping[bytes, bytes]], Awaitable[tuple[Identity, "Books | None"]]
]
"""Whose key it is after all, and the books by now. Raises ProxyError."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means: the operation, and the model if the path names one."""

    op: Op
    path: str
    model: str | None = None
    explains: bool = False
    """Nothing is called: the answer is what would have been."""


async def serve(
    snapshot: Snapshot, exchange: Exchange, route: Route, metrics: Metrics, books: "Books | None", unknown: Unknown
) -> Streaming | None:
    """Answers, or returns the stream that is the answer. Raises whatever is to become an error."""
    keys = books.keys if books is not None else None
    try:
        identity = snapshot.auth.identify(exchange.fields, keys)
    except UnknownKey as shown:
        identity, books = await unknown(shown, exchange.connection.client, exchange.fields)
        keys = books.keys if books is not None else None
    exchange.cancel_on_hangup()
    raw = exchange.whole_body(snapshot.max_body)
    if raw is None:
        raw = await exchange.body(snapshot.max_body)
    named = route.model or exchange.query("model")
    if b"idempotency-key" in exchange.fields and await _replayed(snapshot, exchange, identity, raw):
        return None
    if snapshot.hooks is not None:
        raw = await snapshot.hooks.passage(exchange, identity, route.op).before(raw, named, snapshot.default_model)
        named = None
    ask, ours, usage_wanted = body.read(route.op, raw, route.path, named, snapshot.default_model, exchange.call_id)
    asked = ask.model
    group, wanted, ours, retries = destination(snapshot, exchange, identity, route.path, ask, ours, keys)
    if snapshot.checks_windows:
        group = await _roomy(snapshot, exchange, ask, group, raw)
    if route.explains:
        return explaining.answer(snapshot, exchange, ask, group)
    router, continuing = snapshot.router, snapshot.continuing
    if books is not None:
        reach = router.reachable(group, ask.fallbacks)
        continues = continuing is not None and continuing.takes(ask, group)
        embedders = () if snapshot.cache is None else snapshot.cache.embedders(router, ask)
        charge = await books.meter.admit(identity, ask, group, wanted, len(raw), reach, continues, embedders)
        exchange.charge = charge
        if snapshot.keeps_prompts:
            exchange.kept = books.upkeep.prompts.begin(charge.row, ask)
    elif snapshot.budgeting is not None:
        exchange.charge = snapshot.budgeting.begin(ask, group, len(raw))
    if snapshot.cache is not None:
        router = snapshot.cache.before(router, exchange, identity, ours)
    if ask.stream:
        opening = router.stream(ask, group, retries)
        streamed = await (opening if exchange.passage is None else exchange.passage.beside(opening, exchange.charge))
        told = None
        if continuing is not None and not exchange.cache_hit and continuing.takes(ask, group):
            told = continuing.over(exchange, streamed, ask, asked, group, retries, len(raw))
        splicer = _splicer(exchange, asked, usage_wanted, streamed)
        return partial(_stream, exchange, streamed, splicer, told or splicer, snapshot.commit_seconds, metrics)
    sending = router.send(ask, group, retries)
    served = await (sending if exchange.passage is None else exchange.passage.beside(sending, exchange.charge))
    await _answer(exchange, served, asked, metrics)
    return None


def _roomy(
    snapshot: Snapshot, exchange: Exchange, ask: Ask, group: tuple[Deployment, ...], raw: bytes
) -> Awaitable[tuple[Deployment, ...]]:
    """Loaded for a config with `enable_pre_call_checks`."""
    from litellm.proxy.windows import roomy

    return roomy(snapshot.router, exchange, ask, group, raw)


def _splicer(exchange: Exchange, asked: str, usage_wanted: bool, streamed: Served[EventStream]) -> Splicer:
    make = Splicer if exchange.kept is None else exchange.kept.splicer
    return make(asked, usage_wanted, streamed.result.decode)


async def _replayed(snapshot: Snapshot, exchange: Exchange, identity: Identity, raw: bytes) -> bool:
    """Whether this was a retry, and has been answered as the first was."""
    once = snapshot.once()
    return once is not None and await once.replayed(exchange, identity, raw)


async def _answer(exchange: Exchange, served: Served[Reply], asked: str, metrics: Metrics) -> None:
    reply = served.result
    wire = reply.wire
    exchange.upstream_seconds = reply.seconds
    if "model" in wire:
        wire["model"] = asked
    usage = as_object(wire.get("usage"))
    costs, made = b"", None
    if usage:
        if not exchange.cache_hit:
            metrics.used(exchange.model, usage)
        served.deployment.used(usage)
        made = prices.of_answer(served.deployment, wire, usage, reply.seconds)
        costs = headers.of_cost(made)
    charge = exchange.charge
    if charge is not None:
        charge.served_by(served.deployment, served.retries)
        settling = charge.answered(usage, made)
        if settling is not None:
            await settling
        costs += charge.lines()
    if exchange.passage is not None:
        wire, lines = await exchange.passage.answered(wire)
        costs += lines
    if exchange.trace is not None:
        costs += explaining.line(exchange)
    body = orjson.dumps(wire)
    if exchange.kept is not None:
        exchange.kept.answered(body)
    fields = headers.of_call(headers.JSON, exchange, served, reply.headers, perf_counter(), costs)
    exchange.answer(200, fields, body)


async def _stream(
    exchange: Exchange,
    served: Served[EventStream],
    splicer: Splicer,
    told: "Splicer | Continued",
    silence: float,
    metrics: Metrics,
) -> None:
    """`told` knows what whoever is answering has used."""
    stream = served.result
    exchange.upstream_seconds = stream.seconds
    charge, lines, last = exchange.charge, b"", None
    if charge is not None:
        charge.served_by(served.deployment, served.retries)
        lines, last = charge.lines(), partial(_bill, charge, served, told)
    passage = exchange.passage
    if passage is not None:
        try:
            lines += await passage.lines()
        except BaseException as error:  # nobody else has the stream yet
            stream.close()
            if last is not None:
                last(errors.said(error) if isinstance(error, Exception) else DISCONNECTED)
            raise
    if exchange.trace is not None:
        lines += explaining.line(exchange)
    fields = headers.of_call(headers.SSE, exchange, served, stream.headers, perf_counter(), lines)
    try:
        relay = Relay if passage is None or not passage.on_streams else _filtered(passage)
        await relay(exchange, stream, splicer, silence, last).run(fields)
    finally:
        if last is not None:
            last(DISCONNECTED)
        if exchange.kept is not None:
            exchange.kept.ended()
        if told.usage and not exchange.cache_hit:
            metrics.used(exchange.model, told.usage)
            served.deployment.used(told.usage)


def _filtered(passage: "Passage") -> "Callable[..., FilteredRelay]":
    """Loaded for a config whose callbacks have hooks on streams."""
    from litellm.proxy.filtering import FilteredRelay

    return partial(FilteredRelay, passage)


def _bill(
    charge: "Charge", served: Served[EventStream], told: "Splicer | Continued", failure: str | None
) -> Awaitable[None] | None:
    """A stream's end: by the usage it reported, else by its prompt's estimate and the events that went by."""
    usage, deployment = told.usage, served.deployment
    made = prices.of_answer(deployment, {}, usage, served.result.seconds) if usage else None
    estimate = prices.estimate(deployment, charge.row.prompt_tokens, told.events)
    return charge.streamed(failure, usage, made, told.events, estimate)
