"""How news reaches callbacks: bounded, in order, and past those that hang."""

import asyncio
import logging
import threading
import time
from contextvars import copy_context
from typing import Any

import pytest

from litellm.engine import delivery as module
from litellm.engine.delivery import Delivery, Job

WAIT = 30.0


def job(step: Any, loop: asyncio.AbstractEventLoop | None = None) -> Job:
    return Job(lambda: None, [("test", step)], [], copy_context(), loop or asyncio.new_event_loop())


def test_jobs_run_in_order_on_one_thread_which_ends_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    made, seen = Delivery(), list[tuple[int, int]]()
    loop = asyncio.new_event_loop()
    for number in range(200):
        made.post(job(lambda number=number: seen.append((number, threading.get_ident())), loop), threaded=True)
    assert made.flush(WAIT)
    assert [number for number, _ in seen] == list(range(200))
    assert len({thread for _, thread in seen}) == 1
    until = time.monotonic() + WAIT
    while made._workers and time.monotonic() < until:
        time.sleep(0.01)
    assert made._workers == {}
    loop.close()


def test_what_does_not_fit_is_dropped_counted_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    made, go, seen = Delivery(), threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    made.post(job(lambda: go.wait(WAIT), loop), threaded=True)
    until = time.monotonic() + WAIT
    while made._waiting and time.monotonic() < until:
        time.sleep(0.01)
    with caplog.at_level(logging.WARNING, "litellm"):
        for number in range(10):
            made.post(job(lambda number=number: seen.append(number), loop), threaded=True)
    assert made.dropped == 7
    assert len(caplog.records) == 1
    go.set()
    assert made.flush(WAIT)
    assert seen == [0, 1, 2]
    loop.close()


def test_a_worker_that_is_stuck_gets_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.05)
    made, go, seen = Delivery(), threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    made.post(job(lambda: go.wait(WAIT), loop), threaded=True)
    time.sleep(0.2)
    made.post(job(lambda: seen.append(1), loop), threaded=True)
    until = time.monotonic() + WAIT
    while not seen and time.monotonic() < until:
        time.sleep(0.01)
    assert seen == [1]
    assert len(made._workers) == 2
    go.set()
    assert made.flush(WAIT)
    loop.close()


def test_there_are_never_more_workers_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.0)
    monkeypatch.setattr(module, "MAX_WORKERS", 2)
    made, go = Delivery(), threading.Event()
    loop = asyncio.new_event_loop()
    for _ in range(8):
        made.post(job(lambda: go.wait(WAIT), loop), threaded=True)
        time.sleep(0.02)
    assert len(made._workers) == 2
    go.set()
    assert made.flush(WAIT)
    loop.close()


def test_tasks_of_a_loop_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    seen: list[int] = []

    async def main() -> int:
        made = Delivery()
        loop = asyncio.get_running_loop()
        made.enter(loop)

        async def note() -> None:
            await asyncio.sleep(0.01)
            seen.append(1)

        for _ in range(8):
            made.post(Job(lambda: None, [], [("test", note)], copy_context(), loop), threaded=False)
        return made.dropped

    assert asyncio.run(main()) == 3
    assert len(seen) == 5
