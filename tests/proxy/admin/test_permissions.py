"""What a team lets its plain members do with its keys, and that it stays with their own."""

from typing import get_args

from litellm.proxy.admin.teams import Permission
from litellm.proxy.keys.permissions import ALL
from litellm.types.calls import Json
from support.gateway import Gateway
from support.management import Side, ask, done


def grant(gateway: Gateway, key: str, *permissions: str) -> None:
    body = {"team_id": "one-team", "team_member_permissions": list(permissions)}
    assert done(gateway, "POST /team/permissions_update", body, key)["team_member_permissions"] == list(permissions)


def test_the_names_are_the_same_in_the_schema() -> None:
    assert sorted(get_args(Permission)) == list(ALL)


def test_members_may_what_their_team_lets_them(managed: Gateway, sides: tuple[Side, Side]) -> None:
    one, other = sides
    leader, member = one.keys["team_admin"], one.keys["internal_user"]
    team = {"team_id": "one-team"}
    of_admin = done(managed, "POST /key/generate", {**team, "user_id": "one-team_admin"}, leader)["key"]
    of_nobody = done(managed, "POST /key/service-account/generate", team, leader)["key"]
    given = one.keys["given"]

    def may(route: str, body: Json, key: str = member) -> bool:
        status, _ = ask(managed, f"POST /key/{route}", body, key)
        assert status in (200, 403, 404), (route, status)
        return status == 200

    changing: list[tuple[str, Json]] = [
        ("generate", team),
        ("service-account/generate", team),
        ("update", {"key": given, "rpm_limit": 50}),
        ("block", {"key": given}),
        ("unblock", {"key": given}),
    ]
    assert not any(may(each[0], each[1]) for each in changing)
    assert ask(managed, f"GET /key/info?key={of_admin}", None, member)[0] == 404
    told = done(managed, "GET /team/permissions_list?team_id=one-team", None, member)
    assert told["team_member_permissions"] == [] and told["all_available_permissions"] == list(ALL)
    for who in (member, one.keys["internal_user_viewer"], other.keys["team_admin"]):
        body = {**team, "team_member_permissions": ["/key/generate"]}
        assert ask(managed, "POST /team/permissions_update", body, who)[0] in (403, 404)

    grant(managed, leader, *ALL)
    assert all(may(each[0], each[1]) for each in changing)
    assert ask(managed, f"GET /key/info?key={of_admin}", None, member)[0] == 200
    for key in (of_admin, of_nobody):  # what is another's, or spends past the member's budget, is not theirs
        assert not may("update", {"key": key, "rpm_limit": 1})
        assert not may("regenerate", {"key": key}) and not may("block", {"key": key})
    assert not may("generate", {**team, "user_id": "one-team_admin"})
    assert not may("generate", {**team, "user_id": None})
    assert not may("update", {"key": given, "user_id": None})
    assert not may("generate", {"team_id": "two-team"})
    for who in ("internal_user_viewer", "key"):
        assert not any(may(each[0], each[1], one.keys[who]) for each in changing)
    assert not any(may(each[0], each[1], other.keys["internal_user"]) for each in changing)

    grant(managed, leader)
    assert not any(may(each[0], each[1]) for each in changing)
    body = {**team, "team_member_permissions": ["/key/delete_all"]}
    assert ask(managed, "POST /team/permissions_update", body, leader)[0] == 422
