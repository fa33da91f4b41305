"""The management app, loaded when it is first asked for, or shortly after the start, in a thread.

FastAPI takes longer to import than everything else here together; inference does not wait for it.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from litellm.proxy.exchange import Exchange, Message

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway


class Admin:
    """Hands exchanges to the FastAPI app."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._loading: asyncio.Task[Any] | None = None

    def warm(self) -> None:
        """Begin loading now, in the background."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))

    async def __call__(self, exchange: Exchange) -> None:
        self.warm()
        assert self._loading is not None
        app = await asyncio.shield(self._loading)

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            await exchange.send(message)

        await app(exchange.scope, exchange.receive, send)

    def _load(self) -> Any:
        from litellm.proxy.admin.app import make

        return make(self._gateway)
