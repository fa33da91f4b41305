"""Many rows into the spend log in one statement, past the layer that writes a statement anew for each batch.

Measured, a row costs a gateway's core 190 us through statements of 200 rows each; here 8. SQLite runs one prepared
statement over many rows, Postgres takes a column at a time.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Boolean, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from litellm.store.tables import SCHEMA, SPEND_LOG
from litellm.types.accounts import SpendRow

_NAMES: Final = tuple(one.name for one in fields(SpendRow))
_VALUES: Final[Callable[[SpendRow], tuple[Any, ...]]] = attrgetter(*_NAMES)
_TYPES: Final[dict[type[Any], str]] = {BigInteger: "bigint", Boolean: "boolean", Text: "text"}
"""Postgres's of a column; every other kind is JSON."""


def _kind(name: str) -> str:
    return _TYPES.get(type(SPEND_LOG.c[name].type), "jsonb")


def _column(name: str) -> str:
    return f'"{name}"'


def _for_sqlite(rows: int) -> str:
    one = f"({', '.join('?' * len(_NAMES))})"
    return f"INSERT INTO spend_log ({', '.join(map(_column, _NAMES))}) VALUES {', '.join([one] * rows)}"  # noqa: S608 (our own names)


def _for_postgres() -> str:
    kinds = [_kind(name) for name in _NAMES]
    arrays = [f"${i}::{'text' if kind == 'jsonb' else kind}[]" for i, kind in enumerate(kinds, 1)]
    values = [f"{_column(n)}::jsonb" if kind == "jsonb" else _column(n) for n, kind in zip(_NAMES, kinds, strict=True)]
    columns = ", ".join(map(_column, _NAMES))
    return (
        f"INSERT INTO {SCHEMA}.spend_log ({columns}) "  # noqa: S608 (our own names)
        f"SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS row ({columns})"
    )


_JSON: Final = tuple(place for place, name in enumerate(_NAMES) if _kind(name) == "jsonb")
_BOOLEANS: Final = tuple(place for place, name in enumerate(_NAMES) if _kind(name) == "boolean")
_ROWS: Final = 250 if sqlite3.sqlite_version_info >= (3, 32) else 32
"""In one statement of SQLite's. Between two of its steps sqlite3 lets other threads run and then waits for its turn:
with a step for each row, a row costs half as much again. (7,750 parameters; 32,766 are the most, 999 before 3.32.)"""
_SQLITE: Final = _for_sqlite(1)
_MANY: Final = _for_sqlite(_ROWS)
_POSTGRES: Final = _for_postgres()


# What is no int, float, str or bytearray, sqlite3 looks for an adapter of, and finds out at length that None has none:
# ten of them cost a row a third of its time. This one is a function in C that makes None of None.
_NONE: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NONE.get)


async def insert(connection: AsyncConnection, rows: Sequence[SpendRow], postgres: bool) -> None:
    """All of them. Raises sqlalchemy's IntegrityError if one is there already, or has no partition."""
    made = [_flat(row) for row in rows]
    if postgres:
        await connection.exec_driver_sql(_POSTGRES, tuple(list(column) for column in zip(*made, strict=True)))
        return
    for values in made:
        for place in _BOOLEANS:
            values[place] = int(values[place])
    whole = len(made) - len(made) % _ROWS
    for begin in range(0, whole, _ROWS):
        await connection.exec_driver_sql(_MANY, tuple(chain.from_iterable(made[begin : begin + _ROWS])))
    if whole < len(made):
        await connection.exec_driver_sql(_SQLITE, list(map(tuple, made[whole:])))


def _flat(row: SpendRow) -> list[Any]:
    """A row's values as the drivers take them: JSON is text."""
    flat = list(_VALUES(row))
    for place in _JSON:
        value = flat[place]
        flat[place] = "[]" if value == () else "{}" if value == {} else orjson.dumps(value).decode()
    return flat
