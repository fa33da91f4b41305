"""A store's whole content into another one, in one transaction, and the proof that it arrived.

Every table is read from one snapshot and compared afterwards: how many rows, the sum of each column of numbers, and a
digest of all values that does not depend on the order of rows or of a JSON object's names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from litellm.store.base import StoreError
from litellm.store.database import Database
from litellm.store.ledger import make_partitions
from litellm.store.tables import SPEND_LOG, VERSION, metadata

_SOME: Final = 500
"""Rows in one statement."""
_PARAMETERS: Final = 30_000
"""That both databases take in one."""
_MODULUS: Final = 1 << 256


@dataclass(slots=True)
class Sums:
    """What is compared of a table."""

    rows: int = 0
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    digest: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows += 1
        for name, value in row.items():
            if isinstance(value, int):
                self.numbers[name] = self.numbers.get(name, 0) + value
        written = orjson.dumps(sorted(row.items()), option=orjson.OPT_SORT_KEYS)
        self.digest = (self.digest + int.from_bytes(sha256(written).digest(), "big")) % _MODULUS


class NotEmpty(StoreError):
    """The target holds something already."""


async def copy(source: Database, target: Database, replace: bool = False) -> dict[str, int]:
    """Table -> rows copied. Raises NotEmpty (unless `replace`, which empties the target first), StoreError, StoreDown.

    Both have the current schema. Nobody else may write meanwhile: what is written to the source later is not copied.
    """
    async with source.snapshot() as reading:
        days = list((await reading.execute(select(SPEND_LOG.c.day).distinct())).scalars())
        await make_partitions(target, days)
        async with target.writing() as writing:
            await _make_room(writing, replace)
            told = {table.name: await _copied(reading, writing, table) for table in metadata.sorted_tables}
            for table in metadata.sorted_tables:
                _compare(table.name, told[table.name], await _summed(writing, table))
    return {name: sums.rows for name, sums in told.items()}


async def _make_room(writing: AsyncConnection, replace: bool) -> None:
    for table in reversed(metadata.sorted_tables):
        if not replace and table is not VERSION:
            held = await writing.scalar(select(func.count()).select_from(table))
            if held:
                raise NotEmpty(f"the target is not empty: it has {held} rows of {table.name}")
        await writing.execute(delete(table))


async def _copied(reading: AsyncConnection, writing: AsyncConnection, table: Any) -> Sums:
    sums = Sums()
    size = min(_SOME, _PARAMETERS // len(table.columns))
    result = await reading.stream(select(table))
    async for rows in result.mappings().partitions(size):
        values = [dict(row) for row in rows]
        for row in values:
            sums.add(row)
        await writing.execute(insert(table), values)
    return sums


async def _summed(connection: AsyncConnection, table: Any) -> Sums:
    sums = Sums()
    result = await connection.stream(select(table))
    async for row in result.mappings():
        sums.add(dict(row))
    counted = await connection.scalar(select(func.count()).select_from(table))
    if counted != sums.rows:
        raise StoreError(f"{table.name}: {counted} rows by count, {sums.rows} read")
    return sums


def _compare(name: str, read: Sums, written: Sums) -> None:
    if read.rows != written.rows:
        raise StoreError(f"{name}: {read.rows} rows were read, {written.rows} are in the target")
    for column, total in read.numbers.items():
        if written.numbers.get(column) != total:
            raise StoreError(f"{name}.{column}: the sum is {written.numbers.get(column)}, and was {total}")
    if read.digest != written.digest:
        raise StoreError(f"{name}: a value is not what it was")
