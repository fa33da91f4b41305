"""Rows of keys, users, teams, ... in SQL: `base.Records` over SQLite and Postgres."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final, TypeVar

from sqlalchemy import Select, and_, delete, false, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from litellm.store.base import Audit, Change, Delete, Feed, Insert, Missing, Page, Query, StoreError, Taken, Update
from litellm.store.database import Database
from litellm.store.tables import AUDIT, CHANGES, RECORDS, VERSION
from litellm.types.accounts import KIND_OF, KINDS, Row

R = TypeVar("R", bound=Row)

_FIELDS: Final = {kind: frozenset(one.name for one in fields(cls)) for kind, cls in KINDS.items()}
_IN: Final = 500
"""Ids asked for in one statement: databases bound the number of parameters."""


class SqlRecords:
    """base.Records. A change's version is taken last, so that the lock on it orders versions as commits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, kind: type[R], id: str) -> R | None:
        return (await self.get_many(kind, [id])).get(id)

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
        table = RECORDS[KIND_OF[kind]]
        found: dict[str, R] = {}
        async with self._database.reading() as connection:
            for begin in range(0, len(ids), _IN):
                wanted = select(table).where(table.c.id.in_(ids[begin : begin + _IN]))
                for row in await connection.execute(wanted):
                    found[row.id] = kind(**row._mapping)  # pyright: ignore[reportPrivateUsage]
        return found

    async def find(self, query: Query[R]) -> Page[R]:
        table = RECORDS[KIND_OF[query.kind]]
        wanted = _narrowed(select(table), table, query)
        order = table.c[query.order]
        wanted = wanted.order_by(order.desc() if query.descending else order.asc(), table.c.id)
        page = wanted.offset((query.page - 1) * query.size).limit(query.size)
        async with self._database.reading() as connection:
            total = await connection.scalar(_narrowed(select(func.count()).select_from(table), table, query))
            rows = [query.kind(**row._mapping) for row in await connection.execute(page)]  # pyright: ignore[reportPrivateUsage]
        return Page(tuple(rows), total or 0)

    async def change(self, changes: Sequence[Change], audit: Sequence[Audit] = ()) -> int:
        async with self._database.writing() as connection:
            for one in changes:
                await _DO[type(one)](connection, one)
            for row in audit:
                await connection.execute(insert(AUDIT).values(**asdict(row)))
            taken = update(VERSION).values(v=VERSION.c.v + 1).returning(VERSION.c.v)
            version: int = (await connection.execute(taken)).scalar_one()
            await self._note(connection, changes, version)
        return version

    async def _note(self, connection: AsyncConnection, changes: Sequence[Change], version: int) -> None:
        """Which rows this version changed. The lock on the version row is held until the commit."""
        last = {_named(one): isinstance(one, Delete) for one in changes}
        for (kind, row_id), gone in last.items():
            await connection.execute(delete(CHANGES).where(CHANGES.c.kind == kind, CHANGES.c.row_id == row_id))
            await connection.execute(insert(CHANGES).values(kind=kind, row_id=row_id, version=version, gone=gone))

    async def scan(self, kind: type[R], size: int = 2_000) -> AsyncIterator[tuple[R, ...]]:
        table = RECORDS[KIND_OF[kind]]
        names = table.columns.keys()  # a row's own mapping takes four times as long
        after = ""
        while True:
            wanted = select(table).where(table.c.id > after).order_by(table.c.id).limit(size)
            async with self._database.reading() as connection:
                rows = tuple(kind(**dict(zip(names, row, strict=True))) for row in await connection.execute(wanted))
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = rows[-1].id

    async def version(self) -> int:
        async with self._database.reading() as connection:
            return await connection.scalar(select(VERSION.c.v)) or 0

    async def feed(self, after: int, limit: int = 10_000) -> Feed:
        wanted = select(CHANGES).where(CHANGES.c.version > after).order_by(CHANGES.c.version).limit(limit + 1)
        async with self._database.reading() as connection:
            noted = (await connection.execute(wanted)).all()
        complete = len(noted) <= limit
        if not complete:  # a version is told whole: of the last one there may be more
            cut = [note for note in noted if note.version < noted[-1].version]
            if not cut:
                return await self.feed(after, limit * 2)
            noted = cut
        changed: dict[str, list[str]] = {}
        for note in noted:
            if not note.gone:
                changed.setdefault(note.kind, []).append(note.row_id)
        rows: list[Row] = []
        for kind, ids in changed.items():
            rows += (await self.get_many(KINDS[kind], ids)).values()
        gone = tuple((note.kind, note.row_id) for note in noted if note.gone)
        return Feed(noted[-1].version if noted else after, tuple(rows), gone, complete)

    async def audit(self, page: int = 1, size: int = 100, **where: Any) -> tuple[list[Audit], int]:
        clauses = [AUDIT.c[name] == value for name, value in where.items()]
        wanted = select(AUDIT).where(*clauses).order_by(AUDIT.c.at.desc(), AUDIT.c.id)
        async with self._database.reading() as connection:
            total = await connection.scalar(select(func.count()).select_from(AUDIT).where(*clauses))
            rows = await connection.execute(wanted.offset((page - 1) * size).limit(size))
            return [Audit(**row._mapping) for row in rows], total or 0  # pyright: ignore[reportPrivateUsage]


