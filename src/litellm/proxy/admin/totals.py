"""`/global/*`: what everybody has spent together, by key, model, team, end user, tag, provider and day."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from litellm.catalog.cost import dollars
from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Text
from litellm.proxy.admin.window import (
    Day,
    Limit,
    asked,
    dearest,
    listed,
    moment,
    owners,
    recent,
    spend_of,
    tokens_of,
)
from litellm.store.base import Change, DaySpend, LogQuery, Missing, Update
from litellm.types.accounts import KIND_OF, Key, Limited, Team
from litellm.types.calls import Json

router = APIRouter(tags=["spend"], responses=schemas.INVALID)


@router.get("/global/spend", summary="All that was ever spent", **answers.of(answers.Everything))
async def everything(request: Request) -> Json:
    desk = await desk_of(request)
    sums = await desk.ledger.sums([], LogQuery())
    return {"spend": spend_of(sums[0]) if sums else 0.0, "max_budget": None}


@router.get("/global/spend/logs", summary="What each day cost", **answers.of(list[answers.DaySpend]))
async def per_day(
    request: Request, api_key: str | None = None, start_date: Day | None = None, end_date: Day | None = None
) -> list[Json]:
    desk = await desk_of(request)
    query = recent(desk, start_date, end_date, api_key=api_key)
    return [{"date": one.day, "spend": spend_of(one)} for one in await desk.ledger.sums([], query, daily=True)]


@router.get("/global/spend/keys", summary="The dearest keys", **answers.of(list[answers.DearKey]))
async def keys(
    request: Request, limit: Limit = 10, start_date: Day | None = None, end_date: Day | None = None
) -> list[Json]:
    """Of the last 30 days, if nothing is said, as in the next ones. The master key's `api_key` is empty."""
    desk = await desk_of(request)
    found = await dearest(desk, "key", recent(desk, start_date, end_date), limit)
    rows = await desk.records.get_many(Key, [one.group[0] for one in found])
    return [
        {
            "api_key": one.group[0],
            "key_alias": getattr(rows.get(one.group[0]), "key_alias", None),
            "key_name": getattr(rows.get(one.group[0]), "key_name", None),
            "total_spend": spend_of(one),
        }
        for one in found
    ]


@router.get("/global/spend/models", summary="The dearest models", **answers.of(list[answers.DearModel]))
async def models(
    request: Request, limit: Limit = 10, start_date: Day | None = None, end_date: Day | None = None
) -> list[Json]:
    desk = await desk_of(request)
    found = await dearest(desk, "model_group", recent(desk, start_date, end_date), limit)
    return [{"model": one.group[0], "total_spend": spend_of(one)} for one in found]


@router.get(
    "/global/spend/provider", summary="Providers by what was spent there", **answers.of(list[answers.ProviderSpend])
)
async def providers(request: Request, start_date: Day | None = None, end_date: Day | None = None) -> list[Json]:
    desk = await desk_of(request)
    found = await dearest(desk, "provider", recent(desk, start_date, end_date), 1000)
    return [{"provider": one.group[0], "spend": spend_of(one)} for one in found if one.group[0] or one.total.spend]


@router.get("/global/spend/teams", summary="Teams by day", **answers.of(answers.Teams))
async def teams(request: Request, start_date: Day | None = None, end_date: Day | None = None) -> Json:
    """What was spent without a team is under an empty name."""
    desk = await desk_of(request)
    sums = await desk.ledger.sums(["team_id"], recent(desk, start_date, end_date), daily=True)
    names = await _team_names(desk, sums)
    days: dict[str, Json] = {}
    totals: dict[str, int] = {}
    for one in sums:
        team = one.group[0]
        days.setdefault(one.day, {"date": one.day})[names[team]] = spend_of(one)
        totals[team] = totals.get(team, 0) + one.total.spend
    ranked = sorted(totals, key=lambda team: totals[team], reverse=True)
    return {
        "daily_spend": list(days.values()),
        "teams": [names[team] for team in ranked],
        "total_spend_per_team": [
            {"team_id": team, "team_alias": names[team], "total_spend": dollars(totals[team])} for team in ranked
        ],
    }


async def _team_names(desk: Desk, sums: Sequence[DaySpend]) -> dict[str, str]:
    """Id -> alias, where there is one."""
    ids = list({one.group[0] for one in sums})
    rows = await desk.records.get_many(Team, ids)
    return {id: getattr(rows.get(id), "team_alias", None) or id for id in ids}


class EndUsersAsked(BaseModel):
    api_key: Text | None = None
    startTime: Text | None = None  # noqa: N815  # the clients' name
    endTime: Text | None = None  # noqa: N815


@router.post("/global/spend/end_users", summary="The dearest end users", **answers.of(list[answers.DearEndUser]))
async def end_users(request: Request, told: EndUsersAsked | None = None, limit: Limit = 100) -> list[Json]:
    desk = await desk_of(request)
    told = told or EndUsersAsked()
    query = LogQuery(
        since=moment(told.startTime, "startTime"),
        until=moment(told.endTime, "endTime", last=True),
        where=owners(api_key=told.api_key),
    )
    return [
        {"end_user": one.group[0], "total_count": one.total.requests, "total_spend": spend_of(one)}
        for one in await dearest(desk, "end_user", query, limit)
        if one.group[0]
    ]


