"""LiteLLM's own tables as rows of this store: keys with the SHA-256 they have, users, teams, budgets, spend.

Their Postgres is only read. What is there already, by its id, is left as it is, so that a second run takes what is
new. A balance (`spend` of a row) becomes an opening balance of the row's scope, in the budget period it is of; rows of
`LiteLLM_SpendLogs` come into the log, for the reports, and are charged to nobody: the balances have them already.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from time import time_ns
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

import orjson
from sqlalchemy import column, func, inspect, select
from sqlalchemy import table as sql_table
from sqlalchemy.ext.asyncio import AsyncConnection

from litellm.catalog.cost import NANO
from litellm.store import values
from litellm.store.base import Charge, Insert, StoreError, Taken, Total
from litellm.store.database import Database
from litellm.store.ledger import SqlLedger, day_of
from litellm.store.records import SqlRecords
from litellm.types.accounts import (
    KIND_OF,
    Budget,
    EndUser,
    Key,
    Limited,
    Member,
    Millis,
    Nano,
    Organization,
    SpendRow,
    Tag,
    Team,
    User,
    member_id,
    storable,
)
from litellm.types.calls import Json
from litellm.types.periods import parse, period

LOGS: Final = "LiteLLM_SpendLogs"
_SOME: Final = 200
_SHA256: Final = 64
_ROLES: Final = frozenset({"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"})
_MONEY: Final = frozenset({"max_budget", "soft_budget"})
_TIMES: Final = frozenset({"created_at", "updated_at", "expires"})

_LIMITED: Final = (
    "models", "max_budget", "soft_budget", "budget_duration", "budget_id", "tpm_limit", "rpm_limit",
    "max_parallel_requests", "blocked", "metadata", "created_at", "updated_at", "created_by", "updated_by",
)  # fmt: skip

# Our kind: their table, their column of its id, and those fields of ours that are not limits and have their name there.
_TABLES: Final[tuple[tuple[type[Limited], str, str, tuple[str, ...]], ...]] = (
    (Budget, "LiteLLM_BudgetTable", "budget_id", ()),
    (Organization, "LiteLLM_OrganizationTable", "organization_id", ("organization_alias",)),
    (User, "LiteLLM_UserTable", "user_id", ("user_email", "user_alias", "user_role", "sso_user_id")),
    (Team, "LiteLLM_TeamTable", "team_id", ("team_alias", "organization_id")),
    (EndUser, "LiteLLM_EndUserTable", "user_id", ("alias", "allowed_model_region", "default_model")),
    (Tag, "LiteLLM_TagTable", "tag_name", ("description",)),
    (Key, "LiteLLM_VerificationToken", "token",
     ("key_name", "key_alias", "user_id", "team_id", "organization_id", "expires", "aliases", "allowed_routes",
      "permissions", "config")),
)  # fmt: skip
_KEYS: Final = "LiteLLM_VerificationToken"
_MEMBERS: Final = {"team": "LiteLLM_TeamMembership", "organization": "LiteLLM_OrganizationMembership"}


@dataclass(slots=True)
class Plan:
    """What is there to take. `spent` are the opening balances, each with the row whose scope it is of."""

    schema: str
    now: Millis
    rows: dict[str, Limited] = field(default_factory=dict[str, Limited])
    """By scope: `key:...`, `team:...`."""
    spent: dict[str, tuple[Charge, Nano]] = field(default_factory=dict[str, tuple[Charge, Nano]])
    logs: int | None = None
    log_spend: Nano = 0
    problems: list[str] = field(default_factory=list[str])

    def counts(self) -> Iterator[Json]:
        for kind, found in self.by_kind():
            spend = sum(nano for scope in found if scope in self.spent for _, nano in [self.spent[scope]])
            yield {"of": f"{kind}s", "rows": len(found), "spend": spend / NANO}
        if self.logs is not None:
            yield {"of": "calls", "rows": self.logs, "spend": self.log_spend / NANO}

    def by_kind(self) -> Iterator[tuple[str, list[str]]]:
        kinds: dict[str, list[str]] = {}
        for scope, row in self.rows.items():
            kinds.setdefault(KIND_OF[type(row)], []).append(scope)
        yield from kinds.items()


async def plan(theirs: Database, url: str, logs: bool = True, zone: tzinfo = UTC, now: Millis | None = None) -> Plan:
    """Read what there is; nothing is written. Raises StoreError if there are no such tables, StoreDown."""
    schema = parse_qs(urlsplit(url).query).get("schema", ["public"])[0]
    found = Plan(schema, time_ns() // 1_000_000 if now is None else now)
    async with theirs.reading() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names(schema=schema)))
        if _KEYS not in tables:
            raise StoreError(f"there is no table {_KEYS} in the schema {schema!r} of this database")
        named = [table for _, table, _, _ in _TABLES] + list(_MEMBERS.values())
        found.problems += [f"there is no table {name}" for name in named if name not in tables]
        raw = {name: [row async for row in _read(connection, schema, name)] for name in named if name in tables}
        if logs and LOGS in tables:
            await _count_logs(connection, found)
    _take_rows(found, raw)
    _take_members(found, raw)
    _take_balances(found, raw, zone)
    return found


async def _read(connection: AsyncConnection, schema: str, name: str) -> AsyncIterator[Json]:
    """All rows, by the names of the columns there are."""
    result = await connection.stream(select(sql_table(name, *await _columns(connection, schema, name), schema=schema)))
    async for row in result.mappings():
        yield dict(row)


async def _columns(connection: AsyncConnection, schema: str, name: str) -> list[Any]:
    return [
        column(one["name"])
        for one in await connection.run_sync(lambda sync: inspect(sync).get_columns(name, schema=schema))
    ]


async def _count_logs(connection: AsyncConnection, found: Plan) -> None:
    table = sql_table(LOGS, column("spend"), schema=found.schema)
    told = (await connection.execute(select(func.count(), func.sum(table.c.spend)).select_from(table))).one()
    found.logs, found.log_spend = told[0], nano_of(told[1]) or 0


# Rows


def _take_rows(found: Plan, raw: Mapping[str, Sequence[Json]]) -> None:
    for cls, table, id_column, own in _TABLES:
        seen: dict[str, set[Any]] = {name: set() for name in values.UNIQUE.get(KIND_OF[cls], ())}
        for row in raw.get(table, ()):
            id = _id_of(cls, row.get(id_column))
            if id is None:
                found.problems.append(f"{table}: a row is left out: its {id_column} cannot be one")
                continue
            given = _fields(cls, row, own, found, f"{table} {id}")
            for name, taken in seen.items():
                if given.get(name) is not None and given[name] in taken:
                    found.problems.append(f"{table} {id}: {name} is another row's: taken without it")
                    given[name] = None
                taken.add(given.get(name))
            found.rows[f"{KIND_OF[cls]}:{id}"] = cls(id=id, **given)


def _id_of(cls: type[Limited], value: Any) -> str | None:
    """Theirs; of a key the SHA-256, which is what they keep (very old ones were kept plain)."""
    if not isinstance(value, str) or not value:
        return None
    if cls is not Key:
        return storable(value)
    if value.startswith("sk-"):
        return sha256(value.encode()).hexdigest()
    with suppress(ValueError):
        if len(value) == _SHA256 and bytes.fromhex(value):
            return value.lower()
    return None


def _fields(cls: type[Limited], row: Json, own: tuple[str, ...], found: Plan, what: str) -> Json:
    """The fields of ours that their row fills. What cannot be kept is left out, and told."""
    names = {one.name for one in fields(cls)} & {*_LIMITED, *own}
    if cls is Budget:
        names.discard("budget_id")
    given = {name: _plain(name, row[name]) for name in names if row.get(name) is not None}
    given["model_max_budget"] = _model_budgets(_json(row.get("model_max_budget")))
    metadata: Json = given.get("metadata") or {}
    for name in ("model_rpm_limit", "model_tpm_limit"):
        if isinstance(metadata.get(name), dict):
            given[name] = metadata[name]
    if cls is Key and isinstance(metadata.get("tags"), list):
        given["tags"] = tuple(str(tag) for tag in metadata["tags"])
    if "user_role" in given and given["user_role"] not in _ROLES:
        found.problems.append(f"{what}: the role {given['user_role']!r} becomes internal_user")
        given["user_role"] = "internal_user"
    for name in list(given):
        if not _fits(cls, name, given[name]):
            found.problems.append(f"{what}: {name} cannot be kept")
            del given[name]
    return given


def _fits(cls: type[Limited], name: str, value: Any) -> bool:
    try:
        values.check(KIND_OF[cls], {name: value})
        if name == "budget_duration" and value is not None:
            parse(value)
    except (StoreError, ValueError):
        return False
    return True


def _plain(name: str, value: Any) -> Any:
    """One of their values as ours: nano-dollars, milliseconds, tuples, parsed JSON."""
    if name in _MONEY:
        return nano_of(value)
    if name in _TIMES:
        return millis_of(value)
    if name in ("models", "allowed_routes"):
        return tuple(value)
    if name in ("metadata", "aliases", "permissions", "config"):
        return _json(value)
    return value


def _json(value: Any) -> Json:
    if isinstance(value, str):
        with suppress(ValueError):
            value = orjson.loads(value)
    return cast("Json", value) if isinstance(value, dict) else {}


def _model_budgets(theirs: Json) -> Json:
    """`{model: {"budget_limit": dollars, "time_period": "1d"}}`, or with the names that ours has."""
    ours: Json = {}
    for model, said in theirs.items():
        limits = _json(said)
        most = limits.get("budget_limit", limits.get("max_budget"))
        if isinstance(most, int | float):
            duration = limits.get("time_period", limits.get("budget_duration"))
            ours[model] = {"max_budget": nano_of(most), "budget_duration": duration}
    return ours


def _take_members(found: Plan, raw: Mapping[str, Sequence[Json]]) -> None:
    """A team's members stand in the team's row, their budgets in a table of memberships."""
    for team in raw.get("LiteLLM_TeamTable", ()):
        listed = team.get("members_with_roles")
        if isinstance(listed, str):
            listed = orjson.loads(listed)
        for one in cast("list[Json]", listed if isinstance(listed, list) else []):
            if one.get("user_id"):
                _member(found, "team", str(team["team_id"]), str(one["user_id"]), str(one.get("role") or "user"), None)
    for row in raw.get(_MEMBERS["team"], ()):
        _member(found, "team", str(row["team_id"]), str(row["user_id"]), "user", row.get("budget_id"))
    for row in raw.get(_MEMBERS["organization"], ()):
        role = str(row.get("user_role") or "internal_user")
        _member(found, "organization", str(row["organization_id"]), str(row["user_id"]), role, row.get("budget_id"))


def _member(found: Plan, kind: Any, group: str, user: str, role: Any, budget: str | None) -> None:
    id = member_id(kind, group, user)
    known = found.rows.get(f"member:{id}")
    made = (
        known if isinstance(known, Member) else Member(id=id, group_kind=kind, group_id=group, user_id=user, role=role)
    )
    found.rows[f"member:{id}"] = replace(made, budget_id=budget or made.budget_id)


# Balances


def _take_balances(found: Plan, raw: Mapping[str, Sequence[Json]], zone: tzinfo) -> None:
    for cls, table, id_column, _ in _TABLES:
        for row in raw.get(table, ()) if cls is not Budget else ():
            id = _id_of(cls, row.get(id_column))
            _balance(found, f"{KIND_OF[cls]}:{id}", row, zone)
    for kind, table in _MEMBERS.items():
        for row in raw.get(table, ()):
            id = member_id(cast("Any", kind), str(row[f"{kind}_id"]), str(row["user_id"]))
            _balance(found, f"member:{id}", row, zone)


def _balance(found: Plan, scope: str, row: Json, zone: tzinfo) -> None:
    """In the period that it is of: a balance whose reset is overdue belongs to the one before."""
    ours, spent = found.rows.get(scope), nano_of(row.get("spend")) or 0
    if ours is None or not spent:
        return
    reset = millis_of(row.get("budget_reset_at"))
    at = found.now if reset is None else min(found.now, reset - 1)
    start, _ = period(_duration(found, ours), at, zone, ours.budget_started_at)
    found.spent[scope] = (scope, start), spent


def _duration(found: Plan, row: Limited) -> str | None:
    shared = found.rows.get(f"budget:{row.budget_id}")
    duration = row.budget_duration or (shared.budget_duration if shared else None)
    if duration is None and isinstance(row, Member) and row.group_kind == "team":
        team = found.rows.get(f"team:{row.group_id}")
        duration = team.budget_duration if team else None
    return duration


# Writing


async def take(theirs: Database, ours: Database, found: Plan) -> list[Json]:
    """Write what is not there yet; how much of each kind was. Raises StoreDown."""
    records, ledger = SqlRecords(ours), SqlLedger(ours)
    done: list[Json] = []
    for kind, scopes in found.by_kind():
        known = await records.get_many(type(found.rows[scopes[0]]), [found.rows[scope].id for scope in scopes])
        new = [scope for scope in scopes if found.rows[scope].id not in known]
        for begin in range(0, len(new), _SOME):
            some = new[begin : begin + _SOME]
            balances = [found.spent[scope] for scope in some if scope in found.spent]
            await ledger.carry_over({charge: Total(spend=nano) for charge, nano in balances})
            await _insert(records, [found.rows[scope] for scope in some])  # last: whoever breaks off can begin again
        done.append(_done(f"{kind}s", len(scopes), len(new)))
    if found.logs:
        done.append(await _take_logs(theirs, ledger, found))
    return done


async def _insert(records: SqlRecords, rows: Sequence[Limited]) -> None:
    try:
        await records.change([Insert(row) for row in rows])
    except Taken:
        for row in rows:  # a name that is unique is another row's here: the rows come in without it
            try:
                await records.change([Insert(row)])
            except Taken as taken:
                await records.change([Insert(replace(row, **{taken.name: None}))])


async def _take_logs(theirs: Database, ledger: SqlLedger, found: Plan) -> Json:
    taken = seen = 0
    some: list[SpendRow] = []
    async with theirs.reading() as connection:
        async for row in _read(connection, found.schema, LOGS):
            some.append(_call(row))
            seen += 1
            if len(some) == _SOME:
                taken += await ledger.insert(some)
                some = []
        taken += await ledger.insert(some)
    return _done("calls", seen, taken)


def _done(of: str, rows: int, taken: int) -> Json:
    return {"of": of, "rows": rows, "taken": taken, "there already": rows - taken}


def _call(row: Json) -> SpendRow:
    start = millis_of(row.get("startTime")) or 0
    tags = row.get("request_tags")
    if isinstance(tags, str):
        tags = orjson.loads(tags)

    def text(name: str) -> str:
        return storable(str(row.get(name) or ""))

    return SpendRow(
        call_id=text("request_id"),
        day=day_of(start),
        admitted_at=start,
        ended_at=millis_of(row.get("endTime")) or start,
        first_token_at=millis_of(row.get("completionStartTime")),
        call_type=text("call_type"),
        status="failure" if row.get("status") == "failure" else "success",
        model=text("model"),
        model_group=text("model_group"),
        model_id=text("model_id"),
        provider=text("custom_llm_provider"),
        provider_model=text("model"),
        api_base=text("api_base"),
        key=text("api_key"),
        user_id=text("user") or None,
        team_id=text("team_id") or None,
        organization_id=text("organization_id") or None,
        end_user=text("end_user") or None,
        tags=tuple(storable(str(tag)) for tag in cast("list[Any]", tags if isinstance(tags, list) else [])),
        session_id=text("session_id") or None,
        prompt_tokens=int(row.get("prompt_tokens") or 0),
        completion_tokens=int(row.get("completion_tokens") or 0),
        spend=nano_of(row.get("spend")),
        cache_hit=str(row.get("cache_hit")).lower() == "true",
    )


def nano_of(dollars: Any) -> Nano | None:
    """Of a double: the decimal number that it is shown as, rounded half up."""
    if dollars is None:
        return None
    return int((Decimal(str(dollars)) * NANO).to_integral_value(ROUND_HALF_UP))


def millis_of(at: Any) -> Millis | None:
    """Theirs are UTC, without saying so."""
    if not isinstance(at, datetime):
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
