"""When budgets begin anew: the calendar's boundaries, in a time zone, the same on every replica."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm.types.periods import parse, period, seconds_of

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: ZoneInfo | None = None) -> int:
    at = datetime.fromisoformat(text)
    return round(at.replace(tzinfo=zone or UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("duration", "now", "start", "end"),
    [
        ("30s", "2026-11-23T10:00:59", "2026-11-23T10:00:30", "2026-11-23T10:01:00"),
        ("1h", "2026-11-23T10:59:59", "2026-11-23T10:00:00", "2026-11-23T11:00:00"),
        ("1d", "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-24T00:00:00"),
        ("1w", "2026-11-25T12:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("7d", "2026-11-25T12:00:00", "2026-11-19T00:00:00", "2026-11-26T00:00:00"),
        ("1mo", "2024-02-29T23:59:59", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        ("1mo", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("3mo", "2026-11-23T00:00:00", "2026-10-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_boundaries(duration: str, now: str, start: str, end: str) -> None:
    assert period(duration, ms(now)) == (ms(start), ms(end))


def test_days_whose_clocks_change() -> None:
    start, end = period("1d", ms("2026-03-29T12:00:00", BERLIN), BERLIN)
    assert end is not None and end - start == 23 * 3600 * 1000
    start, end = period("1d", ms("2026-10-25T12:00:00", BERLIN), BERLIN)
    assert end is not None and end - start == 25 * 3600 * 1000
    assert period("1d", ms("2026-11-22T23:30:00"), BERLIN)[0] == ms("2026-11-23T00:00:00", BERLIN)


def test_without_a_duration_it_is_for_ever() -> None:
    assert period(None, 5) == (0, None)
    assert period(None, 5, started_at=3) == (3, None)


def test_a_reset_by_hand_begins_a_period_of_its_own() -> None:
    now = ms("2026-11-23T10:00:00")
    start, end = period("1d", now, started_at=now - 1000)
    assert (start, end) == (now - 1000, ms("2026-11-24T00:00:00"))


@given(
    st.sampled_from(["7s", "30s", "5m", "1h", "1d", "30d", "1w", "2w", "1mo", "5mo"]),
    st.datetimes(datetime(1980, 1, 1), datetime(2080, 1, 1)),
    st.sampled_from([UTC, BERLIN, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Asia/Kolkata")]),
)
def test_periods_follow_each_other_without_a_gap(duration: str, at: datetime, zone: ZoneInfo) -> None:
    now = round(at.replace(tzinfo=UTC).timestamp() * 1000)
    start, end = period(duration, now, zone)
    assert end is not None and start <= now < end
    assert period(duration, start, zone) == (start, end) == period(duration, end - 1, zone)
    assert period(duration, end, zone)[0] == end


@pytest.mark.parametrize("text", ["", "0d", "1", "d", "-1d", "1.5h", "1y", "1 d", "9999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse(text)


@pytest.mark.parametrize("text", ["36501d", "999999w", "1217mo", "999999mo"])
def test_what_no_calendar_has(text: str) -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse(text)


def test_lengths() -> None:
    assert seconds_of("1mo") == timedelta(days=30).total_seconds()
    assert (seconds_of("90s"), seconds_of("2h"), seconds_of("1w")) == (90, 7200, 604800)
