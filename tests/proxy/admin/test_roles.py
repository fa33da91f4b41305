"""Who may use which route, cell by cell; and that no side of a gateway sees, changes or infers another's data."""

import json
import time
from typing import Any

import pytest

from litellm.proxy.admin import roles
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import Identity
from litellm.proxy.keys.reach import Reach
from support.gateway import Gateway
from support.management import Side, ask, done, refused

WHO: dict[str, Identity] = {
    "proxy_admin": Identity("", "proxy_admin"),
    "proxy_admin_viewer": Identity("k", "proxy_admin_viewer", reach=Reach(True)),
    "org_admin": Identity("k", "internal_user", reach=Reach(True, led_organizations=frozenset("o"))),
    "team_admin": Identity("k", "internal_user", reach=Reach(True, led_teams=frozenset("t"))),
    "internal_user": Identity("k", "internal_user", reach=Reach(True)),
    "internal_user_viewer": Identity("k", "internal_user_viewer", reach=Reach(True)),
    "key": Identity("k", "internal_user"),
}


def may(who: Identity, route: str) -> bool:
    method, path = route.split(" ")
    try:
        roles.check(who, method, path)
    except ProxyError as error:
        assert error.status_code == 403
        return False
    return True


@pytest.mark.parametrize("route", roles.TABLE)
def test_the_table_cell_by_cell(route: str) -> None:
    cells = roles.TABLE[route].split()
    assert len(cells) == len(roles.COLUMNS) and set(cells) <= {"x", "."}
    allowed = {column for column, cell in zip(roles.COLUMNS, cells, strict=True) if cell == "x"}
    path = route.replace("{model}", "a/b").replace("{key}", "sk-1").replace("{", "").replace("}", "")
    for name, who in WHO.items():
        wanted = name == "proxy_admin" or not allowed.isdisjoint(roles.columns(who))
        assert may(who, path) is wanted, (name, route)
        if route.startswith("GET "):
            assert may(who, path.replace("GET", "HEAD")) is wanted


@pytest.mark.parametrize("route", ["POST /user/delete", "POST /model/new", "GET /no/such", "POST /key/list", "PUT /x"])
def test_what_is_not_in_the_table_is_for_admins_only(route: str) -> None:
    assert [name for name, who in WHO.items() if may(who, route)] == ["proxy_admin"]


def test_the_routes_of_a_key_bind_an_admin_too() -> None:
    bound = Identity("k", "proxy_admin", allowed_routes=("/key/info",))
    assert may(bound, "GET /key/info") and not may(bound, "GET /key/list")


def test_what_is_seen_of_the_spend_log() -> None:
    known = Reach(True, led_teams=frozenset({"t"}), led_organizations=frozenset({"o"}))
    leader = Identity("k", "internal_user", user_id="u", reach=known)
    assert roles.visible_spend(WHO["proxy_admin_viewer"], "t") == {}
    assert roles.visible_spend(leader) == {"user_id": "u"} == roles.visible_spend(leader, "another")
    assert roles.visible_spend(leader, "t") == {"team_id": "t"}
    assert roles.visible_spend(leader, None, "o") == {"organization_id": "o"}
    of_team = Identity("k", "internal_user", user_id="u", reach=Reach(True, (("team_id", "t"),)))
    assert roles.visible_spend(of_team) == {"user_id": "u", "team_id": "t"}
    assert roles.visible_spend(WHO["key"]) == {"key": "k"}


def test_every_management_route_is_asked_about(managed: Gateway) -> None:
    """The matrix below has all routes of people and keys, so that a new one is not forgotten."""
    listed = {f"{verb} {row['path']}" for row in done(managed, "GET /routes")["routes"] for verb in row["methods"]}
    of_people = {route for route in listed if route.split("/")[1] in ("key", "user", "team", "organization")}
    of_people |= {"POST /v2/key/info", "GET /v2/team/list"}
    asked = {route for route, _ in requests(Side("x", dict.fromkeys(_KEYS, "sk-x")))}
    assert of_people - {plain(route) for route in asked} - _SAME_FOR_ALL == set()


DATES = "start_date=2026-01-01&end_date=2098-01-01"
_KEYS = ("org_admin", "team_admin", "internal_user", "internal_user_viewer", "key", "given")
_SAME_FOR_ALL = {"POST /key/health", "GET /user/available_roles", "GET /team/available"}


