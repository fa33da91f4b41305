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
from typing import Final
from weakref import WeakKeyDictionary

from litellm.engine.engine import Engine
from litellm.engine.resolve import Wish, resolve
from litellm.router.deployments import Deployments
from litellm.router.plan import RetryPolicy
from litellm.router.router import Router
from litellm.settings import settings
from litellm.transport.http import HttpTransport
from litellm.transport.tunnel import proxies_from_environment
from litellm.types.calls import Target

MAX_TARGETS: Final = 1000


class Client:
    """The routers and the addresses in use, by event loop and by what was asked for."""

    def __init__(self) -> None:
        self._routers: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Router, AsyncGenerator[None, None]]]
        self._routers = WeakKeyDictionary()
        self._targets: OrderedDict[tuple[object, ...], Target] = OrderedDict()

    async def router(self) -> Router:
        """This loop's router. It has no deployments of its own: each call brings one."""
        known = self._routers.get(asyncio.get_running_loop())
        return known[0] if known is not None else await self._open()

    async def _open(self) -> Router:
        engine = Engine(HttpTransport(proxies=proxies_from_environment(os.environ)), time.perf_counter)
        router = Router(Deployments([]), engine, RetryPolicy())
        closer = _closer(engine)
        self._routers[asyncio.get_running_loop()] = (router, closer)
        await anext(closer)  # started, so that the loop finalizes it
        return router

    def target(self, wish: Wish, mocked: bool = False) -> Target:
        """The resolved target; the same object for the same values, so that its encoded headers are made once.

        A mocked call goes nowhere, so it needs no key and no address.
        """
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


async def _closer(engine: Engine) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await engine.aclose()


client: Final = Client()
os.register_at_fork(after_in_child=client.__init__)
