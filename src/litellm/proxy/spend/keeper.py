"""Where a call's spend is put down before its last byte: in the journal, or in the database where that is chosen or
the journal cannot grow.

`spend_durability` says what to do while it cannot (the disk is full or read-only, or so much waits for a store that is
down that `most_waiting` is reached): `journal` and `database` let calls in as long as the store answers, `refuse` lets
none in. A call that is in already is always put down: its row is inserted before its last byte. `database` does so with
every call, for containers whose folder goes with them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Literal

from litellm.proxy.spend.journal import Journal, JournalFull
from litellm.store.base import Ledger, StoreDown
from litellm.types.accounts import SpendRow

Durability = Literal["journal", "refuse", "database"]
How = Literal["refused", "admitted", "inserted", "waiting"]

ALARM_SECONDS: Final = 60.0
MEBIBYTE: Final = 1024 * 1024

_log: Final = logging.getLogger("litellm.proxy")


class Keeper:
    """`told` counts what the journal could not take, by what became of it; `store_is_up` as far as is known."""

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        durability: Durability,
        most_waiting: int,
        store_is_up: Callable[[], bool],
        told: Callable[[How], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._durability = durability
        self._most_waiting = most_waiting
        self._store_is_up = store_is_up
        self._told = told
        self._pending: list[tuple[SpendRow, asyncio.Future[None]]] = []
        self._homeless: list[SpendRow] = []  # neither the database nor the journal would take them
        self._inserting: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    @property
    def waiting(self) -> int:
        """Bytes of the journal that are not in the store."""
        return self._journal.waiting

    def intent(self, row: SpendRow) -> None:
        """Before a call goes out. Raises JournalFull, and then it should not."""
        try:
            if self._journal.waiting > self._most_waiting:
                raise JournalFull(f"{self._most_waiting // MEBIBYTE} MiB of spend wait for the database")
            self._journal.intent(row)
        except JournalFull as full:
            self._alarm(str(full))
            if self._durability == "refuse" or not self._store_is_up():
                self._told("refused")
                raise
            self._told("admitted")

    def final(self, row: SpendRow) -> Awaitable[None] | None:
        """Before a call's last byte goes to its caller: which waits, if something is returned. That never raises."""
        if self._durability != "database":
            if self._journal.final(row):
                return None
            self._alarm("a call that is over could not be written down")
        return self._begin(row)

    def retry(self) -> None:
        """Once a second: what could be put down nowhere may find room now."""
        if self._homeless and self._store_is_up():
            rows, self._homeless = self._homeless, []
            for row in rows:
                self._begin(row)

    async def inserted(self) -> None:
        """What is on its way into the database is there, or will be moved there from the journal."""
        if self._inserting is not None:
            await asyncio.shield(self._inserting)

    async def aclose(self) -> None:
        self.retry()
        await self.inserted()
        if self._homeless:
            _log.critical("%d calls that were served are in no book", len(self._homeless))

    def _begin(self, row: SpendRow) -> "asyncio.Future[None]":
        done = asyncio.get_running_loop().create_future()
        self._pending.append((row, done))
        if self._inserting is None:
            self._inserting = asyncio.create_task(self._insert())
        return done

    async def _insert(self) -> None:
        """All that are pending, in one transaction; until there are none."""
        while self._pending:
            some, self._pending = self._pending, []
            try:
                await self._ledger.insert([row for row, _ in some])
            except StoreDown as error:
                self._alarm(str(error))
                self._put_back([row for row, _ in some])
            except Exception:  # nobody waits for this task: what a row is refused for must not hold up the others
                _log.exception("spend could not be inserted")
                self._put_back([row for row, _ in some])
            else:
                for row, _ in some:
                    self._journal.elsewhere(row.call_id)
                    self._told("inserted")
            for _, done in some:
                if not done.done():
                    done.set_result(None)
        self._inserting = None

    def _put_back(self, rows: list[SpendRow]) -> None:
        """Into the journal after all; what that does not take, it keeps in memory until it does."""
        for row in rows:
            if not self._journal.final(row):
                self._homeless.append(row)
                self._told("waiting")

    def _alarm(self, why: str) -> None:
        if monotonic() >= self._alarm_at:
            self._alarm_at = monotonic() + ALARM_SECONDS
            _log.error("the journal of spend cannot be kept (spend_durability: %s): %s", self._durability, why)
