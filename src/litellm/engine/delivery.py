"""Carrying news to callbacks, away from the calls they are about.

Synchronous callbacks run in worker threads, asynchronous ones as tasks on the loop of their call. Neither can fail or
delay a call: what they raise is logged, at most MAX_WAITING jobs wait (what comes on top of them is dropped, counted,
and said once), and a worker that a callback does not give back within STUCK_SECONDS gets company, up to MAX_WORKERS.

A loop that is being shut down (`asyncio.run` ends) first finishes its tasks, and the process at its exit finishes all
of it, within FLUSH_SECONDS each.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from asyncio import AbstractEventLoop, Task
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Final

MAX_WAITING: Final = 10_000
MAX_WORKERS: Final = 10
STUCK_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 5.0
FLUSH_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005

_log = logging.getLogger("litellm")

Step = Callable[[], object]
AsyncStep = Callable[[], Coroutine[Any, Any, object]]


@dataclass(slots=True)
class Job:
    """One piece of news: `prepare` once, then the steps of its listeners."""

    prepare: Step
    steps: Sequence[tuple[str, Step]]
    async_steps: Sequence[tuple[str, AsyncStep]]
    context: Context
    loop: AbstractEventLoop


class Delivery:
    """The workers, and the loops that have callbacks to run."""

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._workers: dict[int, float | None] = {}  # thread -> since when it is at its job; None: it waits for one
        self._homes: dict[AbstractEventLoop, _Home] = {}
        self._closed = self._registered = False

    def post(self, job: Job, threaded: bool) -> None:
        """`threaded` jobs go through a worker: those with steps, and all that must not overtake them. Any thread."""
        home = self._homes.get(job.loop) if job.async_steps else None
        if home is not None and not threaded:
            home.put(job)
            return
        with self._lock:
            if self._closed or len(self._waiting) >= MAX_WAITING:
                self._drop()
                return
            self._register()
            if home is not None:
                home.announce()
            self._waiting.append(job)
            self._staff()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all callbacks have run; False if some have not after `seconds`. Not in a loop that runs some."""
        due = time.monotonic() + seconds
        with self._lock:
            self._staff()
        while time.monotonic() < due:
            with self._lock:
                busy = bool(self._waiting) or any(since is not None for since in self._workers.values())
                homes = [home for home in self._homes.values() if home.loop.is_running()]
            if not busy and not any(home.busy() for home in homes):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def close(self) -> None:
        """At exit. News for loops that have stopped is delivered on a loop of its own."""
        due = time.monotonic() + FLUSH_SECONDS
        self.flush(FLUSH_SECONDS)
        with self._lock:
            self._closed = True
            left = [home for home in self._homes.values() if home.queue and not home.loop.is_running()]
        for home in left:
            _run_elsewhere(home.take(), max(0.1, due - time.monotonic()))

    def after_fork(self) -> None:
        """A child has none of its parent's threads, and its parent delivers its own news."""
        self._lock = threading.Condition()
        self._waiting.clear()
        self._workers.clear()
        self._homes = {}

    # Workers

    def _staff(self) -> None:
        """Wake a worker that waits, or start one if all there are seem stuck."""
        if None in self._workers.values():
            self._lock.notify()
            return
        late = time.monotonic() - STUCK_SECONDS
        stuck = all(since is not None and since < late for since in self._workers.values())
        if self._waiting and stuck and len(self._workers) < MAX_WORKERS:
            thread = threading.Thread(target=self._work, name="litellm-callbacks", daemon=True)
            self._workers[id(thread)] = time.monotonic()
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads, or the interpreter is about to end
                del self._workers[id(thread)]

    def _work(self) -> None:
        me = id(threading.current_thread())
        while True:
            job = self._next(me)
            if job is None:
                return
            self._do(job)

    def _next(self, me: int) -> Job | None:
        """The next job. None: there has been none for a while, and this worker is done."""
        with self._lock:
            if not self._waiting:
                self._workers[me] = None
                self._lock.wait_for(lambda: self._waiting, IDLE_SECONDS)
            if not self._waiting:
                self._workers.pop(me, None)
                return None
            self._workers[me] = time.monotonic()
            return self._waiting.popleft()

    def _do(self, job: Job) -> None:
        guarded("preparing an event", job.prepare, job.context)
        for name, step in job.steps:
            guarded(name, step, job.context)
        if job.async_steps:
            job.prepare = _nothing
            home = self._homes.get(job.loop)
            if home is None:
                _run_elsewhere([job], FLUSH_SECONDS)
            else:
                home.put(job, announced=True)

    def _register(self) -> None:
        """Only when first used: the portal has registered by then, and so it is closed after our end."""
        if not self._registered:
            self._registered = True
            atexit.register(self.close)

    def _drop(self) -> None:
        self.dropped += 1
        if self.dropped == 1:
            _log.warning("litellm: callbacks do not keep up, events are being dropped (this is said once)")

    # Loops

    def enter(self, loop: AbstractEventLoop) -> None:
        """Asynchronous callbacks will run on this loop, which is the running one."""
        if loop not in self._homes:
            with self._lock:
                for gone in [other for other in self._homes if other.is_closed()]:
                    del self._homes[gone]
                home = self._homes[loop] = _Home(loop, self)
                self._register()
            home.open()

    def leave(self, loop: AbstractEventLoop) -> None:
        with self._lock:
            self._homes.pop(loop, None)

    def lost(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._drop()


@dataclass(slots=True, eq=False)
class _Home:
    """One loop's asynchronous callbacks. `coming` counts the jobs that workers will bring."""

    loop: AbstractEventLoop
    delivery: Delivery
    queue: deque[Job] = field(default_factory=deque[Job])
    tasks: set[Task[None]] = field(default_factory=set[Task[None]])
    coming: int = 0
    _pumping: bool = False
    _closer: AsyncGenerator[None, None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def busy(self) -> bool:
        return bool(self.queue or self.tasks or self.coming)

    def announce(self) -> None:
        """A worker will bring a job."""
        with self._lock:
            self.coming += 1

    def put(self, job: Job, announced: bool = False) -> None:
        """From any thread. Nothing of it runs before the caller has returned to the loop."""
        with self._lock:
            self.coming -= announced
            if len(self.queue) + len(self.tasks) >= MAX_WAITING:
                self.delivery.lost(1)
                return
            self.queue.append(job)
            if self._pumping:
                return
            self._pumping = True
        try:
            self.loop.call_soon_threadsafe(self.pump)
        except RuntimeError:  # the loop was closed with news still to come
            _run_elsewhere(self.take(), FLUSH_SECONDS)

    def take(self) -> list[Job]:
        with self._lock:
            jobs = list(self.queue)
            self.queue.clear()
            self._pumping = False
        return jobs

    def open(self) -> None:
        self._closer = self._until_closed()
        try:  # started, so that the loop finalizes it
            self._closer.__anext__().send(None)
        except StopIteration:
            pass

    def pump(self) -> None:
        for job in self.take():
            guarded("preparing an event", job.prepare, job.context)
            for name, step in job.async_steps:
                self._start(name, step, job.context)

    def _start(self, name: str, step: AsyncStep, context: Context) -> None:
        task = self.loop.create_task(_guarded_async(name, step), context=context)
        # `asyncio.run` cancels all tasks it knows before it ends: these shall be finished instead, by `_until_closed`.
        asyncio._unregister_task(task)
        task._log_destroy_pending = False  # pyright: ignore
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _until_closed(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self._finish()
            self.delivery.leave(self.loop)

    async def _finish(self) -> None:
        due = time.monotonic() + FLUSH_SECONDS
        while self.busy() and time.monotonic() < due:
            self.pump()
            await asyncio.sleep(_POLL_SECONDS)
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=1.0)


def guarded(name: str, step: Step, context: Context) -> None:
    """The edge around a user's synchronous callback."""
    try:
        context.copy().run(step)
    except BaseException as error:  # whatever it is, SystemExit included, it is not the call's
        _complain(name, error)


async def _guarded_async(name: str, step: AsyncStep) -> None:
    """The edge around a user's asynchronous callback."""
    try:
        await step()
    except asyncio.CancelledError:
        _log.warning("litellm: callback %s was cut off: it was not done when its loop closed", name)
    except BaseException as error:  # as above; in a task SystemExit would end the loop
        _complain(name, error)


def _complain(name: str, error: BaseException) -> None:
    """Where it failed and how; not with what, which may be a prompt. `--debug` says all."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    _log.warning("litellm: callback %s raised %s at %s", name, type(error).__name__, place)
    _log.debug("callback %s", name, exc_info=error)


def _run_elsewhere(jobs: list[Job], seconds: float) -> None:
    """Asynchronous steps whose loop has ended, on a loop of their own."""

    async def run() -> None:
        for job in jobs:
            guarded("preparing an event", job.prepare, job.context)
        steps = [_guarded_async(name, step) for job in jobs for name, step in job.async_steps]
        if steps:
            await asyncio.wait([asyncio.ensure_future(step) for step in steps], timeout=seconds)

    asyncio.run(run())


def _nothing() -> None:
    """Prepared already."""


delivery: Final = Delivery()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=delivery.after_fork)
