"""The hot path: an inference request, from the caller's bytes to the answer, on one screen.

Nothing here catches anything: exceptions become answers in `app.py`. `serve` returns a stream instead of relaying it,
so that a long one holds on to its own call only and not to the config it began under.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final

import orjson

from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import body, clientside, explaining, headers, prices, regions
from litellm.proxy.auth import UnknownKey
from litellm.proxy.errors import ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.access import may_call
from litellm.proxy.keys.identity import MASTER, Identity
from litellm.proxy.metrics import Metrics
from litellm.proxy.snapshot import Snapshot
from litellm.proxy.splice import Splicer
from litellm.proxy.streaming import Relay
from litellm.router.deployments import Deployment
from litellm.router.router import Served
from litellm.router.tags import tagged
from litellm.types.accounts import Wanted, storable
from litellm.types.calls import Ask, Json, Op, as_list, as_object

if TYPE_CHECKING:  # there are books only if there is a store, a passage only if callbacks have hooks
    from litellm.proxy.books import Books
    from litellm.proxy.filtering import FilteredRelay
    from litellm.proxy.hooks import Passage
    from litellm.proxy.meter import Charge

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


# Headers that say what a body may say too (litellm-contract 1b.6).
_STEERING: Final = {
    b"x-litellm-timeout": "timeout",
    b"x-litellm-stream-timeout": "stream_timeout",
    b"x-litellm-num-retries": "num_retries",
    b"x-litellm-max-retries": "max_retries",
}


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
    read = body.read(route.op, raw, route.path, named, snapshot.default_model, exchange.call_id)
    ask, ours, asked, retries = read.ask, read.ours, read.ask.model, None
    group = _group(snapshot, exchange, ask, identity, route)
    wanted = _NOBODY if keys is None and snapshot.any_tag is None else _wanted(exchange, ask, identity)
    bound = regions.bound(identity, keys.customer(wanted.end_user)) if keys is not None else None
    if bound is not None:
        group = _in_region(snapshot, exchange, ask, identity, bound, group)
    exchange.model = group[0].model_name
    if not _STEERING.keys().isdisjoint(exchange.fields):
        ours = {**_steered(exchange), **ours}
    if ours:
        clientside.refuse(ours, group)
        ask.fallbacks = _fallbacks(snapshot, ours, identity)
        group = clientside.applied(ours, group, ask.stream)
        retries = clientside.retries(ours)
    router = snapshot.router
    if router.falls_back(ask):
        ask.fit = partial(_fit, snapshot.any_tag, wanted.tags, bound, ours, ask.stream)  # ask itself: a cycle
    if snapshot.sticking is not None:
        ask.bond = snapshot.sticking.bond(exchange, identity, ask, ours)
    if route.explains:
        return explaining.answer(snapshot, exchange, identity, ask, group)
    if books is not None:
        reach = router.reachable(group, ask.fallbacks)
        exchange.charge = await books.meter.admit(identity, ask, group, wanted, len(raw), reach)
        ask.tries = exchange.charge.tries
        if snapshot.keeps_prompts:
            exchange.kept = books.upkeep.prompts.begin(exchange.charge.row, ask)
    if snapshot.cache is not None:
        router = snapshot.cache.before(router, exchange, identity, ours)
    if ask.stream:
        opening = router.stream(ask, group, retries)
        streamed = await (opening if exchange.passage is None else exchange.passage.beside(opening))
        splicer = _splicer(exchange, asked, read.usage_wanted, streamed)
        return partial(_stream, exchange, streamed, splicer, snapshot.commit_seconds, metrics)
    sending = router.send(ask, group, retries)
    served = await (sending if exchange.passage is None else exchange.passage.beside(sending))
    await _answer(exchange, served, asked, metrics)
    return None


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
    exchange: Exchange, served: Served[EventStream], splicer: Splicer, silence: float, metrics: Metrics
) -> None:
    stream = served.result
    exchange.upstream_seconds = stream.seconds
    charge, lines, last = exchange.charge, b"", None
    if charge is not None:
        charge.served_by(served.deployment, served.retries)
        lines, last = charge.lines(), partial(_bill, charge, served.deployment, splicer, stream.seconds)
    passage = exchange.passage
    if passage is not None:
        try:
            lines += await passage.lines()
        except BaseException:  # nobody else has the stream yet
            stream.close()
            raise
    if exchange.trace is not None:
        lines += explaining.line(exchange)
    fields = headers.of_call(headers.SSE, exchange, served, stream.headers, perf_counter(), lines)
    try:
        relay = Relay if passage is None or not passage.on_streams else _filtered(passage)
        await relay(exchange, stream, splicer, silence, last).run(fields)
    finally:
        if last is not None:
            last(CUT_OFF)
        if exchange.kept is not None:
            exchange.kept.ended()
        if splicer.usage and not exchange.cache_hit:
            metrics.used(exchange.model, splicer.usage)
            served.deployment.used(splicer.usage)


def _filtered(passage: "Passage") -> "Callable[..., FilteredRelay]":
    """Loaded for a config whose callbacks have hooks on streams."""
    from litellm.proxy.filtering import FilteredRelay

    return partial(FilteredRelay, passage)


CUT_OFF: Final = "499 ClientDisconnected"


def _bill(
    charge: "Charge", deployment: Deployment, splicer: Splicer, seconds: float, failure: str | None
) -> Awaitable[None] | None:
    """A stream's end: by the usage it reported, else by its prompt's estimate and the events that went by."""
    usage = splicer.usage
    made = prices.of_answer(deployment, {}, usage, seconds) if usage else None
    estimate = prices.estimate(deployment, charge.row.prompt_tokens, splicer.events)
    return charge.streamed(failure, usage, made, splicer.events, estimate)


def _group(
    snapshot: Snapshot, exchange: Exchange, ask: Ask, identity: Identity, route: Route
) -> tuple[Deployment, ...]:
    """The deployments that may serve an ask; its model's alias is put in its place. Raises ProxyError 400, 401, 403."""
    asked = ask.model
    if exchange.trace is not None:
        ask.trace, exchange.trace.admin = exchange.trace, identity.is_admin
    if identity is MASTER:
        ask.model = snapshot.aliases.get(asked, asked)
    else:
        _check(snapshot, identity, ask, exchange.path)
    group = snapshot.router.deployments.group(ask.model)
    if not group:
        raise body.unknown_model(route.path, asked)
    return group if snapshot.any_tag is None else _tagged(snapshot, exchange, ask, identity, group)


