"""Budget periods: when the one began that a moment belongs to, and when it ends. Pure.

Days, weeks and months are the calendar's, in a time zone: midnight, Monday, the first. Seconds, minutes and hours are
whole multiples since 1970. Several days (`30d`) are counted from 1970-01-01, several weeks from the Monday before it,
several months from January 1970, so that every replica finds the same boundaries without asking anybody.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from litellm.types.units import Millis

_DURATION: Final = re.compile(r"([1-9]\d{0,5})(s|m|h|d|w|mo)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_DAYS: Final = {"d": 1, "w": 7}
_LENGTHS: Final = {**_SECONDS, "d": 86400, "w": 7 * 86400, "mo": 30 * 86400}
LONGEST: Final = 100 * 365 * 86400
"""Seconds: no duration is longer, so that every date can be written."""
_FIRST_DAY: Final = {"d": date(1970, 1, 1), "w": date(1969, 12, 29)}


def parse(duration: str) -> tuple[int, str]:
    """(count, unit) of `30s`, `5m`, `1h`, `7d`, `2w`, `1mo`. Raises ValueError."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration: say 30s, 30m, 1h, 7d, 1w or 1mo")
    count, unit = int(found[1]), found[2]
    if count * _LENGTHS[unit] > LONGEST:
        raise ValueError(f"{duration!r} is longer than a hundred years")
    return count, unit


def seconds_of(duration: str) -> int:
    """How long it is, a month taken as 30 days: for what ends, not for what begins anew. Raises ValueError."""
    count, unit = parse(duration)
    return count * _LENGTHS[unit]


def period(
    duration: str | None, now: Millis, zone: tzinfo = UTC, started_at: Millis = 0
) -> tuple[Millis, Millis | None]:
    """(start, end) of the period that `now` lies in; (started_at, None) without a duration.

    A period never begins before `started_at`: a budget that was reset by hand counts from then to the next boundary.
    """
    if duration is None:
        return started_at, None
    count, unit = parse(duration)
    if unit in _SECONDS:
        length = count * _SECONDS[unit] * 1000
        start = now // length * length
        return max(start, started_at), start + length
    local = datetime.fromtimestamp(now / 1000, zone).date()
    first, last = _months(local, count) if unit == "mo" else _days(local, count, unit)
    return max(_midnight(first, zone), started_at), _midnight(last, zone)


def _days(local: date, count: int, unit: str) -> tuple[date, date]:
    length = count * _DAYS[unit]
    since = (local - _FIRST_DAY[unit]).days
    first = local - timedelta(days=since % length)
    return first, first + timedelta(days=length)


def _months(local: date, count: int) -> tuple[date, date]:
    months = (local.year - 1970) * 12 + local.month - 1
    start = months - months % count
    return tuple(date(1970 + month // 12, month % 12 + 1, 1) for month in (start, start + count))  # pyright: ignore[reportReturnType]


def _midnight(day: date, zone: tzinfo) -> Millis:
    """The first moment of a day. Where clocks skip midnight, the arithmetic of the offset before gives that moment."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