def _narrowed(statement: Select[Any], table: Any, query: Query[Any]) -> Select[Any]:
    statement = statement.where(*_equals(table, query.where))
    if query.any_of is not None:
        statement = statement.where(or_(false(), *(and_(true(), *_equals(table, where)) for where in query.any_of)))
    for name, part in query.contains.items():
        statement = statement.where(func.lower(table.c[name]).contains(part.lower(), autoescape=True))
    return statement


def _equals(table: Any, where: Mapping[str, Any]) -> list[Any]:
    return [
        table.c[name].in_(value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, tuple | list)
        else table.c[name].is_(None)
        if value is None
        else table.c[name] == value
        for name, value in where.items()
    ]


async def _insert(connection: AsyncConnection, change: Insert) -> None:
    kind = KIND_OF[type(change.row)]
    table = RECORDS[kind]
    values = {one.name: getattr(change.row, one.name) for one in fields(change.row)}
    try:
        await connection.execute(insert(table).values(**values))
    except IntegrityError as error:
        raise _taken(kind, values, error) from None


async def _update(connection: AsyncConnection, change: Update) -> None:
    table = RECORDS[change.kind]
    unknown = change.values.keys() - _FIELDS[change.kind]
    if unknown:
        raise StoreError(f"a {change.kind} has no field {', '.join(sorted(unknown))}")
    try:
        done = await connection.execute(update(table).where(table.c.id == change.id).values(**change.values))
    except IntegrityError as error:
        raise _taken(change.kind, {"id": change.id, **change.values}, error) from None
    if done.rowcount == 0:
        raise Missing(change.kind, change.id)


async def _delete(connection: AsyncConnection, change: Delete) -> None:
    table = RECORDS[change.kind]
    done = await connection.execute(delete(table).where(table.c.id == change.id))
    if done.rowcount == 0:
        raise Missing(change.kind, change.id)


_DO: Final[dict[type[Any], Any]] = {Insert: _insert, Update: _update, Delete: _delete}


def _named(change: Change) -> tuple[str, str]:
    return (KIND_OF[type(change.row)], change.row.id) if isinstance(change, Insert) else (change.kind, change.id)


def _taken(kind: str, values: dict[str, Any], error: IntegrityError) -> StoreError:
    """Both databases name the columns, or the index, whose value is there already."""
    words = str(error.orig)
    for name in ("key_alias", "user_email"):
        if name in words:
            return Taken(kind, name, str(values.get(name)))
    return Taken(kind, "id", values["id"])
