"""`/key/*`: virtual keys. A key is shown once, when it is made; what is kept is its SHA-256."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from litellm.proxy.admin import bounds, roles, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Sent, seconds
from litellm.proxy.admin.key_rows import KeyFields, after_change, id_of, new_key, own_or_new
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.permissions import SERVICE
from litellm.store.base import Change, Update
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Key, storable
from litellm.types.calls import Json

router = APIRouter(tags=["keys"], responses=schemas.INVALID)


class NewKey(KeyFields):
    key: str | None = Field(default=None, description="A key of your own; it begins with sk-.")


class ChangedKey(KeyFields):
    key: str


class SomeKeys(Sent):
    keys: list[str] = Field(default=[], max_length=1000)
    key_aliases: list[str] = Field(default=[], max_length=1000)


class ChangedKeys(Sent):
    keys: list[ChangedKey] = Field(min_length=1, max_length=500)


class OneKey(Sent):
    key: str


class Regenerated(KeyFields):
    key: str | None = Field(default=None, description="The old one, where the path does not name it.")
    new_key: str | None = None
    grace_period: str | None = Field(default=None, description="How long the old key still works: 30s, 1h.")


class Reset(Sent):
    reset_to: Literal[0] = Field(default=0, description="What has been spent is nothing again.")


@router.post("/key/generate", summary="Make a key")
async def generate(request: Request, asked: NewKey) -> Json:
    """The answer has the key itself: it is shown here and never again."""
    desk = await desk_of(request)
    plain, key = await new_key(desk, asked, asked.key, permission="/key/generate")
    await rows.write_all(desk, [rows.created(desk, key)], "key")
    return await revealed(desk, plain, key)


@router.post("/key/service-account/generate", summary="Make a key for a program of a team")
async def generate_for_service(request: Request, asked: NewKey) -> Json:
    """It belongs to the team alone, and goes on working when a member leaves."""
    desk = await desk_of(request)
    if not asked.team_id:
        raise ProxyError(400, "team_id is missing", param="team_id")
    plain, key = await new_key(desk, asked, asked.key, owned=False, permission=SERVICE)
    await rows.write_all(desk, [rows.created(desk, key)], "key")
    return await revealed(desk, plain, key)


@router.get("/key/info", summary="How a key stands")
async def info(request: Request, key: str | None = None) -> Json:
    """Without `key`, the one that is shown."""
    desk = await desk_of(request)
    asked = id_of(key) if key else desk.identity.key
    if not asked:
        raise ProxyError(400, "key is missing: the master key has no row", param="key")
    return {"key": key or asked, "info": await rows.shown(desk, await _seen(desk, asked))}


@router.post("/v2/key/info", summary="How several keys stand")
async def infos(request: Request, asked: SomeKeys) -> Json:
    """Those that there are; of others nothing is said."""
    desk = await desk_of(request)
    there = await desk.records.get_many(Key, [id_of(key) for key in asked.keys])
    seen = [key for key in there.values() if roles.fits(key, roles.seen_keys(desk.identity))]
    told = await rows.shown_all(desk, seen)
    return {"key": asked.keys, "info": [{"token": key.id, **row} for key, row in zip(seen, told, strict=True)]}


@router.post("/key/health", summary="Does the key that is shown work?")
async def key_health(request: Request) -> Json:
    await desk_of(request)
    return {"key": "healthy", "logging_callbacks": None}


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
    substring_matching: bool = False,
    sort_by: Literal["created_at", "updated_at", "key_alias", "expires", "max_budget"] = "created_at",
    sort_order: Literal["asc", "desc"] = "desc",
) -> Json:
    """Their ids (SHA-256), newest first; with `return_full_object` all that is known of them but the key."""
    desk = await desk_of(request)
    given = {"user_id": user_id, "team_id": team_id, "organization_id": organization_id, "id": key_hash,
             "key_alias": key_alias}  # fmt: skip
    where = {name: storable(value) for name, value in given.items() if value is not None}
    contains = {"key_alias": where.pop("key_alias")} if substring_matching and key_alias is not None else {}
    asked = StoreQuery(
        Key, where, roles.seen_keys(desk.identity), contains, sort_by, sort_order == "desc", page=page, size=size
    )
    found = await desk.records.find(asked)
    told = await rows.shown_all(desk, found.rows) if return_full_object else []
    full = [{"token": key.id, **row} for key, row in zip(found.rows, told, strict=False)]
    return rows.paged("keys", full or [key.id for key in found.rows], found.total, page, size)


@router.get("/key/aliases", summary="Names of keys")
async def aliases(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 50,
    search: str | None = None,
) -> Json:
    desk = await desk_of(request)
    contains = {"key_alias": storable(search or "")}
    asked = StoreQuery(Key, {}, roles.seen_keys(desk.identity), contains, "key_alias", False, page, size)
    found = await desk.records.find(asked)
    return rows.paged("aliases", [key.key_alias for key in found.rows if key.key_alias], found.total, page, size)


@router.post("/key/update", summary="Change a key")
async def update(request: Request, asked: ChangedKey) -> Json:
    desk = await desk_of(request)
    before = await _changeable(desk, id_of(asked.key), "/key/update")
    after = await after_change(desk, before, asked, "/key/update")
    await rows.write_all(desk, [rows.updated(desk, before, after)], "key")
    return {"key": asked.key, **await rows.shown(desk, after)}


@router.post("/key/bulk_update", summary="Change several keys")
async def bulk_update(request: Request, asked: ChangedKeys) -> Json:
    """Each for itself: those that are refused are named, the others are changed."""
    done: list[Json] = []
    refused: list[Json] = []
    for one in asked.keys:
        try:
            done.append({"key": one.key, "key_info": await update(request, one)})
        except ProxyError as error:
            refused.append({"key": one.key, "failed_reason": error.message})
    return {"total_requested": len(asked.keys), "successful_updates": done, "failed_updates": refused}


@router.post("/key/delete", summary="End keys for good")
async def delete(request: Request, asked: SomeKeys) -> Json:
    """All of them or, if one is not there, none."""
    desk = await desk_of(request)
    wanted = roles.ended_keys(desk.identity)
    aliased = await _aliased(desk, asked.key_aliases)
    ids = list(dict.fromkeys([*map(id_of, asked.keys), *(key.id for key in aliased)]))
    if not ids:
        raise ProxyError(400, "keys or key_aliases is missing", param="keys")
    ended = [await rows.changeable(desk, Key, id, "keys", roles.seen_keys(desk.identity), wanted) for id in ids]
    await rows.write_all(desk, [rows.deleted(desk, key) for key in ended], "keys")
    return {"deleted_keys": [*asked.keys, *asked.key_aliases]}


async def _aliased(desk: Desk, names: list[str]) -> list[Key]:
    """The keys of these names. Raises ProxyError 404 if one is not among what the asker sees."""
    where = {"key_alias": [storable(name) for name in names]}
    found = await desk.records.find(StoreQuery(Key, where, roles.seen_keys(desk.identity), size=1000))
    missing = set(names) - {key.key_alias for key in found.rows}
    if missing:
        raise ProxyError(404, f"no key has the alias {sorted(missing)[0]}", "not_found_error", "key_aliases")
    return list(found.rows)


@router.post("/key/block", summary="Refuse a key's calls")
async def block(request: Request, asked: OneKey) -> Json:
    return await _set_blocked(request, asked.key, True)


@router.post("/key/unblock", summary="Let it work again")
async def unblock(request: Request, asked: OneKey) -> Json:
    return await _set_blocked(request, asked.key, False)


@router.post("/key/regenerate", summary="A new key in an old one's place")
async def regenerate_named(request: Request, asked: Regenerated) -> Json:
    """As `/key/{key}/regenerate`, with the old key in the body."""
    if not asked.key:
        raise ProxyError(400, "key is missing", param="key")
    return await regenerate(request, asked.key, asked)


@router.post("/key/{key}/regenerate", summary="A new key in an old one's place")
async def regenerate(request: Request, key: str, asked: Regenerated | None = None) -> Json:
    """The new one has all that the old one had; with `grace_period` the old one works so much longer.

    What the old key has spent stays with it: the new one begins its budget anew.
    """
    desk = await desk_of(request)
    asked = asked or Regenerated()
    old = await _changeable(desk, id_of(key), "/key/regenerate")
    after = await after_change(desk, old, asked, "/key/regenerate")
    if old.id != desk.identity.key:
        await bounds.check(desk, {**rows.plain(after), "models": after.models, "allowed_routes": after.allowed_routes})
    plain = own_or_new(asked.new_key)
    named: Json = {"id": id_of(plain), "key_name": f"sk-...{plain[-4:]}"}
    new = replace(after, **{**rows.stamps(desk), **named, "created_by": old.created_by})
    ended = _ended(desk, old, new, asked.grace_period)
    audit = desk.audit("regenerated", "key", old.id, rows.plain(old), rows.plain(new))
    await rows.write_all(desk, [(ended, audit), rows.created(desk, new)], "key")
    return await revealed(desk, plain, new)


def _ended(desk: Desk, old: Key, new: Key, grace_period: str | None) -> Change:
    if not grace_period:
        return rows.deleted(desk, old)[0]
    until = desk.now + seconds(grace_period, "grace_period") * 1000
    ends = until if old.expires is None else min(until, old.expires)
    return Update("key", old.id, {"expires": ends, "replaced_by": new.id, "key_alias": None})


@router.post("/key/{key}/reset_spend", summary="What a key has spent counts no longer")
async def reset_spend(request: Request, key: str, asked: Reset | None = None) -> Json:
    """For its budget: the log keeps every call."""
    desk = await desk_of(request)
    before = await _changeable(desk, id_of(key))
    after = replace(before, budget_started_at=desk.now)
    await rows.write_all(desk, [rows.updated(desk, before, after)], "key")
    return {"key": key, **await rows.shown(desk, after)}


async def _set_blocked(request: Request, name: str, blocked: bool) -> Json:
    desk = await desk_of(request)
    before = await _changeable(desk, id_of(name), "/key/block" if blocked else "/key/unblock")
    after = replace(before, blocked=blocked)
    await rows.write_all(desk, [rows.updated(desk, before, after, "blocked" if blocked else "unblocked")], "key")
    return {"token": before.id, **await rows.shown(desk, after)}


async def revealed(desk: Desk, plain: str, key: Key) -> Json:
    """The one answer that has the key itself."""
    return {**await rows.shown(desk, key), "key": plain, "token": key.id, "token_id": key.id}


async def _seen(desk: Desk, id: str) -> Key:
    return await rows.found(desk, Key, id, "key", roles.seen_keys(desk.identity))


async def _changeable(desk: Desk, id: str, permission: str = "") -> Key:
    changed = roles.changed_keys(desk.identity, permission)
    return await rows.changeable(desk, Key, id, "key", roles.seen_keys(desk.identity), changed)