def plain(route: str) -> str:
    """As the table writes it: without the query, keys in paths as `{key}`."""
    method, path = route.partition("?")[0].split(" ")
    parts = ["{key}" if part.startswith("sk-") else part for part in path.split("/")]
    return f"{method} {'/'.join(parts)}"


def requests(side: Side) -> list[tuple[str, Any]]:
    """Every way to reach for something of a side, by the names that only that side should know."""
    name, keys = side.name, side.keys
    org, team, user = f"{name}-org", f"{name}-team", f"{name}-internal_user"
    member = {"team_id": team, "user_id": user}
    found: list[tuple[str, Any]] = [
        (f"GET /team/info?team_id={team}", None),
        ("GET /team/list", None),
        (f"GET /team/list?organization_id={org}", None),
        (f"GET /team/list?user_id={user}", None),
        (f"GET /team/permissions_list?team_id={team}", None),
        ("POST /team/permissions_update", {"team_id": team, "team_member_permissions": ["/key/generate"]}),
        (f"GET /v2/team/list?team_id={team}", None),
        (f"GET /v2/team/list?team_alias={name}", None),
        (f"GET /organization/info?organization_id={org}", None),
        (f"GET /organization/list?org_id={org}", None),
        (f"GET /user/info?user_id={user}", None),
        (f"GET /user/info?user_id={name}-org_admin", None),
        ("GET /user/list", None),
        (f"GET /user/list?user_ids={user}", None),
        (f"GET /user/list?team={team}", None),
        (f"GET /key/list?team_id={team}&return_full_object=true", None),
        (f"GET /key/list?user_id={user}", None),
        (f"GET /key/list?organization_id={org}", None),
        ("GET /key/list?size=100&return_full_object=true", None),
        (f"GET /key/aliases?search={name}", None),
        (f"GET /spend/logs?team_id={team}", None),
        (f"GET /spend/logs?user_id={user}", None),
        (f"GET /spend/logs?team_id={team}&{DATES}", None),
        (f"GET /spend/logs/v2?team_id={team}", None),
        (f"GET /spend/logs/ui?user_id={user}", None),
        (f"GET /user/daily/activity?user_id={user}&{DATES}", None),
        (f"GET /user/daily/activity/aggregated?user_id={user}&{DATES}", None),
        (f"GET /team/daily/activity?team_ids={team}&{DATES}", None),
        (f"GET /team/daily/activity?team_ids={team},nobodys&{DATES}", None),
        (f"GET /organization/daily/activity?organization_ids={org}&{DATES}", None),
        ("POST /key/generate", {"team_id": team}),
        ("POST /key/generate", {"user_id": user}),
        ("POST /key/generate", {"organization_id": org}),
        ("POST /key/service-account/generate", {"team_id": team}),
        ("POST /user/new", {"user_id": "new", "organizations": [org]}),
        ("POST /user/update", {"user_id": user, "user_alias": "changed"}),
        ("POST /user/update", {"user_email": f"{user}@x", "user_alias": "changed"}),
        ("POST /user/bulk_update", {"users": [{"user_id": user, "user_alias": "changed"}]}),
        ("POST /user/delete", {"user_ids": [user]}),
        ("POST /team/new", {"organization_id": org}),
        ("POST /team/update", {"team_id": team, "team_alias": "changed"}),
        ("POST /team/delete", {"team_ids": [team]}),
        ("POST /team/block", {"team_id": team}),
        ("POST /team/unblock", {"team_id": team}),
        ("POST /team/member_add", {"team_id": team, "member": {"user_id": "new"}}),
        ("POST /team/bulk_member_add", {"team_id": team, "members": [{"user_id": "new"}]}),
        ("POST /team/member_update", {**member, "role": "admin"}),
        ("POST /team/member_delete", member),
        ("POST /team/model/add", {"team_id": team, "models": ["m"]}),
        ("POST /team/model/delete", {"team_id": team, "models": ["m"]}),
        ("POST /organization/new", {"organization_id": org}),
        ("PATCH /organization/update", {"organization_id": org, "organization_alias": "changed"}),
        ("DELETE /organization/delete", {"organization_ids": [org]}),
        ("POST /organization/member_add", {"organization_id": org, "member": {"user_id": "new"}}),
        ("PATCH /organization/member_update", {"organization_id": org, "user_id": f"{name}-org_admin",
                                               "role": "internal_user"}),
        ("DELETE /organization/member_delete", {"organization_id": org, "user_id": f"{name}-org_admin"}),
    ]  # fmt: skip
    for who in ("internal_user", "given", "key"):
        key = keys[who]
        found += [
            (f"GET /key/info?key={key}", None),
            ("POST /v2/key/info", {"keys": [key]}),
            ("POST /key/update", {"key": key, "rpm_limit": 1}),
            ("POST /key/bulk_update", {"keys": [{"key": key, "rpm_limit": 1}]}),
            ("POST /key/delete", {"keys": [key]}),
            ("POST /key/delete", {"key_aliases": [f"{name}-{who}"]}),
            ("POST /key/block", {"key": key}),
            ("POST /key/unblock", {"key": key}),
            ("POST /key/regenerate", {"key": key}),
            (f"POST /key/{key}/regenerate", {}),
            (f"POST /key/{key}/reset_spend", {}),
        ]
    return found


