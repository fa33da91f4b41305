"""`/global/activity/exceptions` and `/global/activity/cache_hits`: how often an endpoint refused, and a cache answered.

They are counted in the log: days that have left it are not in them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request

from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import desk_of
from litellm.proxy.admin.window import Day, asked
from litellm.store.base import DaySpend, LogQuery
from litellm.types.calls import Json

router = APIRouter(tags=["spend"], responses=schemas.INVALID)

RATE_LIMITED: Final = "429 RateLimitError"
"""As the log has it (`SpendRow.error`)."""


@router.get("/global/activity/exceptions", summary="Rate limits met on each day", **answers.of(answers.Exceptions))
async def exceptions(request: Request, start_date: Day, end_date: Day, model_group: str | None = None) -> Json:
    """Calls that ended with an endpoint's 429."""
    desk = await desk_of(request)
    return _counted(await desk.ledger.sums([], _refused(asked(start_date, end_date, model_group=model_group)), True))


@router.get(
    "/global/activity/exceptions/deployment",
    summary="The same by address",
    **answers.of(list[answers.AddressExceptions]),
)
async def exceptions_by_address(
    request: Request, start_date: Day, end_date: Day, model_group: str | None = None
) -> list[Json]:
    """Most first. Without an address: calls of which it is not known which deployment refused them."""
    desk = await desk_of(request)
    query = _refused(asked(start_date, end_date, model_group=model_group))
    groups: dict[str, list[DaySpend]] = {}
    for one in await desk.ledger.sums(["api_base"], query, daily=True):
        groups.setdefault(one.group[0], []).append(one)
    told = [{"api_base": address, **_counted(days)} for address, days in groups.items()]
    return sorted(told, key=lambda row: row["sum_num_rate_limit_exceptions"], reverse=True)


@router.get("/global/activity/cache_hits", summary="What the cache answered", **answers.of(list[answers.CacheHits]))
async def cache_hits(request: Request, start_date: Day, end_date: Day) -> list[Json]:
    """By key, kind of call and model."""
    desk = await desk_of(request)
    query = asked(start_date, end_date)
    by = ["key", "call_type", "model_group"]
    every = await desk.ledger.sums(by, query)
    hits = {one.group: one.total for one in await desk.ledger.sums(by, _with(query, cache_hit=True))}
    return [_hits(one, hits.get(one.group)) for one in every]


def _hits(one: DaySpend, cached: Any) -> Json:
    key, kind, model = one.group
    answered = cached.completion_tokens if cached else 0
    return {
        "api_key": key,
        "call_type": kind,
        "model": model,
        "total_rows": one.total.requests,
        "cache_hit_true_rows": cached.requests if cached else 0,
        "cached_completion_tokens": answered,
        "generated_completion_tokens": one.total.completion_tokens - answered,
    }


def _refused(query: LogQuery) -> LogQuery:
    return _with(query, error=RATE_LIMITED)


def _with(query: LogQuery, **more: Any) -> LogQuery:
    return replace(query, where={**query.where, **more})


def _counted(days: Sequence[DaySpend]) -> Json:
    return {
        "daily_data": [{"date": one.day, "num_rate_limit_exceptions": one.total.requests} for one in days],
        "sum_num_rate_limit_exceptions": sum(one.total.requests for one in days),
    }
