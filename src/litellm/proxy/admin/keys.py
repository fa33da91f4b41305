"""`/key/*`: virtual keys. A key is shown once, when it is made; what is kept is its SHA-256."""

from dataclasses import replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from litellm.proxy.admin import bounds, roles, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Anything, Kept, Limits, Name, Object, Sent, Text, changed, seconds, values_of
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.reach import Reach
from litellm.store.base import Change, Update
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import GroupKind, Key, Member, Millis, Organization, Team, User, member_id, storable
from litellm.types.calls import Json

router = APIRouter(tags=["keys"], responses=schemas.INVALID)

Status = Literal["deleted", "blocked", "expired"]


class KeyFields(Limits, Kept):
    """What a key may be given. Fields that are not sent stay as they are; null takes a limit away."""

    key_alias: Name | None = None
    duration: str | None = Field(default=None, description="How long it works: 30s, 30m, 1h, 30d, 1mo; -1: for ever.")
    aliases: dict[Text, Text] | None = Field(default=None, description="Model asked for -> model served.")
    tags: list[Text] | None = None
    allowed_routes: list[Text] | None = None
    key_type: Literal["default", "llm_api", "management", "read_only"] | None = Field(
        default=None, description="Short for `allowed_routes`."
    )
    user_id: Text | None = None
    team_id: Text | None = None
    organization_id: Text | None = None
    permissions: Object | None = None
    config: Object | None = None
    agent_id: Anything = None
    project_id: Anything = None
    mcp_rpm_limit: Anything = None
    tag_rpm_limit: Anything = None
    allowed_passthrough_routes: Anything = None
    enforced_params: Anything = None
    throttle_on_budget_exceeded: Anything = None
    auto_rotate: Anything = None
    rotation_interval: Anything = None
    send_invite_email: Anything = None
    default_estimated_output_tokens: Anything = None
    temp_budget_increase: Anything = None
    temp_budget_expiry: Anything = None


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


_TYPES: Final = {"default": (), "llm_api": ("llm_api_routes",), "management": ("management_routes",),
                 "read_only": ("info_routes",)}  # fmt: skip
_NO_FIELDS: Final = frozenset({"key", "new_key", "grace_period", "duration", "key_type"})


@router.post("/key/generate", summary="Make a key")
async def generate(request: Request, asked: NewKey) -> Json:
    """The answer has the key itself: it is shown here and never again."""
    desk = await desk_of(request)
    plain, key = await new_key(desk, asked, asked.key)
    await rows.write_all(desk, [rows.created(desk, key)], "key")
    return await revealed(desk, plain, key)


@router.post("/key/service-account/generate", summary="Make a key for a program of a team")
async def generate_for_service(request: Request, asked: NewKey) -> Json:
    """It belongs to the team alone, and goes on working when a member leaves."""
    desk = await desk_of(request)
    if not asked.team_id:
        raise ProxyError(400, "team_id is missing", param="team_id")
    plain, key = await new_key(desk, asked, asked.key, owned=False)
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
    before = await _changeable(desk, id_of(asked.key))
    after = await _after(desk, before, asked)
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
    old = await _changeable(desk, id_of(key))
    after = await _after(desk, old, asked)
    if old.id != desk.identity.key:
        await bounds.check(desk, {**rows.plain(after), "models": after.models, "allowed_routes": after.allowed_routes})
    plain = _own_or_new(asked.new_key)
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
    before = await _changeable(desk, id_of(name))
    after = replace(before, blocked=blocked)
    await rows.write_all(desk, [rows.updated(desk, before, after, "blocked" if blocked else "unblocked")], "key")
    return {"token": before.id, **await rows.shown(desk, after)}


def id_of(key: str) -> str:
    """A key's id: of a whole key its SHA-256, else it is taken for one."""
    return sha256(key.encode(errors="replace")).hexdigest() if key.startswith("sk-") else storable(key)


async def new_key(
    desk: Desk, asked: KeyFields, given: str | None = None, owned: bool = True
) -> tuple[str, Key]:  # fmt: skip
    """A key that the asker may make, and its row, not yet written; `owned`: it is theirs if they name no other user.

    Raises ProxyError.
    """
    values = await bounds.inherited(desk, _values(asked, desk.now))
    if not owned:
        values["user_id"] = None
    elif not desk.identity.is_admin:
        values = _of_asker(desk) | values
    plain = _own_or_new(given)
    key = Key(id=id_of(plain), key_name=f"sk-...{plain[-4:]}", **rows.stamps(desk), **values)
    await _check_owners(desk, key, values)
    return plain, key


def _of_asker(desk: Desk) -> Json:
    """Whose a key is that somebody makes without saying for whom."""
    return {**dict(desk.identity.reach.within), "user_id": desk.identity.user_id}