def _fallbacks(snapshot: Snapshot, ours: Json, identity: Identity) -> tuple[str, ...] | None:
    """Those that the caller names must be there, and open to its key. Raises ProxyError 400, 403."""
    named = clientside.fallbacks(ours)
    if not named:
        return named
    models = tuple(snapshot.aliases.get(name, name) for name in named)
    for model in models:
        if identity is not MASTER:
            identity.access.check(model)
        if not snapshot.router.deployments.group(model):
            text = f"'fallbacks' names a model that is not served here: {model[: body.MAX_QUOTED]}"
            raise ProxyError(400, text, param="fallbacks")
    return models


def _fit(
    any_tag: bool | None,
    tags: tuple[str, ...],
    bound: regions.Bound | None,
    ours: Json,
    stream: bool,
    group: tuple[Deployment, ...],
) -> tuple[Deployment, ...]:
    """A fallback's deployments as the caller's own would be: by its tags, in its region, within its timeout, with its
    key. None of them, if they do not let it say what it said."""
    if any_tag is not None:
        group = tagged(group, tags, any_tag)
    if bound is not None:
        group = regions.within(bound.regions, group)
    if not ours or not group:
        return group
    try:
        clientside.refuse(ours, group)
    except ProxyError:
        return ()
    return clientside.applied(ours, group, stream)


def _check(snapshot: Snapshot, identity: Identity, ask: Ask, path: str) -> None:
    """May a virtual key do this? Its aliases are applied first, then the config's. Raises ProxyError 403."""
    if not may_call(identity.allowed_routes, path, inference=True):
        raise ProxyError(403, f"Virtual key is not allowed to call this route: {path}", "auth_error")
    name = identity.aliases.get(ask.model, ask.model)
    ask.model = snapshot.aliases.get(name, name)
    identity.access.check(ask.model)


def _tagged(
    snapshot: Snapshot, exchange: Exchange, ask: Ask, identity: Identity, group: tuple[Deployment, ...]
) -> tuple[Deployment, ...]:
    """The group's deployments for the request's tags. Raises ProxyError 401, as LiteLLM does, if there are none."""
    tags = _wanted(exchange, ask, identity).tags
    fitting = tagged(group, tags, snapshot.any_tag is True)
    if exchange.trace is not None:
        exchange.trace.filtered(group, fitting, f"not for a request with tags {list(tags)}")
    if not fitting:
        text = f"No deployments available for model={ask.model} with tags {list(tags)}"
        raise ProxyError(401, text, "auth_error", param="tags")
    return fitting


def _in_region(
    snapshot: Snapshot,
    exchange: Exchange,
    ask: Ask,
    identity: Identity,
    bound: regions.Bound,
    group: tuple[Deployment, ...],
) -> tuple[Deployment, ...]:
    """The group's deployments in the allowed regions; else those of the end user's `default_model`, which takes the
    model's place. Raises ProxyError 400, 403."""
    fitting = regions.within(bound.regions, group)
    if not fitting and bound.default_model is not None:
        ask.model = snapshot.aliases.get(bound.default_model, bound.default_model)
        if identity is not MASTER:
            identity.access.check(ask.model)
        group = snapshot.router.deployments.group(ask.model)
        if snapshot.any_tag is not None and group:
            group = _tagged(snapshot, exchange, ask, identity, group)
        fitting = regions.within(bound.regions, group)
    if not fitting:
        places = " and ".join(bound.regions)
        text = f"No deployments available for model={ask.model} in the allowed region {places}"
        raise ProxyError(400, text, param="model")
    return fitting


_NOBODY: Final = Wanted()
_SAYING: Final = frozenset(
    {b"x-litellm-end-user-id", b"x-litellm-customer-id", b"x-litellm-tags", b"x-litellm-session-id"}
)


def _wanted(exchange: Exchange, ask: Ask, identity: Identity) -> Wanted:
    """Whom a call is for, by its headers, its `user` and its metadata."""
    if ask.metadata is None and not identity.tags and "user" not in ask.params and _SAYING.isdisjoint(exchange.fields):
        return _NOBODY
    metadata = ask.metadata or {}
    said = exchange.header(b"x-litellm-end-user-id") or exchange.header(b"x-litellm-customer-id")
    user = said or ask.params.get("user")
    listed = as_list(metadata.get("tags")) or ()
    tags = [*identity.tags, *(exchange.header(b"x-litellm-tags") or "").split(","), *map(str, listed)]
    return Wanted(
        end_user=storable(user) if isinstance(user, str) else None,
        tags=tuple(dict.fromkeys(storable(tag.strip()) for tag in tags if tag.strip())),
        session_id=storable(exchange.header(b"x-litellm-session-id") or "") or None,
    )


def _steered(exchange: Exchange) -> Json:
    return {name: exchange.header(header) for header, name in _STEERING.items() if header in exchange.fields}
