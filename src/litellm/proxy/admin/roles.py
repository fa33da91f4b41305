"""Who may use which management route, and which rows they may see and change there. Pure.

`TABLE` is the whole of the first question: a route that is not in it is for a `proxy_admin` only. The second is
answered by filters, which find rows in the store and judge a row in hand alike, so that a list and a single row cannot
disagree. What an asker may not see is to be answered exactly as what does not exist.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys import permissions
from litellm.proxy.keys.access import may_call
from litellm.proxy.keys.identity import Identity
from litellm.types.accounts import Row

COLUMNS: Final = ("proxy_admin_viewer", "org_admin", "team_admin", "internal_user", "internal_user_viewer", "key")
"""Who asks. Org and team admins are users who lead an organization or a team; `key` is a key without a known user."""

# fmt: off
TABLE: Final[Mapping[str, str]] = {
    #                                        viewer org team user user_viewer key
    "GET /models":                           "x x x x x x",
    "GET /models/{model}":                   "x x x x x x",
    "GET /v1/models":                        "x x x x x x",
    "GET /v1/models/{model}":                "x x x x x x",
    "GET /routes":                           "x x x x x x",
    "GET /model/info":                       "x x x x x x",
    "GET /v1/model/info":                    "x x x x x x",
    "GET /v2/model/info":                    "x x x x x x",
    "GET /model_group/info":                 "x x x x x x",
    "GET /health":                           "x . . . . .",
    "GET /metrics":                          "x . . . . .",

    "POST /key/generate":                    ". x x x . .",
    "POST /key/service-account/generate":    ". x x . . .",
    "GET /key/info":                         "x x x x x x",
    "POST /v2/key/info":                     "x x x x x .",
    "GET /key/list":                         "x x x x x .",
    "GET /key/aliases":                      "x x x x x .",
    "POST /key/health":                      "x x x x x x",
    "POST /key/update":                      ". x x x . .",
    "POST /key/bulk_update":                 ". x x x . .",
    "POST /key/delete":                      ". x x x . .",
    "POST /key/regenerate":                  ". x x x . .",
    "POST /key/{key}/regenerate":            ". x x x . .",
    "POST /key/{key}/reset_spend":           ". . . . . .",
    "POST /key/block":                       ". x x . . .",
    "POST /key/unblock":                     ". x x . . .",

    "POST /user/new":                        ". x . . . .",
    "GET /user/info":                        "x x x x x .",
    "GET /user/list":                        "x x . . . .",
    "GET /user/available_roles":             "x x x x x .",
    "POST /user/update":                     ". x x x . .",

    "POST /team/new":                        ". x . . . .",
    "GET /team/info":                        "x x x x x .",
    "GET /team/list":                        "x x x x x .",
    "GET /v2/team/list":                     "x x x x x .",
    "GET /team/available":                   "x x x x x .",
    "GET /team/permissions_list":            "x x x x x .",
    "POST /team/permissions_update":         ". x x . . .",
    "POST /team/update":                     ". x x . . .",
    "POST /team/delete":                     ". x . . . .",
    "POST /team/block":                      ". x . . . .",
    "POST /team/unblock":                    ". x . . . .",
    "POST /team/member_add":                 ". x x . . .",
    "POST /team/bulk_member_add":            ". x x . . .",
    "POST /team/member_update":              ". x x . . .",
    "POST /team/member_delete":              ". x x . . .",
    "POST /team/model/add":                  ". x . . . .",
    "POST /team/model/delete":               ". x . . . .",

    "GET /organization/info":                "x x x x x .",
    "GET /organization/list":                "x x x x x .",
    "PATCH /organization/update":            ". x . . . .",
    "POST /organization/member_add":         ". x . . . .",
    "PATCH /organization/member_update":     ". x . . . .",
    "DELETE /organization/member_delete":    ". x . . . .",

    "GET /customer/info":                    "x . . . . .",
    "GET /customer/list":                    "x . . . . .",
    "GET /end_user/info":                    "x . . . . .",
    "GET /end_user/list":                    "x . . . . .",
    "POST /budget/info":                     "x . . . . .",
    "GET /budget/list":                      "x . . . . .",
    "GET /budget/settings":                  "x . . . . .",
    "GET /provider/budgets":                 "x . . . . .",
    "POST /tag/info":                        "x . . . . .",
    "GET /tag/list":                         "x . . . . .",
    "GET /credentials":                      "x . . . . .",
    "GET /credentials/by_name/{name}":       "x . . . . .",
    "GET /credentials/by_model/{model_id}":  "x . . . . .",
    "GET /audit":                            "x . . . . .",
    "GET /audit/{id}":                       "x . . . . .",

    "POST /spend/calculate":                 "x x x x x .",
    "GET /spend/logs":                       "x x x x x .",
    "GET /spend/logs/v2":                    "x x x x x .",
    "GET /spend/logs/ui":                    "x x x x x .",
    "GET /spend/logs/ui/{request_id}":       "x x x x x .",
    "GET /spend/keys":                       "x . . . . .",
    "GET /spend/users":                      "x . . . . .",
    "GET /spend/tags":                       "x . . . . .",
    "GET /global/spend":                     "x . . . . .",
    "GET /global/spend/keys":                "x . . . . .",
    "GET /global/spend/models":              "x . . . . .",
    "GET /global/spend/teams":               "x . . . . .",
    "GET /global/spend/tags":                "x . . . . .",
    "GET /global/spend/provider":            "x . . . . .",
    "POST /global/spend/end_users":          "x . . . . .",
    "GET /global/spend/report":              "x . . . . .",
    "GET /global/spend/logs":                "x . . . . .",
    "GET /global/activity":                  "x . . . . .",
    "GET /global/activity/model":            "x . . . . .",
    "GET /global/activity/exceptions":       "x . . . . .",
    "GET /global/activity/exceptions/deployment": "x . . . . .",
    "GET /global/activity/cache_hits":       "x . . . . .",
    "GET /user/daily/activity":              "x x x x x .",
    "GET /user/daily/activity/aggregated":   "x x x x x .",
    "GET /team/daily/activity":              "x x x x x .",
    "GET /organization/daily/activity":      "x x . . . .",
    "GET /tag/daily/activity":               "x . . . . .",
    "GET /customer/daily/activity":          "x . . . . .",
    "GET /end_user/daily/activity":          "x . . . . .",
}
# fmt: on

_EXACT: Final = {route: cells.split() for route, cells in TABLE.items() if "{" not in route}
_NOBODY: Final[list[str]] = []
_LONG: Final = ("{model}", "{name}")
"""Parts of a path that may have slashes in them."""
_TEMPLATES: Final = [
    (re.compile(re.sub(r"\{\w+\}", ".+" if route.endswith(_LONG) else "[^/]+", route)), cells.split())
    for route, cells in TABLE.items()
    if "{" in route
]


def check(identity: Identity, method: str, path: str) -> None:
    """Whether somebody may call a route at all. Raises ProxyError 403."""
    if not may_call(identity.allowed_routes, path, inference=False):
        raise ProxyError(403, f"Virtual key is not allowed to call this route: {path}", "auth_error")
    if identity.is_admin or not columns(identity).isdisjoint(callers("GET" if method == "HEAD" else method, path)):
        return
    if method == "POST" and has(identity, path):
        return
    raise ProxyError(403, f"Only an admin may call {method} {path}. Your role is {identity.role}", "auth_error")


def has(identity: Identity, permission: str) -> bool:
    """Whether one of their teams lets somebody, as a plain member, do what the table does not."""
    return identity.role == "internal_user" and permission in identity.reach.granted


def callers(method: str, path: str) -> frozenset[str]:
    """The columns that may call a route; none for one that is not in the table."""
    route = f"{method} {path}"
    templates = (cells for known, cells in _TEMPLATES if known.fullmatch(route))
    cells = _EXACT.get(route) or next(templates, None) or _NOBODY
    return frozenset(column for column, cell in zip(COLUMNS, cells, strict=False) if cell == "x")


def columns(identity: Identity) -> frozenset[str]:
    """All that somebody is."""
    if not identity.reach.known:
        return frozenset({"key"})
    leads = [("org_admin", identity.reach.led_organizations), ("team_admin", identity.reach.led_teams)]
    return frozenset({identity.role, *(column for column, led in leads if led)})


Where = Mapping[str, Any]
Filter = tuple[Where, ...] | None
"""`Query.any_of`: a row is meant if it fits one of them; None means every row, () none."""


def fits(row: Row, wanted: Filter) -> bool:
    return wanted is None or any(
        all(_among(getattr(row, name), value) for name, value in one.items()) for one in wanted
    )


def _among(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, tuple | list) else value == wanted


ADMINS: Final = ("proxy_admin", "proxy_admin_viewer")


def sees_all(identity: Identity) -> bool:
    return identity.role in ADMINS


def own(identity: Identity) -> Where:
    """The keys, and rows of the spend log, of somebody: their user's, as far as the key reaches. Not without a user."""
    return {"user_id": identity.user_id, **dict(identity.reach.within)}


