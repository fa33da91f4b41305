"""`/user/*`: people. Each has a role, limits that hold for their personal keys, and memberships in teams."""

from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import Field

from litellm.proxy.admin import keys, members, roles, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Anything, Name, Sent, changed, values_of
from litellm.proxy.admin.key_rows import KeyFields, new_key
from litellm.proxy.errors import ProxyError
from litellm.store.base import Audit, Change
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Key, Member, Organization, Role, Team, User, storable
from litellm.types.calls import Json

router = APIRouter(tags=["users"], responses=schemas.INVALID)

ROLES: Final[dict[Role, str]] = {
    "proxy_admin": "May do everything.",
    "proxy_admin_viewer": "May see everything.",
    "internal_user": "Makes, sees and ends keys of their own.",
    "internal_user_viewer": "Sees keys of their own.",
}
_OWN: Final = frozenset({"user_alias", "metadata"})
"""What somebody may change of their own row: nothing that limits them, or that others are known by."""


class UserFields(KeyFields):
    user_email: Name | None = None
    user_alias: Name | None = None
    user_role: Role | None = None
    sso_user_id: Name | None = None
    user_id: Name | None = None


class NewUser(UserFields):
    teams: list[Name] | None = Field(default=None, max_length=100, description="Ids of teams that they join.")
    organizations: list[Name] | None = Field(default=None, max_length=100, description="Likewise.")
    auto_create_key: bool = Field(default=True, description="Make a key, too; the answer has it.")


class ChangedUser(UserFields):
    """By `user_id`, else by `user_email`."""

    password: Anything = None


class ChangedUsers(Sent):
    users: list[ChangedUser] = Field(min_length=1, max_length=500)


class SomeUsers(Sent):
    user_ids: list[Name] = Field(min_length=1, max_length=1000)


_NOT_OF_USERS: Final = frozenset(
    {"user_id", "teams", "organizations", "auto_create_key", "password", "duration", "key_type", "key_alias", "aliases",
     "tags", "allowed_routes", "team_id", "organization_id", "permissions", "config"}
)  # fmt: skip
_OF_KEYS: Final = frozenset({"duration", "key_type", "key_alias", "aliases", "tags", "allowed_routes", "permissions",
                             "config", "models", "metadata"})  # fmt: skip


@router.post("/user/new", summary="Add a user")
async def new(request: Request, asked: NewUser) -> Json:
    """With a key, unless `auto_create_key` is false; it is shown here and never again."""
    desk = await desk_of(request)
    _check_new(desk, asked)
    id = asked.user_id or str(uuid4())
    user = User(id=id, **rows.stamps(desk), **values_of(asked, User, omit=_NOT_OF_USERS))
    done = [rows.created(desk, user), *await _joined(desk, asked, id)]
    if not asked.auto_create_key:
        await rows.write_all(desk, done, "user_id")
        return {**await _shown(desk, user), "key": None}
    plain, key = await _first_key(desk, asked, user)
    await rows.write_all(desk, [*done, rows.created(desk, key)], "user_id")
    return {**await keys.revealed(desk, plain, key), **await _shown(desk, user), "key_alias": key.key_alias}


def _check_new(desk: Desk, asked: NewUser) -> None:
    """An organization's admin adds people to it, and to nothing else. Raises ProxyError."""
    if desk.identity.is_admin:
        return
    if asked.user_role in roles.ADMINS:
        raise ProxyError(403, "user_role: only an admin may make admins", "auth_error", "user_role")
    if len(asked.organizations or ()) != 1:
        raise ProxyError(403, "organizations: name the one you lead", "auth_error", "organizations")


async def _joined(desk: Desk, asked: NewUser, user_id: str) -> list[tuple[Change, Audit]]:
    done: list[tuple[Change, Audit]] = []
    for id in dict.fromkeys(asked.teams or ()):
        await rows.found(desk, Team, id, "teams", roles.led_teams(desk.identity))
        done.append(rows.created(desk, members.member(desk, "team", id, user_id, "user")))
    for id in dict.fromkeys(asked.organizations or ()):
        await rows.found(desk, Organization, id, "organizations", roles.led_organizations(desk.identity))
        done.append(rows.created(desk, members.member(desk, "organization", id, user_id, "internal_user")))
    return done


async def _first_key(desk: Desk, asked: NewUser, user: User) -> tuple[str, Key]:
    """The user's limits are the user's; of an organization's admin it is a key of that organization."""
    sent = asked.model_dump(include=asked.model_fields_set & _OF_KEYS)
    if not desk.identity.is_admin:
        sent["organization_id"] = (asked.organizations or [None])[0]
    plain, key = await new_key(desk, KeyFields(**sent), owned=False)
    return plain, replace(key, user_id=user.id)


