"""The rows of keys, users, teams, ... over every back-end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from litellm.store.base import Audit, Delete, Insert, Missing, Query, StoreDown, StoreError, Taken, Update
from litellm.store.database import open_database
from litellm.store.records import SqlRecords
from litellm.types.accounts import KINDS, Key, Team, User

Where = Any
NASTY = "x'); DROP TABLE keys; --"


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[SqlRecords]:
    database = await open_database(*where)
    try:
        yield SqlRecords(database)
    finally:
        await database.aclose()


FULL = Key(
    id="a" * 64, key_name="sk-...abcd", key_alias="mine", user_id="u1", team_id="t1", models=("gpt-4o", "openai/*"),
    max_budget=2**60, budget_duration="30d", rpm_limit=5, metadata={"tags": ["x"], "n": 1.5}, aliases={"a": "b"},
    model_max_budget={"gpt-4o": {"max_budget": 7}}, blocked=True, expires=1_800_000_000_000, created_at=3, tags=("p",),
)  # fmt: skip


def test_a_row_comes_back_as_it_was(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            await records.change([Insert(FULL), Insert(Key(id="b"))])
            assert await records.get(Key, FULL.id) == FULL
            assert await records.get(Key, "b") == Key(id="b")
            assert await records.get(Key, "nobody") is None
            assert set(await records.get_many(Key, [FULL.id, "b", "c"])) == {FULL.id, "b"}

    asyncio.run(run())


def test_every_kind_has_a_table(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            rows = [cls(id=NASTY) for cls in KINDS.values()]
            await records.change([Insert(row) for row in rows])
            assert [await records.get(type(row), NASTY) for row in rows] == rows

    asyncio.run(run())


def test_all_or_none(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            with pytest.raises(Missing):
                await records.change([Insert(User(id="u")), Update("team", "nobody", {"team_alias": "x"})])
            assert await records.get(User, "u") is None
            assert await records.version() == 0

    asyncio.run(run())


def test_what_is_there_already_is_named(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            await records.change([Insert(FULL), Insert(User(id="u", user_email="a@b.c"))])
            cases: list[tuple[Any, str, str]] = [
                (Insert(replace(FULL, key_alias=None)), "id", FULL.id),
                (Insert(replace(FULL, id="c")), "key_alias", "mine"),
                (Insert(User(id="v", user_email="a@b.c")), "user_email", "a@b.c"),
            ]
            for change, name, value in cases:
                with pytest.raises(Taken) as caught:
                    await records.change([change])
                assert (caught.value.name, caught.value.value) == (name, value)

    asyncio.run(run())


def test_only_the_fields_named_are_written(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            await records.change([Insert(Key(id="k"))])
            changes = [Update("key", "k", {f"{name}_limit": n}) for n, name in enumerate(("rpm", "tpm"))]
            await asyncio.gather(*(records.change([change]) for change in changes))
            assert await records.get(Key, "k") == Key(id="k", rpm_limit=0, tpm_limit=1)
            with pytest.raises(StoreError, match="no_such"):
                await records.change([Update("key", "k", {"no_such": 1})])

    asyncio.run(run())


def test_finding(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            teams = [Team(id=f"t{n}", team_alias=f"Team {n}%", created_at=n, organization_id="o" if n % 2 else None)
                     for n in range(10)]  # fmt: skip
            await records.change([Insert(team) for team in teams])

            async def ids(**given: Any) -> tuple[list[str], int]:
                page = await records.find(Query(Team, **given))
                return [row.id for row in page.rows], page.total

            assert await ids(size=3) == (["t9", "t8", "t7"], 10)
            assert await ids(size=3, page=4, descending=False) == (["t9"], 10)
            assert await ids(where={"organization_id": "o", "id": ["t1", "t2", "t3"]}) == (["t3", "t1"], 2)
            assert (await ids(where={"organization_id": None}))[1] == 5
            assert await ids(contains={"team_alias": "TEAM 4%"}) == (["t4"], 1)
            assert await ids(contains={"team_alias": "_"}) == ([], 0)
            assert await ids(where={"id": NASTY}) == ([], 0)
            either = [{"id": ["t1", "t2"]}, {"organization_id": "o", "team_alias": "Team 5%"}]
            assert await ids(any_of=either) == (["t5", "t2", "t1"], 3)
            assert await ids(where={"organization_id": None}, any_of=either) == (["t2"], 1)
            assert await ids(any_of=[]) == ([], 0)

    asyncio.run(run())


def test_scanning_gives_every_row_once(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            await records.change([Insert(Key(id=f"{n:03}")) for n in range(250)])
            seen = [row.id async for page in records.scan(Key, 100) for row in page]
            assert seen == [f"{n:03}" for n in range(250)]

    asyncio.run(run())


def test_the_feed_tells_each_row_as_it_is_now(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            first = await records.change([Insert(Key(id="a")), Insert(Key(id="b"))])
            second = await records.change([Update("key", "a", {"blocked": True})])
            third = await records.change([Delete("key", "b")])
            assert (first, second, third) == (1, 2, 3)
            whole = await records.feed(0)
            assert whole.rows == (Key(id="a", blocked=True),) and whole.gone == (("key", "b"),)
            assert (whole.version, whole.complete) == (3, True)
            late = await records.feed(2)
            assert late.rows == () and late.gone == (("key", "b"),)
            assert (await records.feed(3)).version == 3
            await records.change([Insert(Key(id="b"))])  # it lives again
            again = await records.feed(3)
            assert again.rows == (Key(id="b"),) and again.gone == ()

    asyncio.run(run())


def test_the_feed_in_parts_never_splits_a_version(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            for n in range(4):
                await records.change([Insert(Key(id=f"{n}{part}")) for part in "abc"])
            part = await records.feed(0, limit=7)
            assert (part.version, part.complete, len(part.rows)) == (2, False, 6)
            assert len((await records.feed(0, limit=1)).rows) % 3 == 0

    asyncio.run(run())


def test_a_follower_misses_nothing_of_many_writers(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            seen: set[str] = set()
            done = asyncio.Event()

            async def follow() -> None:
                at = 0
                while True:
                    last = done.is_set()
                    feed = await records.feed(at)
                    seen.update(row.id for row in feed.rows)
                    at = feed.version
                    if last:
                        return
                    await asyncio.sleep(0.002)

            async def write(number: int) -> None:
                for n in range(10):
                    await records.change([Insert(Key(id=f"{number}-{n}"))])

            following = asyncio.create_task(follow())
            await asyncio.gather(*map(write, range(12)))
            done.set()
            await following
            assert len(seen) == 120
            assert await records.version() == 120

    asyncio.run(run())


def test_the_audit_log_is_written_with_the_change(where: Where) -> None:
    async def run() -> None:
        async with opened(where) as records:
            said = Audit("1", 5, "master_key", "created", "key", "k", None, {"id": "k"})
            await records.change([Insert(Key(id="k"))], [said])
            with pytest.raises(Taken):
                await records.change([Insert(Key(id="k"))], [replace(said, id="2")])
            assert await records.audit() == ([said], 1)
            assert await records.audit(row_id="other") == ([], 0)

    asyncio.run(run())


def test_many_may_open_an_empty_store_at_once(where: Where) -> None:
    async def run() -> None:
        opened = await asyncio.gather(*(open_database(*where) for _ in range(4)))
        versions = [await SqlRecords(database).version() for database in opened]
        for database in opened:
            await database.aclose()
        assert versions == [0] * 4

    asyncio.run(run())


@pytest.mark.slow
def test_foreign_tables_and_none_of_ours_are_told(postgres: Any, tmp_path: Any) -> None:
    async def run() -> None:
        url = postgres.fresh()
        database = await open_database(url, tmp_path)
        async with database.writing() as connection:
            await connection.execute(text("DROP SCHEMA gateway CASCADE"))
            await connection.execute(text('CREATE TABLE "LiteLLM_VerificationToken" (token text)'))
        await database.aclose()
        with pytest.raises(StoreError, match="litellm db import"):
            await open_database(url, tmp_path)

    asyncio.run(run())


def test_nobody_there() -> None:
    async def run() -> None:
        from pathlib import Path

        with pytest.raises(StoreDown, match=r"^((?!secret).)*$"):
            await open_database("postgresql://u:secret@127.0.0.1:9/x", Path("/nonexistent"))
        with pytest.raises(StoreError, match="mysql"):
            await open_database("mysql://u:secret@127.0.0.1:9/x", Path("/nonexistent"))

    asyncio.run(run())
