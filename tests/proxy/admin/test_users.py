"""Users: made, found, changed, deleted; through the API of a gateway with a store."""

from support.gateway import Gateway
from support.management import ask, done, refused


def test_a_user_is_made_with_a_key_and_both_spellings_of_everything(managed: Gateway) -> None:
    body = {"user_id": "ann", "user_email": "ann@x", "user_alias": "Ann", "max_budget": 1.5, "models": ["m"],
            "guardrails": ["g"], "key_alias": "ann-key", "duration": "1d", "metadata": {"a": 1}}  # fmt: skip
    made = done(managed, "POST /user/new", body)
    assert made["key"].startswith("sk-") and made["user_id"] == "ann" and made["user_role"] == "internal_user"
    assert (made["max_budget"], made["models"], made["guardrails"], made["spend"]) == (1.5, ["m"], ["g"], 0)
    told = done(managed, "GET /user/info?user_id=ann")
    assert told["user_info"]["user_email"] == "ann@x" and told["user_info"]["created_at"].endswith("Z")
    [key] = told["keys"]
    assert (key["key_alias"], key["max_budget"], key["models"]) == ("ann-key", None, ["m"])
    assert key["expires"] is not None and made["key"] not in str(told)
    assert done(managed, "GET /user/info", key=made["key"])["user_id"] == "ann"


def test_a_user_without_a_key(managed: Gateway) -> None:
    made = done(managed, "POST /user/new", {"auto_create_key": False, "user_role": "internal_user_viewer"})
    assert made["key"] is None and made["user_id"]
    assert done(managed, f"GET /user/info?user_id={made['user_id']}")["keys"] == []


def test_users_are_listed_in_pages_and_by_what_they_are(managed: Gateway) -> None:
    for number in range(3):
        done(managed, "POST /user/new", {"user_id": f"page{number}", "user_email": f"page{number}@list",
                                         "auto_create_key": False})  # fmt: skip
    first = done(managed, "GET /user/list?page_size=2&user_email=@LIST")
    assert len(first["users"]) == 2 and (first["total"], first["total_pages"], first["page"]) == (3, 2, 1)
    assert len(done(managed, "GET /user/list?page_size=2&page=2&user_email=@list")["users"]) == 1
    some = done(managed, "GET /user/list?user_ids=page0,page2,nobody")["users"]
    assert {row["user_id"] for row in some} == {"page0", "page2"}
    assert done(managed, "GET /user/list?role=proxy_admin")["users"] == []
    assert "internal_user" in done(managed, "GET /user/available_roles")


def test_changes_take_effect_at_once(managed: Gateway) -> None:
    key = done(managed, "POST /user/new", {"user_id": "bob", "user_email": "bob@x", "max_budget": 2})["key"]
    assert ask(managed, "GET /user/list", key=key)[0] == 403
    changed = done(managed, "POST /user/update", {"user_email": "bob@x", "user_role": "proxy_admin_viewer"})
    assert (changed["user_role"], changed["max_budget"]) == ("proxy_admin_viewer", 2)
    assert ask(managed, "GET /user/list", key=key)[0] == 200
    assert done(managed, "POST /user/update", {"user_id": "bob", "max_budget": None})["max_budget"] is None
    many = done(managed, "POST /user/bulk_update", {"users": [{"user_id": "bob", "rpm_limit": 3}, {"user_id": "no"}]})
    assert (many["successful_updates"], many["failed_updates"]) == (1, 1)
    assert done(managed, "GET /user/info?user_id=bob")["user_info"]["rpm_limit"] == 3


def test_a_deleted_user_takes_keys_and_memberships_along(managed: Gateway) -> None:
    key = done(managed, "POST /user/new", {"user_id": "eve"})["key"]
    done(managed, "POST /team/new", {"team_id": "eves", "members": ["eve"]})
    assert refused(managed, "POST /user/delete", {"user_ids": ["eve", "nobody"]}) == (404, "user_ids")
    assert done(managed, "POST /user/delete", {"user_ids": ["eve"]})["deleted_keys"] == 1
    assert ask(managed, "GET /key/info", key=key)[0] == 401
    assert done(managed, "GET /team/info?team_id=eves")["team_memberships"] == []
    assert refused(managed, "GET /user/info?user_id=eve") == (404, "user_id")


def test_bad_fields_are_named(managed: Gateway) -> None:
    done(managed, "POST /user/new", {"user_id": "taken", "user_email": "taken@x", "auto_create_key": False})
    cases = [
        ({"user_id": "taken"}, 400, "user_id"),
        ({"user_email": "taken@x"}, 400, "user_email"),
        ({"user_role": "king"}, 422, "user_role"),
        ({"max_budget": -1}, 422, "max_budget"),
        ({"budget_duration": "1x"}, 400, "budget_duration"),
        ({"budget_duration": "999999mo"}, 400, "budget_duration"),
        ({"teams": ["no-such-team"]}, 404, "teams"),
        ({"organizations": ["no-such-org"]}, 404, "organizations"),
        ({"user_alias": "a\0b"}, 422, "user_alias"),
        ({"metadata": {"a": "\0"}}, 422, "metadata"),
        ({"guardrails": ["\0"]}, 422, "guardrails"),
    ]
    for body, status, name in cases:
        assert refused(managed, "POST /user/new", body) == (status, name), body
    assert refused(managed, "POST /user/update", {"max_budget": 1}) == (400, "user_id")
    assert refused(managed, "GET /user/info") == (400, "user_id")
