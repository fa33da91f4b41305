"""`/budget/*`: limits with a name, for rows that share them. Each of those rows counts for itself."""

from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from litellm.proxy.admin import answers, limited, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import ModelBudget, Name
from litellm.proxy.errors import ProxyError
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import KIND_OF, KINDS, Budget, Limited
from litellm.types.calls import Json

router = APIRouter(tags=["budgets"], responses=schemas.INVALID)


class BudgetFields(limited.LimitFields):
    model_max_budget: dict[Name, ModelBudget] = Field(
        default={}, description="Model -> its own budget, for keys and teams that have none of their own."
    )


class NewBudget(BudgetFields):
    budget_id: Name | None = Field(default=None, description="Its name. Default: one that is made up.")


class ChangedBudget(BudgetFields):
    budget_id: Name


class SomeBudgets(BaseModel):
    budgets: list[Name] = Field(min_length=1, max_length=1000)


class OneBudget(BaseModel):
    id: Name


_FIELDS: Final = tuple(BudgetFields.model_fields)
_TYPES: Final = {
    "budget_duration": "String", "tpm_limit": "Integer", "rpm_limit": "Integer", "max_parallel_requests": "Integer",
    "metadata": "Object", "model_max_budget": "Object",
}  # fmt: skip
"""Of the fields that are no sum of money."""


@router.post("/budget/new", summary="Name some limits", **answers.of(answers.Budget))
async def new(request: Request, asked: NewBudget) -> Json:
    desk = await desk_of(request)
    row = Budget(id=asked.budget_id or str(uuid4()), **limited.row_values(asked, Budget, _FIELDS))
    return limited.shown_budget(await rows.insert(desk, row, "budget_id"))


@router.post("/budget/info", summary="Some budgets", **answers.of(list[answers.Budget]))
async def info(request: Request, asked: SomeBudgets) -> list[Json]:
    """Those that exist."""
    desk = await desk_of(request)
    there = await desk.records.get_many(Budget, asked.budgets)
    return [limited.shown_budget(there[id]) for id in dict.fromkeys(asked.budgets) if id in there]


@router.get("/budget/list", summary="Budgets", **answers.of(list[answers.Budget]))
async def list_budgets(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """Newest first."""
    desk = await desk_of(request)
    found = await desk.records.find(StoreQuery(Budget, page=page, size=size))
    return [limited.shown_budget(row) for row in found.rows]


@router.get("/budget/settings", summary="A budget, field by field", **answers.of(list[answers.BudgetSetting]))
async def settings(request: Request, budget_id: str) -> list[Json]:
    """What a budget may say, and what this one says: for a form."""
    desk = await desk_of(request)
    told = limited.shown_budget(await rows.found(desk, Budget, budget_id, "budget_id"))
    return [
        {
            "field_name": name,
            "field_type": _TYPES.get(name, "Float"),
            "field_description": BudgetFields.model_fields[name].description or "",
            "field_value": told[name],
            "stored_in_db": told[name] not in (None, {}),
            "field_default_value": None,
        }
        for name in _FIELDS
    ]


@router.post("/budget/update", summary="Change a budget", **answers.of(answers.Budget))
async def update(request: Request, asked: ChangedBudget) -> Json:
    """It holds at once for all that share it."""
    desk = await desk_of(request)
    row = await rows.found(desk, Budget, asked.budget_id, "budget_id")
    return limited.shown_budget(await rows.update(desk, row, limited.row_values(asked, Budget, _FIELDS), "budget_id"))


@router.post("/budget/delete", summary="Forget a budget", **answers.of(answers.Budget))
async def delete(request: Request, asked: OneBudget) -> Json:
    """One that is in use stays: its rows would be without limits."""
    desk = await desk_of(request)
    row = await rows.found(desk, Budget, asked.id, "id")
    users = await _users(desk, row.id)
    if users:
        raise ProxyError(400, f"budget {row.id!r} is in use: {users}", param="id")
    await rows.delete(desk, [row], "id")
    return limited.shown_budget(row)


async def _users(desk: Desk, budget_id: str) -> str:
    """How many rows of each kind share it, as text; empty if none does."""
    told: list[str] = []
    for kind in KINDS.values():
        if issubclass(kind, Limited):
            page = await desk.records.find(StoreQuery(kind, where={"budget_id": budget_id}, size=1))
            if page.total:
                told.append(f"{page.total} of kind {KIND_OF[kind]}")
    return ", ".join(told)
