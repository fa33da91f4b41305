"""Several workers of one host count together: limits and budgets hold for all of them, and outlive each."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.test_gateway_keys import Answer, ask, chat, config, cost_of, info, logs, new_key
from support.gateway import Gateway
from support.upstream import UpstreamThread

pytestmark = pytest.mark.slow

WORKERS = 3


@pytest.fixture
def gateway(upstream: UpstreamThread, tmp_path: Path) -> Iterator[Gateway]:
    text = config(upstream, data_dir=str(tmp_path / "data"), budget_enforcement="strict")
    with Gateway(text, tmp_path, ("--num_workers", str(WORKERS))) as gateway:
        yield gateway


def workers(gateway: Gateway) -> list[int]:
    pid = gateway.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def many(gateway: Gateway, key: str, count: int, threads: int = 24) -> list[Answer | None]:
    """So many calls, each on a connection of its own, and so on any of the workers; None: it was cut off."""

    def one(_: int) -> Answer | None:
        try:
            return chat(gateway, key, max_tokens=30)
        except OSError:
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(count)))


def statuses(answers: list[Answer | None]) -> Counter[int]:
    return Counter(answer[0] for answer in answers if answer is not None)


def test_a_key_is_good_on_every_worker_as_soon_as_it_is_made_though_the_store_is_made_with_it(
    upstream: UpstreamThread, tmp_path: Path
) -> None:
    calls = 60
    text = config(upstream, data_dir=str(tmp_path / "data"))
    with Gateway(text, tmp_path, ("--num_workers", "4")) as gateway:
        key = new_key(gateway)
        answers = many(gateway, key, calls, calls)
        assert statuses(answers) == {200: calls}
        spent = sum(cost_of(answer[1]["usage"]) for answer in answers if answer is not None)
        rows = logs(gateway, key, calls)
        assert sum(row["spend"] for row in rows) == pytest.approx(spent, abs=1e-12)
        assert statuses(many(gateway, "sk-nobody-knows-it", 4, 4)) == {401: 4}


def test_requests_a_minute_are_counted_over_all_workers(gateway: Gateway) -> None:
    key = new_key(gateway, rpm_limit=40)
    assert statuses(many(gateway, key, 120)) == {200: 40, 429: 80}


def test_parallel_calls_are_counted_over_all_workers_and_die_with_theirs(gateway: Gateway) -> None:
    key = new_key(gateway, max_parallel_requests=2)

    def hang() -> int:
        try:
            return chat(gateway, key, "hang", max_tokens=30, timeout=30)[0]
        except OSError:
            return 0

    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(hang) for _ in range(2)]
        time.sleep(1)
        assert statuses(many(gateway, key, 12, 4)) == {429: 12}
        for pid in workers(gateway):
            os.kill(pid, signal.SIGKILL)
        assert [one.result() for one in hanging] == [0, 0]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and statuses(many(gateway, key, 1)) != {200: 1}:
        time.sleep(0.2)
    assert statuses(many(gateway, key, 3, 1)) == {200: 3}


def test_a_strict_budget_holds_though_workers_are_killed(gateway: Gateway) -> None:
    key = new_key(gateway, max_budget=0.02)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(many, gateway, key, 400)
        for _ in range(2):
            time.sleep(0.4)
            os.kill(workers(gateway)[0], signal.SIGKILL)
        answers = [answer for answer in asked.result() if answer is not None]
    served = [answer for status, answer, _ in answers if status == 200]
    assert served and 429 in statuses(list(answers))
    least = sum(cost_of(answer["usage"]) for answer in served)
    deadline = time.monotonic() + 20
    while True:  # until the journals of the killed are in the store, too
        logged = ask(gateway, f"/spend/logs?api_key={key}&page_size=1000")[1]
        spent = sum(row["spend"] for row in logged)  # pyright: ignore
        if abs(spent - info(gateway, key)["spend"]) < 1e-12 or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert spent == pytest.approx(info(gateway, key)["spend"], abs=1e-12)
    assert least - 1e-12 <= spent <= 0.02
