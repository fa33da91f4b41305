"""The rows of keys, users, teams, ... in memory: `base.Records` for tests and dry runs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, TypeVar, cast

from litellm.store.base import Audit, Change, Delete, Feed, Insert, Missing, Page, Query, Taken, Update
from litellm.store.values import UNIQUE, check, plain, sought
from litellm.types.accounts import KIND_OF, KINDS, Row

R = TypeVar("R", bound=Row)
_Tables = dict[str, dict[str, Row]]


class MemoryRecords:
    """base.Records. Nothing is awaited inside, so each method is one transaction by itself."""

    def __init__(self) -> None:
        self._tables: _Tables = {kind: {} for kind in KINDS}
        self._changed: dict[tuple[str, str], int] = {}
        """(kind, id) -> version, in order of version; those whose row is not there are tombstones."""
        self._version = 0
        self._audit: list[Audit] = []

    async def get(self, kind: type[R], id: str) -> R | None:
        return cast("R | None", self._tables[KIND_OF[kind]].get(id))

    async def get_many(self, kind: type[R], ids: Sequence[str]) -> dict[str, R]:
        table = cast("dict[str, R]", self._tables[KIND_OF[kind]])
        return {id: table[id] for id in ids if id in table}

    async def find(self, query: Query[R]) -> Page[R]:
        kind = KIND_OF[query.kind]
        plain(kind, query.order)
        rows = [cast("R", row) for row in self._tables[kind].values() if _fits(kind, row, query)]
        rows.sort(key=attrgetter("id"))
        rows.sort(key=lambda row: _rank(getattr(row, query.order)), reverse=query.descending)
        rows.sort(key=lambda row: getattr(row, query.order) is None)
        begin = max(query.page - 1, 0) * query.size
        return Page(tuple(rows[begin : begin + query.size]), len(rows))

    async def change(self, changes: Sequence[Change], audit: Sequence[Audit] = ()) -> int:
        tables = {kind: _Overlay(self._tables[kind]) for kind in {_named(one)[0] for one in changes}}
        for one in changes:
            _apply(tables, one)
        self._version += 1
        for kind, overlay in tables.items():
            overlay.write(self._tables[kind])
        for one in changes:
            self._changed.pop(_named(one), None)
            self._changed[_named(one)] = self._version
        self._audit += audit
        return self._version

    async def scan(self, kind: type[R], size: int = 2_000) -> AsyncIterator[tuple[R, ...]]:
        table = cast("dict[str, R]", self._tables[KIND_OF[kind]])
        ids = sorted(table)
        for begin in range(0, len(ids), size):
            yield tuple(table[id] for id in ids[begin : begin + size] if id in table)

    async def version(self) -> int:
        return self._version

    async def feed(self, after: int, limit: int = 10_000) -> Feed:
        noted = [(name, version) for name, version in self._changed.items() if version > after]
        upto = self._version
        if len(noted) > limit:  # a version is told whole, so the last one that begins within the limit is left out
            upto = noted[limit][1] - 1 if noted[limit][1] > noted[0][1] else noted[0][1]
        told = [name for name, version in noted if version <= upto]
        here = {name: self._tables[name[0]].get(name[1]) for name in told}
        return Feed(
            version=max(upto, after),
            rows=tuple(row for row in here.values() if row is not None),
            gone=tuple(name for name, row in here.items() if row is None),
            complete=len(told) == len(noted),
        )

    async def audit(self, page: int = 1, size: int = 100, **where: Any) -> tuple[list[Audit], int]:
        rows = [row for row in self._audit if all(getattr(row, name) == value for name, value in where.items())]
        rows.sort(key=attrgetter("id"))
        rows.sort(key=attrgetter("at"), reverse=True)
        return rows[(page - 1) * size : page * size], len(rows)


class _Overlay:
    """A table with changes that do not show until they are written."""

    def __init__(self, below: dict[str, Row]) -> None:
        self._below = below
        self._fresh: dict[str, Row | None] = {}
        self._owners: dict[str, dict[Any, str]] = {}

    def get(self, id: str) -> Row | None:
        return self._fresh[id] if id in self._fresh else self._below.get(id)

    def put(self, kind: str, row: Row) -> None:
        """Raises Taken."""
        for name in UNIQUE.get(kind, ()):
            value = getattr(row, name)
            if value is not None and self._index(name).get(value, row.id) != row.id:
                raise Taken(kind, name, value)
        self._put(row.id, row)

    def remove(self, id: str) -> None:
        self._put(id, None)

    def write(self, table: dict[str, Row]) -> None:
        for id, row in self._fresh.items():
            if row is None:
                table.pop(id, None)
            else:
                table[id] = row

    def _put(self, id: str, row: Row | None) -> None:
        before = self.get(id)
        self._fresh[id] = row
        for name, index in self._owners.items():
            if before is not None:
                index.pop(getattr(before, name), None)
            if row is not None:
                index[getattr(row, name)] = id

    def _index(self, name: str) -> dict[Any, str]:
        """Value -> id of whose it is; made when first asked for, and kept current."""
        if name not in self._owners:
            ids = {**dict.fromkeys(self._below), **dict.fromkeys(self._fresh)}
            rows = [row for id in ids if (row := self.get(id)) is not None]
            self._owners[name] = {getattr(row, name): row.id for row in rows}
        return self._owners[name]


def _apply(tables: dict[str, _Overlay], change: Change) -> None:
    kind, id = _named(change)
    there = tables[kind].get(id)
    match change:
        case Insert(row):
            check(kind, {one.name: getattr(row, one.name) for one in fields(row)})
            if there is not None:
                raise Taken(kind, "id", id)
            tables[kind].put(kind, row)
        case Update(values=values):
            check(kind, values)
            if there is None:
                raise Missing(kind, id)
            tables[kind].put(kind, replace(there, **values))
        case Delete():
            if there is None:
                raise Missing(kind, id)
            tables[kind].remove(id)


def _named(change: Change) -> tuple[str, str]:
    return (KIND_OF[type(change.row)], change.row.id) if isinstance(change, Insert) else (change.kind, change.id)


def _fits(kind: str, row: Row, query: Query[Any]) -> bool:
    if not _equals(kind, row, query.where):
        return False
    if query.any_of is not None and not any(_equals(kind, row, where) for where in query.any_of):
        return False
    return all(part.lower() in (getattr(row, name) or "").lower() for name, part in query.contains.items())


def _equals(kind: str, row: Row, where: Mapping[str, Any]) -> bool:
    for name, value in where.items():
        among = sought(kind, name, value)
        if (getattr(row, name) is not None) if among is None else (getattr(row, name) not in among):
            return False
    return True


def _rank(value: Any) -> Any:
    return (value is not None, value if value is not None else 0)
