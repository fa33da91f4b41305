"""What was spent, in SQL: `base.Ledger` over SQLite and Postgres."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Select, and_, case, delete, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from litellm.store import bulk
from litellm.store.base import Charge, DaySpend, LogQuery, Prompt, StoreError, Total
from litellm.store.database import Database
from litellm.store.tables import BALANCES, CHARGED, OFFSETS, OWNERS, PROMPTS, SCHEMA, SPEND_LOG, TOTALS
from litellm.types.accounts import ATTEMPT, SpendRow

T = TypeVar("T")

_FIELDS: Final = tuple(one.name for one in fields(SpendRow))
_PLAIN: Final = frozenset(_FIELDS) - {"tags", "charged", "metadata"}
_LOGGED: Final = frozenset({"tag", "api_base", "cache_hit", "call_type", "error"})
"""What is summed by although the closing balances do not know it: of the rows that are still in the log."""
_DAY: Final = len("2026-11-23")
_SOME: Final = 200
"""Rows in one statement: databases bound the number of parameters."""


class SqlLedger:
    """base.Ledger. `duplicates` counts rows that were in the log already: it should be 0 for ever."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions: set[str] = set()
        self.duplicates = 0

    async def offset(self, file: str) -> int:
        async with self._database.reading() as connection:
            return await connection.scalar(select(OFFSETS.c.bytes).where(OFFSETS.c.file == file)) or 0

    async def move(self, file: str, start: int, end: int, rows: Sequence[SpendRow]) -> bool:
        return await self._into_partitions(rows, lambda: self._moved(file, start, end, rows))

    async def _moved(self, file: str, start: int, end: int, rows: Sequence[SpendRow]) -> bool:
        async with self._database.writing() as connection:
            if not await self._advanced(connection, file, start, end):
                return False
            fresh = await self._logged(connection, rows)
            await _add(connection, TOTALS, _charges(fresh), self._upsert)
        return True

    async def insert(self, rows: Sequence[SpendRow]) -> int:
        return await self._into_partitions(rows, lambda: self._inserted(rows))

    async def _inserted(self, rows: Sequence[SpendRow]) -> int:
        async with self._database.writing() as connection:
            fresh = await self._logged(connection, rows)
            await _add(connection, TOTALS, _charges(fresh), self._upsert)
        return len(fresh)

    async def carry_over(self, spent: Mapping[Charge, Total]) -> None:
        async with self._database.writing() as connection:
            for (scope, period), one in sorted(spent.items()):
                sums = (one.spend, one.requests, 0, one.prompt_tokens, one.completion_tokens)
                row = {"scope": scope, "period": period, **dict(zip(_SUMS, sums, strict=True))}
                opened = self._upsert(CHARGED).values(**row).on_conflict_do_nothing()
                if (await connection.execute(opened)).rowcount == 1:
                    await _add(connection, TOTALS, {(scope, period): sums}, self._upsert)

    async def _advanced(self, connection: AsyncConnection, file: str, start: int, end: int) -> bool:
        """The file's offset set to `end`, its row locked until the commit; False if it is not `start`."""
        if start == 0:
            first = self._upsert(OFFSETS).values(file=file, bytes=0).on_conflict_do_nothing()
            await connection.execute(first)
        moved = update(OFFSETS).where(OFFSETS.c.file == file, OFFSETS.c.bytes == start).values(bytes=end)
        return (await connection.execute(moved)).rowcount == 1

    async def _logged(self, connection: AsyncConnection, rows: Sequence[SpendRow]) -> list[SpendRow]:
        """The rows that were not in the log before: all of them, or something has gone wrong elsewhere."""
        if not rows:
            return []
        try:
            async with connection.begin_nested():
                await bulk.insert(connection, rows, self._database.is_postgres)
            return list(rows)
        except IntegrityError:
            return await self._logged_with_care(connection, rows)

    async def _logged_with_care(self, connection: AsyncConnection, rows: Sequence[SpendRow]) -> list[SpendRow]:
        """One that was there already must not cost the others their place."""
        fresh: list[SpendRow] = []
        for begin in range(0, len(rows), _SOME):
            some = rows[begin : begin + _SOME]
            values = [{name: getattr(row, name) for name in _FIELDS} for row in some]
            statement = self._upsert(SPEND_LOG).values(values).on_conflict_do_nothing()
            done = await connection.execute(statement.returning(SPEND_LOG.c.day, SPEND_LOG.c.call_id))
            there = {(row.day, row.call_id) for row in done}
            fresh += [row for row in some if (row.day, row.call_id) in there]
        self.duplicates += len(rows) - len(fresh)
        return fresh

    def _upsert(self, table: Any) -> Any:
        return postgresql.insert(table) if self._database.is_postgres else sqlite.insert(table)

    async def _into_partitions(self, rows: Sequence[SpendRow], write: Callable[[], Awaitable[T]]) -> T:
        """`write`, once there are partitions for the rows; again, if a retired one was taken away meanwhile."""
        days = {row.day for row in rows}
        await self._make_partitions(days)
        try:
            return await write()
        except IntegrityError as error:
            if "no partition" not in str(error.orig):
                raise
        self._partitions.clear()
        await self._make_partitions(days)
        return await write()

    async def _make_partitions(self, days: Iterable[str]) -> None:
        missing = set(days) - self._partitions
        await make_partitions(self._database, missing)
        self._partitions |= missing

    async def forget(self, file: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(OFFSETS).where(OFFSETS.c.file == file))

    async def totals(self, charges: Sequence[Charge]) -> dict[Charge, Total]:
        found: dict[Charge, Total] = {}
        async with self._database.reading() as connection:
            for begin in range(0, len(charges), _SOME):
                some = charges[begin : begin + _SOME]
                asked = or_(*(and_(TOTALS.c.scope == scope, TOTALS.c.period == period) for scope, period in some))
                for row in await connection.execute(select(TOTALS).where(asked)):
                    found[row.scope, row.period] = _total(row)
        return found

    async def log(self, query: LogQuery) -> tuple[list[SpendRow], int]:
        order = SPEND_LOG.c[query.order]
        wanted = self._narrowed(select(SPEND_LOG), SPEND_LOG, query)
        wanted = wanted.order_by(order.desc() if query.descending else order.asc(), SPEND_LOG.c.call_id)
        page = wanted.offset((query.page - 1) * query.size).limit(query.size)
        async with self._database.reading() as connection:
            counted = self._narrowed(select(func.count()).select_from(SPEND_LOG), SPEND_LOG, query)
            total = await connection.scalar(counted)
            rows = [SpendRow(**row._mapping) for row in await connection.execute(page)]  # pyright: ignore[reportPrivateUsage]
        return rows, total or 0

    async def sums(self, by: Sequence[str], query: LogQuery, daily: bool = False) -> list[DaySpend]:
        """`by` and `query.where` are among OWNERS (the balances know no others) and what the log alone knows."""
        asked = set(by) | query.where.keys()
        unknown = asked - {*OWNERS, *_LOGGED}
        if unknown:
            raise StoreError(f"spend is not summed by {', '.join(sorted(unknown))}")
        added: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(lambda: [0] * 6)
        async with self._database.reading() as connection:
            for table in (SPEND_LOG,) if asked & _LOGGED else (SPEND_LOG, BALANCES):
                for row in await connection.execute(self._summed(table, by, query, daily)):
                    values = tuple(row)
                    here = added[values[0], tuple(value or "" for value in values[1 : 1 + len(by)])]
                    for index, value in enumerate(values[1 + len(by) :]):
                        here[index] += int(value or 0)
        return [
            DaySpend(day, group, Total(spend, requests, prompt, completion, cached), failures)
            for (day, group), (spend, requests, failures, prompt, completion, cached) in sorted(added.items())
        ]

    def _tags(self) -> Any:
        """The tags of each row of the log, one a row, as `value`."""
        if self._database.is_postgres:
            each = func.jsonb_array_elements_text(SPEND_LOG.c.tags).table_valued("value", joins_implicitly=True)
            return each.render_derived(name="tag")
        return func.json_each(SPEND_LOG.c.tags).table_valued("value", name="tag", joins_implicitly=True)

    def _narrowed(self, statement: Select[Any], table: Any, query: LogQuery, each: Any = None) -> Select[Any]:
        """`each`: the tags, if the statement has one a row already."""
        if table is SPEND_LOG:
            if query.since is not None:
                statement = statement.where(table.c.admitted_at >= query.since)
            if query.until is not None:
                statement = statement.where(table.c.admitted_at < query.until)
        for name, value in query.where.items():
            if name == "tag":
                tags = self._tags() if each is None else each
                among = _among(tags.c.value, value)
                statement = statement.where(among if each is not None else select(tags.c.value).where(among).exists())
            elif name in _PLAIN:
                statement = statement.where(_among(table.c[name], value))
            else:
                raise StoreError(f"the spend log is not searched by {name}")
        return statement

    def _summed(self, table: Any, by: Sequence[str], query: LogQuery, daily: bool) -> Select[Any]:
        each = self._tags() if "tag" in by else None
        columns = [each.c.value if each is not None and name == "tag" else table.c[name] for name in by]
        groups = [func.coalesce(column, "").label(f"group_{place}") for place, column in enumerate(columns)]
        day = table.c.day if daily else literal("")
        if table is SPEND_LOG:
            request = table.c.call_type != ATTEMPT
            failed = request & (table.c.status == "failure")
            counts = [func.sum(case((which, 1), else_=0)) for which in (request, failed)]
            cached = func.sum(table.c.cached_tokens)
        else:
            counts = [func.sum(table.c.requests), func.sum(table.c.failures)]
            cached = literal(0)
        spend, prompt, completion = (
            func.sum(table.c[name]) for name in ("spend", "prompt_tokens", "completion_tokens")
        )
        statement = select(day.label("day"), *groups, spend, *counts, prompt, completion, cached).select_from(table)
        if each is not None:
            statement = statement.select_from(each)
        statement = self._narrowed(statement, table, query, each)
        if table is BALANCES:  # a day is whole here: the days that lie within the times asked for
            statement = statement.where(*_days(table, query))
        return statement.group_by(*([table.c.day] if daily else []), *groups)

    async def keep(self, prompts: Sequence[Prompt]) -> None:
        if prompts:
            async with self._database.writing() as connection:
                statement = self._upsert(PROMPTS).values([asdict(prompt) for prompt in prompts])
                await connection.execute(statement.on_conflict_do_nothing())

    async def prompts(self, calls: Sequence[str]) -> dict[str, Prompt]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(PROMPTS).where(PROMPTS.c.call_id.in_(calls[:_SOME])))
            return {row.call_id: Prompt(**row._mapping) for row in rows}  # pyright: ignore[reportPrivateUsage]

    async def prepare(self, days: Sequence[str]) -> None:
        await self._make_partitions(days)

    async def retire(self, before_day: str, most: int = 5_000) -> int:
        old = SPEND_LOG.c.day < before_day
        wanted = select(SPEND_LOG).where(old).order_by(SPEND_LOG.c.day, SPEND_LOG.c.call_id).limit(most)
        async with self._database.writing() as connection:
            found = await connection.execute(wanted.with_for_update())
            rows = [SpendRow(**row._mapping) for row in found]  # pyright: ignore[reportPrivateUsage]
            await _add(connection, BALANCES, _balances(rows), self._upsert)
            await _add(connection, CHARGED, _charges(rows), self._upsert)
            calls = [(row.day, row.call_id) for row in rows]
            for table in (SPEND_LOG, PROMPTS):
                key = tuple_(table.c.day, table.c.call_id)
                for begin in range(0, len(calls), _SOME):
                    await connection.execute(delete(table).where(key.in_(calls[begin : begin + _SOME])))
        if not rows and self._database.is_postgres:
            await _drop_partitions(self._database, before_day)
            self._partitions.clear()
        return len(rows)

    async def prove(self) -> list[str]:
        """All that is in the log and in the closing balances, added up anew, against the totals."""
        added: dict[tuple[Any, ...], list[int]] = {}
        names = ("charged", "call_type", "status", "spend", "prompt_tokens", "completion_tokens")
        columns = [SPEND_LOG.c[name] for name in names]
        async with self._database.snapshot() as connection:
            told = {(row.scope, row.period): _total(row) for row in await connection.execute(select(TOTALS))}
            for row in await connection.execute(select(CHARGED)):
                added[row.scope, row.period] = _values(row)
            async for row in await connection.stream(select(*columns)):
                _add_charges(added, row)
        counted = {charge: Total(v[0], v[1], v[3], v[4]) for charge, v in added.items()}
        return [
            f"{scope} since {period}: totals {told.get((scope, period))}, log {counted.get((scope, period))}"
            for scope, period in sorted(told.keys() | counted.keys())
            if told.get((scope, period)) != counted.get((scope, period))
        ]

    async def logged(self, calls: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        key = tuple_(SPEND_LOG.c.day, SPEND_LOG.c.call_id)
        async with self._database.reading() as connection:
            for begin in range(0, len(calls), _SOME):
                asked = select(SPEND_LOG.c.day, SPEND_LOG.c.call_id).where(key.in_(calls[begin : begin + _SOME]))
                found |= {(row.day, row.call_id) for row in await connection.execute(asked)}
        return found

    async def unpriced(self) -> list[DaySpend]:
        by = [SPEND_LOG.c[name] for name in ("model_group", "provider", "provider_model")]
        sums = [func.count(), func.sum(SPEND_LOG.c.prompt_tokens), func.sum(SPEND_LOG.c.completion_tokens)]
        asked = select(*by, *sums).where(SPEND_LOG.c.spend.is_(None)).group_by(*by).order_by(*by)
        async with self._database.reading() as connection:
            rows = [tuple(row) for row in await connection.execute(asked)]
        return [DaySpend("", row[:3], Total(0, row[3], int(row[4] or 0), int(row[5] or 0))) for row in rows]


async def make_partitions(database: Database, days: Iterable[str]) -> None:
    """Postgres keeps each day in a table of its own, so that old ones are dropped, not deleted row by row."""
    for day in sorted(days) if database.is_postgres else ():
        plain = day.replace("-", "")
        if len(day) != _DAY or not plain.isdigit():
            raise StoreError(f"{day!r} is no day")
        async with database.writing() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:day)"), {"day": int(plain)})
            await connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {SCHEMA}.spend_log_{plain} "
                    f"PARTITION OF {SCHEMA}.spend_log FOR VALUES IN ('{day}')"
                )
            )


