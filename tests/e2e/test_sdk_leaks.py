"""The SDK in processes of their own, under load and in odd company: threads, running loops, forks, Ctrl-C.

Each program runs with warnings as errors. It has to end in time, say nothing on stderr, and leave neither a socket, nor
a task, nor a thread; `make soak` takes the full counts.
"""

import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Final

import pytest

from support.counts import count
from support.upstream import UpstreamThread, wait_until

SECONDS: Final = count(240, 3600)  # a bound for a slow machine, not an expectation
ALLOWED_KIB: Final = count(4096, 1024)
"""Growth of the resident memory in the last half of the mocked calls. A short run still fills the allocator's pools."""

PRELUDE: Final = """
import asyncio, gc, os, re, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import litellm
from litellm.sdk import portal

TEXT = " tok0 tok1 tok2 tok3 tok4"
MESSAGES = [{"role": "user", "content": "hi"}]
given = {"messages": MESSAGES, "api_base": os.environ["BASE_URL"], "api_key": "k", "timeout": 120}

def ask(model="openai/ok", **more):
    return litellm.completion(model=model, **given, **more).choices[0].message.content

async def aask(model="openai/ok", **more):
    return (await litellm.acompletion(model=model, **given, **more)).choices[0].message.content

def sockets():
    def is_socket(fd):
        try:
            return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        except FileNotFoundError:
            return False
    return sum(map(is_socket, os.listdir("/proc/self/fd")))

async def tasks():
    return len(asyncio.all_tasks())

def rss_kib():
    gc.collect()
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture(scope="module", autouse=True)
def many_descriptors() -> Iterator[None]:
    """A thousand connections have their other ends in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def start(upstream: UpstreamThread, code: str) -> "subprocess.Popen[str]":
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)]
    return subprocess.Popen(
        command, env=env | {"BASE_URL": upstream.base_url}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: "subprocess.Popen[str]", upstream: UpstreamThread) -> str:
    """What it has printed, once it has ended well and nothing of it is left."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert upstream.wait_closed()
    return out


def run(upstream: UpstreamThread, code: str) -> str:
    return ended(start(upstream, code), upstream)


def test_a_hundred_synchronous_calls_at_once(upstream: UpstreamThread):
    run(
        upstream,
        """
        ask()
        before = threading.active_count()
        for _ in range(3):
            threads = [threading.Thread(target=ask, args=("openai/delay-100",)) for _ in range(100)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sockets() <= 100 + 10, sockets()
        assert threading.active_count() == before
        assert portal.run_sync(tasks) == 2, "the loop's own, and the one that asks"
        """,
    )
    assert len(upstream.requests) == 301
    assert upstream.accepted <= 110


def test_a_thousand_asynchronous_calls_at_once(upstream: UpstreamThread):
    run(
        upstream,
        """
        async def main():
            for _ in range(2):
                answers = await asyncio.gather(*(aask("openai/delay-200") for _ in range(1000)))
                assert answers == [TEXT] * 1000
                assert len(asyncio.all_tasks()) == 1

        asyncio.run(aask())
        before = sockets(), threading.active_count()
        asyncio.run(main())
        assert (sockets(), threading.active_count()) == before
        """,
    )
    assert len(upstream.requests) == 2001


def test_calls_cancelled_and_streams_left_alone_leave_nothing(upstream: UpstreamThread):
    run(
        upstream,
        """
        async def main():
            calls = [asyncio.ensure_future(aask("openai/hang")) for _ in range(50)]
            streams = [await litellm.acompletion(model="openai/endless", stream=True, **given) for _ in range(20)]
            for stream in streams:
                await anext(stream)
            await asyncio.sleep(0.2)
            for call in calls:
                call.cancel()
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}
            del streams, stream, calls
            gc.collect()
            await asyncio.sleep(0.2)
            assert len(asyncio.all_tasks()) == 1
            assert await aask() == TEXT

        before = sockets()
        asyncio.run(main())
        assert sockets() == before
        """,
    )


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
def test_memory_is_flat_over_mocked_calls(upstream: UpstreamThread, way: str):
    """100,000 of both kinds together in a soak."""
    out = run(
        upstream,
        f"""
        def work(calls, way={way!r}):
            async def several():
                for _ in range(calls):
                    assert await aask(mock_response="fine") == "fine"
            if way == "async":
                asyncio.run(several())
            else:
                for _ in range(calls):
                    assert ask(mock_response="fine") == "fine"

        calls = {count(6_000, 50_000)}
        work(calls // 2)
        half = rss_kib()
        work(calls // 2)
        print(rss_kib() - half)
        """,
    )
    assert int(out) < ALLOWED_KIB


@pytest.mark.soak
@pytest.mark.slow
def test_memory_over_streamed_calls(upstream: UpstreamThread):
    """Below 1.3 times what the first hundred left; 10,000 in a soak."""
    process = start(
        upstream,
        f"""
        def work(calls):
            async def several():
                for _ in range(calls // 2):
                    stream = await litellm.acompletion(model="openai/tokens-20", stream=True, **given)
                    assert len([chunk async for chunk in stream]) == 22
            asyncio.run(several())
            for _ in range(calls // 2):
                assert len(list(litellm.completion(model="openai/tokens-20", stream=True, **given))) == 22

        work(100)
        early = rss_kib()
        for _ in range(10):
            work({count(60, 1_000)})
        print(rss_kib() / early)
        """,
    )
    assert float(ended(process, upstream)) < 1.3


def test_synchronous_calls_inside_a_running_loop(upstream: UpstreamThread):
    run(
        upstream,
        """
        async def main():
            assert [ask() for _ in range(5)] == [TEXT] * 5
            both = await asyncio.gather(aask(), asyncio.to_thread(ask), aask(), asyncio.to_thread(ask))
            assert both == [TEXT] * 4
            stream = litellm.completion(model="openai/ok", stream=True, **given)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXT

        asyncio.run(main())
        assert threading.active_count() == 2, "this thread and the portal's"
        """,
    )


def test_a_pool_of_two_hundred_threads(upstream: UpstreamThread):
    run(
        upstream,
        """
        with ThreadPoolExecutor(200) as pool:
            assert list(pool.map(lambda n: ask(), range(1000))) == [TEXT] * 1000
        assert threading.active_count() == 2
        assert portal.run_sync(tasks) == 2
        """,
    )
    assert upstream.accepted <= 200


def test_loops_of_many_threads(upstream: UpstreamThread):
    """Each with a loop of its own, as web workers do it."""
    run(
        upstream,
        """
        before = sockets()
        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(lambda n: asyncio.run(aask()), range(100))) == [TEXT] * 100
        assert sockets() == before
        """,
    )


def test_after_a_fork_parent_and_children_go_on(upstream: UpstreamThread):
    run(
        upstream,
        """
        def both():
            return ask() == TEXT and asyncio.run(aask()) == TEXT

        def child():
            done = both() and threading.active_count() == 2
            sys.exit(0 if done else 1)

        assert both()
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                child()
            assert both()
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert both()
        """,
    )


def test_a_fork_while_calls_are_under_way(upstream: UpstreamThread):
    run(
        upstream,
        """
        ask()  # a fork while another thread imports a module is a deadlock of Python's own
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(ask, "openai/delay-300") for _ in range(8)]
            time.sleep(0.1)
            pid = os.fork()
            if pid == 0:
                os._exit(0 if ask() == TEXT else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert [call.result() for call in running] == [TEXT] * 8
        """,
    )


CTRL_C: Final = {
    "a synchronous call": "ask('openai/hang')",
    "a synchronous stream": "list(litellm.completion(model='openai/endless-comments', stream=True, **given))",
    "an asynchronous call": "asyncio.run(aask('openai/hang'))",
    "a synchronous call in a notebook's loop": "notebook(inside())",
}


@pytest.mark.parametrize("call", CTRL_C.values(), ids=CTRL_C)
def test_ctrl_c_ends_the_call_and_the_next_one_works(upstream: UpstreamThread, call: str):
    process = start(
        upstream,
        f"""
        async def inside():
            return ask("openai/hang")

        def notebook(cell):  # without `asyncio.run`, which keeps the first Ctrl-C to itself
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(cell)
            finally:
                loop.close()

        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        assert ask() == TEXT
        """,
    )
    assert upstream.wait(lambda: upstream.requests, 60)
    process.send_signal(signal.SIGINT)
    assert ended(process, upstream) == "interrupted\n"
    assert wait_until(lambda: upstream.requests[0].disconnected)


def test_ctrl_c_that_nobody_catches_ends_the_process(upstream: UpstreamThread):
    process = start(upstream, "ask('openai/hang')")
    assert upstream.wait(lambda: upstream.requests, 60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert err.rstrip().endswith("KeyboardInterrupt") and "Warning" not in err and "never" not in err
    assert upstream.wait_closed()
