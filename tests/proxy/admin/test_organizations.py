"""Organizations, their members, and what is theirs; through the API of a gateway with a store."""

from support.gateway import Gateway
from support.management import ask, done, refused


def test_an_organization_and_what_is_in_it(managed: Gateway) -> None:
    body = {"organization_id": "o1", "organization_alias": "First", "max_budget": 20, "models": ["m"]}
    assert done(managed, "POST /organization/new", body)["max_budget"] == 20
    done(managed, "POST /team/new", {"team_id": "o1-team", "organization_id": "o1"})
    member = {"organization_id": "o1", "member": [{"user_id": "o1-user", "role": "org_admin"}],
              "max_budget_in_organization": 5}  # fmt: skip
    added = done(managed, "POST /organization/member_add", member)
    assert added["updated_organization_memberships"][0]["max_budget"] == 5
    assert refused(managed, "POST /organization/member_add", member) == (400, "member")
    told = done(managed, "GET /organization/info?organization_id=o1")
    assert [row["team_id"] for row in told["teams"]] == ["o1-team"]
    assert [(row["user_id"], row["user_role"]) for row in told["members"]] == [("o1-user", "org_admin")]
    changed = done(managed, "PATCH /organization/update", {"organization_id": "o1", "organization_alias": "New"})
    assert (changed["organization_alias"], changed["models"]) == ("New", ["m"])
    assert [row["organization_id"] for row in done(managed, "GET /organization/list?org_alias=new")] == ["o1"]


def test_members_change_and_go(managed: Gateway) -> None:
    done(managed, "POST /organization/new", {"organization_id": "o2"})
    done(managed, "POST /organization/member_add", {"organization_id": "o2", "member": {"user_email": "a@o2"}})
    who = {"organization_id": "o2", "user_email": "a@o2"}
    assert done(managed, "PATCH /organization/member_update", {**who, "role": "org_admin"})["user_role"] == "org_admin"
    gone = done(managed, "DELETE /organization/member_delete", who)
    assert (
        gone["organization_id"] == "o2" and done(managed, "GET /organization/info?organization_id=o2")["members"] == []
    )
    assert refused(managed, "DELETE /organization/member_delete", who) == (404, "user_id")


def test_deleting_takes_teams_and_keys_along(managed: Gateway) -> None:
    done(managed, "POST /organization/new", {"organization_id": "o3"})
    done(managed, "POST /team/new", {"team_id": "o3-team", "organization_id": "o3", "members": ["o3-user"]})
    keys = [done(managed, "POST /key/generate", owner)["key"]
            for owner in ({"organization_id": "o3"}, {"team_id": "o3-team"}, {"user_id": "o3-user"})]  # fmt: skip
    assert refused(managed, "DELETE /organization/delete", {"organization_ids": ["o3", "no"]})[0] == 404
    done(managed, "DELETE /organization/delete", {"organization_ids": ["o3"]})
    assert [ask(managed, "GET /key/info", key=key)[0] for key in keys] == [401, 401, 200]
    assert refused(managed, "GET /team/info?team_id=o3-team") == (404, "team_id")
    assert done(managed, "GET /user/info?user_id=o3-user")["teams"] == []


def test_bad_fields_are_named(managed: Gateway) -> None:
    done(managed, "POST /organization/new", {"organization_id": "dup"})
    assert refused(managed, "POST /organization/new", {"organization_id": "dup"}) == (400, "organization_id")
    assert refused(managed, "POST /organization/new", {"tpm_limit": -1}) == (422, "tpm_limit")
    assert refused(managed, "GET /organization/info?organization_id=no") == (404, "organization_id")
    assert refused(managed, "POST /organization/member_add", {"organization_id": "dup", "member": {}}) == (
        400,
        "member",
    )