async def _drop_partitions(database: Database, before_day: str) -> None:
    """Those of days before, that are empty. Each in a transaction: it keeps others from the log for a moment."""
    async with database.reading() as connection:
        named = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tablename LIKE 'spend_log_%'")
        names = (await connection.execute(named, {"schema": SCHEMA})).scalars().all()
    first = f"spend_log_{before_day.replace('-', '')}"
    for name in sorted(name for name in names if _PARTITION.fullmatch(name) and name < first):
        async with database.writing() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:day)"), {"day": int(name[-8:])})
            await connection.execute(text(f"LOCK TABLE {SCHEMA}.spend_log IN ACCESS EXCLUSIVE MODE"))
            held = await connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {SCHEMA}.{name})"))  # noqa: S608
            if not held:
                await connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.{name}"))


_PARTITION: Final = re.compile(r"spend_log_\d{8}")
_SUMS: Final = ("spend", "requests", "failures", "prompt_tokens", "completion_tokens")
_NONE: Final = (0, 0, 0, 0, 0)


def _of(row: Any) -> tuple[int, int, int, int, int]:
    """A row's part of every sum, in the order of _SUMS."""
    request = 0 if row.call_type == ATTEMPT else 1
    failed = request if row.status == "failure" else 0
    return row.spend or 0, request, failed, row.prompt_tokens, row.completion_tokens


