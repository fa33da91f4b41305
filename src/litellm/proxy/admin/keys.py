"""`/key/*`: virtual keys. A key is shown once, when it is made; what is kept is its SHA-256."""

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from json import dumps
from secrets import token_urlsafe
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from litellm.catalog.cost import NANO, dollars
from litellm.proxy.admin import schemas
from litellm.proxy.admin.desk import Desk, desk_of, iso
from litellm.proxy.errors import ProxyError
from litellm.proxy.spend.periods import period, seconds_of
from litellm.store.base import Audit, Change, Delete, Insert, Missing, Taken, Update
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Key, Millis, storable
from litellm.types.calls import Json

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False, le=9_000_000_000)]
Count = Annotated[int, Field(ge=0, le=2**53)]


def _text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("has characters that cannot be shown")
    return value


def _json(value: Json) -> Json:
    try:
        if b"\\u0000" in orjson.dumps(value):
            raise ValueError("has a NUL in a text, which no database keeps")
        dumps(value, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"cannot be stored: {error}") from None
    return value


Text = Annotated[str, Field(max_length=256), AfterValidator(_text)]
Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_text)]
Object = Annotated[dict[str, Any], AfterValidator(_json)]

router = APIRouter(tags=["keys"], responses=schemas.INVALID)


class KeyFields(BaseModel):
    """What a key may be given. Fields that are not sent stay as they are; null takes a limit away."""

    model_config = ConfigDict(protected_namespaces=())

    key_alias: Name | None = None
    duration: str | None = Field(default=None, description="How long it works: 30s, 30m, 1h, 30d, 1mo; -1: for ever.")
    models: list[Name] = Field(default=[], description="Names, wildcards, access groups. Empty: all.")
    max_budget: Dollars | None = None
    soft_budget: Dollars | None = None
    budget_duration: str | None = Field(default=None, description="After which the budget begins anew: 1h, 1d, 1mo.")
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None
    max_parallel_requests: Count | None = None
    model_tpm_limit: dict[Text, Count] = {}
    model_rpm_limit: dict[Text, Count] = {}
    metadata: Object = {}
    aliases: dict[Text, Text] = Field(default={}, description="Model asked for -> model served.")
    tags: list[Text] = []
    blocked: bool = False
    allowed_routes: list[Text] = []
    user_id: Text | None = None
    team_id: Text | None = None
    organization_id: Text | None = None


class NewKey(KeyFields):
    key: str | None = Field(default=None, description="A key of your own; it begins with sk-.")


class ChangedKey(KeyFields):
    key: str


class SomeKeys(BaseModel):
    keys: list[str] = []
    key_aliases: list[str] = []


class OneKey(BaseModel):
    key: str


class Regenerated(KeyFields):
    new_key: str | None = None
    grace_period: str | None = Field(default=None, description="How long the old key still works: 30s, 1h.")


_MONEY: Final = frozenset({"max_budget", "soft_budget"})
_TUPLES: Final = frozenset({"models", "tags", "allowed_routes"})


@router.post("/key/generate", summary="Make a key")
async def generate(request: Request, asked: NewKey) -> Json:
    """The answer has the key itself: it is shown here and never again."""
    desk = await desk_of(request)
    plain = _own_or_new(asked.key)
    key = Key(
        id=id_of(plain),
        key_name=f"sk-...{plain[-4:]}",
        created_at=desk.now,
        updated_at=desk.now,
        created_by=desk.actor,
        updated_by=desk.actor,
        budget_started_at=0,
        **_values(asked, desk.now),
    )
    await _change(desk, [Insert(key)], "created", key.id, None, key)
    return {**await _shown(desk, key), "key": plain, "token": key.id, "token_id": key.id}


@router.get("/key/info", summary="How a key stands")
async def info(request: Request, key: str | None = None) -> Json:
    """Without `key`, the one that is shown; only admins may ask for others."""
    desk = await desk_of(request)
    asked = id_of(key) if key else desk.identity.key
    if not asked:
        raise ProxyError(400, "key is missing: the master key has no row", param="key")
    if asked != desk.identity.key and desk.identity.role not in ("proxy_admin", "proxy_admin_viewer"):
        raise ProxyError(403, "Only an admin may ask for another key", "auth_error", "key")
    return {"key": key or asked, "info": await _shown(desk, await _found(desk, asked))}


