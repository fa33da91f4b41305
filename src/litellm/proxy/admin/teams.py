"""`/team/*`: teams, whose keys spend the team's money, and their members."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import Field

from litellm.proxy.admin import bounds, members, roles, rows, schemas
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Anything, Count, Dollars, Kept, Limits, Name, Sent, Text, changed, values_of
from litellm.proxy.admin.members import ManyTeamPeople, OfTeam, TeamPeople, TeamPerson
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys import permissions
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Key, Member, Organization, Team, storable
from litellm.types.calls import Json

router = APIRouter(tags=["teams"], responses=schemas.INVALID)


Permission = Literal[
    "/key/block", "/key/generate", "/key/info", "/key/list", "/key/regenerate", "/key/service-account/generate",
    "/key/unblock", "/key/update",
]  # fmt: skip


class TeamFields(Limits, Kept):
    team_alias: Name | None = None
    organization_id: Name | None = None
    model_aliases: dict[Text, Text] | None = Field(default=None, description="Model asked for -> model served.")
    tags: list[Text] | None = None
    team_member_budget: Dollars | None = Field(default=None, description="What each member may spend in the team.")
    team_member_rpm_limit: Count | None = None
    team_member_tpm_limit: Count | None = None
    team_member_budget_duration: Anything = None
    team_member_key_duration: Anything = None
    team_member_permissions: list[Permission] | None = Field(
        default=None, description="What members may do with keys of the team beyond what every member may."
    )


class NewTeam(TeamFields):
    team_id: Name | None = Field(default=None, description="Default: one is made.")
    admins: list[Name] | None = Field(default=None, max_length=500, description="Ids of users who lead it.")
    members: list[Name] | None = Field(default=None, max_length=500, description="Ids of further users.")
    members_with_roles: list[TeamPerson] | None = Field(default=None, max_length=500)


class ChangedTeam(TeamFields):
    team_id: Name


class OneTeam(Sent):
    team_id: Name


class MemberPermissions(OneTeam):
    team_member_permissions: list[Permission] = Field(description="Instead of those there were.")


class SomeTeams(Sent):
    team_ids: list[Name] = Field(min_length=1, max_length=1000)


class TeamModels(OneTeam):
    models: list[Name] = Field(min_length=1, max_length=1000)


_RENAMED: Final = {
    "team_member_budget": "member_budget",
    "team_member_rpm_limit": "member_rpm_limit",
    "team_member_tpm_limit": "member_tpm_limit",
}
_NOT_OF_TEAMS: Final = frozenset({"team_id", "admins", "members", "members_with_roles"})
_LED: Final = frozenset({"team_id", "team_alias", "metadata", "tags", "guardrails", permissions.FIELD, *_RENAMED})
"""What a team's admin may change of it: nothing that limits the team as a whole."""


@router.post("/team/new", summary="Make a team")
async def new(request: Request, asked: NewTeam) -> Json:
    desk = await desk_of(request)
    values = await bounds.inherited(desk, values_of(asked, Team, omit=_NOT_OF_TEAMS, renamed=_RENAMED))
    values = {name: value for name, value in values.items() if name not in ("expires", "allowed_routes")}
    team = Team(id=asked.team_id or str(uuid4()), **rows.stamps(desk), **values)
    await _check_organization(desk, team, values)
    people = [*(TeamPerson(user_id=id, role="admin") for id in asked.admins or ()), *(asked.members_with_roles or ()),
              *(TeamPerson(user_id=id) for id in asked.members or ())]  # fmt: skip
    unnamed = [] if people or not desk.identity.user_id else [TeamPerson(user_id=desk.identity.user_id, role="admin")]
    done, joined = await members.added(desk, "team", team.id, people or unnamed, {}) if people or unnamed else ([], [])
    await rows.write_all(desk, [rows.created(desk, team), *done], "team_id")
    return {**await _shown(desk, team), "members_with_roles": await members.with_roles(desk, joined)}