def _values(row: Any) -> list[int]:
    return [getattr(row, name) for name in _SUMS]


def _total(row: Any) -> Total:
    return Total(row.spend, row.requests, row.prompt_tokens, row.completion_tokens)


def _charges(rows: Iterable[SpendRow]) -> dict[tuple[Any, ...], list[int]]:
    added: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        _add_charges(added, row)
    return added


def _add_charges(added: dict[tuple[Any, ...], list[int]], row: Any) -> None:
    for charge in row.charged:
        added[tuple(charge)] = [a + b for a, b in zip(added.get(tuple(charge), _NONE), _of(row), strict=True)]


def _balances(rows: Iterable[SpendRow]) -> dict[tuple[Any, ...], list[int]]:
    added: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        key = (row.day, *(getattr(row, name) or "" for name in OWNERS))
        added[key] = [a + b for a, b in zip(added.get(key, _NONE), _of(row), strict=True)]
    return added


async def _add(
    connection: AsyncConnection, table: Any, sums: Mapping[tuple[Any, ...], Sequence[int]], upsert: Any
) -> None:
    """Sorted by key: two that add to the same rows in two orders would wait for each other for ever."""
    keys = [column.name for column in table.primary_key.columns]
    for key in sorted(sums):
        statement = upsert(table).values(
            **dict(zip(keys, key, strict=True)), **dict(zip(_SUMS, sums[key], strict=True))
        )
        grown = {name: table.c[name] + statement.excluded[name] for name in _SUMS}
        await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=grown))


def _among(column: Any, value: Any) -> Any:
    return column.in_(value) if isinstance(value, tuple | list) else column == value  # pyright: ignore[reportUnknownArgumentType]


def _days(table: Any, query: LogQuery) -> list[Any]:
    bounds = ((query.since, table.c.day.__ge__), (query.until, table.c.day.__lt__))
    return [compare(day_of(at)) for at, compare in bounds if at is not None]


def day_of(at: int) -> str:
    """The UTC day of a time in milliseconds."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
