"""Three gateways with folders of their own, one Postgres, one Redis: limits hold over all of them together."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm.store.base import LogQuery
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from support import load
from support.gateway import MASTER_KEY, Gateway
from support.postgres import Postgres
from support.postgres import postgres as postgres
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread, wait_until

pytestmark = pytest.mark.slow

MODEL = "tokens-3"
COST = 0.003
BODY = {"model": MODEL, "max_tokens": 3, "messages": [{"role": "user", "content": "hi"}]}


def config(upstream: UpstreamThread, folder: Path, database: str, redis: str, **general: Any) -> str:
    params = {"model": f"openai/{MODEL}", "api_base": upstream.base_url, "api_key": "k",
              "input_cost_per_token": 0, "output_cost_per_token": 1e-3}  # fmt: skip
    settings = {"master_key": MASTER_KEY, "data_dir": str(folder / "data"), "database_url": database,
                "redis_url": redis, **general}  # fmt: skip
    return json.dumps(
        {
            "model_list": [{"model_name": MODEL, "litellm_params": params}],
            "general_settings": settings,
            "litellm_settings": {"num_retries": 0},
        }
    )


@contextlib.contextmanager
def replicas(
    upstream: UpstreamThread, folder: Path, database: str, redis: str, count: int = 3, **general: Any
) -> Iterator[list[Gateway]]:
    with contextlib.ExitStack() as stack:
        started: list[Gateway] = []
        for n in range(count):
            own = folder / f"replica{n}"
            text = config(upstream, own, database, redis, **general)
            started.append(stack.enter_context(Gateway(text, own)))
        yield started


async def spent(url: str) -> tuple[int, int]:
    """Calls in the log, and their nano-dollars; the books are proved."""
    database = await open_database(url, Path())
    ledger = SqlLedger(database)
    rows, _ = await ledger.log(LogQuery(size=10_000))
    problems = await ledger.prove()
    await database.aclose()
    assert problems == []
    return len(rows), sum(row.spend or 0 for row in rows)


def key_on(gateways: list[Gateway], **limits: Any) -> str:
    """A key that every replica knows."""
    key = str(json.loads(gateways[0].post("/key/generate", limits)[1])["key"])
    assert all(wait_until(lambda g=g: g.get("/v1/models", key=key)[0] == 200) for g in gateways)
    return key


async def ask(gateways: list[Gateway], key: str, calls: int, insist: bool = False) -> Counter[int]:
    """Statuses of so many calls at once, in turn to each replica; `insist`: after a 503, another try in a second."""

    async def one(n: int) -> int:
        origin = gateways[n % len(gateways)].origin
        for _ in range(40):
            answer = await load.post(origin, "/v1/chat/completions", BODY, {"Authorization": f"Bearer {key}"})
            if not insist or answer.status != 503:
                return answer.status
            await asyncio.sleep(float(answer.headers["retry-after"]))
        return 503

    return Counter(await asyncio.gather(*(one(n) for n in range(calls))))


def test_requests_per_minute_are_exact_over_three_replicas(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer
) -> None:
    with replicas(upstream, tmp_path, postgres.fresh(), redis.url) as gateways:
        key = key_on(gateways, rpm_limit=50)
        assert asyncio.run(ask(gateways, key, 300)) == {200: 50, 429: 250}
        assert len(upstream.requests) == 50


def test_names_that_callers_make_up_leave_nothing_in_redis(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer
) -> None:
    """End users and tags count there once they have a limit; what they had spent until then counts as well."""
    with replicas(upstream, tmp_path, postgres.fresh(), redis.url, count=1) as gateways:
        (gateway,) = gateways
        key = key_on(gateways, max_budget=1000 * COST)

        def call(user: str, tag: str) -> int:
            body = {**BODY, "user": user, "metadata": {"tags": [tag]}}
            return gateway.post("/v1/chat/completions", body, key=key)[0]

        assert call("ann", "blue") == 200
        assert {call(f"user {n}", f"tag {n}") for n in range(40)} == {200}
        assert redis.ask("KEYS", "*:m:key:*") == "*1"
        assert redis.ask("KEYS", "*:user*") == redis.ask("KEYS", "*:ann:*") == redis.ask("KEYS", "*:tag*") == "*0"
        assert gateway.post("/customer/new", {"user_id": "ann", "max_budget": 2 * COST})[0] == 200
        assert gateway.post("/tag/new", {"name": "tag 3", "max_budget": COST / 2})[0] == 200
        assert [call("ann", "none"), call("ann", "none"), call("user 3", "tag 3")] == [200, 429, 429]
        assert call("user 3", "tag 4") == 200


@pytest.mark.parametrize("enforcement", ["strict", "default"])
def test_of_1000_calls_at_once_money_for_100_lets_in_100_over_three_replicas(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer, enforcement: str
) -> None:
    """Every call costs what it was estimated to, so that the default overshoots by nothing either."""
    url = postgres.fresh()
    general = {"budget_enforcement": "strict"} if enforcement == "strict" else {}
    with replicas(upstream, tmp_path, url, redis.url, **general) as gateways:
        key = key_on(gateways, max_budget=100 * COST)
        assert asyncio.run(ask(gateways, key, 1000)) == {200: 100, 429: 900}
    assert asyncio.run(spent(url)) == (100, round(100 * COST * 1e9))


@pytest.mark.parametrize("enforcement", ["strict", "default"])
def test_nor_are_more_let_in_when_redis_is_emptied_in_the_middle(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer, enforcement: str
) -> None:
    """Calls that end while money is loaded again may count twice, so that there may be fewer."""
    url = postgres.fresh()
    general = {"budget_enforcement": "strict"} if enforcement == "strict" else {"redis_failure": "fail_closed"}
    with replicas(upstream, tmp_path, url, redis.url, **general) as gateways:
        key = key_on(gateways, max_budget=100 * COST)

        async def run() -> Counter[int]:
            calls = asyncio.create_task(ask(gateways, key, 1000, insist=True))
            assert await asyncio.to_thread(wait_until, lambda: len(upstream.requests) >= 30, 30, every=0.002)
            await asyncio.to_thread(redis.restart)
            return await calls

        told = asyncio.run(run())
        admitted = len(upstream.requests)
        print(f"{enforcement}: {told}")
        assert told.keys() == {200, 429} and told[200] == admitted
        assert 50 <= admitted <= 100
    assert asyncio.run(spent(url)) == (admitted, round(admitted * COST * 1e9))


@pytest.mark.parametrize("failure", ["fail_open", "fail_closed"])
def test_without_redis_each_policy_and_back_again(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer, failure: str
) -> None:
    with replicas(upstream, tmp_path, postgres.fresh(), redis.url, count=1, redis_failure=failure) as gateways:
        key = key_on(gateways, rpm_limit=5)
        assert asyncio.run(ask(gateways, key, 1)) == {200: 1}
        redis.kill()
        told = asyncio.run(ask(gateways, key, 10))
        assert told == ({200: 5, 429: 5} if failure == "fail_open" else {503: 10})
        redis.start()
        assert wait_until(lambda: "counted in Redis again" in gateways[0].log)
        assert asyncio.run(ask(gateways, key, 10)) == {200: 5, 429: 5}
