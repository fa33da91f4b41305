"""What a queue in front of a full model group does. Another back-end is a row of BACKENDS. Time is virtual."""

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm import exceptions as e
from litellm.router.queue import FairQueue, QueueFull, QueuePolicy, WaitedTooLong
from support.virtual_time import run, settle

Backend = Callable[[int, int, float, Callable[[], float]], FairQueue]
"""(size, per_tenant, max_wait, clock) -> an empty queue."""


def in_memory(size: int, per_tenant: int, max_wait: float, clock: Callable[[], float]) -> FairQueue:
    return FairQueue(QueuePolicy(size, max_wait, per_tenant), clock)


BACKENDS: dict[str, Backend] = {"memory": in_memory}


@pytest.fixture(params=BACKENDS, scope="module")
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@dataclass(eq=False)
class Caller:
    name: str
    tenant: str
    priority: int
    at: float
    order: int
    task: asyncio.Task[None]
    until: float


@dataclass(eq=False)
class Line:
    """A queue, who came to it, and in which order they had their turns."""

    queue: FairQueue
    max_wait: float = 1e6
    room: bool = True
    callers: list[Caller] = field(default_factory=list[Caller])
    turns: list[str] = field(default_factory=list[str])

    async def come(self, tenant: str, priority: int = 0, within: float | None = None) -> Caller:
        """`within`: seconds to the deadline."""
        now = asyncio.get_running_loop().time()
        name = f"{tenant}{sum(caller.tenant == tenant for caller in self.callers)}"
        deadline = None if within is None else now + within
        until = now + min(self.max_wait, self.max_wait if within is None else within)
        task = asyncio.create_task(self._wait(name, tenant, priority, deadline))
        caller = Caller(name, tenant, priority, now, len(self.callers), task, until)
        self.callers.append(caller)
        await settle()
        return caller

    async def _wait(self, name: str, tenant: str, priority: int, deadline: float | None) -> None:
        await self.queue.wait(self._take, lambda _: self.queue.serve(), tenant, priority, deadline)
        self.turns.append(name)

    def _take(self) -> str | None:
        return "a slot" if self.room else None

    async def free(self, times: int = 1) -> list[str]:
        """Slots become free, one after the other: who had a turn."""
        before = len(self.turns)
        for _ in range(times):
            self.queue.serve()
            await settle()
        return self.turns[before:]

    def outcome(self, caller: Caller) -> str:
        if not caller.task.done():
            return "waits"
        if caller.task.cancelled():
            return "cancelled"
        error = caller.task.exception()
        return "turn" if error is None else type(error).__name__

    async def end(self) -> None:
        for caller in self.callers:
            caller.task.cancel()
        await asyncio.gather(*(caller.task for caller in self.callers), return_exceptions=True)
        assert len(self.queue) == 0


def line(backend: Backend, size: int = 100, per_tenant: int = 100, max_wait: float = 1e6) -> Line:
    return Line(backend(size, per_tenant, max_wait, asyncio.get_running_loop().time), max_wait)


# Order


