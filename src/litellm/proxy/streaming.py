"""Relaying a stream: upstream bytes to the caller in the same turn of the loop in which they arrived.

No task, future or generator per event: the ASGI `send` coroutine is stepped by hand, which ends at once as long as the
caller reads. If it suspends, the upstream is paused and the rest goes on in a task.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.proxy import errors
from litellm.proxy.exchange import Exchange, HeaderList
from litellm.proxy.splice import DONE, Splicer

KEEPALIVE_SECONDS: Final = 15.0
KEEPALIVE: Final = b": keep-alive\n\n"
AFTER_DONE_SECONDS: Final = 1.0  # an upstream that has said [DONE] gets this long to end its answer


class Relay:
    """One stream on its way out. `run` returns when the caller has all of it; `splicer` then knows what it was."""

    __slots__ = ("_exchange", "_finished", "_last", "_loop", "_pending", "_queue", "_stream", "_timer", "splicer")

    def __init__(self, exchange: Exchange, stream: EventStream, splicer: Splicer) -> None:
        self._exchange = exchange
        self._stream = stream
        self.splicer = splicer
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._queue: list[bytes] = []
        self._pending: asyncio.Task[None] | None = None
        self._last = self._loop.time()
        self._timer = self._loop.call_later(KEEPALIVE_SECONDS, self._keep_alive)

    async def run(self, headers: HeaderList) -> None:
        """Sends the status line and everything after it. Cancelled when the caller hangs up; closes the upstream."""
        try:
            self._exchange.status = 200
            await self._exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
            self._stream.relay(self)
            await self._finished
            if self._pending is not None:
                await self._pending
            await self._exchange.send({"type": "http.response.body", "body": b""})
        finally:
            self._timer.cancel()
            self._stream.close()
            if self._pending is not None:
                self._pending.cancel()

    # The stream's side (a Sink).

    def data(self, data: bytes, /) -> None:
        if self._finished.done():
            return
        self._last = self._loop.time()
        out = self.splicer.feed(data)
        if out:
            self._write(out)
        if self.splicer.error is not None:
            self._fail(self.splicer.error)
        elif self.splicer.done:
            self._timer.cancel()
            self._timer = self._loop.call_later(AFTER_DONE_SECONDS, self._finish)

    def end(self, error: e.LiteLLMError | None, /) -> None:
        if self._finished.done():
            return
        splicer = self.splicer
        rest = splicer.flush()
        if rest:
            self._write(rest)
        problem = splicer.error or (None if splicer.ended_well else error or _cut_off())
        if problem is not None:
            self._fail(problem)
            return
        if not splicer.done:
            self._write(DONE)
        self._finish()

    def _fail(self, error: e.LiteLLMError) -> None:
        """A failure after the status line is an error event, never a silent end."""
        self.splicer.error = error
        self._write(b"data: %b\n\n" % errors.encoded(error))
        self._finish()

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    def _keep_alive(self) -> None:
        """A comment when nothing has gone out for a while, so that nobody between takes the line for dead."""
        silent = self._loop.time() - self._last
        if silent >= KEEPALIVE_SECONDS * 0.99:
            self._write(KEEPALIVE)
            silent = 0.0
        self._timer = self._loop.call_later(KEEPALIVE_SECONDS - silent, self._keep_alive)

    def _write(self, data: bytes) -> None:
        if self._pending is not None:
            self._queue.append(data)
            return
        sending = self._send(data)
        try:
            waiting = sending.send(None)
        except StopIteration:
            return
        self._stream.pause()
        self._pending = self._loop.create_task(self._catch_up(sending, waiting))

    def _send(self, data: bytes) -> Coroutine[Any, Any, None]:
        message = {"type": "http.response.body", "body": data, "more_body": True}
        return self._exchange.send(message)  # pyright: ignore[reportReturnType]  # ASGI servers' send is a coroutine

    async def _catch_up(self, sending: Coroutine[Any, Any, None], waiting: Any) -> None:
        """The caller does not read: wait for it, then send what has come meanwhile."""
        await _resumed(sending, waiting)
        while self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            await self._send(data)
        self._pending = None
        self._stream.resume()


@types.coroutine
def _resumed(coroutine: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Goes on with a coroutine that was stepped by hand and now waits for the future `waiting`."""
    resume: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
    while True:
        try:
            yield waiting
        except BaseException as error:  # a cancelled task: the coroutine must see it too
            thrown = error
            resume = lambda: coroutine.throw(thrown)  # noqa: E731, B023
        try:
            waiting = resume()
        except StopIteration:
            return
        resume = lambda: coroutine.send(None)  # noqa: E731


def _cut_off() -> e.LiteLLMError:
    return e.APIConnectionError("the upstream ended the stream before the answer was complete")
