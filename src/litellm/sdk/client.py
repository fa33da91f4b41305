"""The SDK's composition root: one engine and router per event loop, made when first needed.

Connections belong to a loop. A loop that is shut down (`asyncio.run` ends) closes its own through an asynchronous
generator that the loop finalizes; a forked child starts with none of its parent's.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

from litellm.engine.engine import Engine
from litellm.engine.resolve import Wish, resolve
from litellm.router.deployments import Deployments
from litellm.router.plan import RetryPolicy
from litellm.router.router import Router
from litellm.settings import settings
from litellm.transport.choice import transport_for
from litellm.types.calls import Target

MAX_TARGETS: Final = 1000


class Client:
    """The routers and the addresses in use, by event loop and by what was asked for."""

    def __init__(self) -> None:
        self._routers: dict[asyncio.AbstractEventLoop, tuple[Router, AsyncGenerator[None, None]]] = {}
        self._targets: OrderedDict[tuple[object, ...], Target] = OrderedDict()
        self._abandoned: list[Any] = []

    async def router(self) -> Router:
        """This loop's router. It has no deployments of its own: each call brings one."""
        known = self._routers.get(asyncio.get_running_loop())
        return known[0] if known is not None else await self._open()

    async def _open(self) -> Router:
        for loop in [loop for loop in self._routers if loop.is_closed()]:  # closed without its generators' end
            self._routers.pop(loop, None)
        engine = Engine(transport_for(os.environ), time.perf_counter)
        router = Router(Deployments([]), engine, RetryPolicy())
        closer = self._closer(engine)
        self._routers[asyncio.get_running_loop()] = (router, closer)
        await anext(closer)  # started, so that the loop finalizes it
        return router

    async def _closer(self, engine: Engine) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._routers.pop(asyncio.get_running_loop(), None)
            await engine.aclose()

    def after_fork(self) -> None:
        """Begin anew in a child. What the parent has open is kept and never closed: the sockets are shared with it."""
        self._abandoned.append(self._routers)
        self._routers = {}

    def target(self, wish: Wish, mocked: bool = False, asynchronous: bool = True) -> Target:
        """The resolved target; the same object for the same values, so that its encoded headers are made once.

        A mocked call goes nowhere, so it needs no key and no address.
        """
        if settings.__dict__.get("custom_provider_map"):
            custom = _custom_target(wish, asynchronous)
            if custom is not None:
                return custom
        if mocked:
            wish = replace(wish, api_key=wish.api_key or "mock", api_base=wish.api_base or "http://mock.invalid")
        made = resolve(wish, settings, os.environ)
        key = (
            made.provider, made.model, made.base_url, made.api_key, made.organization, made.headers, made.timeouts,
            made.tls, made.drop_params, made.additional_drop_params, made.allowed_openai_params,
        )  # fmt: skip
        known = self._targets.get(key)
        if known is not None:
            return known
        self._targets[key] = made
        if len(self._targets) > MAX_TARGETS:
            self._targets.popitem(last=False)
        return made


def _custom_target(wish: Wish, asynchronous: bool) -> Target | None:
    """Where a call to one of the caller's own providers goes; None for all others."""
    from litellm.engine import custom
    from litellm.sdk.custom_llm import empty_result

    found = custom.find(settings.custom_provider_map, wish.model, wish.custom_llm_provider)
    return custom.target(wish, found, custom.Bound(found[2], asynchronous, empty_result)) if found else None


client: Final = Client()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=client.after_fork)
