"""The kinds of values that a config holds: each checked here, with a message that says what was expected."""

from ipaddress import ip_network
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from litellm.integrations import registry
from litellm.types.http import Headers, InvalidRequest, Url
from litellm.types.periods import parse, seconds_of


def names_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


def not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def address(value: str) -> str:
    """The message never quotes the address: it may carry a password."""
    try:
        Url(value)
    except InvalidRequest as error:
        said = str(error) if "may not carry" in str(error) else "expected an address like http://host:port/v1"
        raise ValueError(said) from None
    return value


def header_values(value: dict[str, str]) -> dict[str, str]:
    try:
        Headers(tuple(value.items()))
    except InvalidRequest as error:
        raise ValueError(str(error)) from None
    return value


def header_name(value: str) -> str:
    header_values({value: ""})
    return value


def header_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text != text.strip() or not text.isprintable() or not text.isascii():
        raise ValueError("has white space around it, or characters that a header cannot carry")
    return value


def filled(value: Any) -> Any:
    if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
        raise ValueError("is empty")
    return value


def listed(value: Any) -> Any:
    """One callback may stand without its list."""
    return [value] if isinstance(value, str) else value


def built(value: str) -> str:
    """Names without a dot are the registry's."""
    if "." not in value:
        registry.check(value)
    return value


def dotted(value: str) -> str:
    if "." not in value:
        raise ValueError("expected module.instance")
    return value


def first(*values: Any) -> Any:
    """The first that is said; None if none is."""
    return next((value for value in values if value is not None), None)


def or_empty(value: Any) -> Any:
    """A heading with nothing under it is null in YAML."""
    return {} if value is None else value


def text_of_number(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("expected the name of a time zone, like Europe/Berlin") from None
    return value


def network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("expected a network like 10.0.0.0/8, or an address") from None
    return value


def duration(value: str) -> str:
    """Days at least: the log is retired by the day."""
    if seconds_of(value) < _DAY:
        raise ValueError("expected a day or more, like 30d, 2w or 6mo")
    return value


def period(value: str) -> str:
    parse(value)
    return value


_DAY: Final = 86400

Count = Annotated[int, BeforeValidator(not_bool), Field(ge=0)]
Positive = Annotated[float, BeforeValidator(not_bool), Field(gt=0)]
Amount = Annotated[float, BeforeValidator(not_bool), Field(ge=0)]
Dollars = Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=9_000_000_000)]
Text = Annotated[str, AfterValidator(filled)]
Secret = Annotated[SecretStr, AfterValidator(header_text)]
Period = Annotated[str, AfterValidator(period)]
Address = Annotated[str, AfterValidator(address)]
Callbacks = Annotated[tuple[Annotated[str, AfterValidator(built)], ...], BeforeValidator(listed)]
HeaderMap = Annotated[dict[str, str], AfterValidator(header_values)]
