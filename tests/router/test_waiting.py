"""Waiting for room, by the states that say when there is some."""

import asyncio

import pytest

from litellm.router.health import Health, State
from litellm.router.queue import QueueFull, QueuePolicy, WaitedTooLong
from litellm.router.waiting import Queues
from support import virtual_time

POLICY = QueuePolicy(10, 30.0)


def group(*limits: int) -> tuple[Queues, tuple[State, ...]]:
    queues = Queues()
    queues.policy = POLICY
    states = tuple(State() for _ in limits)
    for state, limit in zip(states, limits, strict=True):
        state.queues = queues
        state.limit(limit, None, None)
    return queues, states


def taking(states: tuple[State, ...]) -> State | None:
    """The first that takes a call, which is begun there."""
    now = asyncio.get_running_loop().time()
    chosen = next((state for state in states if state.open_at <= now), None)
    if chosen is not None:
        chosen.begin(now)
    return chosen


async def slot(
    queues: Queues, states: tuple[State, ...], deadline: float | None = None, tenant: str = ""
) -> State | None:
    return await queues.slot(states, lambda: taking(states), State.ended, tenant, 0, deadline)


def test_those_who_can_use_different_deployments_do_not_hold_each_other_up() -> None:
    async def main() -> None:
        queues, (left, right) = group(1, 1)
        for state in (left, right):
            assert await slot(queues, (state,)) is state
        first = asyncio.ensure_future(slot(queues, (left,)))
        second = asyncio.ensure_future(slot(queues, (right,)))
        either = asyncio.ensure_future(slot(queues, (left, right)))
        await asyncio.sleep(0)
        assert len(queues) == 3
        right.ended()
        assert await second is right
        assert not first.done()
        left.ended()
        assert await first is left
        right.ended()
        assert await either is right
        assert not len(queues)

    asyncio.run(main())


def test_a_slot_that_several_lines_can_use_goes_to_whoever_has_waited_longest() -> None:
    """Callers of three lines, which share one deployment, come one after the other."""

    async def main() -> list[int]:
        queues, (left, shared, right) = group(1, 1, 1)
        lines = ((shared,), (left, shared), (shared, right))
        for state in (left, shared, right):
            assert await slot(queues, (state,)) is state
        served: list[int] = []

        async def call(number: int) -> None:
            assert await slot(queues, lines[number % 3], tenant=f"tenant {number}") is shared
            served.append(number)

        calls: list[asyncio.Future[None]] = []
        for number in range(9):
            calls.append(asyncio.ensure_future(call(number)))
            await asyncio.sleep(0)
        for _ in range(9):
            shared.ended()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        return served

    assert asyncio.run(main()) == list(range(9))


def test_who_comes_anew_does_not_take_what_has_just_become_free_for_another_line() -> None:
    async def main() -> None:
        queues, (left, right) = group(1, 1)
        for state in (left, right):
            assert await slot(queues, (state,)) is state
        waits = asyncio.ensure_future(slot(queues, (left, right)))
        await asyncio.sleep(0)
        left.ended()
        new = asyncio.ensure_future(slot(queues, (left,)))
        await asyncio.sleep(0)
        assert await waits is left and not new.done()
        left.ended()
        assert await new is left

    asyncio.run(main())


def test_a_slot_on_its_way_to_one_who_hangs_up_goes_to_the_next() -> None:
    async def main() -> None:
        queues, (state,) = group(1)
        assert await slot(queues, (state,)) is state
        gone, stays = [asyncio.ensure_future(slot(queues, (state,))) for _ in range(2)]
        await asyncio.sleep(0)
        state.ended()
        gone.cancel()
        assert await stays is state
        assert (gone.cancelled(), state.inflight, len(queues)) == (True, 1, 0)

    asyncio.run(main())


def test_another_size_holds_at_once() -> None:
    async def main() -> None:
        queues, (left, right) = group(1, 1)
        for state in (left, right):
            assert await slot(queues, (state,)) is state
        queues.policy = QueuePolicy(1, 30.0, 1)
        waiting = [asyncio.ensure_future(slot(queues, (state,))) for state in (left, right)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await slot(queues, (left,))
        queues.policy = QueuePolicy(2, 30.0, 2)
        waiting.append(asyncio.ensure_future(slot(queues, (left,))))
        await asyncio.sleep(0)
        assert len(queues) == 3
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        assert len(queues) == 0

    asyncio.run(main())


def test_no_more_are_served_than_there_is_room_for() -> None:
    async def main() -> int:
        queues, states = group(2, 1)
        served = most = 0

        async def call() -> None:
            nonlocal served, most
            state = await slot(queues, states)
            assert state is not None
            most = max(most, sum(one.inflight for one in states))
            await asyncio.sleep(0)
            state.ended()
            served += 1

        for _ in range(10):
            await asyncio.gather(*(call() for _ in range(8)))
        assert served == 80
        assert not len(queues)
        return most

    assert asyncio.run(main()) == 3


def test_a_deadline_is_kept_and_a_reload_without_a_queue_leaves_nobody_standing() -> None:
    async def main() -> None:
        queues, states = group(1)
        assert await slot(queues, states) is states[0]
        with pytest.raises(WaitedTooLong):
            await slot(queues, states, asyncio.get_running_loop().time() + 0.05)
        waiter = asyncio.ensure_future(slot(queues, states))
        await asyncio.sleep(0)
        queues.policy = None
        assert await slot(queues, states) is None
        states[0].limit(2, None, None)  # as a reload does
        assert await waiter is states[0]

    asyncio.run(main())


def test_a_minute_that_is_over_makes_room() -> None:
    async def main() -> None:
        queues, states = group(5)
        now = asyncio.get_running_loop().time()
        states[0].rest(now, 0.1)
        states[0].answered()
        assert await slot(queues, states) is states[0]
        assert asyncio.get_running_loop().time() >= now + 0.1

    asyncio.run(main())


def test_the_next_comes_when_the_window_lets_it_though_no_call_has_ended() -> None:
    async def main() -> list[float]:
        clock = asyncio.get_running_loop().time
        queues, state, began = Queues(clock), State(), clock()
        queues.policy = QueuePolicy(10, 300.0)
        state.queues = queues
        state.limit(None, 2, None)

        async def call() -> float:
            assert await slot(queues, (state,)) is state
            return clock() - began

        await call()
        await asyncio.sleep(5)
        await call()
        return await asyncio.gather(call(), call())

    assert virtual_time.run(main()) == [pytest.approx(61, abs=1.5), pytest.approx(66, abs=1.5)]


def test_of_those_who_wait_one_tries_a_deployment_whose_rest_is_over() -> None:
    async def main() -> None:
        queues, states = group(5)
        (state,) = states
        state.rest(asyncio.get_running_loop().time(), 0.05)
        waiters = [asyncio.ensure_future(slot(queues, states)) for _ in range(3)]
        done, pending = await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        assert (len(done), len(pending), state.probing) == (1, 2, True)
        state.answered()
        assert await asyncio.gather(*pending) == [state] * 2

    asyncio.run(main())


def test_queues_outlive_a_reload_and_those_of_a_group_that_has_gone_do_not() -> None:
    health = Health()
    state = health.of("a")
    state.queues = kept = health.queues("m", POLICY)
    health.queues("gone", POLICY)
    health.keep({"a"})
    assert health.queues("m", POLICY) is kept
    assert health.queues("gone", None) is None
    assert health.queues("m", None) is None
