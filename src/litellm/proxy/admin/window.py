"""Which days and whose calls a question about spend is about."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import Field

from litellm.catalog.cost import dollars
from litellm.proxy.admin import roles
from litellm.proxy.admin.desk import Desk
from litellm.proxy.admin.key_rows import id_of
from litellm.proxy.errors import ProxyError
from litellm.store.base import DaySpend, LogQuery
from litellm.types.accounts import Millis, storable
from litellm.types.calls import Json

DAY: Final = 86_400_000
USUAL_DAYS: Final = 30
"""How far back a question without dates goes."""

FIRST, LAST = date(1970, 1, 1), date(9998, 12, 31)

Day = Annotated[date, Field(ge=FIRST, le=LAST, description="A UTC day; it is included.")]
Moment = Annotated[str, Query(description="UTC: 2026-11-23 is a whole day, 2026-11-23 10:00:00 a second of it.")]
Limit = Annotated[int, Query(ge=1, le=10_000)]
PageNumber = Annotated[int, Query(ge=1, le=10**6)]


def midnight(day: date) -> Millis:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def moment(text: str | None, name: str, last: bool = False) -> Millis | None:
    """What a day, or a time, begins with; of the last one the end. Raises ProxyError 400."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        begin = round(at.timestamp() * 1000)
        if not FIRST <= at.date() <= LAST:
            raise ValueError(at)
    except (ValueError, OverflowError):
        raise ProxyError(400, f"{name}: expected 2026-11-23, or 2026-11-23 10:00:00", param=name) from None
    whole = len(text) <= len("2026-11-23")
    return begin + (DAY if whole else 1000) if last else begin


def asked(start: date | None, end: date | None, **given: str | None) -> LogQuery:
    """From the first day to the last, both included. Raises ProxyError 400."""
    if start is not None and end is not None and end < start:
        raise ProxyError(400, "end_date: is before start_date", param="end_date")
    return LogQuery(
        since=None if start is None else midnight(start),
        until=None if end is None else midnight(end) + DAY,
        where=owners(**given),
    )


def recent(desk: Desk, start: date | None, end: date | None, **given: str | None) -> LogQuery:
    """The last 30 days, where nothing is said."""
    if start is None:
        last = end or datetime.fromtimestamp(desk.now / 1000, UTC).date()
        start = last - timedelta(days=USUAL_DAYS - 1) if last.year > 1970 else last
    return asked(start, end, **given)


def bounded(desk: Desk, query: LogQuery) -> LogQuery:
    """Narrowed to the rows that the asker may see: none, if others' were asked for."""
    where = dict(query.where)
    team, organization = _only(where.get("team_id")), _only(where.get("organization_id"))
    for name, value in roles.visible_spend(desk.identity, team, organization).items():
        given = where.get(name, value)
        where[name] = value if given == value or (isinstance(given, tuple) and value in given) else ()
    return replace(query, where=where)


def _only(value: Any) -> str | None:
    """Of one name, or a list of one, the name."""
    name: Any = value[0] if isinstance(value, tuple) and len(value) == 1 else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return name if isinstance(name, str) else None


_NAMES: Final = {"api_key": "key", "customer_id": "end_user", "internal_user_id": "user_id", "request_id": "call_id"}


def owners(**given: str | None) -> dict[str, Any]:
    """A query's parameters that were given, as the log names them."""
    where: dict[str, Any] = {}
    for name, value in given.items():
        if value is not None:
            where[_NAMES.get(name, name)] = id_of(value) if name == "api_key" else storable(value)
    return where


def listed(text: str | None) -> tuple[str, ...] | None:
    """Names with commas between them; None if none was given."""
    names = tuple(storable(name.strip()) for name in (text or "").split(",") if name.strip())
    return names or None


def spend_of(one: DaySpend) -> float:
    return dollars(one.total.spend)


def tokens_of(one: DaySpend) -> int:
    return one.total.prompt_tokens + one.total.completion_tokens


async def dearest(desk: Desk, by: str, query: LogQuery, limit: int) -> list[DaySpend]:
    """Who, or what, has cost most."""
    sums = await desk.ledger.sums([by], query)
    return sorted(sums, key=lambda one: one.total.spend, reverse=True)[:limit]


def pages(total: int, page: int, page_size: int) -> Json:
    return {"total": total, "page": page, "page_size": page_size, "total_pages": -(-total // page_size)}
