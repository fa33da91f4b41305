"""States that several threads use."""

import threading

import pytest

from litellm import exceptions as e
from litellm.router.health import Cooldowns, Health, failed
from litellm.router.shared import SharedState


def test_a_slot_is_taken_once():
    state = SharedState()
    state.limit(2, None, None)
    state.begin(0.0)
    state.begin(0.0)
    with pytest.raises(e.RateLimitError, match="max_parallel_requests"):
        state.begin(0.0)
    assert state.inflight == 2 and state.open_at > 1e9
    state.ended()
    state.begin(0.0)
    assert state.inflight == 2


def test_threads_count_together():
    state = SharedState()
    state.limit(None, 10**9, 10**9)
    error = e.InternalServerError(message="no", llm_provider="", model="")

    def calls() -> None:
        for second in range(500):
            state.begin(float(second % 7))
            state.used(3)
            failed(state, error, 0.0, Cooldowns(disabled=True), alone=False, pattern=False)
            state.took(0.0, 0.1)
            state.answered()
            state.ended()

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (state.inflight, state.requests, state.failed, state.tokens) == (0, 4000, 4000, 12000)


def test_what_is_forgotten_and_what_stays():
    health = Health(SharedState)
    state = health.of("a")
    state.limit(1, 5, None)
    assert isinstance(state, SharedState) and health.of("a") is state
    state.begin(0.0)
    state.rest(0.0, 60.0)
    state.latency = 2.0
    health.forget()
    assert (state.inflight, state.parallel, state.rpm, state.strikes, state.latency) == (1, 1, 5, 0, None)
    assert state.resting_until == 0.0 and state.requests == 0
    state.ended()
    assert state.open_at == 0.0
