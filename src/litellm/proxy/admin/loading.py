"""The management app, loaded when it is first asked for, or shortly after the start, in a thread.

FastAPI takes longer to import than everything else here together; inference does not wait for it.
"""

import asyncio
import gc
from typing import TYPE_CHECKING, Any, Final

from litellm.proxy import headers
from litellm.proxy.exchange import Exchange, Message

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway


IDENTITY: Final = "litellm.identity"
"""Where in the scope a route finds who is calling."""


class Admin:
    """Hands exchanges to the FastAPI app; HEAD is GET without the body."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._loading: asyncio.Task[Any] | None = None

    def warm(self) -> None:
        """Begin loading now, in the background."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))

    async def __call__(self, exchange: Exchange) -> None:
        """Raises what a route raised."""
        self.warm()
        assert self._loading is not None
        app = await asyncio.shield(self._loading)
        exchange.cancel_on_hangup()
        scope: dict[str, Any] = {**exchange.scope(), IDENTITY: exchange.identity}
        head = scope["method"] == "HEAD"
        if head:
            scope["method"] = "GET"

        async def send(message: Message) -> None:
            if head and message["type"] == "http.response.body":
                message["body"] = b""
            if message["type"] != "http.response.start":
                await exchange.send(message)
                return
            message["headers"] = _with_ours(message["headers"], exchange)
            await exchange.send(message)
            exchange.status = message["status"]

        await app(scope, exchange.receive, send)
        raised = scope.get("litellm.raised")
        if raised is not None:
            raise raised

    def _load(self) -> Any:
        from litellm.proxy.admin.app import make

        app = make(self._gateway)
        gc.freeze()  # what it has loaded stays for good, like the rest (`server.settle_garbage`)
        return app


def _with_ours(theirs: list[tuple[bytes, bytes]], exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The headers of every answer, unless the route has set its own."""
    named = {name for name, _ in theirs}
    lines = (line.partition(b": ") for line in headers.of_answer(exchange).splitlines())
    return [*theirs, *((name, value) for name, _, value in lines if name not in named)]
