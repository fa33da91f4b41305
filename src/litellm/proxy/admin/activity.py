"""`/user/daily/activity` and its like: what each day saw, broken down by model, provider, key and owner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from litellm.catalog.cost import dollars
from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.window import DAY, Day, PageNumber, asked, bounded, listed, midnight
from litellm.store.base import DaySpend, LogQuery
from litellm.types.accounts import Key
from litellm.types.calls import Json

router = APIRouter(tags=["spend"], responses=schemas.INVALID)

ALL: Final = 4000
"""Days on the one page of an `aggregated` answer."""

_PARTS: Final = {"models": 1, "model_groups": 2, "providers": 3, "api_keys": 4, "entities": 0}
"""Part of the breakdown -> its place among what is summed by."""

Names = Annotated[str | None, Query(description="Those only, with commas between them.")]
Days = Annotated[int, Query(ge=1, le=1000, description="Days on a page; days without calls are none.")]


@dataclass(slots=True)
class Metrics:
    """Sums of calls; `spend` is in nano-dollars until it is shown."""

    spend: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    requests: int = 0
    failures: int = 0

    def add(self, one: DaySpend) -> None:
        total = one.total
        self.spend += total.spend
        self.prompt_tokens += total.prompt_tokens
        self.completion_tokens += total.completion_tokens
        self.cached_tokens += total.cached_tokens
        self.requests += total.requests
        self.failures += one.failures

    def shown(self) -> Json:
        return {
            "spend": dollars(self.spend),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cache_read_input_tokens": self.cached_tokens,
            "cache_creation_input_tokens": 0,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "successful_requests": self.requests - self.failures,
            "failed_requests": self.failures,
            "api_requests": self.requests,
        }


@dataclass(slots=True)
class _Part:
    """One model, provider, key or owner: its calls, and those of each key in it."""

    metrics: Metrics = field(default_factory=Metrics)
    keys: dict[str, Metrics] = field(default_factory=dict[str, Metrics])

    def add(self, one: DaySpend) -> None:
        self.metrics.add(one)
        self.keys.setdefault(one.group[4], Metrics()).add(one)


@router.get("/user/daily/activity", summary="Users", **answers.of(answers.Daily))
async def users(
    request: Request, start_date: Day, end_date: Day, page: PageNumber = 1, page_size: Days = 50,
    user_id: Names = None, model: str | None = None, api_key: str | None = None,
) -> Json:  # fmt: skip
    return await _answer(request, "user_id", user_id, _query(start_date, end_date, model, api_key), page, page_size)


@router.get("/user/daily/activity/aggregated", summary="Users, on one page", **answers.of(answers.Daily))
async def users_aggregated(
    request: Request, start_date: Day, end_date: Day, user_id: Names = None, model: str | None = None,
    api_key: str | None = None,
) -> Json:  # fmt: skip
    return await _answer(request, "user_id", user_id, _query(start_date, end_date, model, api_key), 1, ALL)


@router.get("/team/daily/activity", summary="Teams", **answers.of(answers.Daily))
async def teams(
    request: Request, start_date: Day, end_date: Day, page: PageNumber = 1, page_size: Days = 50,
    team_ids: Names = None, model: str | None = None, api_key: str | None = None,
) -> Json:  # fmt: skip
    return await _answer(request, "team_id", team_ids, _query(start_date, end_date, model, api_key), page, page_size)


@router.get("/organization/daily/activity", summary="Organizations", **answers.of(answers.Daily))
async def organizations(
    request: Request, start_date: Day, end_date: Day, page: PageNumber = 1, page_size: Days = 50,
    organization_ids: Names = None, model: str | None = None, api_key: str | None = None,
) -> Json:  # fmt: skip
    query = _query(start_date, end_date, model, api_key)
    return await _answer(request, "organization_id", organization_ids, query, page, page_size)


@router.get("/customer/daily/activity", summary="End users", **answers.of(answers.Daily))
@router.get("/end_user/daily/activity", summary="End users", **answers.of(answers.Daily))
async def customers(
    request: Request, start_date: Day, end_date: Day, page: PageNumber = 1, page_size: Days = 50,
    end_user_ids: Names = None, model: str | None = None, api_key: str | None = None,
) -> Json:  # fmt: skip
    query = _query(start_date, end_date, model, api_key)
    return await _answer(request, "end_user", end_user_ids, query, page, page_size)


@router.get("/tag/daily/activity", summary="Tags", **answers.of(answers.Daily))
async def tags(
    request: Request, start_date: Day, end_date: Day, page: PageNumber = 1, page_size: Days = 50,
    tags: Names = None, model: str | None = None, api_key: str | None = None,
) -> Json:  # fmt: skip
    """A call counts for each of its tags; in a day's `metrics` it counts once."""
    return await _answer(request, "tag", tags, _query(start_date, end_date, model, api_key), page, page_size)


