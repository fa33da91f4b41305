"""`/customer/*`, also `/end_user/*`: those whom the `user` field of a request names.

Everybody who is named is counted; a row gives them limits, or keeps them out.
"""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from litellm.proxy.admin import answers, limited, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Name
from litellm.proxy.errors import ProxyError
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import EndUser, storable
from litellm.types.calls import Json

router = APIRouter(tags=["customers"], responses=schemas.INVALID)


class CustomerFields(limited.SharedLimitFields):
    alias: Name | None = None
    blocked: bool = False
    allowed_model_region: Name | None = Field(
        default=None, description="Only deployments whose `region_name` is there, or begins with it, serve them."
    )
    default_model: Name | None = Field(
        default=None, description="Asked where no deployment of the model asked for is in the allowed region."
    )


class Customer(CustomerFields):
    user_id: Name = Field(description="As requests say it in `user`.")


class SomeCustomers(BaseModel):
    user_ids: list[Name] = Field(min_length=1, max_length=1000)


_FIELDS: Final = tuple(CustomerFields.model_fields)


async def new(request: Request, asked: Customer) -> Json:
    """What somebody of this name has spent before counts."""
    desk = await desk_of(request)
    values = limited.row_values(asked, EndUser, _FIELDS)
    await limited.check_budget(desk, values)
    return await _one(desk, await rows.insert(desk, EndUser(id=asked.user_id, **values), "user_id"))


async def info(request: Request, end_user_id: str) -> Json:
    desk = await desk_of(request)
    return await _one(desk, await rows.found(desk, EndUser, storable(end_user_id), "end_user_id"))


async def list_customers(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """Newest first."""
    desk = await desk_of(request)
    found = await desk.records.find(StoreQuery(EndUser, page=page, size=size))
    return await _shown(desk, list(found.rows))


async def update(request: Request, asked: Customer) -> Json:
    desk = await desk_of(request)
    values = limited.row_values(asked, EndUser, _FIELDS)
    await limited.check_budget(desk, values)
    row = await rows.found(desk, EndUser, asked.user_id, "user_id")
    return await _one(desk, await rows.update(desk, row, values, "user_id"))


async def delete(request: Request, asked: SomeCustomers) -> Json:
    """All of them or, if one is not there, none. What they have spent stays in the log."""
    desk = await desk_of(request)
    found = await _all(desk, asked.user_ids)
    await rows.delete(desk, found, "user_ids")
    return {
        "deleted_customers": len(found),
        "message": f"Successfully deleted customers with ids: {[row.id for row in found]}",
    }


async def block(request: Request, asked: SomeCustomers) -> Json:
    """Those without a row get one."""
    return {"blocked_users": await _set_blocked(await desk_of(request), asked.user_ids, True)}


async def unblock(request: Request, asked: SomeCustomers) -> Json:
    desk = await desk_of(request)
    await _all(desk, asked.user_ids)
    return {"unblocked_users": await _set_blocked(desk, asked.user_ids, False)}


async def _set_blocked(desk: Desk, ids: list[str], blocked: bool) -> list[Json]:
    there = await desk.records.get_many(EndUser, ids)
    made = [EndUser(id=id, **rows.stamps(desk)) for id in dict.fromkeys(ids) if id not in there]
    befores = {**there, **{row.id: row for row in made}}
    afters = [replace(befores[id], blocked=blocked) for id in dict.fromkeys(ids)]
    action = "blocked" if blocked else "unblocked"
    done = [
        rows.updated(desk, there[after.id], after, action) if after.id in there else rows.created(desk, after)
        for after in afters
    ]
    await rows.write_all(desk, done, "user_ids")
    return await _shown(desk, afters)


async def _all(desk: Desk, ids: list[str]) -> list[EndUser]:
    wanted = list(dict.fromkeys(ids))
    there = await desk.records.get_many(EndUser, wanted)
    missing = [id for id in wanted if id not in there]
    if missing:
        raise ProxyError(404, f"End user {missing[0]!r} not found", "not_found_error", "user_ids")
    return [there[id] for id in wanted]


async def _one(desk: Desk, row: EndUser) -> Json:
    [shown] = await _shown(desk, [row])
    return shown


async def _shown(desk: Desk, customers: list[EndUser]) -> list[Json]:
    return [
        {
            "user_id": row.id,
            "alias": row.alias,
            "blocked": row.blocked,
            "allowed_model_region": row.allowed_model_region,
            "default_model": row.default_model,
            **stands,
        }
        for row, stands in zip(customers, await limited.standing(desk, customers), strict=True)
    ]


_ROUTES: Final[tuple[tuple[str, str, Any, str, Any], ...]] = (
    ("POST", "new", new, "Limits for an end user", answers.Customer),
    ("GET", "info", info, "How an end user stands", answers.Customer),
    ("GET", "list", list_customers, "End users with limits", list[answers.Customer]),
    ("POST", "update", update, "Change an end user's limits", answers.Customer),
    ("POST", "delete", delete, "Forget end users' limits", answers.DeletedCustomers),
    ("POST", "block", block, "Serve some end users no more", answers.BlockedCustomers),
    ("POST", "unblock", unblock, "Serve them again", answers.UnblockedCustomers),
)

for _prefix in ("/customer", "/end_user"):
    for _verb, _name, _route, _summary, _answer in _ROUTES:
        router.add_api_route(f"{_prefix}/{_name}", _route, methods=[_verb], summary=_summary, **answers.of(_answer))
