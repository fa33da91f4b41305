"""The fields of the management API: how each is checked, and what it is in a row.

Money is dollars outside and nano-dollars in a row, a list is a tuple there. A field that was not sent stays as it is;
null puts it back to what a new row has, which for a limit is none. Documented fields without a column go into `extra`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from decimal import Decimal
from json import dumps
from typing import Annotated, Any, Final, TypeVar, cast

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Described

from litellm.catalog.cost import NANO, dollars
from litellm.proxy.errors import ProxyError
from litellm.types.accounts import Row
from litellm.types.calls import Json
from litellm.types.periods import parse, seconds_of

Dollars = Annotated[float, Described(ge=0, allow_inf_nan=False, le=9_000_000_000)]
Count = Annotated[int, Described(ge=0, le=2**53)]


def _text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("has characters that cannot be shown")
    return value


def _json(value: Any) -> Any:
    try:
        if b"\\u0000" in orjson.dumps(value):
            raise ValueError("has a NUL in a text, which no database keeps")
        dumps(value, allow_nan=False)  # orjson writes null for what is no number
    except TypeError as error:
        raise ValueError(f"cannot be stored: {error}") from None
    return value


def _duration(value: str) -> str:
    if value != "-1":
        parse(value)
    return value


Text = Annotated[str, Described(max_length=256), AfterValidator(_text)]
Name = Annotated[str, Described(min_length=1, max_length=256), AfterValidator(_text)]
Object = Annotated[dict[str, Any], AfterValidator(_json)]
Anything = Annotated[Any, AfterValidator(_json)]


class Sent(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class ModelBudget(Sent):
    max_budget: Dollars
    budget_duration: str | None = None


class Limits(Sent):
    """What everything that calls are counted against may be given. Null takes a limit away."""

    models: list[Name] | None = Described(default=None, description="Names, wildcards, access groups. Empty: all.")
    max_budget: Dollars | None = None
    soft_budget: Dollars | None = None
    budget_duration: str | None = Described(
        default=None, description="After which the budget begins anew: 1h, 1d, 1mo."
    )
    budget_id: Name | None = Described(default=None, description="A budget whose limits hold where none is given here.")
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None
    max_parallel_requests: Count | None = None
    model_max_budget: dict[Text, ModelBudget] | None = None
    model_rpm_limit: dict[Text, Count] | None = None
    model_tpm_limit: dict[Text, Count] | None = None
    metadata: Object | None = None
    blocked: bool | None = None


class Kept(Sent):
    """Documented fields that are kept and shown, and have no effect yet."""

    budget_limits: Anything = None
    guardrails: Anything = None
    policies: Anything = None
    prompts: Anything = None
    object_permission: Anything = None
    router_settings: Anything = None
    access_group_ids: Anything = None
    budget_fallbacks: Anything = None
    tpm_limit_type: Anything = None
    rpm_limit_type: Anything = None
    allowed_cache_controls: Anything = None


MONEY: Final = frozenset({"max_budget", "soft_budget", "member_budget"})
TIMES: Final = frozenset({"created_at", "updated_at", "expires"})

R = TypeVar("R", bound=Row)


def values_of(
    asked: BaseModel,
    kind: type[Row],
    omit: frozenset[str] = frozenset(),
    renamed: Mapping[str, str] | None = None,
) -> Json:
    """The fields that were sent, but for `omit`, as a row of `kind` has them; `renamed`: sent name -> field of the row.

    Raises ProxyError 400.
    """
    columns = {one.name: one for one in fields(kind)}
    values: Json = {}
    extra: Json = {}
    for sent in asked.model_fields_set & type(asked).model_fields.keys() - omit:
        name = (renamed or {}).get(sent, sent)
        if name in columns:
            values[name] = _value(columns[name], getattr(asked, sent))
        else:
            extra[name] = getattr(asked, sent)
    if values.get("budget_duration") is not None:
        seconds(values["budget_duration"], "budget_duration")
    return {**values, "extra": extra} if extra else values


def _value(column: "Field[Any]", value: Any) -> Any:
    default = column.default_factory() if column.default_factory is not MISSING else column.default
    if value is None:
        return default
    if column.name in MONEY:
        return nano(value)
    if column.name == "model_max_budget":
        return {model: _model_budget(budget) for model, budget in value.items()}
    return tuple(value) if isinstance(default, tuple) else value


def _model_budget(budget: ModelBudget) -> Json:
    if budget.budget_duration is not None:
        seconds(budget.budget_duration, "model_max_budget")
    return {"max_budget": nano(budget.max_budget), "budget_duration": budget.budget_duration}


def nano(value: float) -> int:
    return int(Decimal(str(value)) * NANO)


def seconds(duration: str, name: str) -> int:
    """Raises ProxyError 400, which names the field."""
    try:
        return seconds_of(_duration(duration))
    except ValueError as error:
        raise ProxyError(400, f"{name}: {error}", param=name) from None


def changed(row: R, values: Json) -> R:
    """The row with other values; of `extra` only those that are among them change."""
    merged = {**values, "extra": {**getattr(row, "extra", {}), **values["extra"]}} if "extra" in values else values
    return replace(row, **merged)


def difference(before: Row, after: Row) -> Json:
    """The fields that a change has to write."""
    names = (one.name for one in fields(before))
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def in_dollars(name: str, value: Any) -> Any:
    """A row's value as it is shown, money converted."""
    if name in MONEY:
        return None if value is None else dollars(value)
    if name == "model_max_budget":
        budgets = cast("dict[str, Json]", value)
        return {model: {**budget, "max_budget": dollars(budget["max_budget"])} for model, budget in budgets.items()}
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
