"""Run a test's coroutine on both loops; nothing may be left behind."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine; fail if it leaves a task or if the loop has anything to report (an exception nobody took)."""

    def runner(main: Coroutine[Any, Any, Any]) -> Any:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        reports: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=factory) as loop_runner:
            loop_runner.get_loop().set_exception_handler(lambda _loop, context: reports.append(context))
            result = loop_runner.run(_and_nothing_left(main))
        gc.collect()
        assert reports == []
        return result

    return runner


@pytest.fixture(scope="module", autouse=True)
def little_to_collect() -> None:
    """Each test collects garbage twice; what the imports have left need not be looked at again and again."""
    gc.collect()
    gc.freeze()


async def _and_nothing_left(main: Coroutine[Any, Any, Any]) -> Any:
    result = await main
    for _ in range(10):  # what has just been cancelled may take a few turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()
    gc.collect()
    return result
