"""Workers are killed under load, and the books are exact all the same, to the nano-dollar: on SQLite with the limits in
a file, and on Postgres with the limits in Redis.

F are the calls whose last byte the client received, S the rows that are stored as ended, U the calls that reached the
upstream, which bills them. F is a part of S, S of U; no call is there twice, and each row of S costs what the upstream
billed. What U has and S has not was under way when its worker was killed: it is listed as unknown, at its estimate.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from litellm.store.base import LogQuery
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.types.accounts import SpendRow
from support import load
from support.bodies import usage
from support.counts import count, fuzz_seed
from support.gateway import MASTER_KEY, Gateway
from support.postgres import Postgres
from support.postgres import postgres as postgres
from support.redis import RedisServer
from support.redis import redis as redis
from support.upstream import UpstreamThread

pytestmark = [pytest.mark.slow, pytest.mark.soak]

WORKERS = 4
CALLERS = 24
SECONDS = 1.5  # of load in a round, and longer until there were
LEAST = 70  # calls, however slow the machine is
INPUT, OUTPUT = 1_234_567, 7_654_321  # pico-dollars per token: no whole nano-dollars
TOKENS = {"tokens-3": 3, "tokens-41": 41, "stream-slow-20": 5}
"""Models of the upstream, and how many tokens their answers have."""


def config(upstream: UpstreamThread, folder: Path, url: str | None, redis: RedisServer) -> str:
    def model(name: str) -> dict[str, Any]:
        prices = {"input_cost_per_token": INPUT / 1e12, "output_cost_per_token": OUTPUT / 1e12}
        return {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": upstream.base_url, "api_key": "k", **prices},
        }

    general = {"master_key": MASTER_KEY, "data_dir": str(folder / "data")}
    if url:  # then limits are counted in Redis, too
        general |= {"database_url": url, "redis_url": redis.url}
    return json.dumps(
        {
            "model_list": [model(name) for name in TOKENS],
            "general_settings": general,
            "litellm_settings": {"num_retries": 0},
        }
    )


def billed(model: str) -> int:
    """Nano-dollars, rounded half up, of an answer's usage."""
    said = usage(TOKENS[model])
    return (said["prompt_tokens"] * INPUT + said["completion_tokens"] * OUTPUT + 500) // 1000


@dataclass
class Run:
    """Load on one gateway, and what came of it."""

    gateway: Gateway
    upstream: UpstreamThread
    dice: random.Random
    key: str = ""
    asked: int = 0
    finished: set[str] = field(default_factory=set)
    kills: int = 0

    def workers(self) -> list[int]:
        pid = self.gateway.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def round(self, kill: bool) -> None:
        """Callers ask for a while; one worker is killed at some moment of it."""
        until, enough = time.monotonic() + SECONDS, self.asked + LEAST
        callers = [asyncio.create_task(self._caller(until, enough)) for _ in range(CALLERS)]
        if kill:
            await asyncio.sleep(self.dice.uniform(0.1, SECONDS - 0.1))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.dice.choice(self.workers()), signal.SIGKILL)
                self.kills += 1
        await asyncio.gather(*callers)

    async def _caller(self, until: float, enough: int) -> None:
        while time.monotonic() < until or self.asked < enough:
            self.asked += 1
            await self._call(f"call-{self.asked}")

    async def _call(self, id: str) -> None:
        model = self.dice.choice(list(TOKENS))
        stream = model.startswith("stream") or self.dice.random() < 0.5
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}], "user": id}
        headers = {"Authorization": f"Bearer {self.key}", "x-litellm-call-id": id}
        with contextlib.suppress(load.Broken, TimeoutError):
            answer = await load.post(self.gateway.origin, "/v1/chat/completions", body, headers)
            if answer.status == 200 and (not stream or answer.text.endswith("data: [DONE]\n\n")):
                self.finished.add(id)
            else:
                assert answer.status == 200, answer.text  # a stream that breaks off is one of a killed worker

    def billed(self) -> dict[str, str]:
        """U: call -> model."""
        return {str(request.json["user"]): request.model for request in list(self.upstream.requests)}