def test_a_turn_goes_to_the_lowest_number_and_within_a_lane_to_the_first(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        for tenant, priority in (("a", 2), ("a", 1), ("a", 0), ("a", 1), ("a", 0)):
            await us.come(tenant, priority)
        assert await us.free(5) == ["a2", "a4", "a1", "a3", "a0"]
        await us.end()

    run(main())


def test_tenants_of_equal_number_take_turns(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        for tenant in "aaaabbc":
            await us.come(tenant)
        assert await us.free(7) == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]
        await us.end()

    run(main())


def test_a_thousand_of_one_tenant_are_one_turn_ahead_of_anothers_single_one(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend, 2000, 2000)
        await us.come("a", 5)
        waiting = [asyncio.create_task(us.queue.wait(lambda: 1, print, "a", 5)) for _ in range(999)]
        await asyncio.sleep(3)  # their number is 2 by now, but that is their lane's, not each one's
        await us.come("b", 5)
        assert (await us.free())[0].startswith("a")
        assert await us.free() == ["b0"]
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await us.end()

    run(main())


def test_waiting_lowers_the_number_by_one_a_second(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        await us.come("low", 5)
        for _ in range(7):
            await asyncio.sleep(1)
            await us.come("high", 0)
            await us.free()
        assert us.turns == ["high0", "high1", "high2", "high3", "low0", "high4", "high5"]
        await us.end()

    run(main())


# Turns


def test_no_turn_is_lost_and_none_is_given_twice(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        assert us.queue.serve() is False
        for tenant in "abc":
            await us.come(tenant)
        assert us.turns == []  # the slot that was free before they came is not theirs
        assert us.queue.serve() is True and us.queue.serve() is True
        assert len(us.queue) == 1
        await settle()
        assert us.turns == ["a0", "b0"]
        await us.end()

    run(main())


def test_who_hangs_up_leaves_at_once(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        a, _, _ = [await us.come(tenant) for tenant in "abc"]
        a.task.cancel()
        assert await us.free() == ["b0"]  # the turn came before a had noticed
        a.task.cancel()
        await settle()
        assert len(us.queue) == 1
        assert await us.free() == ["c0"]
        await us.end()

    run(main())


def test_a_turn_that_came_to_one_who_hangs_up_is_passed_on(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        a, b, _ = [await us.come(tenant) for tenant in "abc"]
        us.queue.serve()
        a.task.cancel()
        b.task.cancel()
        await settle()
        assert us.turns == ["c0"]
        assert (us.outcome(a), us.outcome(b)) == ("cancelled", "cancelled")
        await us.end()

    run(main())


def test_who_finds_no_slot_keeps_the_place(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend)
        for tenant in "aab":
            await us.come(tenant)
        us.room = False
        assert await us.free(3) == []
        us.room = True
        assert await us.free(3) == ["a0", "b0", "a1"]
        await us.end()

    run(main())


def test_of_several_queues_it_is_known_whose_turn_comes_first() -> None:
    async def main() -> None:
        clock, order, policy = asyncio.get_running_loop().time, itertools.count(), QueuePolicy(2, 60.0)
        one, other = Line(FairQueue(policy, clock, order)), Line(FairQueue(policy, clock, order))
        await other.come("b", 1)
        await asyncio.sleep(0.5)
        await one.come("a", 0)
        assert one.queue.due() < other.queue.due()
        await one.end()
        assert one.queue.due() > other.queue.due()
        await other.end()

    run(main())


def test_other_bounds_hold_at_once() -> None:
    async def main() -> None:
        us = Line(FairQueue(QueuePolicy(1, 60.0), asyncio.get_running_loop().time))
        await us.come("a")
        assert us.outcome(await us.come("b")) == "QueueFull"
        us.queue.policy = QueuePolicy(4, 5.0, 1)
        assert us.outcome(await us.come("b")) == "waits"
        assert us.outcome(await us.come("b")) == "QueueFull"
        await asyncio.sleep(5)
        await settle()
        assert [us.outcome(caller) for caller in us.callers] == ["waits", "QueueFull", "WaitedTooLong", "QueueFull"]
        us.queue.policy = QueuePolicy(0, 60.0)
        assert us.outcome(await us.come("c")) == "QueueFull"
        assert await us.free() == ["a0"]
        await us.end()

    run(main())


# Bounds


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend, size=4, max_wait=60)
        for tenant in "abcd":
            await us.come(tenant)
        with pytest.raises(QueueFull) as caught:
            await us.queue.wait(lambda: 1, print, "e")
        assert caught.value.seconds == 60  # nothing is known yet
        for tenant in "efgh":
            await asyncio.sleep(2)
            await us.free()
            await us.come(tenant)
        with pytest.raises(QueueFull) as caught:
            await us.queue.wait(lambda: 1, print, "i")
        assert caught.value.seconds == 8  # four turns, one every 2 s
        assert (caught.value.retry_after, caught.value.status_code) == (8, 429)
        assert isinstance(caught.value, e.RateLimitError) and not caught.value.retryable
        await us.end()

    run(main())


def test_a_tenants_share_is_bounded(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend, size=4, per_tenant=2)
        await us.come("a", 0)
        await us.come("a", 1)
        with pytest.raises(QueueFull, match="2 calls of yours"):
            await us.queue.wait(lambda: 1, print, "a", 2)
        await us.come("b")
        assert await us.free() == ["a0"]
        assert us.outcome(await us.come("a")) == "waits"
        await us.end()

    run(main())


def test_nobody_waits_longer_than_the_bound_or_the_deadline(backend: Backend) -> None:
    async def main() -> None:
        us = line(backend, max_wait=10)
        a = await us.come("a")
        b = await us.come("b", within=4)
        c = await us.come("c", within=40)
        await asyncio.sleep(3.5)
        assert [us.outcome(caller) for caller in (a, b, c)] == ["waits", "waits", "waits"]
        await asyncio.sleep(1)
        assert [us.outcome(caller) for caller in (a, b, c)] == ["waits", "WaitedTooLong", "waits"]
        await asyncio.sleep(6)
        assert [us.outcome(caller) for caller in (a, c)] == ["WaitedTooLong", "WaitedTooLong"]
        assert "waited 4.0 s" in str(b.task.exception()) and "waited 10.0 s" in str(c.task.exception())
        assert us.queue.serve() is False
        with pytest.raises(WaitedTooLong) as caught:
            await us.queue.wait(lambda: 1, print, "d", deadline=asyncio.get_running_loop().time())
        assert caught.value.retry_after == 10
        await us.end()

    run(main())


# Whatever happens


class Come(NamedTuple):
    tenant: str
    priority: int
    within: float | None


class Free(NamedTuple):
    times: int
    hang_up: bool  # the first to be woken, before he knows of it


class HangUp(NamedTuple):
    which: int


class Pass(NamedTuple):
    seconds: float


eighths = st.integers(1, 40).map(lambda n: n / 8)
steps = st.lists(
    st.one_of(
        st.builds(Come, st.sampled_from("aaaabbcd"), st.integers(0, 3), st.none() | eighths),
        st.builds(Free, st.integers(1, 3), st.booleans()),
        st.builds(HangUp, st.integers(0, 30)),
        st.builds(Pass, eighths),
    ),
    max_size=60,
)

SIZE, SHARE, MAX_WAIT = 8, 4, 6.0


@dataclass
class Model:
    """Who waits, and who goes next, found by looking at everybody."""

    waiting: list[Caller] = field(default_factory=list[Caller])
    served: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict[tuple[str, int], tuple[float, int]])
    served_count: int = 0

    def refuses(self, tenant: str) -> bool:
        return len(self.waiting) >= SIZE or sum(caller.tenant == tenant for caller in self.waiting) >= SHARE

    def next(self, now: float) -> Caller | None:
        """The lowest number, a second without a turn lowers it by one; then who has been without one for longest."""
        heads: dict[tuple[str, int], Caller] = {}
        for caller in self.waiting:
            heads.setdefault((caller.tenant, caller.priority), caller)

        def rank(caller: Caller) -> tuple[float, int]:
            served, count = self.served.get((caller.tenant, caller.priority), (0.0, -1))
            since, order = (served, count) if count >= caller.order else (caller.at, caller.order)
            return caller.priority - (now - since), order

        return min(heads.values(), key=rank, default=None)

    def serve(self, caller: Caller, now: float, order: int) -> None:
        self.waiting.remove(caller)
        self.served[caller.tenant, caller.priority] = now, order


@settings(max_examples=400, deadline=None)
@given(steps)
def test_every_turn_is_the_models(backend: Backend, steps: list[Come | Free | HangUp | Pass]) -> None:
    run(_played(backend, steps))


async def _played(backend: Backend, steps: list[Come | Free | HangUp | Pass]) -> None:
    now = asyncio.get_running_loop().time
    us, model, order = line(backend, SIZE, SHARE, MAX_WAIT), Model(), 0
    history: list[Caller] = []
    for step in steps:
        match step:
            case Come(tenant, priority, within):
                refused = model.refuses(tenant)
                caller = await us.come(tenant, priority, within)
                caller.order = order = order + 1
                assert us.outcome(caller) == ("QueueFull" if refused else "waits")
                if not refused:
                    model.waiting.append(caller)
            case Free(times, hang_up):
                for _ in range(times):
                    expected = model.next(now())
                    assert us.queue.serve() == (expected is not None)
                    if expected is None:
                        break
                    order += 1
                    model.serve(expected, now(), order)
                    if hang_up:
                        expected.task.cancel()
                        passed_to = model.next(now())
                        await settle()
                        assert us.outcome(expected) == "cancelled"
                        expected = passed_to
                        order += 1
                        if expected is not None:
                            model.serve(expected, now(), order)
                    await settle()
                    if expected is not None:
                        assert us.turns[-1] == expected.name
                        history.append(expected)
            case HangUp(which) if model.waiting:
                caller = model.waiting.pop(which % len(model.waiting))
                caller.task.cancel()
                await settle()
                assert us.outcome(caller) == "cancelled"
            case Pass(seconds):
                await asyncio.sleep(seconds)
                await settle()
                late = [caller for caller in model.waiting if caller.until <= now()]
                assert all(us.outcome(caller) == "WaitedTooLong" for caller in late)
                model.waiting = [caller for caller in model.waiting if caller.until > now()]
            case _:
                pass
        assert len(us.queue) == len(model.waiting) <= SIZE
        assert all(us.outcome(caller) == "waits" for caller in model.waiting)
        assert us.turns == [caller.name for caller in history]
    await us.end()


arrivals = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.sampled_from([0.0, 0.0, 0.5, 3.0])),
                    min_size=1, max_size=30)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(arrivals, arrivals, st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 2.0])))