@router.get("/user/info", summary="A user, with their keys and teams")
async def info(
    request: Request,
    user_id: str | None = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """Without `user_id`, whoever asks. Pages are of the keys, newest first."""
    desk = await desk_of(request)
    id = user_id or desk.identity.user_id
    if not id:
        raise ProxyError(400, "user_id is missing: the master key is nobody's", param="user_id")
    user = await rows.found(desk, User, id, "user_id", await seen(desk))
    owned = await desk.records.find(
        StoreQuery(Key, {"user_id": user.id}, roles.seen_keys(desk.identity), page=page, size=size)
    )
    told = await rows.shown_all(desk, owned.rows)
    joined = await rows.all_of(desk, Member, user_id=user.id, group_kind="team")
    teams = await desk.records.get_many(Team, [one.group_id for one in joined])
    visible = [team for team in teams.values() if roles.fits(team, roles.seen_teams(desk.identity))]
    return {
        "user_id": user.id,
        "user_info": await _shown(desk, user),
        "keys": [{"token": key.id, **row} for key, row in zip(owned.rows, told, strict=True)],
        "teams": [{"team_id": team.id, **row}
                  for team, row in zip(visible, await rows.shown_all(desk, visible), strict=True)],
    }  # fmt: skip


@router.get("/user/list", summary="Users")
async def list_users(
    request: Request,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 25,
    role: Role | None = None,
    user_ids: Annotated[str | None, Query(description="Separated by commas.")] = None,
    user_email: Annotated[str | None, Query(description="A part of it.")] = None,
    team: str | None = None,
) -> Json:
    """Newest first."""
    desk = await desk_of(request)
    where: dict[str, Any] = {} if role is None else {"user_role": role}
    if user_ids is not None:
        where["id"] = [storable(id.strip()) for id in user_ids.split(",")][:1000]
    if team is not None:
        there = await rows.all_of(desk, Member, group_kind="team", group_id=storable(team))
        where["id"] = sorted({one.user_id for one in there} & set(where.get("id", (one.user_id for one in there))))
    contains = {"user_email": storable(user_email)} if user_email else {}
    found = await desk.records.find(
        StoreQuery(User, where, await seen(desk), contains, page=page, size=page_size)
    )  # fmt: skip
    told = await rows.shown_all(desk, found.rows)
    users = [{"user_id": user.id, **row} for user, row in zip(found.rows, told, strict=True)]
    return rows.paged("users", users, found.total, page, page_size)


@router.get("/user/available_roles", summary="What a user may be")
async def available_roles() -> Json:
    return {role: {"description": about, "ui_label": role.replace("_", " ")} for role, about in ROLES.items()}


@router.post("/user/update", summary="Change a user")
async def update(request: Request, asked: ChangedUser) -> Json:
    """Whoever is no admin may change `user_alias` and `metadata` of their own."""
    desk = await desk_of(request)
    before = await _changeable(desk, asked)
    values = values_of(asked, User, omit=_NOT_OF_USERS)
    sent = asked.model_fields_set - {"user_id"} - (set() if asked.user_id else {"user_email"})
    if not desk.identity.is_admin and sent - _OWN:
        name = min(sent - _OWN)
        raise ProxyError(403, f"{name}: only an admin may change it", "auth_error", name)
    after = changed(before, values)
    await rows.write_all(desk, [rows.updated(desk, before, after)], "user_id")
    return {**await _shown(desk, after), "data": {"user_id": after.id}}


@router.post("/user/bulk_update", summary="Change several users")
async def bulk_update(request: Request, asked: ChangedUsers) -> Json:
    """Each for itself: those that are refused are named, the others are changed."""
    results: list[Json] = []
    for one in asked.users:
        about = {"user_id": one.user_id, "user_email": one.user_email}
        try:
            results.append({**about, "success": True, "updated_user": await update(request, one)})
        except ProxyError as error:
            results.append({**about, "success": False, "error": error.message})
    successes = sum(result["success"] for result in results)
    return {"results": results, "total_requested": len(results), "successful_updates": successes,
            "failed_updates": len(results) - successes}  # fmt: skip


@router.post("/user/delete", summary="Delete users, their keys and memberships")
async def delete(request: Request, asked: SomeUsers) -> Json:
    """All of them or, if one is not there, none."""
    desk = await desk_of(request)
    ids = list(dict.fromkeys(asked.user_ids))
    gone = [await rows.found(desk, User, id, "user_ids", await seen(desk)) for id in ids]
    owned = await rows.all_of(desk, Key, user_id=ids)
    joined = await rows.all_of(desk, Member, user_id=ids)
    await rows.write_all(desk, [rows.deleted(desk, row) for row in (*owned, *joined, *gone)], "user_ids")
    return {"deleted_users": ids, "deleted_keys": len(owned)}


async def seen(desk: Desk) -> roles.Filter:
    """Everybody sees themselves; who leads an organization, its members."""
    identity = desk.identity
    if roles.sees_all(identity):
        return None
    led = sorted(identity.reach.led_organizations)
    there = await rows.all_of(desk, Member, group_kind="organization", group_id=led) if led else []
    own = [] if identity.reach.within else [identity.user_id]
    return ({"id": [*own, *(one.user_id for one in there)]},)


async def _changeable(desk: Desk, asked: ChangedUser) -> User:
    """Raises ProxyError: 400 if nobody is named, 404, 403."""
    own = desk.identity
    mine: roles.Filter = ({"id": own.user_id},) if own.role == "internal_user" and not own.reach.within else ()
    id = asked.user_id
    if id is None and asked.user_email is not None:
        found = await desk.records.find(StoreQuery(User, {"user_email": asked.user_email}, await seen(desk)))
        if not found.rows:
            raise rows.missing(User, "user_email")
        id = found.rows[0].id
    if id is None:
        raise ProxyError(400, "user_id or user_email is missing", param="user_id")
    return await rows.changeable(desk, User, id, "user_id", await seen(desk), None if own.is_admin else mine)


async def _shown(desk: Desk, user: User) -> Json:
    return {"user_id": user.id, **await rows.shown(desk, user)}
