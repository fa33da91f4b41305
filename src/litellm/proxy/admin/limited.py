"""Rows with limits of their own: end users, budgets, tags. What they may be given, and how they are shown.

Money is dollars here and nano-dollars in a row; a period is the budget's, by the row's own duration or by that of the
named budget it shares.
"""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from litellm.catalog.cost import dollars
from litellm.proxy.admin.desk import Desk, iso
from litellm.proxy.admin.fields import Count, Dollars, Name, Object, values_of
from litellm.proxy.errors import ProxyError
from litellm.types.accounts import KIND_OF, Budget, Limited, Row
from litellm.types.calls import Json
from litellm.types.periods import period

LIMITS: Final = ("budget_duration", "tpm_limit", "rpm_limit", "max_parallel_requests")
MONEY: Final = ("max_budget", "soft_budget")


class LimitFields(BaseModel):
    """Limits. Fields that are not sent stay as they are; null takes a limit away."""

    model_config = ConfigDict(protected_namespaces=())

    max_budget: Dollars | None = Field(default=None, description="Dollars.")
    soft_budget: Dollars | None = Field(default=None, description="Dollars; nothing is refused for it.")
    budget_duration: str | None = Field(default=None, description="After which the budget begins anew: 1h, 1d, 1mo.")
    tpm_limit: Count | None = Field(default=None, description="Tokens per minute.")
    rpm_limit: Count | None = Field(default=None, description="Requests per minute.")
    max_parallel_requests: Count | None = Field(default=None, description="Calls at a time.")
    metadata: Object = {}


class SharedLimitFields(LimitFields):
    budget_id: Name | None = Field(
        default=None, description="A budget of `/budget/new`: it holds for what is not said here."
    )


def row_values(asked: BaseModel, kind: type[Row], names: Sequence[str]) -> Json:
    """Those of the named fields that were sent, as a row has them. Raises ProxyError 400."""
    return values_of(asked, kind, frozenset(type(asked).model_fields) - frozenset(names))


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
