"""How far a key's bearer reaches in the management API: the groups they belong to, and those they lead. Pure.

A key of a team, or of an organization, reaches no further than that group: its leaders can make it anew, and must not
come by what else is its bearer's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from litellm.proxy.keys.permissions import granted
from litellm.types.accounts import Key, Member, Team

_LEADERS: Final = frozenset({("team", "admin"), ("organization", "org_admin")})


@dataclass(frozen=True, slots=True)
class Reach:
    """Ids of groups. Who leads an organization leads all its teams."""

    known: bool = False
    """The key's `user_id` is that of a user who has a row."""
    within: tuple[tuple[str, str], ...] = ()
    """Fields of a row that must have these values before the bearer may call it their own."""
    teams: frozenset[str] = frozenset()
    led_teams: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    led_organizations: frozenset[str] = frozenset()
    granted: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Permission (`permissions.py`) -> teams whose members have it."""


def reach(key: Key, known: bool, memberships: Iterable[Member], teams: Mapping[str, Team]) -> Reach:
    """Of a key, by the memberships of its user; `known`: whether that user has a row."""
    if not known:
        return Reach()
    mine = tuple(memberships)
    led_organizations = _groups(mine, "organization", leading=True)
    led = {team.id for team in teams.values() if team.organization_id in led_organizations} if led_organizations else ()
    joined = _groups(mine, "team")
    whole = Reach(
        known=True,
        teams=joined,
        granted=granted(joined, teams),
        led_teams=_groups(mine, "team", leading=True).union(led),
        organizations=_groups(mine, "organization"),
        led_organizations=led_organizations,
    )
    if key.team_id:
        return _within_team(whole, key.team_id)
    return _within_organization(whole, key.organization_id, teams) if key.organization_id else whole


def _groups(memberships: Iterable[Member], kind: str, leading: bool = False) -> frozenset[str]:
    return frozenset(
        one.group_id
        for one in memberships
        if one.group_kind == kind and (not leading or (kind, one.role) in _LEADERS)
    )  # fmt: skip


def _within_team(whole: Reach, team: str) -> Reach:
    only = frozenset({team})
    return Reach(
        True, (("team_id", team),), whole.teams & only, whole.led_teams & only, granted=_among(whole.granted, only)
    )


def _within_organization(whole: Reach, organization: str, teams: Mapping[str, Team]) -> Reach:
    only = frozenset({organization})
    inside = frozenset(team.id for team in teams.values() if team.organization_id == organization)
    return Reach(
        True,
        (("organization_id", organization),),
        whole.teams & inside,
        whole.led_teams & inside,
        whole.organizations & only,
        whole.led_organizations & only,
        _among(whole.granted, inside),
    )


def _among(granted: Mapping[str, frozenset[str]], teams: frozenset[str]) -> dict[str, frozenset[str]]:
    return {permission: ids & teams for permission, ids in granted.items() if ids & teams}