@router.get("/team/info", summary="A team, with its keys and members")
async def info(
    request: Request,
    team_id: str,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """Members see their own keys and membership, its admins all of them. Pages are of the keys, newest first."""
    desk = await desk_of(request)
    team = await _seen(desk, team_id)
    found = await desk.records.find(
        StoreQuery(Key, {"team_id": team.id}, roles.seen_keys(desk.identity), page=page, size=size)
    )
    told = await rows.shown_all(desk, found.rows)
    people = await _people(desk, team)
    return {
        "team_id": team.id,
        "team_info": {**await _shown(desk, team), "members_with_roles": await members.with_roles(desk, people)},
        "keys": [{"token": key.id, **row} for key, row in zip(found.rows, told, strict=True)],
        "team_memberships": await members.shown(desk, people, team.budget_duration),
    }


@router.get("/team/list", summary="Teams")
async def list_teams(request: Request, user_id: str | None = None, organization_id: str | None = None) -> list[Json]:
    """All that one may see, at most 1000, newest first; `/v2/team/list` has pages."""
    desk = await desk_of(request)
    found = await desk.records.find(await _query(desk, user_id, organization_id, 1, 1000))
    return await _shown_all(desk, found.rows)


@router.get("/v2/team/list", summary="Teams, in pages")
async def page_of_teams(
    request: Request,
    user_id: str | None = None,
    organization_id: str | None = None,
    team_id: str | None = None,
    team_alias: Annotated[str | None, Query(description="A part of it.")] = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Json:
    desk = await desk_of(request)
    query = await _query(desk, user_id, organization_id, page, page_size)
    where = {**query.where, **({"id": storable(team_id)} if team_id is not None and "id" not in query.where else {})}
    contains = {"team_alias": storable(team_alias)} if team_alias else {}
    found = await desk.records.find(replace(query, where=where, contains=contains))
    return rows.paged("teams", await _shown_all(desk, found.rows), found.total, page, page_size)


@router.get("/team/available", summary="Teams that one may join by oneself")
async def available(request: Request) -> list[Json]:
    """None: members are added by those who lead a team."""
    return []


@router.post("/team/update", summary="Change a team")
async def update(request: Request, asked: ChangedTeam) -> Json:
    """Its own admins may change its name, metadata, tags and what is given to its members."""
    desk = await desk_of(request)
    before = await _led(desk, asked.team_id)
    beyond = asked.model_fields_set - _LED
    if beyond and not _rules(desk, before):
        name = min(beyond)
        raise ProxyError(403, f"{name}: a team's own admin may not change it", "auth_error", name)
    values = values_of(asked, Team, omit=_NOT_OF_TEAMS, renamed=_RENAMED)
    await bounds.check(desk, {name: value for name, value in values.items() if name != "member_budget"})
    after = changed(before, values)
    await _check_organization(desk, after, values)
    await rows.write_all(desk, [rows.updated(desk, before, after)], "team_id")
    shown = await _shown(desk, after)
    return {**shown, "data": shown}


@router.post("/team/delete", summary="Delete teams, their keys and memberships")
async def delete(request: Request, asked: SomeTeams) -> Json:
    """All of them or, if one is not there, none."""
    desk = await desk_of(request)
    ids = list(dict.fromkeys(asked.team_ids))
    gone = [await _ruled(desk, id, "team_ids") for id in ids]
    owned = await rows.all_of(desk, Key, team_id=ids)
    joined = await rows.all_of(desk, Member, group_kind="team", group_id=ids)
    await rows.write_all(desk, [rows.deleted(desk, row) for row in (*owned, *joined, *gone)], "team_ids")
    return {"deleted_teams": ids, "deleted_keys": len(owned)}


@router.post("/team/block", summary="Refuse the calls of a team's keys")
async def block(request: Request, asked: OneTeam) -> Json:
    return await _set_blocked(request, asked.team_id, True)


@router.post("/team/unblock", summary="Let them work again")
async def unblock(request: Request, asked: OneTeam) -> Json:
    return await _set_blocked(request, asked.team_id, False)


@router.post("/team/member_add", summary="Add members to a team")
async def member_add(request: Request, asked: TeamPeople) -> Json:
    """All of them or, if one is a member already, none. Whoever is not known yet becomes a user."""
    people = asked.member if isinstance(asked.member, list) else [asked.member]
    return await _add(await desk_of(request), asked.team_id, people, members.limits_of(asked))


@router.post("/team/bulk_member_add", summary="Add many members to a team")
async def bulk_member_add(request: Request, asked: ManyTeamPeople) -> Json:
    return await _add(await desk_of(request), asked.team_id, asked.members, members.limits_of(asked))


@router.post("/team/member_update", summary="Change a member's role or limits in a team")
async def member_update(request: Request, asked: members.ChangedInTeam) -> Json:
    desk = await desk_of(request)
    team = await _led(desk, asked.team_id)
    before = await members.membership(desk, "team", team.id, asked)
    after = members.changed(before, asked.role, members.limits_of(asked))
    await rows.write_all(desk, [rows.updated(desk, before, after)], "user_id")
    [told] = await members.shown(desk, [after], team.budget_duration)
    return {**told, "max_budget_in_team": told["max_budget"]}


@router.post("/team/member_delete", summary="Remove a member from a team")
async def member_delete(request: Request, asked: OfTeam) -> Json:
    """Their keys of the team end with it."""
    desk = await desk_of(request)
    team = await _led(desk, asked.team_id)
    one = await members.membership(desk, "team", team.id, asked)
    await rows.write_all(desk, await members.removed(desk, one), "user_id")
    return await _with_people(desk, team)


@router.post("/team/model/add", summary="Let a team use further models")
async def model_add(request: Request, asked: TeamModels) -> Json:
    """Of a team that may use all there are, the list becomes what is named."""
    desk = await desk_of(request)
    before = await _ruled(desk, asked.team_id)
    return await _set_models(desk, before, tuple(dict.fromkeys([*before.models, *asked.models])))


@router.post("/team/model/delete", summary="Take models from a team")
async def model_delete(request: Request, asked: TeamModels) -> Json:
    """Not the last one: an empty list would mean all of them."""
    desk = await desk_of(request)
    before = await _ruled(desk, asked.team_id)
    left = tuple(name for name in before.models if name not in asked.models)
    if not left:
        raise ProxyError(400, "models: none would be left, and an empty list means all models", param="models")
    return await _set_models(desk, before, left)


@router.get("/team/permissions_list", summary="What a team's members may do with its keys")
async def permissions_list(request: Request, team_id: str) -> Json:
    """Beyond what every member may; and what a team may let them do."""
    team = await _seen(await desk_of(request), team_id)
    return {
        "team_id": team.id,
        "team_member_permissions": list(permissions.given_by(team)),
        "all_available_permissions": list(permissions.ALL),
    }


@router.post("/team/permissions_update", summary="Say what a team's members may do with its keys")
async def permissions_update(request: Request, asked: MemberPermissions) -> Json:
    """They may see all keys of the team (`/key/info`, `/key/list`), and change those of their own."""
    desk = await desk_of(request)
    before = await _led(desk, asked.team_id)
    after = changed(before, {"extra": {permissions.FIELD: list(dict.fromkeys(asked.team_member_permissions))}})
    await rows.write_all(desk, [rows.updated(desk, before, after)], "team_id")
    return await _shown(desk, after)


async def _set_models(desk: Desk, before: Team, models: tuple[str, ...]) -> Json:
    values: Json = {"models": models}
    await bounds.check(desk, values)
    after = replace(before, models=models)
    await _check_organization(desk, after, values)
    await rows.write_all(desk, [rows.updated(desk, before, after)], "team_id")
    return await _shown(desk, after)


async def _set_blocked(request: Request, team_id: str, blocked: bool) -> Json:
    desk = await desk_of(request)
    before = await _ruled(desk, team_id)
    after = replace(before, blocked=blocked)
    await rows.write_all(desk, [rows.updated(desk, before, after, "blocked" if blocked else "unblocked")], "team_id")
    return await _shown(desk, after)


async def _add(desk: Desk, team_id: str, people: list[TeamPerson], limits: Json) -> Json:
    team = await _led(desk, team_id)
    done, joined = await members.added(desk, "team", team.id, people, limits)
    await rows.write_all(desk, done, "member")
    return {
        **await _with_people(desk, team),
        "updated_users": [{"user_id": one.user_id} for one in joined],
        "updated_team_memberships": await members.shown(desk, joined, team.budget_duration),
    }


async def _query(
    desk: Desk, user_id: str | None, organization_id: str | None, page: int, size: int
) -> StoreQuery[Team]:  # fmt: skip
    where: dict[str, Any] = {} if organization_id is None else {"organization_id": storable(organization_id)}
    if user_id is not None:
        joined = await rows.all_of(desk, Member, group_kind="team", user_id=storable(user_id))
        identity = desk.identity
        told = roles.sees_all(identity) or user_id == identity.user_id
        where["id"] = [one.group_id for one in joined if told or one.group_id in identity.reach.led_teams]
    return StoreQuery(Team, where, roles.seen_teams(desk.identity), page=page, size=size)


async def _people(desk: Desk, team: Team) -> list[Member]:
    """The members that the asker may see."""
    own = desk.identity
    everybody = roles.sees_all(own) or team.id in own.reach.led_teams
    whom = {} if everybody else {"user_id": own.user_id}
    return await rows.all_of(desk, Member, group_kind="team", group_id=team.id, **whom)


async def _with_people(desk: Desk, team: Team) -> Json:
    people = await _people(desk, team)
    return {**await _shown(desk, team), "members_with_roles": await members.with_roles(desk, people)}


async def _check_organization(desk: Desk, team: Team, values: Json) -> None:
    """A team has no more than its organization, and nobody gives it to another's. Raises ProxyError."""
    if team.organization_id is None:
        if not desk.identity.is_admin and "organization_id" in values:
            raise rows.missing(Organization, "organization_id")
        if not desk.identity.is_admin and team.id not in desk.identity.reach.led_teams:
            raise ProxyError(403, "organization_id: name the one you lead", "auth_error", "organization_id")
        return
    seen = roles.led_organizations(desk.identity) if "organization_id" in values else None
    organization = await rows.found(desk, Organization, team.organization_id, "organization_id", seen)
    whole = {"models": team.models, "max_budget": team.max_budget} if "organization_id" in values else {}
    bounds.check_team({**whole, **values}, organization)


def _rules(desk: Desk, team: Team) -> bool:
    """Whether the asker is above the team: an admin of the gateway or of its organization."""
    return desk.identity.is_admin or team.organization_id in desk.identity.reach.led_organizations


async def _seen(desk: Desk, id: str) -> Team:
    return await rows.found(desk, Team, id, "team_id", roles.seen_teams(desk.identity))


async def _led(desk: Desk, id: str, name: str = "team_id") -> Team:
    identity = desk.identity
    return await rows.changeable(desk, Team, id, name, roles.seen_teams(identity), roles.led_teams(identity))


async def _ruled(desk: Desk, id: str, name: str = "team_id") -> Team:
    team = await _led(desk, id, name)
    if not _rules(desk, team):
        raise ProxyError(403, "Only an admin of its organization may do this to a team", "auth_error", name)
    return team


async def _shown(desk: Desk, team: Team) -> Json:
    return (await _shown_all(desk, [team]))[0]


async def _shown_all(desk: Desk, teams: list[Team] | tuple[Team, ...]) -> list[Json]:
    """With the names that the API has for what is given to members."""
    told = await rows.shown_all(desk, teams)
    return [
        {"team_id": team.id, **{_SHOWN_AS.get(name, name): value for name, value in row.items()}}
        for team, row in zip(teams, told, strict=True)
    ]


_SHOWN_AS: Final = {name: sent for sent, name in _RENAMED.items()}
