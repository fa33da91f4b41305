"""Rows with limits of their own: end users, budgets, tags. What they may be given, how they are written and shown.

Money is dollars here and nano-dollars in a row; a period is the budget's, by the row's own duration or by that of the
named budget it shares.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from litellm.catalog.cost import NANO, dollars
from litellm.proxy.admin.desk import Desk, iso
from litellm.proxy.admin.fields import Count, Dollars, Name, Object, seconds
from litellm.proxy.errors import ProxyError
from litellm.proxy.shelf import shown
from litellm.proxy.spend.periods import period
from litellm.store.base import Change, Delete, Insert, Missing, Taken, Unstorable, Update
from litellm.types.accounts import KIND_OF, Budget, Limited, Model, Row
from litellm.types.calls import Json

R = TypeVar("R", bound=Row)

LIMITS: Final = ("budget_duration", "tpm_limit", "rpm_limit", "max_parallel_requests")
MONEY: Final = ("max_budget", "soft_budget")
_TUPLES: Final = frozenset({"models"})


class ModelBudget(BaseModel):
    """What calls of one model may cost."""

    max_budget: Dollars
    budget_duration: str | None = None


class LimitFields(BaseModel):
    """Limits. Fields that are not sent stay as they are; null takes a limit away."""

    model_config = ConfigDict(protected_namespaces=())

    max_budget: Dollars | None = Field(default=None, description="Dollars.")
    soft_budget: Dollars | None = Field(default=None, description="Dollars; nothing is refused for it.")
    budget_duration: str | None = Field(default=None, description="After which the budget begins anew: 1h, 1d, 1mo.")
    tpm_limit: Count | None = Field(default=None, description="Tokens per minute.")
    rpm_limit: Count | None = Field(default=None, description="Requests per minute.")
    max_parallel_requests: Count | None = None
    metadata: Object = {}


class SharedLimitFields(LimitFields):
    budget_id: Name | None = Field(
        default=None, description="A budget of `/budget/new`: it holds for what is not said here."
    )


def row_values(asked: BaseModel, names: Sequence[str]) -> Json:
    """Those of the named fields that were sent, as a row has them. Raises ProxyError 400."""
    values: Json = {}
    for name in names:
        if name not in asked.model_fields_set:
            continue
        value = getattr(asked, name)
        if name in MONEY:
            values[name] = nano(value)
        elif name == "model_max_budget":
            budgets: dict[str, ModelBudget] = value
            values[name] = {model: _model_budget(budget) for model, budget in budgets.items()}
        else:
            values[name] = tuple(value) if name in _TUPLES else value
    if values.get("budget_duration") is not None:
        seconds(values["budget_duration"], "budget_duration")
    return values


def nano(amount: float | None) -> int | None:
    return None if amount is None else int(Decimal(str(amount)) * NANO)


def _model_budget(budget: ModelBudget) -> Json:
    if budget.budget_duration is not None:
        seconds(budget.budget_duration, "model_max_budget")
    return {"max_budget": nano(budget.max_budget), "budget_duration": budget.budget_duration}


def limits_of(row: Limited) -> Json:
    """A row's own limits, in dollars."""
    return {
        **{name: None if (amount := getattr(row, name)) is None else dollars(amount) for name in MONEY},
        **{name: getattr(row, name) for name in LIMITS},
    }


def stamps_of(row: Row) -> Json:
    return {
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "created_by": row.created_by,
        "updated_by": row.updated_by,
    }


def shown_budget(budget: Budget) -> Json:
    return {
        "budget_id": budget.id,
        **limits_of(budget),
        "model_max_budget": {
            model: {**said, "max_budget": dollars(said["max_budget"])}
            for model, said in budget.model_max_budget.items()
        },
        "metadata": budget.metadata,
        **stamps_of(budget),
    }


