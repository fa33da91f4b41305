"""Where spend is put down when the journal has no room, or the database none."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from litellm.proxy.spend.journal import Journal, JournalFull, read
from litellm.proxy.spend.keeper import Keeper
from litellm.store.base import StoreDown
from litellm.types.accounts import SpendRow


def row(number: int) -> SpendRow:
    return SpendRow(call_id=f"c{number}", day="2026-11-23", admitted_at=number, spend=5, status="success")


class Store:
    """A ledger that takes rows, or is down."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.up = True
        self.transactions = 0

    async def insert(self, rows: Sequence[SpendRow]) -> int:
        await asyncio.sleep(0)
        if not self.up:
            raise StoreDown("it is down")
        self.transactions += 1
        self.rows += [row.call_id for row in rows]
        return len(rows)


class Full(Journal):
    """A journal that takes nothing while it is told so."""

    full = False

    def _write(self, line: bytes) -> None:
        if self.full:
            raise JournalFull("the disk is full")
        super()._write(line)


def keeper(folder: Path, durability: Any, most: int = 1 << 20) -> tuple[Keeper, Full, Store, Counter[str]]:
    store, told = Store(), Counter[str]()
    journal = Full(folder)
    ledger: Any = store
    made = Keeper(journal, ledger, durability, most, lambda: store.up, lambda how: told.update([how]))
    return made, journal, store, told


def test_the_journal_is_enough(tmp_path: Path) -> None:
    async def run() -> None:
        made, journal, store, told = keeper(tmp_path, "journal")
        made.intent(row(1))
        assert made.final(row(1)) is None
        await made.aclose()
        assert (store.rows, told, made.waiting) == ([], Counter(), journal.path.stat().st_size)
        journal.close()

    asyncio.run(run())


def test_a_call_whose_end_finds_no_room_is_inserted_and_not_settled_again(tmp_path: Path) -> None:
    async def run() -> None:
        made, journal, store, told = keeper(tmp_path, "refuse")
        for number in range(3):
            made.intent(row(number))
        journal.full = True
        waits = [made.final(row(number)) for number in range(3)]
        await asyncio.gather(*(wait for wait in waits if wait is not None))
        assert (store.rows, store.transactions, told["inserted"]) == (["c0", "c1", "c2"], 1, 3)
        journal.full = False
        journal.retry()
        left = read(journal.path, 0, dead=True)
        assert (left.finals, left.unsettled) == ([], []), "what the journal has of them says that they are elsewhere"
        journal.close()

    asyncio.run(run())


def test_neither_takes_it_until_one_does(tmp_path: Path) -> None:
    async def run() -> None:
        made, journal, store, told = keeper(tmp_path, "journal")
        made.intent(row(1))
        journal.full, store.up = True, False
        wait = made.final(row(1))
        assert wait is not None
        await wait
        assert told == Counter(waiting=1)
        with pytest.raises(JournalFull):
            made.intent(row(2))
        made.retry()
        store.up = True
        made.retry()
        await made.aclose()
        assert store.rows == ["c1"] and told == Counter(waiting=1, refused=1, inserted=1)
        journal.close()

    asyncio.run(run())


@pytest.mark.parametrize(("durability", "up", "let_in"), [
    ("journal", True, True), ("journal", False, False), ("refuse", True, False), ("database", False, False),
])  # fmt: skip
def test_so_much_may_wait_and_no_more(tmp_path: Path, durability: str, up: bool, let_in: bool) -> None:
    made, journal, store, told = keeper(tmp_path, durability, most=100)
    made.intent(row(1))
    assert made.waiting > 100
    store.up = up
    if let_in:
        made.intent(row(2))
    else:
        with pytest.raises(JournalFull, match="spend wait for the database"):
            made.intent(row(2))
    assert told == Counter(["admitted" if let_in else "refused"])
    journal.close()


def test_a_database_that_is_down_leaves_calls_to_the_journal(tmp_path: Path) -> None:
    async def run() -> None:
        made, journal, store, _ = keeper(tmp_path, "database")
        made.intent(row(1))
        store.up = False
        wait = made.final(row(1))
        assert wait is not None
        await wait
        assert [one.call_id for one in read(journal.path, 0).finals] == ["c1"]
        journal.close()

    asyncio.run(run())
