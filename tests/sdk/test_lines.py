"""Calls with a priority wait for a deployment of a full group, and are served in their order."""

import asyncio
import threading
import time
from typing import Any

import pytest

import litellm
from litellm import Router
from litellm.sdk.lines import Lines
from support.upstream import UpstreamThread, wait_until

HI = [{"role": "user", "content": "hi"}]


def router_of(upstream: UpstreamThread, model: str, parallel: int = 1, **settings: Any) -> Router:
    params = {
        "model": f"openai/{model}",
        "api_base": upstream.base_url,
        "api_key": "k",
        "max_parallel_requests": parallel,
    }
    return Router([{"model_name": "m", "litellm_params": params}], num_retries=0, **settings)


def test_they_are_served_by_priority_and_then_in_order(upstream: UpstreamThread):
    router = router_of(upstream, "delay-200")

    async def calls() -> list[str]:
        ended: list[str] = []

        async def one(name: str, priority: int) -> None:
            await router.schedule_acompletion("m", HI, priority, user=name)
            ended.append(name)

        first = asyncio.ensure_future(one("first", 5))
        assert await asyncio.to_thread(wait_until, lambda: len(upstream.requests) == 1)
        waiting: list[Any] = []
        for name, priority in (("late", 9), ("early", 0), ("same", 9), ("middle", 3)):
            waiting.append(asyncio.ensure_future(one(name, priority)))
            await asyncio.sleep(0)
        await asyncio.gather(first, *waiting)
        return ended

    assert asyncio.run(calls()) == ["first", "early", "middle", "late", "same"]
    assert [request.json["user"] for request in upstream.requests] == ["first", "early", "middle", "late", "same"]
    assert all("priority" not in request.json for request in upstream.requests)
    assert not router._lines._waiting  # pyright: ignore[reportPrivateUsage]


def test_from_threads_and_loops_nobody_is_refused_and_the_bound_holds(upstream: UpstreamThread):
    router = router_of(upstream, "delay-50", parallel=2)
    failed: list[Exception] = []

    def calls(asynchronous: bool) -> None:
        for _ in range(4):
            try:
                if asynchronous:
                    asyncio.run(router.acompletion("m", HI, priority=0))
                else:
                    router.completion("m", HI, priority=0)
            except litellm.exceptions.LiteLLMError as error:
                failed.append(error)

    threads = [threading.Thread(target=calls, args=(number % 2 == 0,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (failed, len(upstream.requests)) == ([], 24)
    times = sorted((at, step) for one in upstream.requests for at, step in ((one.at, 1), (one.answered_at or 0.0, -1)))
    busy = most = 0
    for _, step in times:
        busy += step
        most = max(most, busy)
    assert most <= 2
    assert not router._lines._waiting  # pyright: ignore[reportPrivateUsage]


def test_it_waits_no_longer_than_its_timeout_and_a_stream_waits_too(upstream: UpstreamThread):
    router = router_of(upstream, "endless")
    stream = router.completion("m", HI, stream=True)
    next(stream)
    started = time.monotonic()
    with pytest.raises(litellm.Timeout, match="No deployment of m took the call in time"):
        router.completion("m", HI, priority=1, timeout=0.3)
    assert time.monotonic() - started >= 0.3
    with pytest.raises(litellm.RouterRateLimitError):
        router.completion("m", HI)
    with pytest.raises(litellm.BadRequestError, match="priority must be a number"):
        router.completion("m", HI, priority="soon")
    threading.Timer(0.2, stream.close).start()
    second = router.completion("m", HI, priority=1, stream=True, timeout=20)
    next(second)
    second.close()
    assert not router._lines._waiting  # pyright: ignore[reportPrivateUsage]


def test_who_is_cancelled_leaves_the_line(upstream: UpstreamThread):
    router = router_of(upstream, "endless")
    stream = router.completion("m", HI, stream=True)
    next(stream)

    async def check() -> None:
        task = asyncio.ensure_future(router.schedule_acompletion("m", HI, 0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())
    assert not router._lines._waiting  # pyright: ignore[reportPrivateUsage]
    stream.close()


def test_a_place_is_left_once():
    lines = Lines()
    with lines.join(("g",), 1) as place, lines.join(("g",), 0) as before:
        assert lines.ahead(("g",), (1, 0)) == 1
        before.leave()
        assert lines.ahead(("g",), (1, 0)) == 0
        place.leave()
        assert place.left and not lines._waiting  # pyright: ignore[reportPrivateUsage]