async def standing(desk: Desk, rows: Sequence[Limited]) -> list[Json]:
    """Of each row its limits, the budget that it shares, and what it has spent in the current period."""
    named = list({row.budget_id for row in rows if row.budget_id})
    budgets = await desk.records.get_many(Budget, named) if named else {}
    return [await _standing(desk, row, budgets.get(row.budget_id or "")) for row in rows]


async def _standing(desk: Desk, row: Limited, shared: Budget | None) -> Json:
    duration = row.budget_duration or (shared.budget_duration if shared else None)
    start, end = period(duration, desk.now, ZoneInfo(desk.time_zone), row.budget_started_at)
    return {
        **limits_of(row),
        "budget_id": row.budget_id,
        "litellm_budget_table": shown_budget(shared) if shared else None,
        "spend": dollars(await desk.spent(f"{KIND_OF[type(row)]}:{row.id}", start)),
        "budget_reset_at": iso(end),
        "metadata": row.metadata,
        **stamps_of(row),
    }


async def check_budget(desk: Desk, values: Json) -> None:
    """Raises ProxyError 400 for a `budget_id` that names no budget: its limits would not hold."""
    named = values.get("budget_id")
    if named is not None and await desk.records.get(Budget, named) is None:
        raise ProxyError(400, f"budget_id: there is no budget {named!r}", param="budget_id")


async def found(desk: Desk, kind: type[R], id: str, param: str) -> R:
    row = await desk.records.get(kind, id)
    if row is None:
        raise _absent(KIND_OF[kind], id, param)
    return row


def _absent(kind: str, id: str, param: str) -> ProxyError:
    return ProxyError(404, f"{kind.replace('_', ' ').capitalize()} {id!r} not found", "not_found_error", param)


async def insert(desk: Desk, row: R, param: str) -> R:
    """The row as it was written, stamped. Raises ProxyError 400 if there is one with its id."""
    stamped = fresh(desk, row)
    await change(desk, [Insert(stamped)], "created", [(None, stamped)], param)
    return stamped


async def update(desk: Desk, row: R, values: Json, param: str, action: str = "updated") -> R:
    """The row with the values written."""
    stamped = {**values, **stamps(desk)}
    changed = replace(row, **stamped)
    await change(desk, [Update(KIND_OF[type(row)], row.id, stamped)], action, [(row, changed)], param)
    return changed


async def delete(desk: Desk, rows: Sequence[Row], param: str) -> None:
    """All or none."""
    changes = [Delete(KIND_OF[type(row)], row.id) for row in rows]
    await change(desk, changes, "deleted", [(row, None) for row in rows], param)


async def change(
    desk: Desk,
    changes: Sequence[Change],
    action: str,
    pairs: Sequence[tuple[Row | None, Row | None]],
    param: str,
) -> None:
    """Write, with an audit row for each (before, after). `param` is the field that names the row."""
    audits = [
        desk.audit(action, KIND_OF[type(row)], row.id, plain(before), plain(after))
        for before, after in pairs
        if (row := before or after) is not None
    ]
    try:
        await desk.records.change(changes, audits)
    except Taken as error:
        raise ProxyError(400, f"{param}: {error}", param=param) from None
    except Missing as error:
        raise _absent(error.kind, error.id, param) from None
    except Unstorable as error:
        raise ProxyError(400, str(error), param=error.name) from None
    await desk.changed()


def fresh(desk: Desk, row: R) -> R:
    return replace(row, **stamps(desk), created_at=desk.now, created_by=desk.actor)


def stamps(desk: Desk) -> Json:
    """Who changes a row, and when."""
    return {"updated_at": desk.now, "updated_by": desk.actor}


def plain(row: Row | None) -> Json | None:
    """What the audit log keeps: what was said of the row, secrets left out, sealed though they are."""
    if row is None:
        return None
    if isinstance(row, Model):
        row = replace(row, litellm_params=shown(row.litellm_params))
    told: dict[str, Any] = {}
    for one in fields(row):
        value = getattr(row, one.name)
        if one.name != "values" and value not in (None, (), {}):
            told[one.name] = list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
    return told
