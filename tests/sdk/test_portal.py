"""The portal: synchronous callers on the background loop, whatever they run in, and whatever happens to them."""

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from litellm.sdk.portal import Portal, run_sync

WAIT = 30.0  # seconds; a bound for a slow machine, not an expectation


def run(code: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=WAIT * 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done


async def where() -> tuple[int, str]:
    await asyncio.sleep(0)
    return threading.get_ident(), threading.current_thread().name


def test_one_loop_in_one_daemon_thread():
    first, name = run_sync(where)
    assert first != threading.get_ident()
    assert name == "litellm-portal"
    assert run_sync(where)[0] == first
    assert next(thread for thread in threading.enumerate() if thread.ident == first).daemon


def test_what_is_raised_is_raised_here_and_the_loop_goes_on():
    class Odd(BaseException):
        pass

    async def fail(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    for error in (ValueError("x"), KeyboardInterrupt(), SystemExit(3), Odd(), asyncio.CancelledError()):
        with pytest.raises(type(error)) as caught:
            run_sync(lambda error=error: fail(error))
        assert caught.value is error
    assert run_sync(where)[1] == "litellm-portal"


def test_a_maker_that_fails_before_there_is_a_coroutine():
    def make() -> object:
        raise LookupError("no coroutine")

    with pytest.raises(LookupError, match="no coroutine"):
        run_sync(make)  # type: ignore[arg-type]


def test_inside_a_running_loop():
    async def main() -> str:
        return run_sync(where)[1]

    assert asyncio.run(main()) == "litellm-portal"


def test_on_the_portal_s_own_loop():
    async def outer() -> tuple[int, int]:
        return threading.get_ident(), run_sync(where)[0]

    here, inner = run_sync(outer)
    assert here != inner
    assert run_sync(outer) == (here, inner)


def test_context_variables_travel_in_and_not_back():
    variable = contextvars.ContextVar("variable", default="unset")

    async def read() -> str:
        found = variable.get()
        variable.set("changed inside")
        return found

    variable.set("set outside")
    assert run_sync(read) == "set outside"
    assert variable.get() == "set outside"


def test_two_hundred_threads_at_once():
    portal = Portal()
    together, everyone = [], asyncio.Event()

    async def job(number: int) -> int:
        together.append(number)
        if len(together) == 200:
            everyone.set()
        await everyone.wait()  # all of them are in flight at the same time
        return number

    try:
        with ThreadPoolExecutor(200) as pool:
            assert list(pool.map(lambda number: portal.run(lambda: job(number)), range(200))) == list(range(200))
    finally:
        portal.close()


def test_closing_ends_what_is_open_and_a_later_call_opens_anew():
    portal = Portal()
    events = []

    async def generator():
        try:
            yield 1
        finally:
            events.append("generator closed")

    async def background() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            events.append("task cancelled")
            raise

    async def leave_things_open() -> None:
        events.append(asyncio.create_task(background()))
        running = generator()
        await anext(running)
        events.append(running)
        await asyncio.sleep(0)

    portal.run(leave_things_open)
    thread = portal.run(where)[0]
    portal.close()
    assert [event for event in events if isinstance(event, str)] == ["task cancelled", "generator closed"]
    assert not [one for one in threading.enumerate() if one.ident == thread and one.name == "litellm-portal"]
    assert portal.run(where)[1] == "litellm-portal"
    portal.close()
    portal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT by kill()")
def test_ctrl_c_in_the_waiting_caller_cancels_the_call():
    state = {}
    cancelled = threading.Event()

    async def hang() -> None:
        state["started"] = True
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    def press() -> None:
        while "started" not in state:
            time.sleep(0.01)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        run_sync(hang)
    presser.join()
    assert cancelled.wait(WAIT)
    assert run_sync(where)[1] == "litellm-portal"


def test_the_error_does_not_keep_its_caller_s_frame_alive():
    import gc
    import weakref

    class Held:
        pass

    async def fail() -> None:
        raise ValueError("x")

    def call() -> "weakref.ref[Held]":
        held = Held()
        try:
            run_sync(fail)
        except ValueError:
            pass
        return weakref.ref(held)

    gc.disable()
    try:
        assert call()() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_a_loop_of_its_own_and_the_parent_keeps_its():
    run(
        """
        import asyncio, os, threading, warnings
        from litellm.sdk.portal import run_sync
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork in a process with threads

        async def who():
            await asyncio.sleep(0.001)
            return os.getpid(), threading.get_ident()

        parent = run_sync(who)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            mine = run_sync(who)
            assert mine[0] == os.getpid() != parent[0]
            os.write(write, b"child" if run_sync(who) == mine else b"?")
            os.close(write)
            os._exit(0)
        os.close(write)
        assert os.read(read, 5) == b"child"
        assert os.waitpid(child, 0)[1] == 0
        for _ in range(20):
            assert run_sync(who) == parent
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_multiprocessing_by_fork():
    run(
        """
        import asyncio, multiprocessing, warnings
        from litellm.sdk.portal import run_sync
        warnings.simplefilter("ignore", DeprecationWarning)

        async def double(n):
            await asyncio.sleep(0)
            return 2 * n

        def work(n):
            return run_sync(lambda: double(n))

        assert work(1) == 2
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(work, range(8)) == [2 * n for n in range(8)]
        """
    )


def test_the_process_exits_silently_with_calls_and_tasks_in_flight():
    run(
        """
        import asyncio, threading
        from litellm.sdk.portal import run_sync

        async def hang():
            await asyncio.sleep(3600)

        async def start():
            global task
            task = asyncio.create_task(hang())

        run_sync(start)
        def wait():
            try:
                run_sync(hang)
            except asyncio.CancelledError:
                pass
        threading.Thread(target=wait, daemon=True).start()
        """
    )


def test_nothing_runs_until_it_is_needed():
    run("import threading, litellm.sdk.portal; assert threading.active_count() == 1")