def test_one_alone_is_passed_at_most_once_by_each_lane_that_is_not_before_it(
    backend: Backend, before: list[tuple[str, int, float]], after: list[tuple[str, int, float]],
    single: tuple[int, float],
) -> None:  # fmt: skip
    """And by no call that came more seconds after it than its number says."""

    async def main() -> None:
        us = line(backend)
        for tenant, priority, pause in before:
            await us.come(tenant, priority)
            await asyncio.sleep(pause)
        number, pause = single
        alone = await us.come("alone", number)
        passed: list[Caller] = []
        for tenant, priority, gap in after:
            await us.come(tenant, priority)
            await asyncio.sleep(gap or pause)
            (name,) = await us.free()
            if name == alone.name:
                break
            passed.append(next(caller for caller in us.callers if caller.name == name))
        lanes = [(caller.tenant, caller.priority) for caller in passed if caller.priority >= number]
        assert len(lanes) == len(set(lanes))
        assert all(caller.at + caller.priority <= alone.at + number for caller in passed)
        await us.end()

    run(main())


def test_lanes_that_came_and_went_leave_nothing_behind(backend: Backend) -> None:
    """Tenants come and hang up while one waits on and no slot becomes free."""

    async def main() -> None:
        us = line(backend)
        await us.come("first")
        for number in range(500):
            task = asyncio.create_task(us.queue.wait(lambda: 1, print, f"tenant {number}", number % 7))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert len(us.queue._heap) == len(us.queue._lanes) < 100  # pyright: ignore[reportPrivateUsage]
        assert await us.free(2) == ["first0"]
        await us.end()

    run(main())


