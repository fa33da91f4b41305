"""The schema: one table per kind of row, made from its dataclass, and those of the spend log.

A column has its field's name. Text tuples and JSON are JSON columns, money and times are big integers. On Postgres all
tables live in a schema of their own, `gateway`, so that they never meet LiteLLM's.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_args, get_origin, get_type_hints

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect

from litellm.types.accounts import KINDS, Row, SpendRow

SCHEMA: Final = "gateway"
metadata: Final = MetaData()


class Texts(TypeDecorator[tuple[Any, ...]]):
    """A tuple of texts, or of pairs, as a JSON array."""

    impl = JSON().with_variant(JSONB(), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> Any:
        return list(value or ())

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Any, ...]:
        return tuple(tuple(item) if isinstance(item, list) else item for item in value or ())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_UNIQUE: Final = {"key": ("key_alias",), "user": ("user_email",), "organization": (), "team": ()}
_SOUGHT: Final = {
    "key": ("user_id", "team_id", "organization_id", "expires"),
    "team": ("organization_id", "team_alias"),
    "member": ("group_id", "user_id"),
    "model": ("model_name",),
}
TABLE_NAMES: Final = {kind: f"{kind}s" for kind in KINDS}


def _type_of(hint: Any) -> tuple[Any, bool]:
    """(column type, whether it may be null) of a field's annotation."""
    members = [member for member in get_args(hint) if member is not type(None)]
    nullable = len(members) != len(get_args(hint)) and get_origin(hint) is not tuple
    plain = members[0] if nullable else hint
    if get_origin(plain) is tuple:
        return Texts(), nullable
    if get_origin(plain) is dict:
        return JSON().with_variant(JSONB(), "postgresql"), nullable
    return {int: BigInteger(), bool: Boolean()}.get(plain, Text()), nullable


def _columns(cls: type[Any]) -> list[Column[Any]]:
    hints = get_type_hints(cls)
    made: list[Column[Any]] = []
    for one in fields(cls):
        kind, nullable = _type_of(hints[one.name])
        made.append(Column(one.name, kind, nullable=nullable, primary_key=one.name == "id" and issubclass(cls, Row)))
    return made


def _records(kind: str, cls: type[Row]) -> Table:
    table = Table(TABLE_NAMES[kind], metadata, *_columns(cls))
    for name in _UNIQUE.get(kind, ()):  # NULLs are distinct, in both databases
        Index(f"{table.name}_{name}_unique", table.c[name], unique=True)
    for name in (*_SOUGHT.get(kind, ()), "created_at"):
        Index(f"{table.name}_{name}", table.c[name])
    return table


RECORDS: Final[Mapping[str, Table]] = {kind: _records(kind, cls) for kind, cls in KINDS.items()}

VERSION: Final = Table("version", metadata, Column("one", Integer, primary_key=True), Column("v", BigInteger))

CHANGES: Final = Table(
    "changes",
    metadata,
    Column("kind", String(32)),
    Column("row_id", Text),
    Column("version", BigInteger, nullable=False, index=True),
    Column("gone", Boolean, nullable=False),
    PrimaryKeyConstraint("kind", "row_id"),
)
"""When each row was last changed; `gone` are tombstones."""

AUDIT: Final = Table(
    "audit_log",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("row_id", Text, nullable=False, index=True),
    Column("before", JSON().with_variant(JSONB(), "postgresql")),
    Column("after", JSON().with_variant(JSONB(), "postgresql")),
)

SPEND_LOG: Final = Table(
    "spend_log",
    metadata,
    *_columns(SpendRow),
    PrimaryKeyConstraint("day", "call_id"),
    postgresql_partition_by="LIST (day)",
)
for _name in ("admitted_at", "key", "user_id", "team_id", "end_user", "model_group"):
    _sought = SPEND_LOG.c[_name]
    _has = _sought.is_not(None) if _sought.nullable else None
    Index(f"spend_log_{_name}", _sought, postgresql_where=_has, sqlite_where=_has)

_SUMS: Final = ("spend", "requests", "failures", "prompt_tokens", "completion_tokens")


def _sums() -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=False) for name in _SUMS]


TOTALS: Final = Table(
    "spend_totals",
    metadata,
    Column("scope", Text),
    Column("period", BigInteger),
    *_sums(),
    PrimaryKeyConstraint("scope", "period"),
)
"""What each scope has spent in each budget period: closing balances + rows of the log, always."""

CHARGED: Final = Table(
    "closed_charges",
    metadata,
    Column("scope", Text),
    Column("period", BigInteger),
    *_sums(),
    PrimaryKeyConstraint("scope", "period"),
)
"""The part of the totals whose rows have left the log."""

OWNERS: Final = (
    "key",
    "user_id",
    "team_id",
    "organization_id",
    "end_user",
    "model_group",
    "provider",
    "provider_model",
)
BALANCES: Final = Table(
    "closing_balances",
    metadata,
    Column("day", Text),
    *(Column(name, Text, nullable=False) for name in OWNERS),
    *_sums(),
    PrimaryKeyConstraint("day", *OWNERS),
)
"""Days whose rows have left the log: their sums by owner. An owner that there was not is an empty text."""

PROMPTS: Final = Table(
    "spend_prompts",
    metadata,
    Column("day", Text),
    Column("call_id", Text),
    Column("request", Text, nullable=False),
    Column("response", Text, nullable=False),
    PrimaryKeyConstraint("day", "call_id"),
)
"""What calls said, if the operator wants it kept. It leaves with the rows of the log."""

OFFSETS: Final = Table(
    "journal_offsets", metadata, Column("file", Text, primary_key=True), Column("bytes", BigInteger, nullable=False)
)
