"""The spend log, its totals and balances, over every back-end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from litellm.store.base import LogQuery, Prompt, StoreError, Total
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger, day_of
from litellm.types.accounts import ATTEMPT, SpendRow

Where = Any


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[SqlLedger]:
    database = await open_database(*where)
    try:
        yield SqlLedger(database)
    finally:
        await database.aclose()


def row(number: int, **given: Any) -> SpendRow:
    at = given.pop("admitted_at", 1_795_000_000_000 + number)
    values: dict[str, Any] = {
        "call_id": f"call-{number}", "day": day_of(at), "admitted_at": at, "spend": 1000 + number,
        "prompt_tokens": 10, "completion_tokens": 2, "key": "k1", "tags": ("a", "b"), "model_group": "m",
        "metadata": {"x": 1}, "charged": (("key:k1", 0), ("team:t1", 5)),
    }  # fmt: skip
    return SpendRow(**{**values, **given})


def test_rows_come_back_and_are_counted_once(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            rows = [row(n) for n in range(3)]
            assert await ledger.offset("f") == 0
            assert await ledger.move("f", 0, 100, rows[:2])
            assert not await ledger.move("f", 0, 100, rows[:2]), "somebody else has moved that part"
            assert await ledger.move("f", 100, 150, rows[2:])
            assert await ledger.offset("f") == 150
            found, count = await ledger.log(LogQuery(descending=False))
            assert (found, count) == (rows, 3)
            total = Total(3003, 3, 30, 6)
            assert await ledger.totals([("key:k1", 0), ("team:t1", 5), ("key:k1", 5)]) == {
                ("key:k1", 0): total, ("team:t1", 5): total,
            }  # fmt: skip
            assert await ledger.prove() == [] and ledger.duplicates == 0
            await ledger.forget("f")
            assert await ledger.offset("f") == 0

    asyncio.run(run())


def test_a_row_that_is_there_already_costs_the_others_nothing(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            await ledger.move("f", 0, 1, [row(1)])
            await ledger.move("g", 0, 1, [row(1), row(2)])
            assert ledger.duplicates == 1
            assert (await ledger.log(LogQuery()))[1] == 2
            assert (await ledger.totals([("key:k1", 0)]))["key:k1", 0].spend == 2003
            assert await ledger.prove() == []

    asyncio.run(run())


def test_more_rows_than_one_statement_takes(where: Where) -> None:
    """With and without what a row may lack, so that nothing lands in another column, or in another row."""

    async def run() -> None:
        async with opened(where) as ledger:
            full = {"error": "429 RateLimitError", "user_id": "u", "team_id": "t", "end_user": "e", "stream": True}
            rows = [row(n, **(full if n % 3 else {}), spend=None if n % 5 == 0 else n) for n in range(613)]
            assert await ledger.move("f", 0, 1, rows)
            found, count = await ledger.log(LogQuery(descending=False, size=1000))
            assert (found, count) == (rows, 613)
            assert (await ledger.log(LogQuery(where={"team_id": "t"}, size=1)))[1] == sum(
                1 for n in range(613) if n % 3
            )
            assert await ledger.move("g", 0, 1, [*rows, row(613)]), "all but one are there already"
            assert (await ledger.log(LogQuery(size=1)))[1] == 614 and ledger.duplicates == 613
            assert await ledger.prove() == []

    asyncio.run(run())


def test_an_attempt_costs_and_is_no_request(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            attempt = row(2, call_type=ATTEMPT, status="failure")
            await ledger.move("f", 0, 1, [row(1), attempt])
            total = (await ledger.totals([("key:k1", 0)]))["key:k1", 0]
            assert (total.requests, total.spend) == (1, (row(1).spend or 0) + (attempt.spend or 0))
            assert await ledger.prove() == []

    asyncio.run(run())


def test_movers_of_one_file_count_it_once(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            moved = await asyncio.gather(*(ledger.move("f", 0, 9, [row(n) for n in range(50)]) for _ in range(5)))
            assert sorted(moved) == [False, False, False, False, True]
            assert (await ledger.totals([("key:k1", 0)]))["key:k1", 0].requests == 50

    asyncio.run(run())


def test_movers_of_many_files_do_not_block_each_other_for_ever(where: Where) -> None:
    async def run() -> None:
        random = Random(7)
        async with opened(where) as ledger:

            async def move(file: int) -> None:
                for batch in range(4):
                    scopes = [(f"key:{n}", 0) for n in range(8)]
                    random.shuffle(scopes)
                    rows = [row(file * 1000 + batch * 10 + n, charged=tuple(scopes)) for n in range(5)]
                    assert await ledger.move(f"f{file}", batch, batch + 1, rows)

            await asyncio.wait_for(asyncio.gather(*map(move, range(6))), 120)
            totals = await ledger.totals([(f"key:{n}", 0) for n in range(8)])
            assert {total.requests for total in totals.values()} == {120}
            assert await ledger.prove() == []

    asyncio.run(run())


def test_searching(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            await ledger.move("f", 0, 1, [row(n, key=f"k{n % 2}", user_id="u" if n < 3 else None) for n in range(6)])

            async def ids(**given: Any) -> list[str]:
                return [found.call_id for found in (await ledger.log(LogQuery(**given)))[0]]

            assert await ids(where={"key": "k1", "user_id": "u"}) == ["call-1"]
            assert await ids(since=1_795_000_000_004) == ["call-5", "call-4"]
            assert await ids(until=1_795_000_000_002, descending=False) == ["call-0", "call-1"]
            assert await ids(size=2, page=3) == ["call-1", "call-0"]
            assert await ids(where={"key": "x' OR 1=1 --"}) == []
            with pytest.raises(StoreError, match="metadata"):
                await ids(where={"metadata": 1})

    asyncio.run(run())


DAY = 86_400_000


def test_sums_stay_what_they_were_when_rows_leave_the_log(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            start = 1_795_000_000_000
            rows = [
                row(n, admitted_at=start + n % 4 * DAY, key=f"k{n % 3}", status="failure" if n == 5 else "success",
                    spend=None if n == 7 else n)
                for n in range(12)
            ]  # fmt: skip
            await ledger.move("f", 0, 1, rows)
            asked: list[tuple[list[str], LogQuery, bool]] = [
                ([], LogQuery(), False),
                (["key"], LogQuery(), True),
                (["key", "model_group"], LogQuery(where={"key": ["k0", "k1"]}), False),
                (["key"], LogQuery(since=start // DAY * DAY + DAY, until=start // DAY * DAY + 3 * DAY), True),
            ]
            before = [await ledger.sums(*one) for one in asked]
            assert before[0][0].total == Total(sum(r.spend or 0 for r in rows), 12, 120, 24)
            assert before[0][0].failures == 1
            totals = await ledger.totals([("key:k1", 0)])
            assert await ledger.retire(day_of(start + 2 * DAY)) == 6
            assert (await ledger.log(LogQuery()))[1] == 6
            assert [await ledger.sums(*one) for one in asked] == before
            assert await ledger.totals([("key:k1", 0)]) == totals
            assert await ledger.prove() == []
            with pytest.raises(StoreError, match="call_id"):
                await ledger.sums(["call_id"], LogQuery())

    asyncio.run(run())


def test_sums_by_tag(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            tags = [("a",), ("a", "b"), (), ("it's",)]
            rows = [row(n, tags=tags[n], spend=10**n, cached_tokens=n, key=f"k{n % 2}") for n in range(4)]
            await ledger.move("f", 0, 1, rows)

            async def by(*names: str, **asked: Any) -> dict[tuple[str, ...], int]:
                return {one.group: one.total.spend for one in await ledger.sums(names, LogQuery(where=asked))}

            assert await by("tag") == {("a",): 11, ("b",): 10, ("it's",): 1000}
            assert await by("tag", tag=("b", "it's")) == {("b",): 10, ("it's",): 1000}
            assert await by("key", "tag", key="k1") == {("k1", "a"): 10, ("k1", "b"): 10, ("k1", "it's"): 1000}
            assert await by("key", tag="a") == {("k0",): 1, ("k1",): 10}
            assert await by(tag=["a", "b"]) == {(): 11}, "each call once"
            (whole,) = await ledger.sums([], LogQuery())
            assert whole.total.cached_tokens == 6
            daily = await ledger.sums(["tag"], LogQuery(), daily=True)
            assert (daily[0].day, daily[0].group) == (rows[0].day, ("a",))
            found, count = await ledger.log(LogQuery(where={"tag": "a"}, descending=False))
            assert ([one.call_id for one in found], count) == (["call-0", "call-1"], 2)

    asyncio.run(run())


def test_rows_retire_a_few_at_a_time_with_what_they_said(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            rows = [row(n, admitted_at=1_795_000_000_000 + n % 3 * DAY) for n in range(30)]
            await ledger.move("f", 0, 1, rows)
            await ledger.keep([Prompt(one.day, one.call_id, "q", "a") for one in rows])
            await ledger.keep([Prompt(rows[0].day, rows[0].call_id, "q", "again")])
            before = await ledger.sums(["key"], LogQuery(), True)
            last = day_of(1_795_000_000_000 + 2 * DAY)
            done = await asyncio.gather(*(ledger.retire(last, 7) for _ in range(2)))
            while (some := await ledger.retire(last, 7)) > 0:
                assert some <= 7 and await ledger.prove() == []
                done.append(some)
            assert sum(done) == 20 and await ledger.prove() == []
            assert await ledger.sums(["key"], LogQuery(), True) == before
            kept = await ledger.prompts([one.call_id for one in rows])
            assert len(kept) == 10 and {prompt.day for prompt in kept.values()} == {last}
            late = [row(100, admitted_at=1_795_000_000_000), row(101, admitted_at=1_795_000_000_000 + 2 * DAY)]
            assert await ledger.move("g", 0, 1, late), "a day that had been retired"
            assert await ledger.insert([*late, row(102)]) == 1
            assert await ledger.prove() == []
            assert await ledger.logged([(late[0].day, "call-100"), (late[0].day, "call-3")]) == {
                (late[0].day, "call-100")
            }

    asyncio.run(run())


def test_opening_balances_count_once(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            for _ in range(2):
                await ledger.carry_over({("key:k1", 0): Total(7), ("team:t1", 5): Total(9, 1, 2, 3)})
            await ledger.move("f", 0, 1, [row(1)])
            assert (await ledger.totals([("key:k1", 0)]))["key:k1", 0] == Total(1008, 1, 10, 2)
            assert (await ledger.sums([], LogQuery()))[0].total.spend == 1001
            assert await ledger.prove() == []

    asyncio.run(run())


def test_calls_without_a_price_are_found(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            await ledger.move("f", 0, 1, [row(1), row(2, spend=None), row(3, spend=None, model_group="n")])
            found = [(one.group[0], one.total) for one in await ledger.unpriced()]
            assert found == [("m", Total(0, 1, 10, 2)), ("n", Total(0, 1, 10, 2))]

    asyncio.run(run())


def test_an_error_in_the_books_is_found(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as ledger:
            await ledger.move("f", 0, 1, [row(1), row(2)])
            async with ledger._database.writing() as connection:  # pyright: ignore[reportPrivateUsage]
                schema = "gateway." if ledger._database.is_postgres else ""  # pyright: ignore[reportPrivateUsage]
                await connection.execute(
                    text(f"UPDATE {schema}spend_totals SET spend = spend + 1 WHERE scope = 'key:k1'")
                )
            (problem,) = await ledger.prove()
            assert "key:k1" in problem and "2004" in problem and "2003" in problem

    asyncio.run(run())