def without_names(answer: Any, side: Side) -> str:
    """An answer, but for what the asker has named in the question."""
    said = json.dumps(answer)
    for who, key in side.keys.items():
        said = said.replace(key, "KEY").replace(f"{side.name}-{who}", "NAME")
    return said.replace(f"{side.name}-", "")


ASKERS = ("org_admin", "team_admin", "internal_user", "internal_user_viewer", "key", "given")


@pytest.mark.parametrize("who", ASKERS)
def test_no_side_learns_of_or_changes_the_other(managed: Gateway, sides: tuple[Side, Side], who: str) -> None:
    """Whatever one side asks of the other, it is answered as if there were none such."""
    one, other = sides
    nobody = Side("nil", {name: f"sk-nobody-{name}" for name in other.keys})
    before = state(managed, other)
    for (route, body), (absent, same) in zip(requests(other), requests(nobody), strict=True):
        got, told = ask(managed, route, body, one.keys[who]), ask(managed, absent, same, one.keys[who])
        assert got[0] == told[0], (route, body, got, told)
        if got[0] >= 400 or route.startswith("GET"):
            assert without_names(got[1], other) == without_names(told[1], nobody), (route, body)
            assert not any(word in json.dumps(got[1]) for word in (f"{other.name}-a", f"{other.name}-secret"))
        else:
            assert without_names(got[1], other) == without_names(told[1], nobody) or "key" in got[1], route
    assert state(managed, other) == before


def state(gateway: Gateway, side: Side) -> list[Any]:
    """All that the admin sees of a side."""
    name = side.name
    paths = (
        f"/organization/info?organization_id={name}-org",
        f"/team/info?team_id={name}-team",
        *(f"/user/info?user_id={name}-{who}" for who in ASKERS[:4]),
        *(f"/key/info?key={key}" for who, key in side.keys.items() if who != "proxy_admin_viewer"),
    )
    return [done(gateway, f"GET {path}") for path in paths]


def test_a_viewer_sees_all_and_changes_nothing(managed: Gateway, sides: tuple[Side, Side]) -> None:
    one, other = sides
    viewer = one.keys["proxy_admin_viewer"]
    before = state(managed, other)
    for route, body in requests(other):
        status, _ = ask(managed, route, body, viewer)
        reading = route.startswith(("GET", "POST /v2/key/info"))
        assert status == (200 if reading else 403), route
    assert state(managed, other) == before
    assert done(managed, "GET /key/list?size=100", key=viewer) == done(managed, "GET /key/list?size=100")


def test_each_sees_what_is_theirs(managed: Gateway, sides: tuple[Side, Side]) -> None:
    one, _ = sides

    def aliases(who: str) -> set[str]:
        return set(done(managed, "GET /key/aliases?size=100", key=one.keys[who])["aliases"])

    assert aliases("internal_user") == {"one-internal_user", "one-given"}
    assert aliases("internal_user_viewer") == {"one-internal_user_viewer"}
    assert aliases("given") == {"one-given"}, "a team's key reaches no further than the team"
    assert aliases("team_admin") == {"one-team_admin", "one-given"}
    assert aliases("org_admin") == {"one-org_admin", "one-given"}
    for who in ("org_admin", "team_admin", "internal_user"):
        assert [team["team_id"] for team in done(managed, "GET /team/list", key=one.keys[who])] == ["one-team"]
    told = done(managed, "GET /team/info?team_id=one-team", key=one.keys["internal_user"])
    assert [row["user_id"] for row in told["team_info"]["members_with_roles"]] == ["one-internal_user"]
    told = done(managed, "GET /team/info?team_id=one-team", key=one.keys["team_admin"])
    assert {row["user_id"] for row in told["team_info"]["members_with_roles"]} == {
        "one-internal_user", "one-team_admin",
    }  # fmt: skip
    people = done(managed, "GET /user/list", key=one.keys["org_admin"])["users"]
    assert {row["user_id"] for row in people} == {"one-org_admin"}


