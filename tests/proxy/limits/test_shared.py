"""Limits in a shared file: several workers, killed ones among them, and a file that is full."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.limits.base import Crowded, Refused, Scope, Unloaded
from litellm.proxy.limits.hostfile import HostFileError, Sizes
from litellm.proxy.limits.shared import MOST, MOST_SCOPES, SharedLimiter
from support import limit_workers
from support.counts import count
from support.limiters import SMALL, Clock

TESTS = Path(limit_workers.__file__).parents[1]
WORKERS = 4


def worker(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "support.limit_workers", *arguments], cwd=TESTS, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(tmp_path: Path, clock: Clock) -> Iterator[tuple[SharedLimiter, SharedLimiter]]:
    """Two workers of one host."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(SharedLimiter(tmp_path / "limits", clock, SMALL))) for _ in range(2))
        yield one, other


def test_workers_count_together(pair: tuple[SharedLimiter, SharedLimiter]) -> None:
    one, other = pair
    scope = Scope("key:k", rpm=2, parallel=2, budget=100)
    one.load({("key:k", 0): 40})
    ticket = one.reserve("a", [scope], 0, 30, strict=True)
    with pytest.raises(Refused, match="budget"):
        other.reserve("b", [scope], 0, 31, strict=True)
    other.settle(other.reserve("c", [scope], 0, 30, strict=True), 0, 25)
    one.settle(ticket, 0, 30)
    assert one.spent("key:k", 0) == other.spent("key:k", 0) == 95
    with pytest.raises(Refused, match="requests"):
        one.reserve("d", [scope], 0, 1, strict=True)


def test_what_a_worker_that_has_gone_held_is_spent_and_its_calls_in_flight_end(
    pair: tuple[SharedLimiter, SharedLimiter], tmp_path: Path, clock: Clock
) -> None:
    one, _ = pair
    scope = Scope("key:k", tpm=100, parallel=1, budget=100)
    one.load({("key:k", 0): 0})
    third = SharedLimiter(tmp_path / "limits", clock, SMALL)
    third.reserve("a", [scope], 60, 70)
    third.close()
    assert one.spent("key:k", 0) == 70
    one.settle(one.reserve("b", [scope], 40, 30, strict=True), 40, 30)
    with pytest.raises(Refused, match="tokens"):
        one.reserve("c", [Scope("key:k", tpm=100)], 1, 0)


def test_a_refusal_looks_for_dead_workers_first(tmp_path: Path) -> None:
    key = limit_workers.BOTH[1]
    with closing(limit_workers.opened(tmp_path)) as limiter:
        killed = worker("hammer", str(tmp_path), "w")
        while not (tmp_path / "w").exists() or (tmp_path / "w").stat().st_size < 10_000:
            time.sleep(0.01)
        killed.kill()
        killed.wait()
        ticket = limiter.reserve("a", [Scope(key.id, parallel=1)], 0, 0)
        limiter.settle(ticket, 0, 0)


def test_a_file_begins_empty_when_nobody_has_it_open(tmp_path: Path, clock: Clock) -> None:
    for _ in range(2):
        with closing(SharedLimiter(tmp_path / "limits", clock, SMALL)) as limiter:
            assert limiter.spent("key:k", 0) is None
            limiter.load({("key:k", 0): 5})


def test_a_file_of_another_layout_is_refused_while_it_is_in_use_and_made_anew_when_not(
    tmp_path: Path, clock: Clock
) -> None:
    other = Sizes(accounts=512, counters=256, holds=128)
    with (
        closing(SharedLimiter(tmp_path / "limits", clock, SMALL)),
        pytest.raises(HostFileError, match="another version"),
    ):
        SharedLimiter(tmp_path / "limits", clock, other)
    SharedLimiter(tmp_path / "limits", clock, other).close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostFileError, match="cannot be counted"):
        SharedLimiter(tmp_path / "file" / "limits", clock, SMALL)


def test_who_is_idle_makes_room_and_is_loaded_again(pair: tuple[SharedLimiter, SharedLimiter], clock: Clock) -> None:
    one, other = pair
    held = Scope("key:held", rpm=9)
    one.load({("key:held", 0): 1})
    ticket = other.reserve("a", [held], 0, 5)
    for n in range(5 * SMALL.accounts):
        clock.now += 1
        scope = Scope(f"key:{n}", rpm=5, tpm=9)
        one.load({(scope.id, 0): n})
        one.settle(one.reserve("c", [scope], 3, 1), 3, 1)
        assert one.spent(scope.id, 0) == n + 1
    with pytest.raises(Unloaded):
        one.reserve("d", [Scope("key:0")], 0, 0)
    other.settle(ticket, 0, 5)
    assert one.spent("key:held", 0) == 6