@router.get("/global/spend/tags", summary="The dearest tags", **answers.of(answers.DearTags))
async def tags(
    request: Request,
    start_date: Day | None = None,
    end_date: Day | None = None,
    tags: Annotated[str | None, Query(description="Those only, with commas between them.")] = None,
    limit: Limit = 100,
) -> Json:
    desk = await desk_of(request)
    query = recent(desk, start_date, end_date)
    among = listed(tags)
    if among:
        query = LogQuery(since=query.since, until=query.until, where={"tag": among})
    found = await dearest(desk, "tag", query, limit)
    return {
        "spend_per_tag": [
            {"name": one.group[0], "spend": spend_of(one), "log_count": one.total.requests} for one in found
        ]
    }


_GROUPS: Final = {"team": ("team_id", "teams", "team_name"), "customer": ("end_user", "customers", "customer"),
                  "api_key": ("key", "api_keys", "api_key")}  # fmt: skip


@router.get(
    "/global/spend/report", summary="Each day's spend by team, customer or key", **answers.of(list[answers.ReportDay])
)
async def report(
    request: Request,
    start_date: Day,
    end_date: Day,
    group_by: Literal["team", "customer", "api_key"] = "team",
    api_key: str | None = None,
    internal_user_id: str | None = None,
    team_id: str | None = None,
    customer_id: str | None = None,
) -> list[Json]:
    desk = await desk_of(request)
    query = asked(
        start_date, end_date, api_key=api_key, internal_user_id=internal_user_id, team_id=team_id,
        customer_id=customer_id,
    )  # fmt: skip
    by, plural, single = _GROUPS[group_by]
    sums = await desk.ledger.sums([by, "model_group", "key"], query, daily=True)
    names = await _team_names(desk, sums) if group_by == "team" else {}
    days: dict[str, dict[str, list[DaySpend]]] = {}
    for one in sums:
        days.setdefault(one.day, {}).setdefault(one.group[0], []).append(one)
    return [
        {
            "group_by_day": day,
            plural: [
                {
                    single: names.get(owner, owner),
                    "total_spend": dollars(sum(one.total.spend for one in parts)),
                    "metadata": [_part(one) for one in parts],
                }
                for owner, parts in groups.items()
            ],
        }
        for day, groups in days.items()
    ]


def _part(one: DaySpend) -> Json:
    return {
        "model": one.group[1],
        "api_key": one.group[2],
        "spend": spend_of(one),
        "total_tokens": tokens_of(one),
        "requests": one.total.requests,
    }


@router.post("/global/spend/reset", summary="Begin every key's and team's budget anew", **answers.of(answers.Reset))
async def reset(request: Request) -> Json:
    """What was spent stays in the log; it counts against nobody's budget any more."""
    desk = await desk_of(request)
    for kind in (Key, Team):
        async for page in desk.records.scan(kind):
            await _restart(desk, page)
    await desk.changed()
    return {"message": "Spend for all API Keys and Teams reset successfully", "status": "success"}


async def _restart(desk: Desk, rows: Sequence[Limited]) -> None:
    values: dict[str, Any] = {"budget_started_at": desk.now, "updated_at": desk.now, "updated_by": desk.actor}
    told = {"budget_started_at": desk.now}
    changes: list[Change] = [Update(KIND_OF[type(row)], row.id, values) for row in rows]
    audits = [desk.audit("updated", KIND_OF[type(row)], row.id, None, told) for row in rows]
    try:
        await desk.records.change(changes, audits)
    except Missing as gone:  # deleted since the page was read
        await _restart(desk, [row for row in rows if row.id != gone.id])


@router.get("/global/activity", summary="Calls and tokens of each day", **answers.of(answers.Activity))
async def activity(request: Request, start_date: Day, end_date: Day) -> Json:
    desk = await desk_of(request)
    return _activity(await desk.ledger.sums([], asked(start_date, end_date), daily=True))


@router.get("/global/activity/model", summary="The same by model", **answers.of(list[answers.ModelActivity]))
async def activity_by_model(request: Request, start_date: Day, end_date: Day) -> list[Json]:
    """The busiest first."""
    desk = await desk_of(request)
    groups: dict[str, list[DaySpend]] = {}
    for one in await desk.ledger.sums(["model_group"], asked(start_date, end_date), daily=True):
        groups.setdefault(one.group[0], []).append(one)
    told = [{"model": model, **_activity(days)} for model, days in groups.items()]
    return sorted(told, key=lambda row: row["sum_api_requests"], reverse=True)


def _activity(days: Sequence[DaySpend]) -> Json:
    return {
        "daily_data": [
            {"date": one.day, "api_requests": one.total.requests, "total_tokens": tokens_of(one)} for one in days
        ],
        "sum_api_requests": sum(one.total.requests for one in days),
        "sum_total_tokens": sum(tokens_of(one) for one in days),
    }
