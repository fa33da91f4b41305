"""Users in teams and organizations: what adding, changing and removing them has in common."""

from dataclasses import replace
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import Field

from litellm.proxy.admin import roles, rows
from litellm.proxy.admin.desk import Desk
from litellm.proxy.admin.fields import Count, Dollars, Name, Sent, nano
from litellm.proxy.errors import ProxyError
from litellm.store.base import Audit, Change, Query
from litellm.types.accounts import GroupKind, Key, Member, MemberRole, User, member_id, storable
from litellm.types.calls import Json

MOST: Final = 500
Done = list[tuple[Change, Audit]]
"""Changes with their audit rows, to be written together."""


class Person(Sent):
    """One of `user_id` and `user_email`; whoever is not known yet becomes a user."""

    user_id: Name | None = None
    user_email: Name | None = None


class TeamPerson(Person):
    role: Literal["admin", "user"] = "user"


class OrganizationPerson(Person):
    role: Literal["org_admin", "internal_user", "internal_user_viewer"] = "internal_user"


class OfTeam(Person):
    team_id: Name


class OfOrganization(Person):
    organization_id: Name


class InTeam(Sent):
    max_budget_in_team: Dollars | None = None
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None


class ChangedInTeam(OfTeam, InTeam):
    role: Literal["admin", "user"] | None = None


class ChangedInOrganization(OfOrganization):
    role: Literal["org_admin", "internal_user", "internal_user_viewer"] | None = None
    max_budget_in_organization: Dollars | None = None


class TeamPeople(InTeam):
    team_id: Name
    member: TeamPerson | list[TeamPerson] = Field(description="One, or several.")


class ManyTeamPeople(InTeam):
    team_id: Name
    members: list[TeamPerson] = Field(min_length=1, max_length=MOST)


class OrganizationPeople(Sent):
    organization_id: Name
    member: OrganizationPerson | list[OrganizationPerson] = Field(description="One, or several.")
    max_budget_in_organization: Dollars | None = None


def member(desk: Desk, kind: GroupKind, group: str, user_id: str, role: MemberRole, **limits: Any) -> Member:
    id = member_id(kind, group, user_id)
    return Member(id=id, group_kind=kind, group_id=group, user_id=user_id, role=role, **rows.stamps(desk), **limits)


def limits_of(asked: Sent) -> Json:
    """The limits that were sent, as a membership's row has them."""
    values = asked.model_dump(include=asked.model_fields_set)
    money = [name for name in ("max_budget_in_team", "max_budget_in_organization") if name in values]
    own = {name: values[name] for name in ("tpm_limit", "rpm_limit") if name in values}
    for name in money:
        own["max_budget"] = None if values[name] is None else nano(values[name])
    return own


async def added(
    desk: Desk, kind: GroupKind, group: str, people: list[Any], limits: Json, seen: roles.Filter = None
) -> tuple[Done, list[Member]]:
    """What there is to write. Raises ProxyError 400 for one who is a member already, and for a user not of `seen`."""
    if not 0 < len(people) <= MOST:
        raise ProxyError(400, f"member: name 1 to {MOST} of them", param="member")
    done: Done = []
    joined: list[Member] = []
    for person in people:
        user = await _known(desk, person)
        if user is None:
            user = User(id=person.user_id or str(uuid4()), user_email=person.user_email, **rows.stamps(desk))
            done.append(rows.created(desk, user))
        elif not roles.fits(user, seen):
            raise ProxyError(400, "member: there is such a user already; an admin may add them", param="member")
        given = {"user_email": person.user_email} if person.user_email else {}
        one = member(desk, kind, group, user.id, person.role, extra=given, **limits)
        if one.id in {other.id for other in joined} or await desk.records.get(Member, one.id):
            raise ProxyError(
                400, f"{person.user_id or person.user_email} is a member of this {kind} already",
                "team_member_already_in_team", "member",
            )  # fmt: skip
        joined.append(one)
        done.append(rows.created(desk, one))
    return done, joined


async def _known(desk: Desk, person: Person) -> User | None:
    """Raises ProxyError 400 if neither an id nor an address is given."""
    if person.user_id is not None:
        return await desk.records.get(User, person.user_id)
    if person.user_email is None:
        raise ProxyError(400, "member: user_id or user_email is missing", param="member")
    found = await desk.records.find(Query(User, {"user_email": person.user_email}))
    return found.rows[0] if found.rows else None


async def membership(desk: Desk, kind: GroupKind, group: str, person: Person) -> Member:
    """Raises ProxyError 404 for one who is no member, whether or not there is such a user."""
    if person.user_id is None and person.user_email is None:
        raise ProxyError(400, "user_id or user_email is missing", param="user_id")
    user_id = person.user_id
    if user_id is None:
        user = await _known(desk, person)
        user_id = "" if user is None else user.id
    return await rows.found(desk, Member, member_id(kind, group, storable(user_id)), "user_id")


def changed(before: Member, role: MemberRole | None, limits: Json) -> Member:
    return replace(before, role=role or before.role, **limits)


async def removed(desk: Desk, one: Member) -> Done:
    """With the keys that the group gave them: those would go on spending its money."""
    group = {"team_id" if one.group_kind == "team" else "organization_id": one.group_id}
    owned = await rows.all_of(desk, Key, user_id=one.user_id, **group)
    return [rows.deleted(desk, row) for row in (*owned, one)]


async def shown(desk: Desk, some: list[Member], duration: str | None = None) -> list[Json]:
    """Memberships, with what each has spent in the group; `duration`: of the budgets that do not say it themselves."""
    told = await rows.shown_all(desk, [replace(one, budget_duration=one.budget_duration or duration) for one in some])
    names = {"team": "team_id", "organization": "organization_id"}
    return [{"user_email": None, **row, names[one.group_kind]: one.group_id, "user_role": one.role}
            for one, row in zip(some, told, strict=True)]  # fmt: skip


async def with_roles(desk: Desk, some: list[Member]) -> list[Json]:
    """Who leads a group sees the addresses by which members were added: a user's own row is not theirs to read."""
    told = roles.sees_all(desk.identity)
    users = await desk.records.get_many(User, [one.user_id for one in some]) if told else {}
    return [
        {"user_id": one.user_id, "role": one.role,
         "user_email": users[one.user_id].user_email if one.user_id in users else one.extra.get("user_email")}
        for one in some
    ]  # fmt: skip