def test_who_is_in_use_does_not(pair: tuple[SharedLimiter, SharedLimiter], clock: Clock) -> None:
    one, _ = pair
    with pytest.raises(Crowded, match="scopes"):
        one.load({(f"key:{n}", 0): 0 for n in range(2 * SMALL.accounts)})
    clock.now += 100
    scope = Scope("key:k")
    one.load({("key:k", 0): 0})
    tickets = [one.reserve("c", [scope], 0, 1) for _ in range(SMALL.holds)]
    with pytest.raises(Crowded, match="calls"):
        one.reserve("c", [scope], 0, 1)
    for ticket in tickets:
        one.settle(ticket, 0, 1)
    one.settle(one.reserve("c", [scope], 0, 1), 0, 1)
    assert one.spent("key:k", 0) == SMALL.holds + 1


def test_what_no_cell_can_hold_is_not_taken(pair: tuple[SharedLimiter, SharedLimiter]) -> None:
    one, _ = pair
    scopes = [Scope(f"tag:{n}") for n in range(MOST_SCOPES // 5)]
    one.load({(scope.id, 0): 0 for scope in scopes})
    for nano, tokens in ((MOST + 1, 0), (0, MOST + 1)):
        with pytest.raises(Crowded, match="too large"):
            one.reserve("a", scopes[:1], tokens, nano)
    with pytest.raises(Crowded, match="too large"):
        one.reserve("a", scopes * 6, 0, 0)
    one.settle(one.reserve("a", scopes, 0, MOST), 10**30, 10**30)
    assert one.spent("tag:0", 0) == MOST


@pytest.mark.slow
def test_a_worker_killed_at_any_line_leaves_each_update_done_or_not(tmp_path: Path) -> None:
    process = worker("crash", str(tmp_path), stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=300)
    left = json.loads(output)
    assert len(left) > 60
    assert [one["killed"] for one in left] == [True] * (len(left) - 1) + [False]
    seen: set[tuple[int, ...]] = set()
    for one in left:
        first, money, last = one["scopes"]
        assert first["spent"] == money["spent"] == last["spent"]
        assert first["parallel"] == last["parallel"] == 0
        assert (first["requests"], first["tokens"]) == (last["requests"], last["tokens"])
        seen.add((first["spent"], first["requests"], first["tokens"]))
    assert seen == {(100, 1, 10), (1100, 2, 30), (1060, 2, 25)}, (
        "before the second call, with it, and the first settled"
    )


@pytest.mark.slow
def test_sums_are_exact_under_workers_that_are_killed_at_any_time(tmp_path: Path) -> None:
    dice = random.Random(4)
    with closing(limit_workers.opened(tmp_path)) as observer:
        running: list[subprocess.Popen[bytes]] = []
        names = [f"w{n}" for n in range(count(20, 200))]
        for name in names:
            if len(running) == WORKERS:
                victim = running.pop(dice.randrange(WORKERS))
                victim.kill()
                assert victim.wait() == -signal.SIGKILL
            running.append(worker("hammer", str(tmp_path), name))
            time.sleep(dice.uniform(0, 0.3))
        for victim in running:
            victim.kill()
            victim.wait()
        observer.release_dead()
        stood = {name: limit_workers.counted(observer, limit_workers.own(name)) for name in names}
        for name in names:
            _check(tmp_path / name, stood[name])
        user, key = (limit_workers.counted(observer, scope) for scope in limit_workers.BOTH)
    total = {kind: sum(one[kind] for one in stood.values()) for kind in ("spent", "requests", "tokens", "parallel")}
    assert key == total
    assert user["spent"] == total["spent"]
    assert total["parallel"] == 0 and total["requests"] > 100


def _check(said: Path, stood: dict[str, int]) -> None:
    """A killed worker's scope against what the worker wrote down; of its last step, nobody knows."""
    calls: dict[int, tuple[int, int]] = {}
    begun = settling = None
    for line in said.read_bytes().splitlines() if said.exists() else ():
        what, *numbers = line.split()
        call, *amounts = (int(number) for number in numbers)
        both = amounts[0], amounts[1]
        match what:
            case b"i":
                begun = call, both
            case b"g":
                calls[call], begun = both, None
            case b"s":
                settling = call, both
            case _:
                assert settling is not None and settling[0] == call
                calls[call], settling = settling[1], None
    unknown = begun or settling
    possible = [calls] if unknown is None else [calls, {**calls, unknown[0]: unknown[1]}]
    sums = [
        {
            "spent": sum(nano for _, nano in those.values()),
            "requests": len(those),
            "tokens": sum(tokens for tokens, _ in those.values()),
            "parallel": 0,
        }
        for those in possible
    ]
    assert stood in sums