def seen_keys(identity: Identity) -> Filter:
    """One's own, and those of the groups one leads."""
    if sees_all(identity):
        return None
    mine = ({"id": identity.key},)
    granted = {team for one in permissions.SEEING for team in identity.reach.granted.get(one, ())}
    shared = ({"team_id": sorted(granted)},) if granted else ()
    return (*mine, own(identity), *_led(identity), *shared) if identity.reach.known else mine


def changed_keys(identity: Identity, permission: str = "") -> Filter:
    """One's own that belong to no group, those of the groups one leads, and those that a team's permission is for.

    Without it, a member of a team cannot change what its admin has said of the key they were given.
    """
    led = led_keys(identity)
    if led is None:
        return None
    personal = {"user_id": identity.user_id, "team_id": None, "organization_id": None}
    has_own = identity.role == "internal_user" and identity.reach.known and not identity.reach.within
    return (*([personal] if has_own else []), *led, *_granted(identity, permission))


def led_keys(identity: Identity) -> Filter:
    """Those of the groups one leads."""
    return None if identity.is_admin else _led(identity)


def ended_keys(identity: Identity) -> Filter:
    """Those one may delete: one's own are among them, whoever made them."""
    changed = changed_keys(identity)
    if changed is None or identity.role != "internal_user" or not identity.reach.known:
        return changed
    return (own(identity), *changed)