async def revealed(desk: Desk, plain: str, key: Key) -> Json:
    """The one answer that has the key itself."""
    return {**await rows.shown(desk, key), "key": plain, "token": key.id, "token_id": key.id}


def _own_or_new(given: str | None) -> str:
    if given is None:
        return f"sk-{token_urlsafe(16)}"
    if not given.startswith("sk-") or len(given) < 8 or not given.isascii() or not given.isprintable() or " " in given:
        raise ProxyError(400, "a key begins with sk- and has at least 8 visible ASCII characters", param="key")
    return given


def _values(asked: KeyFields, now: Millis) -> Json:
    """The fields that were sent, as a row has them. Raises ProxyError 400."""
    values = values_of(asked, Key, omit=_NO_FIELDS)
    if "duration" in asked.model_fields_set:
        duration = asked.duration
        ends = duration is not None and duration != "-1"
        values["expires"] = now + seconds(duration or "", "duration") * 1000 if ends else None
    if asked.key_type and not asked.allowed_routes:
        values["allowed_routes"] = _TYPES[asked.key_type]
    return values


async def _after(desk: Desk, before: Key, asked: KeyFields) -> Key:
    """A key as a change leaves it. Raises ProxyError."""
    values = _values(asked, desk.now)
    await bounds.check(desk, values)
    if "blocked" in values and not roles.fits(before, roles.led_keys(desk.identity)):
        raise ProxyError(403, "blocked: only an admin may change it", "auth_error", "blocked")
    after = changed(before, values)
    await _check_owners(desk, after, values)
    return after


async def _check_owners(desk: Desk, key: Key, values: Json) -> None:
    """Whose key it is to be: of groups that there are, and one that the asker may change then, too. Raises ProxyError.

    (A key of a team that is yet to be made would fall to whoever makes the team.)
    """
    if not desk.identity.is_admin:
        _check_groups(desk.identity.reach, values)
    if not roles.fits(key, roles.changed_keys(desk.identity)):
        raise rows.missing(User, "user_id")
    team = await desk.records.get(Team, key.team_id) if key.team_id else None
    organization = await desk.records.get(Organization, key.organization_id) if key.organization_id else None
    if values.get("team_id") and team is None:
        raise rows.missing(Team, "team_id")
    if values.get("organization_id") and organization is None:
        raise rows.missing(Organization, "organization_id")
    if not desk.identity.is_admin:
        await _check_limits(desk, key, values, team, organization)


async def _check_limits(
    desk: Desk, key: Key, values: Json, team: Team | None, organization: Organization | None
) -> None:  # fmt: skip
    """A key that somebody else than an admin makes or changes has no more than its owners. Raises ProxyError."""
    user = await desk.records.get(User, key.user_id) if key.user_id else None
    if key.user_id and key.user_id != desk.identity.user_id:
        await _check_user(desk, key, user, "user_id" in values)
    owners = [(team, "team"), (organization, "organization"), (user if team is None else None, "user")]
    for owner, name in owners:
        if owner is not None:
            bounds.check_models(values, owner, name)
            bounds.check_money(values, owner, name)


def _check_groups(reach: Reach, values: Json) -> None:
    """A key is given to groups that the asker leads; of others one learns as much as of those that are not there.

    Raises ProxyError 403, 404.
    """
    for kind, name, belongs, led in (
        (Team, "team_id", reach.teams, reach.led_teams),
        (Organization, "organization_id", reach.organizations, reach.led_organizations),
    ):
        group = values.get(name)
        if group and group not in led and group in belongs:
            raise ProxyError(403, f"{name}: only its admins may make its keys", "team_member_permission_error", name)
        if group and group not in led:
            raise rows.missing(kind, name)


async def _check_user(desk: Desk, key: Key, user: User | None, given: bool) -> None:
    """A leader's key for another: for nobody above them, and `given` anew to members alone. Raises ProxyError."""
    kinds: tuple[tuple[GroupKind, str | None], ...] = (("team", key.team_id), ("organization", key.organization_id))
    ids = [member_id(kind, group, key.user_id or "") for kind, group in kinds if group]
    is_member = user is not None and bool(await desk.records.get_many(Member, ids))
    if (given and not is_member) or (user is not None and user.user_role in roles.ADMINS):
        raise rows.missing(User, "user_id")


async def _seen(desk: Desk, id: str) -> Key:
    return await rows.found(desk, Key, id, "key", roles.seen_keys(desk.identity))


async def _changeable(desk: Desk, id: str) -> Key:
    return await rows.changeable(
        desk, Key, id, "key", roles.seen_keys(desk.identity), roles.changed_keys(desk.identity)
    )