async def books(url: str | None, data: Path) -> tuple[list[SpendRow], list[str]]:
    database = await open_database(url, data)
    ledger = SqlLedger(database)
    rows, _ = await ledger.log(LogQuery(size=1_000_000))
    problems = await ledger.prove()
    await database.aclose()
    return rows, problems


def prove(run: Run, rows: list[SpendRow], problems: list[str]) -> dict[str, int]:
    """The claims of this module; how many calls there are of each kind."""
    assert problems == []
    upstream = run.billed()
    assert len(upstream) == len(run.upstream.requests), "no call goes out twice"
    by_id = {row.call_id: row for row in rows}
    assert len(by_id) == len(rows), "no call is stored twice"
    ended = {id for id, row in by_id.items() if row.status != "unknown"}
    open_ = by_id.keys() - ended
    assert run.finished <= ended, sorted(run.finished - ended)
    assert ended <= upstream.keys(), sorted(ended - upstream.keys())
    assert all(by_id[id].status == "success" for id in run.finished)
    wrong = {id: by_id[id].spend for id in ended if by_id[id].usage_source == "reported"
             and by_id[id].spend != billed(upstream[id])}  # fmt: skip
    assert wrong == {}
    lost = upstream.keys() - ended
    assert lost <= open_, f"billed and in no book: {sorted(lost - open_)}"
    assert all((by_id[id].usage_source, by_id[id].spend or 0) > ("estimated", 0) for id in open_)
    assert len(open_) <= run.kills * CALLERS
    return {"asked": run.asked, "F": len(run.finished), "S": len(ended), "U": len(upstream), "unknown": len(open_)}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_without_a_kill_the_books_are_the_upstreams(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer, database: str
) -> None:
    """F, S and U are the same calls, and all together cost what the upstream billed."""
    url = postgres.fresh() if database == "postgres" else None
    gateway = Gateway(config(upstream, tmp_path, url, redis), tmp_path, ("--num_workers", str(WORKERS)))
    run = Run(gateway, upstream, random.Random(fuzz_seed()))
    with gateway:
        run.key = json.loads(gateway.post("/key/generate", {"max_budget": 1e6})[1])["key"]
        time.sleep(1.5)  # every worker knows it
        asyncio.run(run.round(kill=False))
    rows, problems = asyncio.run(books(url, tmp_path / "data"))
    told = prove(run, rows, problems)
    assert told["F"] == told["S"] == told["U"] == told["asked"] > 50 and told["unknown"] == 0
    bills = run.billed()
    assert {row.call_id: row.spend for row in rows} == {id: billed(model) for id, model in bills.items()}
    assert {row.usage_source for row in rows} == {"reported"}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_killed_workers_cost_no_call_and_count_none_twice(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, redis: RedisServer, database: str
) -> None:
    url = postgres.fresh() if database == "postgres" else None
    seed = fuzz_seed()
    gateway = Gateway(config(upstream, tmp_path, url, redis), tmp_path, ("--num_workers", str(WORKERS)))
    run = Run(gateway, upstream, random.Random(seed))
    with gateway:
        run.key = json.loads(gateway.post("/key/generate", {"max_budget": 1e6})[1])["key"]
        time.sleep(1.5)  # every worker knows it
        for number in range(count(2, 20) + 1):
            asyncio.run(run.round(kill=number > 0))
            if number == 0:
                quiet, untouched = set(run.finished), run.asked
    told = prove(run, *asyncio.run(books(url, tmp_path / "data")))
    print(f"{database}, seed {seed}: {run.kills} kills, {told}")
    assert len(quiet) == untouched, "without a kill every call is answered"
    assert run.kills > 0 and told["F"] > 100
