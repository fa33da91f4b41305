"""What a team's plain members may be let do with keys of the team (`team_member_permissions`).

A permission is a route of the management API, as LiteLLM names it. Those that change keys are for the member's own keys
of the team: another's key, made anew, would give its maker what is that other's, and a key of nobody's would spend past
the member's budget. Only a service account is nobody's, and that is a permission of its own.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from litellm.types.accounts import Team
from litellm.types.calls import as_list

FIELD: Final = "team_member_permissions"
SEEING: Final = frozenset({"/key/info", "/key/list"})
CHANGING: Final = frozenset(
    {
        "/key/generate", "/key/service-account/generate", "/key/update", "/key/regenerate", "/key/block",
        "/key/unblock",
    }
)  # fmt: skip
SERVICE: Final = "/key/service-account/generate"
ALL: Final = tuple(sorted(SEEING | CHANGING))


def given_by(team: Team) -> tuple[str, ...]:
    """What a team lets its members do beyond what every member may."""
    return tuple(name for name in as_list(team.extra.get(FIELD)) or () if name in ALL)


def granted(joined: Iterable[str], teams: Mapping[str, Team]) -> dict[str, frozenset[str]]:
    """Permission -> those of the teams that give it."""
    found: dict[str, set[str]] = {}
    for id in joined:
        for permission in given_by(teams[id]) if id in teams else ():
            found.setdefault(permission, set()).add(id)
    return {permission: frozenset(ids) for permission, ids in found.items()}
