"""Synchronous callers' way in: coroutines run on one background event loop per process.

The loop is made on first use, in a daemon thread, and again after a fork; at exit it is closed with whatever is still
open on it. A caller only waits, so it may be in a thread pool, in a notebook, or inside a running loop of its own, and
Ctrl-C reaches it at once: then the call is cancelled, which closes the connection to the provider.
"""

import asyncio
import atexit
import os
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from threading import Lock, Thread, get_ident
from typing import Any, Final, Generic, TypeVar, cast

T = TypeVar("T")

CLOSING_SECONDS: Final = 5.0


class _Job(Generic[T]):
    """One call: waited for in the caller's thread, run in the loop's.

    A bare lock instead of a `concurrent.futures.Future`: a third of the cost, and this is on every call's path.
    """

    __slots__ = ("_context", "_done", "_error", "_loop", "_make", "_result", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._loop = loop
        self._make = make
        self._context: Context = copy_context()
        self._done = Lock()
        self._done.acquire()
        self._result: T | None = None
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    def wait(self) -> T:
        self._loop.call_soon_threadsafe(self._start)
        try:
            self._done.acquire()
        except BaseException:  # the caller was interrupted: nobody waits for the answer any more
            self._loop.call_soon_threadsafe(self._cancel)
            raise
        error = self._error
        if error is None:
            return cast(T, self._result)
        try:
            raise error
        finally:
            self._error = error = None  # an error that knows the frame that holds it would be a cycle

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run(), context=self._context)

    async def _run(self) -> None:
        try:
            self._result = await self._make()
        except BaseException as error:  # whatever it is, it is the caller's; SystemExit must not end the loop
            self._error = error
        finally:
            self._done.release()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Portal:
    """One background loop and its thread, made when first needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: Thread | None = None
        self._inner: Portal | None = None
        self._abandoned: list[Any] = []

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the coroutine that `make` returns; it is called on the loop, in the caller's context."""
        loop = self._loop or self._open()
        if self.is_here():
            return self._deeper().run(make)
        return _Job(loop, make).wait()

    def is_here(self) -> bool:
        return self._thread is not None and get_ident() == self._thread.ident

    def close(self) -> None:
        """Cancel what runs, close what is open, end the thread. A later `run` makes a new loop."""
        with self._lock:
            loop, stop, thread, inner = self._loop, self._stop, self._thread, self._inner
            self._loop = self._stop = self._thread = self._inner = None
        if loop is None or stop is None or thread is None:
            return
        loop.call_soon_threadsafe(stop.set)
        thread.join(CLOSING_SECONDS)
        if inner is not None:
            inner.close()

    def after_fork(self) -> None:
        """Begin anew in a child, which has the loop but not its thread.

        The old loop is kept and never closed: closing it would take its sockets out of the epoll set, which the child
        shares with its parent.
        """
        self._abandoned.append((self._loop, self._stop, self._inner))
        self._lock = Lock()
        self._loop = self._stop = self._thread = self._inner = None

    def _open(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                ready = Lock()
                ready.acquire()
                self._thread = Thread(target=self._serve, args=(ready,), name="litellm-portal", daemon=True)
                self._thread.start()
                ready.acquire()
            return cast(asyncio.AbstractEventLoop, self._loop)

    def _serve(self, ready: Lock) -> None:
        asyncio.run(self._until_stopped(ready))

    async def _until_stopped(self, ready: Lock) -> None:
        self._stop = stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        ready.release()
        await stop.wait()

    def _deeper(self) -> "Portal":
        """For a synchronous call made on the loop itself (by a callback): waiting there would wait for itself."""
        if self._inner is None:
            self._inner = Portal()
        return self._inner


_portal: Final = Portal()
atexit.register(_portal.close)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_portal.after_fork)


def run_on(loop: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """`make()`'s result, from a given loop that runs in another thread; raises what it raises.

    Raises RuntimeError in the loop's own thread, which cannot wait for itself, and if the loop does not run.
    """
    if not loop.is_running():
        raise RuntimeError("the event loop that this belongs to does not run any more")
    if asyncio._get_running_loop() is loop:  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportAttributeAccessIssue]
        raise RuntimeError("this belongs to the running event loop: use `async for`, or `await`")
    return _Job(loop, make).wait()


def is_here() -> bool:
    """Whether this is the background loop's thread."""
    return _portal.is_here()


def run_sync(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """`make()`'s result, from the process's background loop; raises what it raises."""
    return _portal.run(make)
