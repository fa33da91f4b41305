"""Rows, found, written and shown: what the routes of all kinds of rows have in common."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from litellm.catalog.cost import dollars
from litellm.proxy.admin import roles
from litellm.proxy.admin.desk import Desk, iso
from litellm.proxy.admin.fields import TIMES, difference, in_dollars
from litellm.proxy.errors import ProxyError
from litellm.proxy.shelf import shown as shown_params
from litellm.store.base import Audit, Change, Delete, Insert, Missing, Query, Taken, Unstorable, Update
from litellm.types.accounts import KIND_OF, Budget, Limited, Millis, Model, Row, storable
from litellm.types.calls import Json
from litellm.types.periods import period

R = TypeVar("R", bound=Row)
L = TypeVar("L", bound=Limited)

_HIDDEN: Final = frozenset({"id", "extra", "replaced_by", "budget_started_at"})
_PART: Final = 500
_UNAUDITED: Final = frozenset({"id", "created_at", "updated_at", "values"})


def missing(kind: type[Row], name: str) -> ProxyError:
    """The answer of what is not there, and of what the asker may not see."""
    return ProxyError(404, f"{_words(KIND_OF[kind])} not found", "not_found_error", name)


def _words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


async def found(desk: Desk, kind: type[R], id: str, name: str, seen: roles.Filter = None) -> R:
    """The row that `id`, the field `name`, is of. Raises ProxyError 404; also if it is none of `seen`."""
    row = await desk.records.get(kind, storable(id))
    if row is None or not roles.fits(row, seen):
        raise missing(kind, name)
    return row


async def changeable(
    desk: Desk, kind: type[R], id: str, name: str, seen: roles.Filter, changed: roles.Filter
) -> R:  # fmt: skip
    """Raises ProxyError: 404 for a row that the asker does not see, 403 for one that they see and may not change."""
    row = await desk.records.get(kind, storable(id))
    if row is None or not (roles.fits(row, seen) or roles.fits(row, changed)):
        raise missing(kind, name)
    if not roles.fits(row, changed):
        raise ProxyError(403, f"You may see this {KIND_OF[kind]}, but not change it", "auth_error", name)
    return row


async def every(desk: Desk, query: Query[R]) -> AsyncIterator[R]:
    """All rows that a query finds, page by page, in an order that stays."""
    page = 1
    while True:
        part = await desk.records.find(
            Query(query.kind, query.where, query.any_of, query.contains, "id", False, page, _PART)
        )
        for row in part.rows:
            yield row
        if page * _PART >= part.total:
            return
        page += 1


async def all_of(desk: Desk, kind: type[R], **where: Any) -> list[R]:
    return [row async for row in every(desk, Query(kind, where=where))]


async def write(desk: Desk, changes: Sequence[Change], audits: Sequence[Audit], param: str = "id") -> None:
    """All or none, in effect at once. `param`: the field that names the row, for a refusal of it.

    Raises ProxyError: 400 for what is there already or cannot be stored, 404 for what is not there.
    """
    try:
        await desk.records.change(changes, audits)
    except Taken as error:
        name = param if error.name == "id" else error.name
        raise ProxyError(400, f"A {error.kind} with this {name} exists already", param=name) from None
    except Unstorable as error:
        raise ProxyError(400, str(error), param=error.name) from None
    except Missing as error:
        raise ProxyError(404, f"{_words(error.kind)} not found", "not_found_error", param) from None
    await desk.changed()


def created(desk: Desk, row: Row) -> tuple[Change, Audit]:
    return Insert(row), desk.audit("created", KIND_OF[type(row)], row.id, None, plain(row))


def updated(desk: Desk, before: Row, after: Row, action: str = "updated") -> tuple[Change, Audit]:
    """Writes only what differs, and who did it when."""
    values = {**difference(before, after), "updated_at": desk.now, "updated_by": desk.actor}
    kind = KIND_OF[type(before)]
    return Update(kind, before.id, values), desk.audit(action, kind, before.id, plain(before), plain(after))


def deleted(desk: Desk, row: Row) -> tuple[Change, Audit]:
    kind = KIND_OF[type(row)]
    return Delete(kind, row.id), desk.audit("deleted", kind, row.id, plain(row), None)


async def write_all(desk: Desk, done: Sequence[tuple[Change, Audit]], param: str = "id") -> None:
    await write(desk, [change for change, _ in done], [audit for _, audit in done], param)


def stamps(desk: Desk) -> Json:
    """Of a new row."""
    return {"created_at": desk.now, "updated_at": desk.now, "created_by": desk.actor, "updated_by": desk.actor}


async def insert(desk: Desk, row: R, param: str) -> R:
    """The row as it was written, stamped. Raises as `write`."""
    made = replace(row, **stamps(desk))
    await write_all(desk, [created(desk, made)], param)
    return made


async def update(desk: Desk, before: R, values: Json, param: str, action: str = "updated") -> R:
    """The row with the values, as it was written."""
    after = replace(before, **values, updated_at=desk.now, updated_by=desk.actor)
    await write_all(desk, [updated(desk, before, after, action)], param)
    return after


async def delete(desk: Desk, rows: Sequence[Row], param: str) -> None:
    """All or none."""
    await write_all(desk, [deleted(desk, row) for row in rows], param)


def plain(row: Row) -> Json:
    """What the audit log keeps: the row as it is, money in nano-dollars; no secret, sealed though they are."""
    if isinstance(row, Model):
        row = replace(row, litellm_params=shown_params(row.litellm_params))
    return {one.name: getattr(row, one.name) for one in fields(row) if one.name not in _UNAUDITED}


async def shown(desk: Desk, row: Limited) -> Json:
    return (await shown_all(desk, [row]))[0]


async def shown_all(desk: Desk, rows: Sequence[Limited]) -> list[Json]:
    """Rows as their callers see them: dollars, ISO times, and what each has spent in its current budget period."""
    named = {row.budget_id for row in rows if row.budget_id}
    budgets = await desk.records.get_many(Budget, sorted(named)) if named else {}
    periods = [_period(desk, row, budgets) for row in rows]
    charges = [(_scope(row), start) for row, (start, _) in zip(rows, periods, strict=True)]
    spent = await desk.spent_each(charges)
    return [
        {**_fields(row), "spend": dollars(spent[charge]), "budget_reset_at": iso(end),
         "litellm_budget_table": _budget(budgets.get(row.budget_id or ""))}
        for row, charge, (_, end) in zip(rows, charges, periods, strict=True)
    ]  # fmt: skip


def _period(desk: Desk, row: Limited, budgets: Mapping[str, Budget]) -> tuple[Millis, Millis | None]:
    shared = budgets.get(row.budget_id or "")
    duration = row.budget_duration or (shared.budget_duration if shared else None)
    return period(duration, desk.now, ZoneInfo(desk.time_zone), row.budget_started_at)


def _scope(row: Limited) -> str:
    return f"{KIND_OF[type(row)]}:{row.id}"


def _budget(budget: Budget | None) -> Json | None:
    return None if budget is None else {"budget_id": budget.id, **_fields(budget)}


def _fields(row: Limited) -> Json:
    names = [one.name for one in fields(row) if one.name not in _HIDDEN]
    return {
        **row.extra,
        **{name: iso(value) if name in TIMES else in_dollars(name, value)
           for name in names for value in [getattr(row, name)]},
    }  # fmt: skip


def paged(name: str, rows: Sequence[Any], total: int, page: int, size: int) -> Json:
    """A page as the lists of this API are answered."""
    return {name: list(rows), "total_count": total, "current_page": page, "page": page, "page_size": size,
            "total": total, "total_pages": -(-total // size)}  # fmt: skip
