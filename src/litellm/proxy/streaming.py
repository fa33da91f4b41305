"""Relaying a stream: upstream bytes to the caller in the same turn of the loop in which they arrived.

No task, future or generator per event, only callbacks. If the caller does not read, the upstream is paused and a task
waits until it does again.
"""

import asyncio
from typing import Final

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.proxy import errors
from litellm.proxy.exchange import Exchange
from litellm.proxy.splice import DONE, Splicer

KEEPALIVE_SECONDS: Final = 15.0
KEEPALIVE: Final = b": keep-alive\n\n"
AFTER_DONE_SECONDS: Final = 1.0  # an upstream that has said [DONE] gets this long to end its answer


class Relay:
    """One stream on its way out. `run` returns when the caller has all of it; `splicer` then knows what it was."""

    __slots__ = ("_catching_up", "_exchange", "_finished", "_last", "_loop", "_queue", "_stream", "_timer", "splicer")

    def __init__(self, exchange: Exchange, stream: EventStream, splicer: Splicer) -> None:
        self._exchange = exchange
        self._stream = stream
        self.splicer = splicer
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._queue: list[bytes] = []
        self._catching_up: asyncio.Task[None] | None = None
        self._last = self._loop.time()
        self._timer = self._loop.call_later(KEEPALIVE_SECONDS, self._keep_alive)

    async def run(self, fields: bytes) -> None:
        """Sends the status line and everything after it. Cancelled when the caller hangs up; closes the upstream."""
        try:
            self._exchange.begin(200, fields)
            self._stream.relay(self)
            if not self._finished.done():
                self._exchange.write(b"")  # the head, if no event has taken it along
                await self._finished
            if self._catching_up is not None:
                await self._catching_up
            self._exchange.end()
        finally:
            self._timer.cancel()
            self._stream.close()
            if self._catching_up is not None:
                self._catching_up.cancel()

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
        if self._catching_up is not None:
            self._queue.append(data)
        elif not self._exchange.write(data):
            self._stream.pause()
            self._catching_up = self._loop.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """The caller does not read: wait until it does, then send what has come meanwhile."""
        await self._exchange.room()
        while self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            if not self._exchange.write(data):
                await self._exchange.room()
        self._catching_up = None
        self._stream.resume()


def _cut_off() -> e.LiteLLMError:
    return e.APIConnectionError("the upstream ended the stream before the answer was complete")
