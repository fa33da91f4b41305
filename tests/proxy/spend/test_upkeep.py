"""What is done to the store now and then: the log retires, prompts are kept, all of it in bounds."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from litellm.proxy.spend.prompts import Prompts
from litellm.proxy.spend.upkeep import Upkeep
from litellm.store.base import LogQuery, Prompt, StoreDown
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger, day_of
from litellm.types.accounts import SpendRow
from litellm.types.calls import Ask

DAY = 86_400_000
NOW = 1_795_000_000_000


def row(number: int, days_ago: int = 0) -> SpendRow:
    at = NOW - days_ago * DAY
    return SpendRow(call_id=f"c{number}", day=day_of(at), admitted_at=at, spend=5, charged=(("key:k", 0),))


def test_the_log_retires_once_a_day_where_this_worker_is_the_one(tmp_path: Path) -> None:
    async def run() -> None:
        database = await open_database(None, tmp_path)
        ledger = SqlLedger(database)
        await ledger.move("f", 0, 1, [row(n, n) for n in range(10)])
        elected, now = [False], [NOW]
        upkeep = Upkeep(ledger, Prompts(ledger), lambda: elected[0], lambda: now[0], "3d")

        async def left() -> int:
            await upkeep._daily()
            assert await ledger.prove() == []
            return (await ledger.log(LogQuery()))[1]

        assert await left() == 10
        elected[0] = True
        assert await left() == 4, "today and three days before"
        now[0] += DAY
        assert await left() == 3
        assert await left() == 3
        upkeep.retention = "1d"
        assert await left() == 1, "a reload has shortened it"
        assert (await ledger.sums([], LogQuery()))[0].total.requests == 10
        upkeep.retention = None
        now[0] += 99 * DAY
        assert await left() == 1
        await database.aclose()

    asyncio.run(run())


class Store:
    """A ledger that keeps prompts in a list, or is down."""

    def __init__(self) -> None:
        self.kept: list[Prompt] = []
        self.down = False

    async def keep(self, prompts: list[Prompt]) -> None:
        if self.down:
            raise StoreDown("it is down")
        self.kept += prompts


def ask(text: str) -> Ask:
    return Ask("chat", "m", {"messages": [{"role": "user", "content": text}]}, call_id="c")


def test_prompts_wait_for_the_store_within_bounds() -> None:
    async def run() -> None:
        store: Any = Store()
        prompts = Prompts(store, 400_000)
        store.down = True
        for number in range(10):
            prompts.begin(row(number), ask("x" * 100_000)).answered(b"y" * 100_000)
        assert prompts.dropped == 7, "64 KiB of each are kept"
        with pytest.raises(StoreDown):
            await prompts.write()
        store.down = False
        await prompts.write()
        assert [prompt.call_id for prompt in store.kept] == ["c0", "c1", "c2"]
        assert all(len(prompt.request) < 66_000 and prompt.request.endswith("... (cut)") for prompt in store.kept)
        prompts.begin(row(11), ask("nul \0")).answered(b'{"a":1}')
        await prompts.write()
        assert orjson.loads(store.kept[-1].request)["messages"][0]["content"] == "nul \0"
        assert "\0" not in store.kept[-1].request and store.kept[-1].response == '{"a":1}'

    asyncio.run(run())


def test_a_streams_answer_is_put_together() -> None:
    async def run() -> None:
        store: Any = Store()
        prompts = Prompts(store)
        one = prompts.begin(row(1), ask("q"))
        splicer = one.splicer("m", True, orjson.loads)
        call = {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}
        for delta in ({"role": "assistant", "content": "Hel"}, {"content": "lo"}, call):
            splicer.feed(b"data: %b\n\n" % orjson.dumps({"model": "x", "choices": [{"index": 0, "delta": delta}]}))
        splicer.feed(b": silence\n\ndata: [DONE]\n\n")
        one.ended()
        await prompts.write()
        told = orjson.loads(store.kept[0].response)
        assert told["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]
        assert told["deltas"] == [call]

    asyncio.run(run())