@router.get("/key/list", summary="Keys")
async def list_keys(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
    user_id: str | None = None,
    team_id: str | None = None,
    organization_id: str | None = None,
    key_hash: str | None = None,
    key_alias: str | None = None,
    return_full_object: bool = False,
) -> Json:
    """Their ids (SHA-256), newest first; with `return_full_object` all that is known of them but the key."""
    desk = await desk_of(request)
    given = {"user_id": user_id, "team_id": team_id, "organization_id": organization_id, "id": key_hash,
             "key_alias": key_alias}  # fmt: skip
    where = {name: storable(value) for name, value in given.items() if value is not None}
    found = await desk.records.find(StoreQuery(Key, where=where, page=page, size=size))
    keys = [{"token": key.id, **await _shown(desk, key)} if return_full_object else key.id for key in found.rows]
    return {
        "keys": keys,
        "total_count": found.total,
        "current_page": page,
        "total_pages": -(-found.total // size),
    }


@router.post("/key/update", summary="Change a key")
async def update(request: Request, asked: ChangedKey) -> Json:
    desk = await desk_of(request)
    key = await _found(desk, id_of(asked.key))
    values = {**_values(asked, desk.now), "updated_at": desk.now, "updated_by": desk.actor}
    changed = replace(key, **values)
    await _change(desk, [Update("key", key.id, values)], "updated", key.id, key, changed)
    return {"key": asked.key, **await _shown(desk, changed)}


@router.post("/key/delete", summary="End keys for good")
async def delete(request: Request, asked: SomeKeys) -> Json:
    """All of them or, if one is not there, none."""
    desk = await desk_of(request)
    named = await desk.records.find(
        StoreQuery(Key, where={"key_alias": [storable(alias) for alias in asked.key_aliases]}, size=1000)
    )
    missing = set(asked.key_aliases) - {key.key_alias for key in named.rows}
    if missing:
        raise ProxyError(404, f"no key has the alias {sorted(missing)[0]}", "not_found_error", "key_aliases")
    ids = list(dict.fromkeys([*map(id_of, asked.keys), *(key.id for key in named.rows)]))
    if not ids:
        raise ProxyError(400, "keys or key_aliases is missing", param="keys")
    audits = [desk.audit("deleted", "key", id) for id in ids]
    await _write(desk, [Delete("key", id) for id in ids], audits)
    return {"deleted_keys": [*asked.keys, *asked.key_aliases]}


@router.post("/key/block", summary="Let a key rest")
async def block(request: Request, asked: OneKey) -> Json:
    return await _set_blocked(request, asked.key, True)


@router.post("/key/unblock", summary="Let it work again")
async def unblock(request: Request, asked: OneKey) -> Json:
    return await _set_blocked(request, asked.key, False)


@router.post("/key/{key}/regenerate", summary="A new key in an old one's place")
async def regenerate(request: Request, key: str, asked: Regenerated | None = None) -> Json:
    """The new one has all that the old one had; with `grace_period` the old one works so much longer.

    What the old key has spent stays with it: the new one begins its budget anew.
    """
    desk = await desk_of(request)
    asked = asked or Regenerated()
    old = await _found(desk, id_of(key))
    plain = _own_or_new(asked.new_key)
    sent = asked.model_dump(include=asked.model_fields_set - {"new_key", "grace_period"})
    new = replace(
        old,
        id=id_of(plain),
        key_name=f"sk-...{plain[-4:]}",
        created_at=desk.now,
        updated_at=desk.now,
        **_values(KeyFields(**sent), desk.now),
    )
    last: Change = Delete("key", old.id)
    if asked.grace_period:
        until = desk.now + seconds(asked.grace_period, "grace_period") * 1000
        ends = until if old.expires is None else min(until, old.expires)
        last = Update("key", old.id, {"expires": ends, "replaced_by": new.id, "key_alias": None})
    await _change(desk, [last, Insert(new)], "regenerated", old.id, old, new)
    return {**await _shown(desk, new), "key": plain, "token": new.id, "token_id": new.id}


async def _set_blocked(request: Request, name: str, blocked: bool) -> Json:
    desk = await desk_of(request)
    key = await _found(desk, id_of(name))
    changed = replace(key, blocked=blocked, updated_at=desk.now, updated_by=desk.actor)
    values = {"blocked": blocked, "updated_at": desk.now, "updated_by": desk.actor}
    await _change(desk, [Update("key", key.id, values)], "blocked" if blocked else "unblocked", key.id, key, changed)
    return {"token": key.id, **await _shown(desk, changed)}


def id_of(key: str) -> str:
    """A key's id: of a whole key its SHA-256, else it is taken for one."""
    return sha256(key.encode(errors="replace")).hexdigest() if key.startswith("sk-") else storable(key)


def _own_or_new(given: str | None) -> str:
    if given is None:
        return f"sk-{token_urlsafe(16)}"
    if not given.startswith("sk-") or len(given) < 8 or not given.isascii() or not given.isprintable() or " " in given:
        raise ProxyError(400, "a key begins with sk- and has at least 8 visible ASCII characters", param="key")
    return given


def _values(asked: KeyFields, now: Millis) -> Json:
    """The fields that were sent, as a row has them. Raises ProxyError 400."""
    values: Json = {}
    for name in asked.model_fields_set & KeyFields.model_fields.keys():
        value = getattr(asked, name)
        if name == "duration":
            values["expires"] = now + seconds(value, name) * 1000 if value and value != "-1" else None
        elif name in _MONEY:
            values[name] = None if value is None else int(Decimal(str(value)) * NANO)
        else:
            values[name] = tuple(value) if name in _TUPLES else value
    if values.get("budget_duration") is not None:
        seconds(values["budget_duration"], "budget_duration")
    return values


def seconds(duration: str, name: str) -> int:
    try:
        return seconds_of(duration)
    except ValueError as error:
        raise ProxyError(400, f"{name}: {error}", param=name) from None


async def _found(desk: Desk, id: str) -> Key:
    key = await desk.records.get(Key, id)
    if key is None:
        raise ProxyError(404, "Key not found", "not_found_error", "key")
    return key


async def _change(
    desk: Desk, changes: list[Change], action: str, id: str, before: Key | None, after: Key | None
) -> None:
    await _write(desk, changes, [desk.audit(action, "key", id, _plain(before), _plain(after))])


async def _write(desk: Desk, changes: list[Change], audits: list[Audit]) -> None:
    try:
        await desk.records.change(changes, audits)
    except Taken as error:
        raise ProxyError(400, str(error) if error.name != "id" else "this key exists already", param="key") from None
    except Missing:
        raise ProxyError(404, "Key not found", "not_found_error", "key") from None
    await desk.changed()


def _plain(key: Key | None) -> Json | None:
    """What the audit log keeps."""
    return None if key is None else {name: getattr(key, name) for name in (*_KEPT, *_MONEY, "expires")}


_KEPT: Final = (
    "key_alias", "key_name", "models", "user_id", "team_id", "organization_id", "tpm_limit", "rpm_limit",
    "max_parallel_requests", "budget_duration", "metadata", "aliases", "tags", "blocked", "allowed_routes",
    "model_tpm_limit", "model_rpm_limit", "created_by", "updated_by", "budget_id",
)  # fmt: skip


async def _shown(desk: Desk, key: Key) -> Json:
    """A key as its callers see it: dollars, ISO times, and what it has spent in the current budget period."""
    start, end = period(key.budget_duration, desk.now, ZoneInfo(desk.time_zone), key.budget_started_at)
    return {
        **{name: getattr(key, name) for name in _KEPT},
        **{name: None if (nano := getattr(key, name)) is None else dollars(nano) for name in sorted(_MONEY)},
        "spend": dollars(await desk.spent(f"key:{key.id}", start)),
        "expires": iso(key.expires),
        "budget_reset_at": iso(end),
        "created_at": iso(key.created_at),
        "updated_at": iso(key.updated_at),
    }
