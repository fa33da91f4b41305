"""Relaying a stream: upstream bytes to the caller in the same turn of the loop in which they arrived.

No task, future or generator per event, only callbacks. If the caller does not read, the upstream is paused and a task
waits until it does again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from litellm import exceptions as e
from litellm.engine.streams import EventStream
from litellm.proxy import errors
from litellm.proxy.asgi import CallerGone
from litellm.proxy.exchange import Exchange
from litellm.proxy.splice import DONE, Splicer

KEEPALIVE: Final = b": keep-alive\n\n"
AFTER_DONE_SECONDS: Final = 1.0  # an upstream that has said [DONE] gets this long to end its answer


class Relay:
    """One stream on its way out. `run` returns when all of it is written; `splicer` then knows what it was.

    When nothing has gone out for `silence` seconds a comment does, so that nobody between takes the line for dead. An
    upstream's own comments keep the line open likewise, but not for longer than events may be apart (a quarter more:
    that is how often it is looked at).

    `last` is called before the last byte goes out, with what the stream failed with, if it did.
    """

    __slots__ = (
        "_catching_up", "_direct", "_event_at", "_events", "_exchange", "_finished", "_last", "_loop", "_on_last",
        "_queue", "_settling", "_silence", "_splicer", "_stream", "_timer", "_waiter",
    )  # fmt: skip

    def __init__(
        self,
        exchange: Exchange,
        stream: EventStream,
        splicer: Splicer,
        silence: float,
        last: Callable[[str | None], Awaitable[None] | None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._stream = stream
        self._splicer = splicer
        self._silence = silence
        self._on_last = last
        self._loop = asyncio.get_running_loop()
        self._finished = False
        self._waiter: asyncio.Future[None] | None = None  # for that; a short answer comes whole and needs none
        self._timer: asyncio.TimerHandle | None = None
        # Not before the head is due, nor while the caller does not read: until then what comes is queued.
        self._direct = False
        self._queue: list[bytes] = []
        self._settling: Awaitable[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._last = self._event_at = self._loop.time()  # when something went out; when the last event was there
        self._events = 0  # as many there were then

    async def run(self, fields: bytes) -> None:
        """Sends the status line and everything after it. Cancelled when the caller hangs up; closes the upstream."""
        try:
            self._exchange.begin(200, fields)
            self._stream.relay(self)
            if self._catching_up is None:
                self._direct = True
                opening, self._queue = b"".join(self._queue), []
                if self._finished:
                    self._exchange.write(opening, False)
                    return
                self._write(opening)
            if not self._finished:
                self._watch()
                self._waiter = self._loop.create_future()
                await self._waiter
            if self._catching_up is not None:
                await self._catching_up
            self._exchange.end()
        except (asyncio.CancelledError, CallerGone):
            if not self._splicer.done or self._catching_up is not None:  # else the caller has all of it
                self._exchange.broke = self._exchange.broke or errors.HUNG_UP
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._stream.close()
            if self._catching_up is not None:
                self._catching_up.cancel()

    # The stream's side (a Sink).

    def data(self, data: bytes, /) -> None:
        splicer = self._splicer
        if splicer.done or self._finished:  # an upstream that goes on after its last word is not listened to
            return
        out = splicer.feed(data)
        if out and self._direct and not splicer.done and splicer.error is None:  # an event like those before it
            self._last = self._loop.time()
            if not self._exchange.write(out):
                self._wait_for_room()
            return
        if splicer.done:
            self._last_comes(None)
            self._write(out)
            if self._timer is not None:
                self._timer.cancel()
                self._watch()
            return
        if out:
            self._write(out)
        if splicer.error is not None:
            self._fail(splicer.error)

    def end(self, error: e.LiteLLMError | None, /) -> None:
        if self._finished:
            return
        splicer = self._splicer
        rest = splicer.flush() if error is None else b""
        if rest:
            self._write(rest)
        problem = splicer.error or (None if splicer.ended_well else error or cut_off())
        if problem is not None:
            self._fail(problem)
            return
        self._last_comes(None)
        if not splicer.done:
            self._write(DONE)
        self._finish()

    def _fail(self, error: e.LiteLLMError) -> None:
        """A failure after the status line is an error event, never a silent end."""
        self._stream.broke(error)
        self._exchange.broke = errors.status_of(error)
        self._last_comes(errors.said(error))
        self._write(b"data: %b\n\n" % errors.encoded(error))
        self._finish()

    def _last_comes(self, failure: str | None) -> None:
        """What is written from here on waits for what the end of the call waits for, if for anything."""
        settling = None if self._on_last is None else self._on_last(failure)
        if settling is not None:
            self._settling = settling
            if self._catching_up is None:
                self._queue_up()

    def _finish(self) -> None:
        self._finished = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch(self) -> None:
        """Sets the timer for what may not last for ever now: the silence, or the upstream's end after its last word."""
        if self._splicer.done:
            self._timer = self._loop.call_later(AFTER_DONE_SECONDS, self._finish)
        else:
            self._timer = self._loop.call_later(min(self._silence, self._stream.patience), self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        if self._splicer.events != self._events or self._catching_up is not None:
            self._events, self._event_at = self._splicer.events, now
        overdue = self._stream.overdue(now - self._event_at)
        if overdue is not None:
            self._fail(overdue)
            return
        if now - self._last >= self._silence * 0.99 and self._catching_up is None:
            self._write(KEEPALIVE)
        wait = self._silence - (now - self._last)
        self._timer = self._loop.call_later(min(wait if wait > 0 else self._silence, self._stream.patience), self._tick)

    def _write(self, data: bytes) -> None:
        self._last = self._loop.time()
        if not self._direct:
            self._queue.append(data)
        elif not self._exchange.write(data):
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        self._stream.pause()
        self._queue_up()

    def _queue_up(self) -> None:
        self._direct = False
        self._catching_up = self._loop.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """The caller does not read: wait until it does, then send what has come meanwhile."""
        await self._exchange.room()
        while self._queue or self._settling is not None:
            if self._settling is not None:
                await self._settling
                self._settling = None
            data = b"".join(self._queue)
            self._queue.clear()
            if not self._exchange.write(data):
                await self._exchange.room()
        self._catching_up = None
        self._direct = True
        self._stream.resume()


def cut_off() -> e.LiteLLMError:
    return e.APIConnectionError("the upstream ended the stream before the answer was complete")
