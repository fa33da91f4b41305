"""More keys than are to be in memory: those shown last are there, the others are looked up together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.book import MOST_LOOKED_UP, KeyBook
from litellm.proxy.keys.identity import Identity
from litellm.store.base import Delete, Insert, Records, StoreDown, Update
from litellm.store.database import open_database
from litellm.store.memory import MemoryRecords
from litellm.store.records import SqlRecords
from litellm.types.accounts import Key, Team

MOST = 32
HERE = range(100)


def digest(number: int) -> bytes:
    return sha256(f"sk-{number}".encode()).digest()


def row(number: int, **more: Any) -> Key:
    return Key(id=digest(number).hex(), rpm_limit=number, **more)


class Watched:
    """Records that count look-ups, and may be down."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.lookups: list[int] = []
        self.down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def get_many(self, kind: type[Any], ids: Sequence[str]) -> Any:
        self.lookups.append(len(ids))
        return await self._records.get_many(kind, ids)

    async def feed(self, after: int) -> Any:
        if self.down:
            raise StoreDown("it is down")
        return await self._records.feed(after)


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[tuple[KeyBook, Any]]:
    database = await open_database(None, folder) if kind == "sqlite" else None
    records: Any = Watched(SqlRecords(database) if database is not None else MemoryRecords())
    await records.change([Insert(row(number)) for number in HERE])
    book = KeyBook(records, lambda: 1000, {}, most=MOST)
    await book.load()
    try:
        yield book, records
    finally:
        if database is not None:
            await database.aclose()


def known(book: KeyBook) -> set[int]:
    return {number for number in HERE if book.find(digest(number)) is not None}


async def shown(book: KeyBook, number: int) -> Identity | None:
    return book.find(digest(number)) or await book.look_again(digest(number))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_every_key_is_found_and_no_more_are_kept(kind: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(kind, tmp_path) as (book, records):
            assert len(book) == MOST and len(known(book)) == MOST
            absent = [number for number in HERE if number not in known(book)][:10]
            found = await asyncio.gather(*(book.look_again(digest(number)) for number in absent))
            assert [one.scopes[0].rpm for one in found if one is not None] == absent
            assert records.lookups == [len(absent)], "one question for all"
            for begin in range(0, len(HERE), 10):
                assert None not in await asyncio.gather(*(shown(book, number) for number in HERE[begin : begin + 10]))
                assert len(book) <= MOST

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_feed_tells_of_keys_that_are_here_and_of_wrong_ones(kind: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(kind, tmp_path) as (book, records):
            here, gone, *_ = sorted(known(book))
            away = next(number for number in HERE if number not in known(book))
            assert await book.look_again(digest(1000)) is None
            assert await book.look_again(digest(1000)) is None
            assert len(records.lookups) == 1, "it was nobody's a moment ago"
            changes = [Update("key", digest(here).hex(), {"rpm_limit": 7}), Delete("key", digest(gone).hex())]
            changes += [Update("key", digest(away).hex(), {"blocked": True}), Insert(row(1000)), Insert(Team(id="t"))]
            await records.change(changes)
            await book.catch_up()
            found = book.find(digest(here))
            assert found is not None and found.scopes[0].rpm == 7
            assert book.find(digest(gone)) is None and await book.look_again(digest(gone)) is None
            blocked = await book.look_again(digest(away))
            assert blocked is not None and blocked.refusal is not None
            assert await book.look_again(digest(1000)) is not None

    asyncio.run(run())


def test_who_was_shown_lately_stays_and_goes_on_while_the_store_is_down(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened("memory", tmp_path) as (book, records):
            busy = min(known(book))
            for begin in range(0, len(HERE), 5):
                assert book.find(digest(busy)) is not None
                assert None not in await asyncio.gather(*(shown(book, number) for number in HERE[begin : begin + 5]))
            records.down = True
            assert book.find(digest(busy)) is not None
            away = next(number for number in HERE if number not in known(book))
            with pytest.raises(StoreDown):
                await book.look_again(digest(away))
            records.down = False
            assert await book.look_again(digest(away)) is not None

    asyncio.run(run())


def test_too_many_look_ups_at_once_are_503_and_never_401(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened("memory", tmp_path) as (book, records):
            asked = [book.look_again(digest(10_000 + number)) for number in range(MOST_LOOKED_UP + 5)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, ProxyError)]
            assert [one.status_code for one in refused] == [503] * 5
            assert answers.count(None) == MOST_LOOKED_UP and records.lookups == [MOST_LOOKED_UP]

    asyncio.run(run())


def test_as_many_as_fit_are_all_here_and_nobody_is_looked_up() -> None:
    async def run() -> None:
        records: Any = Watched(MemoryRecords())
        await records.change([Insert(row(number)) for number in range(MOST - 1)])
        book = KeyBook(records, lambda: 1000, {}, most=MOST)
        await book.load()
        assert await book.look_again(digest(1000)) is None and records.lookups == []
        await records.change([Insert(row(1000 + number)) for number in range(8)])
        await book.catch_up()
        assert len(book) <= MOST

    asyncio.run(run())