def test_ten_thousand_wait_and_go_as_fast_as_futures_with_a_timer(backend: Backend) -> None:
    """0.2 s on a quiet machine; a busy one is as slow with bare futures, which go through the same tasks and timers.
    What other tests have left in memory is kept from the garbage collector, as a server's start does."""

    async def through_the_queue() -> None:
        queue = backend(10_000, 10_000, 60, asyncio.get_running_loop().time)
        waiting = [
            asyncio.create_task(queue.wait(lambda: 1, print, f"tenant {n % 1000}", n % 5)) for n in range(10_000)
        ]
        await asyncio.sleep(0)
        assert len(queue) == 10_000
        for _ in range(10_000):
            assert queue.serve()
        await asyncio.gather(*waiting)

    async def bare() -> None:
        loop = asyncio.get_running_loop()
        turns: list[asyncio.Future[None]] = []

        async def wait() -> None:
            turns.append(turn := loop.create_future())
            timer = loop.call_later(60, print)
            await turn
            timer.cancel()

        waiting = [asyncio.create_task(wait()) for _ in range(10_000)]
        await asyncio.sleep(0)
        for turn in turns:
            turn.set_result(None)
        await asyncio.gather(*waiting)

    def seconds(main: Callable[[], Coroutine[Any, Any, None]]) -> float:
        started = time.process_time()
        asyncio.run(main())
        return time.process_time() - started

    gc.collect()
    gc.freeze()
    try:
        times = [(seconds(through_the_queue), seconds(bare)) for _ in range(5)]
    finally:
        gc.unfreeze()
    queued, futures = (min(column) for column in zip(*times, strict=True))
    print(f"10,000 waiters: {queued:.3f} s, bare futures {futures:.3f} s")
    assert queued < 5 * futures
