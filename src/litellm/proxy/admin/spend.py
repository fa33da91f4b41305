"""`/spend/logs`, `/global/spend`: what calls have cost, by the store's log."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from litellm.catalog.cost import dollars
from litellm.proxy.admin import roles, schemas
from litellm.proxy.admin.desk import desk_of, iso
from litellm.proxy.admin.key_rows import id_of
from litellm.store.base import LogQuery
from litellm.types.accounts import Millis, SpendRow, storable
from litellm.types.calls import Json

router = APIRouter(tags=["spend"], responses=schemas.INVALID)

_SAME: Final = (
    "call_type", "model", "model_id", "model_group", "api_base", "prompt_tokens", "completion_tokens", "cache_hit",
    "team_id", "organization_id", "end_user", "session_id", "status", "usage_source", "metadata",
)  # fmt: skip


@router.get("/spend/logs", summary="Calls, newest first")
async def logs(
    request: Request,
    api_key: str | None = None,
    user_id: str | None = None,
    team_id: str | None = None,
    request_id: str | None = None,
    start_date: date | None = None,
    end_date: date | None = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """Dates are UTC days; both are among those shown."""
    desk = await desk_of(request)
    given = {"key": id_of(api_key) if api_key else None, "user_id": user_id, "team_id": team_id,
             "call_id": request_id}  # fmt: skip
    where = {name: storable(value) for name, value in given.items() if value is not None}
    bound = roles.visible_spend(desk.identity, team_id)
    if any(where.get(name, value) != value for name, value in bound.items()):
        return []
    where.update(bound)
    query = LogQuery(
        since=_midnight(start_date),
        until=_midnight(end_date, 1),
        where=where,
        page=page,
        size=page_size,
    )
    rows, _ = await desk.ledger.log(query)
    return [_shown(row) for row in rows]


@router.get("/global/spend", summary="All that was ever spent")
async def everything(request: Request) -> Json:
    desk = await desk_of(request)
    sums = await desk.ledger.sums([], LogQuery())
    return {"spend": dollars(sums[0].total.spend) if sums else 0.0, "max_budget": None}


def _midnight(day: date | None, later: int = 0) -> Millis | None:
    if day is None:
        return None
    try:
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + later * 86400) * 1000
    except (OverflowError, ValueError):
        return None


def _shown(row: SpendRow) -> Json:
    return {
        **{name: getattr(row, name) for name in _SAME},
        "request_id": row.call_id,
        "api_key": row.key,
        "user": row.user_id,
        "spend": None if row.spend is None else dollars(row.spend),
        "total_tokens": row.prompt_tokens + row.completion_tokens,
        "startTime": iso(row.admitted_at),
        "endTime": iso(row.ended_at),
        "completionStartTime": iso(row.first_token_at),
        "custom_llm_provider": row.provider,
        "request_tags": list(row.tags),
        "request_duration_ms": row.ended_at - row.admitted_at,
        "error": row.error,
    }
