"""The hot path: an inference request, from the caller's bytes to the answer, on one screen.

Nothing here catches anything: exceptions become answers in `app.py`. `serve` returns the answer instead of sending it,
so that a long stream holds on to its own call only and not to the config it began under.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final

import orjson

from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import body, clientside, headers, prices
from litellm.proxy.exchange import Exchange
from litellm.proxy.metrics import Metrics
from litellm.proxy.snapshot import Snapshot
from litellm.proxy.splice import Splicer
from litellm.proxy.streaming import Relay
from litellm.router.router import Served
from litellm.types.calls import Json, Op, as_object

Sending = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means: the operation, and the model if the path names one."""

    op: Op
    path: str
    model: str | None = None


# Headers that say what a body may say too (litellm-contract 1b.6).
_STEERING: Final = {
    b"x-litellm-timeout": "timeout",
    b"x-litellm-stream-timeout": "stream_timeout",
    b"x-litellm-num-retries": "num_retries",
    b"x-litellm-max-retries": "max_retries",
}


async def serve(snapshot: Snapshot, exchange: Exchange, route: Route, metrics: Metrics) -> Sending:
    """Raises whatever is to become an error answer."""
    snapshot.auth.check(exchange.headers)
    exchange.cancel_on_hangup()
    raw = await exchange.body(snapshot.max_body)
    named = route.model or exchange.query("model")
    read = body.read(route.op, raw, route.path, named, snapshot.default_model, exchange.call_id)
    ask, ours = read.ask, read.ours
    group = snapshot.router.deployments.group(ask.model)
    if not group:
        raise body.unknown_model(route.path, ask.model)
    exchange.model = group[0].model_name
    if not _STEERING.keys().isdisjoint(exchange.headers):
        ours = {**_steered(exchange), **ours}
    if ours:
        clientside.refuse(ours, group)
        group = clientside.applied(ours, group, ask.stream)
    retries = clientside.retries(ours) if ours else None
    if ask.stream:
        streamed = await snapshot.router.stream(ask, group, retries)
        splicer = Splicer(ask.model, read.usage_wanted, streamed.result.decode)
        return partial(_stream, exchange, streamed, splicer, snapshot.commit_seconds, metrics)
    served = await snapshot.router.send(ask, group, retries)
    return partial(_answer, exchange, served, ask.model, metrics)


async def _answer(exchange: Exchange, served: Served[Reply], asked: str, metrics: Metrics) -> None:
    reply = served.result
    wire = reply.wire
    exchange.upstream_seconds = reply.seconds
    if "model" in wire:
        wire["model"] = asked
    usage = as_object(wire.get("usage"))
    costs = b""
    if usage:
        metrics.used(exchange.model, usage)
        costs = headers.of_cost(prices.of_answer(served.deployment, wire, usage, reply.seconds))
    body = orjson.dumps(wire)
    fields = headers.of_call(
        headers.JSON, exchange, served.deployment, served.retries, reply.headers, perf_counter(), costs
    )
    exchange.answer(200, fields, body)


async def _stream(
    exchange: Exchange, served: Served[EventStream], splicer: Splicer, silence: float, metrics: Metrics
) -> None:
    stream = served.result
    exchange.upstream_seconds = stream.seconds
    fields = headers.of_call(headers.SSE, exchange, served.deployment, served.retries, stream.headers, perf_counter())
    try:
        await Relay(exchange, stream, splicer, silence).run(fields)
    finally:
        if splicer.usage:
            metrics.used(exchange.model, splicer.usage)


def _steered(exchange: Exchange) -> Json:
    return {name: exchange.header(header) for header, name in _STEERING.items() if header in exchange.headers}
