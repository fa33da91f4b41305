"""`enable_pre_call_checks`: a prompt that is too long for a deployment is not sent there.

No text has more tokens than bytes. So most prompts are never counted: they are shorter than the smallest window.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from litellm.catalog import counting, tokens
from litellm.proxy.exchange import Exchange
from litellm.router import prechecks
from litellm.router.deployments import Deployment
from litellm.router.router import Router
from litellm.types.calls import Ask, Json, as_list

Group = tuple[Deployment, ...]

_IMAGE: Final = b"image"
"""A part of a message that may have more tokens than bytes says this word."""


async def roomy(router: Router, exchange: Exchange, ask: Ask, group: Group, raw: bytes) -> Group:
    """The group's deployments that the prompt fits in; its fallbacks are looked at likewise.

    If there are none it is the whole group, and the ask is to fail with ContextWindowExceededError.
    """
    if ask.op != "chat" or ask.failing is not None:
        return group
    known = [most for one in router.reachable(group, ask.fallbacks) if (most := prechecks.window(one)) is not None]
    if not known or (len(raw) <= min(known) and _IMAGE not in raw):
        return group
    count = await asyncio.to_thread(prompt_tokens, ask.params, group[0].target.model)
    if count is None:
        return group
    if router.falls_back(ask):
        ask.fit = partial(_fit, ask.fit, count)
    fitting = prechecks.fitting(group, count)
    if exchange.trace is not None:
        why = f"its context window is smaller than the prompt's {count} tokens"
        if fitting:
            exchange.trace.filtered(group, fitting, why)
        else:
            exchange.trace.unfit(group, why)
    if not fitting:
        ask.failing = prechecks.too_long(ask.model, count)
    return fitting or group


def prompt_tokens(params: Json, model: str) -> int | None:
    """Of a chat, whatever its caller wrote; None if it is nested too deeply to be looked at."""
    messages, tools = as_list(params.get("messages")) or [], as_list(params.get("tools"))
    try:
        told = counting.unprimed(messages, tools, params.get("tool_choice"), counting.counter(model))
    except RecursionError:
        return None
    return told + tokens.PRIMING


def _fit(others: Callable[[Group], Group] | None, count: int, group: Group) -> Group:
    return prechecks.fitting(group if others is None else others(group), count)
