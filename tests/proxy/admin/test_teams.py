"""Teams and their members, through the API of a gateway with a store."""

from typing import Any

import pytest

from support.gateway import Gateway
from support.management import ask, done, refused


def team(managed: Gateway, id: str, **fields: Any) -> str:
    return done(managed, "POST /team/new", {"team_id": id, **fields})["team_id"]


def people(managed: Gateway, id: str) -> dict[str, str]:
    told = done(managed, f"GET /team/info?team_id={id}")["team_info"]["members_with_roles"]
    return {row["user_id"]: row["role"] for row in told}


def test_a_team_with_its_people_and_what_is_given_to_them(managed: Gateway) -> None:
    made = done(managed, "POST /team/new", {
        "team_alias": "Blue", "admins": ["a"], "members_with_roles": [{"role": "user", "user_email": "b@blue"}],
        "max_budget": 10, "team_member_budget": 2.5, "team_member_rpm_limit": 4, "tags": ["t"], "models": ["m"],
        "model_aliases": {"gpt": "m"},
    })  # fmt: skip
    assert made["team_alias"] == "Blue" and made["max_budget"] == 10 and made["model_aliases"] == {"gpt": "m"}
    assert (made["team_member_budget"], made["team_member_rpm_limit"], made["tags"]) == (2.5, 4, ["t"])
    assert sorted(row["role"] for row in made["members_with_roles"]) == ["admin", "user"]
    told = done(managed, f"GET /team/info?team_id={made['team_id']}")
    assert told["team_id"] == made["team_id"] and told["keys"] == [] and len(told["team_memberships"]) == 2
    emails = {row["user_email"] for row in told["team_info"]["members_with_roles"]}
    assert emails == {None, "b@blue"}, "whoever was not known has become a user"


def test_members_come_change_and_go(managed: Gateway) -> None:
    id = team(managed, "members")
    body = {"team_id": id, "member": {"user_id": "mia", "role": "user"}, "max_budget_in_team": 3}
    told = done(managed, "POST /team/member_add", body)
    assert told["updated_team_memberships"][0]["max_budget"] == 3 and told["updated_users"] == [{"user_id": "mia"}]
    assert refused(managed, "POST /team/member_add", body) == (400, "member")
    assert done(managed, "POST /team/bulk_member_add", {"team_id": id, "members": [{"user_id": "x"}, {"user_id": "y"}]})
    assert people(managed, id) == {"mia": "user", "x": "user", "y": "user"}
    changed = done(managed, "POST /team/member_update", {"team_id": id, "user_id": "mia", "role": "admin"})
    assert (changed["user_role"], changed["max_budget_in_team"]) == ("admin", 3)
    personal = done(managed, "POST /key/generate", {"user_id": "mia"})["key"]
    of_team = done(managed, "POST /key/generate", {"user_id": "mia", "team_id": id})["key"]
    assert people(managed, id)["mia"] == "admin"
    done(managed, "POST /team/member_delete", {"team_id": id, "user_id": "mia"})
    assert "mia" not in people(managed, id)
    assert ask(managed, "GET /key/info", key=of_team)[0] == 401, "it would go on spending the team's money"
    assert ask(managed, "GET /key/info", key=personal)[0] == 200
    assert refused(managed, "POST /team/member_delete", {"team_id": id, "user_id": "mia"}) == (404, "user_id")


def test_a_blocked_team_and_its_models(managed: Gateway) -> None:
    id = team(managed, "blocked")
    key = done(managed, "POST /key/generate", {"team_id": id})["key"]
    assert done(managed, "POST /team/block", {"team_id": id})["blocked"] is True
    assert ask(managed, "GET /models", key=key)[0] == 401
    assert done(managed, "POST /team/unblock", {"team_id": id})["blocked"] is False
    assert [row["id"] for row in done(managed, "GET /models", key=key)["data"]] == ["m"]
    assert done(managed, "POST /team/model/add", {"team_id": id, "models": ["other"]})["models"] == ["other"]
    assert done(managed, "GET /models", key=key)["data"] == []
    assert done(managed, "POST /team/model/add", {"team_id": id, "models": ["m"]})["models"] == ["other", "m"]
    assert done(managed, "POST /team/model/delete", {"team_id": id, "models": ["other"]})["models"] == ["m"]
    assert refused(managed, "POST /team/model/delete", {"team_id": id, "models": ["m"]}) == (400, "models")


def test_teams_are_changed_and_listed(managed: Gateway) -> None:
    for number in range(3):
        team(managed, f"list{number}", team_alias=f"Listed {number}", members=["lister"])
    changed = done(managed, "POST /team/update", {"team_id": "list1", "max_budget": 4, "policies": ["p"]})
    assert (changed["max_budget"], changed["policies"], changed["team_alias"]) == (4, ["p"], "Listed 1")
    assert done(managed, "POST /team/update", {"team_id": "list1", "max_budget": None})["policies"] == ["p"]
    page = done(managed, "GET /v2/team/list?team_alias=LISTED&page_size=2")
    assert [row["team_id"] for row in page["teams"]] == ["list2", "list1"] and page["total"] == 3
    assert len(done(managed, "GET /team/list?user_id=lister")) == 3
    assert done(managed, "GET /team/available") == []


def test_a_deleted_team_takes_keys_and_memberships_along(managed: Gateway) -> None:
    id = team(managed, "gone", members=["stays"])
    key = done(managed, "POST /key/generate", {"team_id": id})["key"]
    assert refused(managed, "POST /team/delete", {"team_ids": [id, "nothing"]}) == (404, "team_ids")
    assert done(managed, "POST /team/delete", {"team_ids": [id]})["deleted_keys"] == 1
    assert ask(managed, "GET /key/info", key=key)[0] == 401
    assert done(managed, "GET /user/info?user_id=stays")["teams"] == []
    assert refused(managed, f"GET /team/info?team_id={id}") == (404, "team_id")


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"team_id": "dup"}, 400, "team_id"),
        ({"organization_id": "nothing"}, 404, "organization_id"),
        ({"team_member_budget": -1}, 422, "team_member_budget"),
        ({"budget_duration": "often"}, 400, "budget_duration"),
        ({"model_max_budget": {"m": {"max_budget": "much"}}}, 422, "model_max_budget.m.max_budget"),
        ({"members_with_roles": [{"role": "user"}]}, 400, "member"),
    ],
)
def test_bad_fields_are_named(managed: Gateway, body: Any, status: int, name: str) -> None:
    ask(managed, "POST /team/new", {"team_id": "dup"})
    assert refused(managed, "POST /team/new", body) == (status, name)