def _granted(identity: Identity, permission: str) -> tuple[Where, ...]:
    if not has(identity, permission):
        return ()
    owner = None if permission == permissions.SERVICE else identity.user_id
    return ({"user_id": owner, "team_id": sorted(identity.reach.granted[permission])},)


def _led(identity: Identity) -> tuple[Where, ...]:
    reach = identity.reach
    groups = (("team_id", reach.led_teams), ("organization_id", reach.led_organizations))
    return tuple({name: sorted(led)} for name, led in groups if led)


def seen_teams(identity: Identity) -> Filter:
    if sees_all(identity):
        return None
    return ({"id": sorted(identity.reach.teams | identity.reach.led_teams)},)


def led_teams(identity: Identity) -> Filter:
    return None if identity.is_admin else ({"id": sorted(identity.reach.led_teams)},)


def seen_organizations(identity: Identity) -> Filter:
    return None if sees_all(identity) else ({"id": sorted(identity.reach.organizations)},)


def led_organizations(identity: Identity) -> Filter:
    return None if identity.is_admin else ({"id": sorted(identity.reach.led_organizations)},)


def visible_spend(identity: Identity, team_id: str | None = None, organization_id: str | None = None) -> Where:
    """What rows of the spend log must equal (`LogQuery.where`) before somebody may see them.

    Whoever leads the team or organization that was asked for sees its rows; else everybody sees their own.
    """
    if sees_all(identity):
        return {}
    if team_id is not None and team_id in identity.reach.led_teams:
        return {"team_id": team_id}
    if organization_id is not None and organization_id in identity.reach.led_organizations:
        return {"organization_id": organization_id}
    return own(identity) if identity.reach.known else {"key": identity.key}
