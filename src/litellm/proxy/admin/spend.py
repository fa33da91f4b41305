"""`/spend/*`: the log of calls, and what keys, users and tags have spent."""

from collections import defaultdict
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query, Request

from litellm.catalog.cost import dollars
from litellm.proxy.admin import answers, schemas
from litellm.proxy.admin.desk import Desk, desk_of, iso
from litellm.proxy.admin.window import (
    Day,
    Limit,
    Moment,
    PageNumber,
    asked,
    bounded,
    dearest,
    moment,
    owners,
    pages,
    recent,
    spend_of,
)
from litellm.store.base import LogQuery, Prompt
from litellm.types.accounts import Key, SpendRow, User
from litellm.types.calls import Json

router = APIRouter(tags=["spend"], responses=schemas.INVALID)

_SAME: Final = (
    "call_type", "model", "model_id", "model_group", "api_base", "prompt_tokens", "completion_tokens", "cache_hit",
    "team_id", "organization_id", "end_user", "session_id", "status", "usage_source", "metadata",
)  # fmt: skip
_NOT_KEPT: Final = (
    "mcp_namespaced_tool_name", "agent_id", "cache_key", "requester_ip_address", "messages", "response",
    "proxy_server_request",
)  # fmt: skip
"""Fields that clients expect, and whose values are not in the log."""


@router.get(
    "/spend/logs",
    summary="Calls, newest first; or what each day cost",
    **answers.of(list[answers.Call] | list[answers.LogDay]),
)
async def logs(
    request: Request,
    api_key: str | None = None,
    user_id: str | None = None,
    team_id: str | None = None,
    request_id: str | None = None,
    start_date: Day | None = None,
    end_date: Day | None = None,
    summarize: bool = True,
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """With both dates, sums of each day by user, model and key, unless `summarize` is false.

    One call (`request_id`) comes with what it said, if kept.
    """
    desk = await desk_of(request)
    query = asked(start_date, end_date, api_key=api_key, user_id=user_id, team_id=team_id, request_id=request_id)
    query = bounded(desk, query)
    if summarize and start_date and end_date and request_id is None:
        return await _by_day(desk, query)
    rows, _ = await desk.ledger.log(replace(query, page=page, size=page_size))
    said = await desk.ledger.prompts([row.call_id for row in rows]) if request_id is not None else {}
    return [_shown(row) | _said(said.get(row.call_id)) for row in rows]


async def _by_day(desk: Desk, query: LogQuery) -> list[Json]:
    days: dict[str, dict[str, dict[str, int]]] = {}
    for one in await desk.ledger.sums(["user_id", "model_group", "key"], query, daily=True):
        parts = days.setdefault(one.day, {name: defaultdict(int) for name in ("users", "models", "api_keys")})
        for name, owner in zip(parts, one.group, strict=True):
            parts[name][owner] += one.total.spend
    return [
        {
            "startTime": day,
            "spend": dollars(sum(parts["users"].values())),
            **{name: {owner: dollars(spent) for owner, spent in found.items()} for name, found in parts.items()},
        }
        for day, parts in days.items()
    ]


@router.get("/spend/logs/v2", summary="A page of the log", **answers.of(answers.Calls))
@router.get("/spend/logs/ui", summary="A page of the log", **answers.of(answers.Calls))
async def page_of_logs(
    request: Request,
    api_key: str | None = None,
    key_alias: str | None = None,
    user_id: str | None = None,
    team_id: str | None = None,
    end_user: str | None = None,
    request_id: str | None = None,
    session_id: str | None = None,
    model: Annotated[str | None, Query(description="A model group.")] = None,
    model_id: str | None = None,
    tag: str | None = None,
    status_filter: Literal["success", "failure", "unknown"] | None = None,
    start_date: Moment | None = None,
    end_date: Moment | None = None,
    sort_by: Literal["startTime", "spend", "model"] = "startTime",
    sort_order: Literal["asc", "desc"] = "desc",
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Json:
    desk = await desk_of(request)
    given = owners(
        api_key=api_key, key_alias=key_alias, user_id=user_id, team_id=team_id, end_user=end_user, model_id=model_id,
        request_id=request_id, session_id=session_id, model_group=model, status=status_filter, tag=tag,
    )  # fmt: skip
    query = LogQuery(
        since=moment(start_date, "start_date"),
        until=moment(end_date, "end_date", last=True),
        where=given,
        order=_ORDERS[sort_by],
        descending=sort_order == "desc",
        page=page,
        size=page_size,
    )
    rows, total = await desk.ledger.log(bounded(desk, query))
    return {"data": [_shown(row) for row in rows], **pages(total, page, page_size)}


def _said(prompt: Prompt | None) -> Json:
    """As JSON, or as text where it was cut."""
    return {} if prompt is None else {"proxy_server_request": _read(prompt.request), "response": _read(prompt.response)}


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


_ORDERS: Final = {"startTime": "admitted_at", "spend": "spend", "model": "model"}


@router.get("/spend/keys", summary="Keys by what they have spent", **answers.of(list[answers.KeySpend]))
async def keys(request: Request, limit: Limit = 100) -> list[Json]:
    """All that was ever spent under them, the dearest first; those that exist."""
    desk = await desk_of(request)
    found = await dearest(desk, "key", LogQuery(), limit)
    rows = await desk.records.get_many(Key, [one.group[0] for one in found])
    return [{**_key(row), "spend": spend_of(one)} for one in found if (row := rows.get(one.group[0])) is not None]


def _key(row: Key) -> Json:
    return {
        "token": row.id,
        "key_name": row.key_name,
        "key_alias": row.key_alias,
        "user_id": row.user_id,
        "team_id": row.team_id,
        "max_budget": None if row.max_budget is None else dollars(row.max_budget),
        "expires": iso(row.expires),
    }


@router.get("/spend/users", summary="Users by what they have spent", **answers.of(list[answers.UserSpend]))
async def users(request: Request, user_id: str | None = None, limit: Limit = 100) -> list[Json]:
    """All that was ever spent in their name, the dearest first; with or without a row of their own."""
    desk = await desk_of(request)
    found = [one for one in await dearest(desk, "user_id", asked(None, None, user_id=user_id), limit) if one.group[0]]
    rows = await desk.records.get_many(User, [one.group[0] for one in found])
    return [_user(one.group[0], rows.get(one.group[0]), spend_of(one)) for one in found]


def _user(id: str, row: User | None, spend: float) -> Json:
    names: dict[str, Any] = {name: getattr(row, name, None) for name in ("user_email", "user_alias", "user_role")}
    budget = row.max_budget if row is not None else None
    return {"user_id": id, **names, "max_budget": None if budget is None else dollars(budget), "spend": spend}


@router.get("/spend/tags", summary="Tags by what was spent under them", **answers.of(list[answers.TagSpend]))
async def tags(
    request: Request, start_date: Day | None = None, end_date: Day | None = None, limit: Limit = 100
) -> list[Json]:
    """Of the last 30 days, if nothing is said."""
    desk = await desk_of(request)
    return [
        {"individual_request_tag": one.group[0], "log_count": one.total.requests, "total_spend": spend_of(one)}
        for one in await dearest(desk, "tag", recent(desk, start_date, end_date), limit)
    ]


def _shown(row: SpendRow) -> Json:
    return {
        **dict.fromkeys(_NOT_KEPT),
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