def test_nobody_hands_on_more_than_they_have(managed: Gateway, sides: tuple[Side, Side]) -> None:
    assert sides
    done(managed, "POST /user/new", {"user_id": "poor", "auto_create_key": False, "models": ["m"], "max_budget": 5})
    limits = {"user_id": "poor", "models": ["m"], "max_budget": 2, "rpm_limit": 9, "duration": "1h"}
    key = done(managed, "POST /key/generate", limits)["key"]
    made = done(managed, "POST /key/generate", {}, key)
    assert (made["user_id"], made["models"], made["max_budget"], made["rpm_limit"]) == ("poor", ["m"], 2, 9)
    assert made["expires"] is not None
    for more in ({"max_budget": 3}, {"models": ["other"]}, {"rpm_limit": 10}, {"duration": "2h"}, {"budget_id": "b"},
                 {"permissions": {"all": True}}):  # fmt: skip
        field = "expires" if "duration" in more else next(iter(more))
        assert refused(managed, "POST /key/generate", more, key) == (403, field)
        assert refused(managed, "POST /key/update", {"key": key, **more}, key) == (403, field)
    assert refused(managed, "POST /key/update", {"key": key, "max_budget": None}, key) == (403, "max_budget")
    whole = done(managed, "POST /key/generate", {"user_id": "poor"})["key"]
    assert refused(managed, "POST /key/regenerate", {"key": whole}, key)[0] == 403
    assert refused(managed, "POST /key/generate", {"max_budget": 6}, whole) == (403, "max_budget")
    assert refused(managed, "POST /key/generate", {"user_id": "viewer"}, whole)[0] == 404
    for field, value in (("user_role", "proxy_admin"), ("max_budget", 100), ("user_email", "a@b"), ("models", [])):
        assert refused(managed, "POST /user/update", {"user_id": "poor", field: value}, whole) == (403, field)
    assert done(managed, "POST /user/update", {"user_id": "poor", "user_alias": "P"}, whole)["user_alias"] == "P"


def test_a_leader_does_not_come_by_what_is_anothers(managed: Gateway, sides: tuple[Side, Side]) -> None:
    """A foreign group beside one's own, a foreign user made a member, a blocked key: each would be a way around."""
    one, other = sides
    leader, chief, user = one.keys["team_admin"], one.keys["org_admin"], one.keys["internal_user"]
    for key in (leader, chief):
        mixed = {"team_id": "one-team", "organization_id": "two-org"}
        assert refused(managed, "POST /key/generate", mixed, key) == (404, "organization_id")
    mixed = {"team_id": "two-team", "organization_id": "one-org"}
    assert refused(managed, "POST /key/generate", mixed, chief) == (404, "team_id")
    foreign = {"user_id": "two-internal_user"}
    body = {"organization_id": "one-org", "member": foreign}
    assert refused(managed, "POST /organization/member_add", body, chief) == (400, "member")
    added = done(managed, "POST /team/member_add", {"team_id": "one-team", "member": foreign}, leader)
    assert "two-internal_user@x" not in json.dumps(added)
    for key in (leader, chief):
        assert "two-internal_user@x" not in json.dumps(done(managed, "GET /team/info?team_id=one-team", key=key))
        assert refused(managed, "GET /user/info?user_id=two-internal_user", key=key) == (404, "user_id")
    made = done(managed, "POST /key/generate", {**foreign, "team_id": "one-team"}, leader)["key"]
    assert done(managed, "GET /key/list", key=made)["total_count"] == 1, "a team's key sees what is its user's there"
    assert refused(managed, "GET /user/info", key=made) == (404, "user_id")
    assert refused(managed, f"GET /key/info?key={other.keys['internal_user']}", key=made) == (404, "key")
    done(managed, "POST /team/member_delete", {"team_id": "one-team", **foreign}, leader)
    spare = done(managed, "POST /key/generate", {}, user)["key"]
    done(managed, "POST /key/block", {"key": spare})
    for route in ("POST /key/update", "POST /key/regenerate"):
        assert refused(managed, route, {"key": spare, "blocked": False}, user) == (403, "blocked")
    done(managed, "POST /key/delete", {"keys": [spare]}, user)


