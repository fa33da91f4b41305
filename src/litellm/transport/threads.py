"""Blocking code of others (a synchronous HTTP client, a custom provider) for coroutines to wait for.

Each call has a daemon thread of its own for as long as it blocks: no pool that two hundred callers would share, and a
thread that never returns does not hold up the process's exit. Context variables are the caller's.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")

AHEAD: Final = 16
"""How many items of an iterator may wait for their reader."""

_END: Final = object()


async def in_thread(function: Callable[[], T]) -> T:
    """`function()`, run in a thread; raises what it raises. Cancelling stops the waiting, not the thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            result = function()
        except BaseException as error:  # the waiting coroutine gets it as it is
            _tell(loop, _fail, done, error)
        else:
            _tell(loop, _succeed, done, result)

    threading.Thread(target=copy_context().run, args=(work,), name="litellm-blocking", daemon=True).start()
    return await done


async def iterate_in_thread(make: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """The items of the iterator that `make` returns. It runs at most AHEAD items before its reader.

    When the reader stops early, the iterator is closed as soon as it gives its next item.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)
    stopped = threading.Event()

    def work() -> None:
        last: Any = _END
        try:
            _play(make(), lambda item: _tell(loop, arrived.put_nowait, item), room, stopped)
        except BaseException as error:  # as above: the reader gets it
            last = _Raised(error)
        _tell(loop, arrived.put_nowait, last)

    threading.Thread(target=copy_context().run, args=(work,), name="litellm-blocking", daemon=True).start()
    try:
        while (item := await arrived.get()) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            room.release()
            yield item
    finally:
        stopped.set()
        room.release()


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _play(items: Iterator[Any], put: Callable[[Any], None], room: threading.Semaphore, stop: threading.Event) -> None:
    try:
        for item in items:
            room.acquire()
            if stop.is_set():
                return
            put(item)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
        pass


def _succeed(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if done.done():
        return
    if isinstance(error, StopIteration):  # a future refuses it
        error = RuntimeError(f"StopIteration was raised: {error}")
    done.set_exception(error)
