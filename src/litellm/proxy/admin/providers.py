"""`/provider/budgets`: what providers, and single deployments, may cost and have cost (docs/routing.md)."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from litellm.catalog.cost import dollars
from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import iso
from litellm.router.spending import Standing
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

router = APIRouter(tags=["budgets"], responses=schemas.INVALID)


class Budgeted(BaseModel):
    budget_limit: float = Field(description="Dollars.")
    time_period: str | None = Field(description="Null: it is for ever.")
    spend: float = Field(description="Dollars, in the current period, as far as the answering worker knows.")
    budget_reset_at: str | None = Field(description="When the period ends.")


class ProviderBudgets(BaseModel):
    providers: dict[str, Budgeted]
    deployments: dict[str, Budgeted] = Field(description="By their ids: those that have a `max_budget`.")


@router.get("/provider/budgets", summary="What providers may cost, and have", **answers.of(ProviderBudgets))
async def provider_budgets(request: Request) -> Json:
    gateway: Gateway = request.app.state.gateway
    budgeting = gateway.snapshot.budgeting
    found: dict[str, dict[str, Any]] = {"provider": {}, "deployment": {}}
    for one in budgeting.spending.standings() if budgeting is not None else ():
        kind, _, name = one.id.partition(":")
        found[kind][name] = _shown(one)
    return {"providers": found["provider"], "deployments": found["deployment"]}


def _shown(one: Standing) -> Json:
    return {
        "budget_limit": dollars(one.allowance.limit),
        "time_period": one.allowance.duration,
        "spend": dollars(one.spent),
        "budget_reset_at": iso(one.end),
    }