def test_a_leader_does_not_come_by_more_than_the_team(managed: Gateway, sides: tuple[Side, Side]) -> None:
    """Neither by a key for an admin, nor by moving a member's key out of the team, nor by widening the team."""
    one, _ = sides
    leader, chief, given = one.keys["team_admin"], one.keys["org_admin"], one.keys["given"]
    done(managed, "POST /team/member_add", {"team_id": "one-team", "member": {"user_id": "viewer"}}, leader)
    wanted = {"team_id": "one-team", "user_id": "viewer"}
    assert refused(managed, "POST /key/generate", wanted, leader) == (404, "user_id")
    of_viewer = done(managed, "POST /key/generate", wanted)["key"]
    assert refused(managed, "POST /key/regenerate", {"key": of_viewer}, leader) == (404, "user_id")
    assert refused(managed, "POST /key/update", {"key": given, "team_id": None}, leader)[0] == 404
    assert refused(managed, "POST /team/update", {"team_id": "one-team", "max_budget": 1}, leader) == (
        403,
        "max_budget",
    )
    assert refused(managed, "POST /team/delete", {"team_ids": ["one-team"]}, leader)[0] == 403
    assert refused(managed, "POST /team/update", {"team_id": "one-team", "organization_id": None}, chief)[0] == 404
    assert done(managed, "POST /team/update", {"team_id": "one-team", "team_alias": "T"}, leader)["team_alias"] == "T"
    assert refused(managed, "POST /key/update", {"key": given, "rpm_limit": 5}, one.keys["internal_user"]) == (
        403,
        "key",
    )
    done(managed, "PATCH /organization/update", {"organization_id": "one-org", "models": ["m"], "max_budget": 10})
    for field, value in (("models", ["other"]), ("max_budget", 11)):
        body = {"organization_id": "one-org", field: value}
        assert refused(managed, "POST /team/new", body, chief) == (403, field)
    made = done(managed, "POST /team/new", {"organization_id": "one-org", "max_budget": 10, "models": ["m"]}, chief)
    assert made["organization_id"] == "one-org" and made["max_budget"] == 10
    assert refused(managed, "POST /team/new", {}, chief) == (403, "organization_id")
    person = {"user_id": "one-new", "organizations": ["one-org"]}
    assert refused(managed, "POST /user/new", {**person, "user_role": "proxy_admin"}, chief) == (403, "user_role")
    key = done(managed, "POST /user/new", person, chief)["key"]
    assert done(managed, "GET /key/info", key=key)["info"]["organization_id"] == "one-org"


def test_what_others_have_spent_is_nobody_elses_to_see(managed: Gateway, sides: tuple[Side, Side]) -> None:
    one, other = sides
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    for side in sides:
        assert managed.post("/chat/completions", body, key=side.keys["internal_user"])[0] == 200

    def calls(asker: Side, asked: Side, who: str = "internal_user") -> int:
        name = asked.name
        path = f"/user/daily/activity?user_id={name}-internal_user&{DATES}"
        active = done(managed, f"GET {path}", key=asker.keys[who])["metadata"]["total_api_requests"]
        if active or asker is not asked:  # later questions may know more than earlier ones, until all is moved
            logged = done(managed, f"GET /spend/logs?user_id={name}-internal_user", key=asker.keys[who])
            listed = done(managed, f"GET /spend/logs/v2?user_id={name}-internal_user", key=asker.keys[who])
            assert len(logged) == listed["total"] >= active
        return active

    deadline = time.monotonic() + 15
    viewer = "proxy_admin_viewer"
    while min(calls(one, side, viewer) for side in sides) == 0 and time.monotonic() < deadline:  # until it is moved
        time.sleep(0.2)
    assert calls(one, one) == 1
    assert calls(one, other) == 0
    assert calls(one, other, "team_admin") == calls(one, other, "org_admin") == 0
    assert calls(one, other, viewer) == calls(one, one, viewer) == 1
