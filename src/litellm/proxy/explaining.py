"""Explanations as callers get them: `x-litellm-explain: 1` on a call, or `POST /router/explain` without one.

A call's explanation is a header of its answer, JSON of ASCII on one line: the same place for an answer, a stream (whose
first event has come by then) and an error. The gateway's log has it whole. Only admins see where deployments are.
"""

import json
import logging
from functools import partial
from random import random
from time import monotonic
from typing import Final

import orjson

from litellm.proxy import headers
from litellm.proxy.exchange import Exchange
from litellm.proxy.snapshot import Snapshot
from litellm.router.deployments import Deployment
from litellm.router.explain import SKIPPED, Trace
from litellm.router.fallbacks import UNFIT
from litellm.router.plan import choose
from litellm.types.calls import Ask, Json

HEADER: Final = b"x-litellm-explain"
LONGEST: Final = 4096
"""Bytes of the header: of a longer explanation the skipped candidates are left out, then all but the attempts."""
_NO: Final = frozenset({b"", b"0", b"false"})

_log = logging.getLogger("litellm.proxy")
_dumped = partial(json.dumps, separators=(",", ":"))


def asked(exchange: Exchange) -> bool:
    return exchange.fields.get(HEADER, b"").strip().lower() not in _NO


def line(exchange: Exchange) -> bytes:
    """The answer's header, if the caller wants one."""
    trace = exchange.trace
    return b"x-litellm-explain: %b\r\n" % _short(trace.view()) if trace is not None and asked(exchange) else b""


def _short(view: Json) -> bytes:
    steps: list[Json] = view["steps"]
    text = _dumped(view)
    if len(text) > LONGEST:
        shorter = [{**step, "candidates": [r for r in step["candidates"] if r["verdict"] != SKIPPED]} for step in steps]
        text = _dumped({**view, "steps": shorter, "shortened": True})
    if len(text) > LONGEST:
        bare = [{"model_group": step["model_group"], "attempt": step.get("attempt")} for step in steps]
        text = _dumped({**view, "steps": bare, "shortened": True})
    if len(text) > LONGEST:
        text = _dumped({"served_by": view["served_by"], "steps": [], "shortened": True})
    return text.encode()


def log(exchange: Exchange) -> None:
    """One line for a call that was explained, or that failed while all is logged; addresses included."""
    trace = exchange.trace
    if trace is None or not (asked(exchange) or (exchange.status >= 400 and trace.steps)):
        return
    trace.admin = True
    level = logging.INFO if asked(exchange) else logging.DEBUG
    _log.log(level, "call %s: %d, explained: %s", exchange.call_id, exchange.status, _dumped(trace.view()))


def answer(snapshot: Snapshot, exchange: Exchange, ask: Ask, group: tuple[Deployment, ...]) -> None:
    """What would happen to a call now: the choice in its group, and in each that it could fall back to. (Those that the
    config names are open to whoever may call the group.)"""
    router, trace, now = snapshot.router, exchange.trace or Trace(), monotonic()
    strategy = router.routing.strategy

    def chose(model: str, among: tuple[Deployment, ...]) -> None:
        how = strategy if ask.bond is None else ask.bond.over(strategy, model, now)
        trace.chose(among, how, now, choose(among, how, now, random()))

    if not trace.steps:  # else none of them may be asked
        chose(ask.model, group)
    for name in router.fallbacks.reachable(group[0].model_name, ask.fallbacks):
        other = router.deployments.group(name)
        if not other:
            continue
        fitting = ask.fit(other) if ask.fit is not None else other
        trace.filtered(other, fitting, UNFIT)
        if fitting:
            chose(name, fitting)
    first, *others = trace.view()["steps"]
    chosen = [row["model_id"] for row in first["candidates"] if row["verdict"] == "chosen"]
    told: Json = {**first, "chosen": chosen[0] if chosen else None, "fallbacks": others}
    exchange.answer(200, headers.of_answer(exchange), orjson.dumps(told))