def _query(start: date, end: date, model: str | None, api_key: str | None) -> LogQuery:
    return asked(start, end, model_group=model, api_key=api_key)


async def _answer(request: Request, owner: str, names: str | None, query: LogQuery, page: int, page_size: int) -> Json:
    """The latest day first. Only the days of the page are broken down."""
    desk = await desk_of(request)
    among = listed(names)
    if among:
        query = replace(query, where={**query.where, owner: among})
    query = bounded(desk, query)
    days = sorted(await desk.ledger.sums([], query, daily=True), key=lambda one: one.day, reverse=True)
    shown = days[(page - 1) * page_size : page * page_size]
    pages = -(-len(days) // page_size)
    return {
        "results": await _results(desk, owner, query, shown),
        "metadata": {
            **{f"total_{name}": value for name, value in _summed(days).shown().items() if name != "total_tokens"},
            "total_tokens": sum(one.total.prompt_tokens + one.total.completion_tokens for one in days),
            "page": page,
            "total_pages": pages,
            "has_more": page < pages,
        },
    }


def _summed(days: Iterable[DaySpend]) -> Metrics:
    total = Metrics()
    for one in days:
        total.add(one)
    return total


async def _results(desk: Desk, owner: str, query: LogQuery, days: Sequence[DaySpend]) -> list[Json]:
    if not days:
        return []
    first, last = (midnight(date.fromisoformat(one.day)) for one in (days[-1], days[0]))
    by = [owner, "provider_model", "model_group", "provider", "key"]
    parts = await desk.ledger.sums(by, replace(query, since=first, until=last + DAY), daily=True)
    found: dict[str, dict[str, dict[str, _Part]]] = {}
    for one in parts:
        day = found.setdefault(one.day, {name: {} for name in _PARTS})
        for name, place in _PARTS.items():
            day[name].setdefault(one.group[place], _Part()).add(one)
    rows = await desk.records.get_many(Key, list({one.group[4] for one in parts}))
    return [
        {
            "date": one.day,
            "metrics": _summed([one]).shown(),
            "breakdown": _breakdown(found.get(one.day, {}), rows),
        }
        for one in days
    ]


def _breakdown(day: dict[str, dict[str, _Part]], keys: dict[str, Key]) -> Json:
    shown: Json = {"mcp_servers": {}, "endpoints": {}}
    for name, parts in day.items():
        if name == "api_keys":
            shown[name] = {key: _of_key(key, part.metrics, keys) for key, part in parts.items()}
        else:
            shown[name] = {one: _of_part(part, keys) for one, part in parts.items()}
    return shown


def _of_part(part: _Part, keys: dict[str, Key]) -> Json:
    by_key: dict[str, Any] = {key: _of_key(key, metrics, keys) for key, metrics in part.keys.items()}
    return {"metrics": part.metrics.shown(), "metadata": {}, "api_key_breakdown": by_key}


def _of_key(key: str, metrics: Metrics, keys: dict[str, Key]) -> Json:
    row = keys.get(key)
    return {
        "metrics": metrics.shown(),
        "metadata": {"key_alias": row and row.key_alias, "team_id": row and row.team_id},
    }
