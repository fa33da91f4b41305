"""How far a key reaches in the management API, by its user's memberships and by its own group."""

from litellm.proxy.keys.reach import Reach, reach
from litellm.types.accounts import GroupKind, Key, Member, MemberRole, Team, member_id

TEAMS = {team: Team(id=team, organization_id=owner) for team, owner in (("a", "o"), ("b", "o"), ("c", None))}


def member(kind: GroupKind, group: str, role: MemberRole) -> Member:
    return Member(id=member_id(kind, group, "u"), group_kind=kind, group_id=group, user_id="u", role=role)


MEMBERSHIPS = [member("organization", "o", "org_admin"), member("team", "c", "user"), member("team", "a", "user")]


def of(**key: str) -> Reach:
    return reach(Key(id="k", user_id="u", **key), True, MEMBERSHIPS, TEAMS)


def test_who_leads_an_organization_leads_its_teams() -> None:
    whole = of()
    assert whole.teams == {"a", "c"} and whole.led_teams == {"a", "b"}
    assert whole.organizations == whole.led_organizations == {"o"} and whole.within == ()


def test_a_groups_key_reaches_no_further_than_the_group() -> None:
    inside = of(team_id="a")
    assert (inside.teams, inside.led_teams, inside.led_organizations) == ({"a"}, {"a"}, frozenset())
    assert inside.within == (("team_id", "a"),)
    assert of(team_id="c").led_teams == frozenset()
    organization = of(organization_id="o")
    assert (organization.teams, organization.led_teams) == ({"a"}, {"a", "b"})
    assert organization.led_organizations == {"o"} and organization.within == (("organization_id", "o"),)
    elsewhere = of(organization_id="p")
    assert not (elsewhere.teams | elsewhere.led_teams | elsewhere.organizations | elsewhere.led_organizations)


def test_roles_of_other_kinds_of_groups_lead_nothing() -> None:
    odd = [member("team", "c", "org_admin"), member("organization", "o", "admin")]
    assert not reach(Key(id="k"), True, odd, TEAMS).led_teams | reach(Key(id="k"), True, odd, TEAMS).led_organizations


def test_without_a_user_it_reaches_nothing() -> None:
    assert reach(Key(id="k", user_id="u"), False, MEMBERSHIPS, TEAMS) == Reach()
