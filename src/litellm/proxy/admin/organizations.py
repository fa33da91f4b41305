"""`/organization/*`: what teams, keys and people belong to, and whose limits hold for all of them together."""

from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import Field

from litellm.proxy.admin import members, roles, rows, schemas, users
from litellm.proxy.admin.desk import Desk, desk_of
from litellm.proxy.admin.fields import Kept, Limits, Name, Sent, changed, values_of
from litellm.proxy.admin.members import ChangedInOrganization, OfOrganization, OrganizationPeople
from litellm.proxy.errors import ProxyError
from litellm.store.base import Query as StoreQuery
from litellm.types.accounts import Key, Member, Organization, Team, storable
from litellm.types.calls import Json

router = APIRouter(tags=["organizations"], responses=schemas.INVALID)


class OrganizationFields(Limits, Kept):
    organization_alias: Name | None = None


class NewOrganization(OrganizationFields):
    organization_id: Name | None = Field(default=None, description="Default: one is made.")


class ChangedOrganization(OrganizationFields):
    organization_id: Name


class SomeOrganizations(Sent):
    organization_ids: list[Name] = Field(min_length=1, max_length=1000)


_ID: Final = frozenset({"organization_id"})
_LED: Final = frozenset({"organization_id", "organization_alias", "metadata"})
"""What its own admin may change of an organization: nothing that limits it."""


@router.post("/organization/new", summary="Make an organization")
async def new(request: Request, asked: NewOrganization) -> Json:
    desk = await desk_of(request)
    id = asked.organization_id or str(uuid4())
    made = Organization(id=id, **rows.stamps(desk), **values_of(asked, Organization, omit=_ID))
    await rows.write_all(desk, [rows.created(desk, made)], "organization_id")
    return await _shown(desk, made)


@router.get("/organization/info", summary="An organization, with its teams and members")
async def info(request: Request, organization_id: str) -> Json:
    """Its admins see all of them, members what is theirs."""
    desk = await desk_of(request)
    identity = desk.identity
    seen = roles.seen_organizations(identity)
    organization = await rows.found(desk, Organization, organization_id, "organization_id", seen)
    query = StoreQuery(Team, {"organization_id": organization.id}, roles.seen_teams(identity))
    teams = [team async for team in rows.every(desk, query)]
    everybody = roles.sees_all(identity) or organization.id in identity.reach.led_organizations
    people = await _members(desk, organization, None if everybody else identity.user_id)
    return {
        **await _shown(desk, organization),
        "teams": [{"team_id": team.id, **row}
                  for team, row in zip(teams, await rows.shown_all(desk, teams), strict=True)],
        "members": await members.shown(desk, people),
    }  # fmt: skip


@router.get("/organization/list", summary="Organizations")
async def list_organizations(
    request: Request,
    org_id: str | None = None,
    org_alias: Annotated[str | None, Query(description="A part of it.")] = None,
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[Json]:
    """Newest first."""
    desk = await desk_of(request)
    where: dict[str, Any] = {} if org_id is None else {"id": storable(org_id)}
    contains = {"organization_alias": storable(org_alias)} if org_alias else {}
    seen = roles.seen_organizations(desk.identity)
    found = await desk.records.find(StoreQuery(Organization, where, seen, contains, page=page, size=page_size))
    told = await rows.shown_all(desk, found.rows)
    return [{"organization_id": one.id, **row} for one, row in zip(found.rows, told, strict=True)]


@router.patch("/organization/update", summary="Change an organization")
async def update(request: Request, asked: ChangedOrganization) -> Json:
    """Its own admins may change its name and metadata."""
    desk = await desk_of(request)
    before = await _led(desk, asked.organization_id)
    beyond = asked.model_fields_set - _LED
    if beyond and not desk.identity.is_admin:
        name = min(beyond)
        raise ProxyError(403, f"{name}: only an admin may change it", "auth_error", name)
    after = changed(before, values_of(asked, Organization, omit=_ID))
    await rows.write_all(desk, [rows.updated(desk, before, after)], "organization_id")
    return await _shown(desk, after)


@router.delete("/organization/delete", summary="Delete organizations, their teams, keys and memberships")
async def delete(request: Request, asked: SomeOrganizations) -> list[Json]:
    """All of them or, if one is not there, none."""
    desk = await desk_of(request)
    gone = [await _led(desk, id, "organization_ids") for id in dict.fromkeys(asked.organization_ids)]
    ids = [one.id for one in gone]
    teams = await rows.all_of(desk, Team, organization_id=ids)
    team_ids = [team.id for team in teams]
    owned = [*await rows.all_of(desk, Key, organization_id=ids), *await rows.all_of(desk, Key, team_id=team_ids)]
    joined = [*await rows.all_of(desk, Member, group_kind="organization", group_id=ids),
              *await rows.all_of(desk, Member, group_kind="team", group_id=team_ids)]  # fmt: skip
    keys = {key.id: key for key in owned}.values()
    told = [await _shown(desk, one) for one in gone]
    await rows.write_all(desk, [rows.deleted(desk, row) for row in (*keys, *joined, *teams, *gone)], "organization_ids")
    return told


@router.post("/organization/member_add", summary="Add members to an organization")
async def member_add(request: Request, asked: OrganizationPeople) -> Json:
    """All of them or, if one is a member already, none. Whoever is not known yet becomes a user.

    Who leads an organization sees the rows of its users, and so cannot add those of others.
    """
    desk = await desk_of(request)
    organization = await _led(desk, asked.organization_id)
    people = asked.member if isinstance(asked.member, list) else [asked.member]
    seen, limits = await users.seen(desk), members.limits_of(asked)
    done, joined = await members.added(desk, "organization", organization.id, people, limits, seen)
    await rows.write_all(desk, done, "member")
    return {
        "organization_id": organization.id,
        "updated_users": [{"user_id": one.user_id} for one in joined],
        "updated_organization_memberships": await members.shown(desk, joined),
    }


@router.patch("/organization/member_update", summary="Change a member's role or limits in an organization")
async def member_update(request: Request, asked: ChangedInOrganization) -> Json:
    desk = await desk_of(request)
    organization = await _led(desk, asked.organization_id)
    before = await members.membership(desk, "organization", organization.id, asked)
    after = members.changed(before, asked.role, members.limits_of(asked))
    await rows.write_all(desk, [rows.updated(desk, before, after)], "user_id")
    return (await members.shown(desk, [after]))[0]


@router.delete("/organization/member_delete", summary="Remove a member from an organization")
async def member_delete(request: Request, asked: OfOrganization) -> Json:
    """Their keys of the organization end with it; what they are in its teams stays."""
    desk = await desk_of(request)
    organization = await _led(desk, asked.organization_id)
    one = await members.membership(desk, "organization", organization.id, asked)
    await rows.write_all(desk, await members.removed(desk, one), "user_id")
    return {"organization_id": organization.id, "user_id": one.user_id}


async def _members(desk: Desk, organization: Organization, user_id: str | None) -> list[Member]:
    whom = {} if user_id is None else {"user_id": user_id}
    return await rows.all_of(desk, Member, group_kind="organization", group_id=organization.id, **whom)


async def _led(desk: Desk, id: str, name: str = "organization_id") -> Organization:
    identity = desk.identity
    seen, led = roles.seen_organizations(identity), roles.led_organizations(identity)
    return await rows.changeable(desk, Organization, id, name, seen, led)


async def _shown(desk: Desk, organization: Organization) -> Json:
    return {"organization_id": organization.id, **await rows.shown(desk, organization)}
