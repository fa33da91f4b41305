"""The management of keys beside making and using one (tests/e2e/test_gateway_keys.py)."""

from hashlib import sha256

from support.gateway import Gateway
from support.management import ask, done, refused


def test_documented_fields_without_effect_are_kept_and_shown(managed: Gateway) -> None:
    body = {"guardrails": ["g"], "rotation_interval": "30d", "project_id": "p", "key_type": "llm_api",
            "model_max_budget": {"m": {"max_budget": 1.5, "budget_duration": "1d"}}, "tags": None}  # fmt: skip
    made = done(managed, "POST /key/generate", body)
    assert (made["guardrails"], made["rotation_interval"], made["project_id"]) == (["g"], "30d", "p")
    assert made["allowed_routes"] == ["llm_api_routes"] and made["tags"] == []
    assert made["model_max_budget"] == {"m": {"max_budget": 1.5, "budget_duration": "1d"}}
    changed = done(managed, "POST /key/update", {"key": made["key"], "project_id": "q"})
    assert (changed["guardrails"], changed["project_id"]) == (["g"], "q")


def test_several_at_once(managed: Gateway) -> None:
    some = [done(managed, "POST /key/generate", {"key_alias": f"several-{n}"})["key"] for n in range(3)]
    told = done(managed, "POST /v2/key/info", {"keys": [*some, "sk-nobody"]})
    assert {row["token"] for row in told["info"]} == {sha256(key.encode()).hexdigest() for key in some}
    changes = [{"key": some[0], "rpm_limit": 1}, {"key": "sk-nobody", "rpm_limit": 1}]
    many = done(managed, "POST /key/bulk_update", {"keys": changes})
    assert many["successful_updates"][0]["key_info"]["rpm_limit"] == 1
    assert [row["key"] for row in many["failed_updates"]] == ["sk-nobody"]
    page = done(managed, "GET /key/aliases?search=SEVERAL&size=2")
    assert page["aliases"] == ["several-0", "several-1"] and page["total_pages"] == 2
    listed = done(managed, "GET /key/list?key_alias=several&substring_matching=true&sort_by=key_alias&sort_order=asc")
    assert listed["total_count"] == 3 and listed["keys"][0] == sha256(some[0].encode()).hexdigest()


def test_a_service_account_is_the_teams(managed: Gateway) -> None:
    done(managed, "POST /team/new", {"team_id": "service"})
    made = done(managed, "POST /key/service-account/generate", {"team_id": "service", "user_id": "x"})
    assert (made["team_id"], made["user_id"]) == ("service", None)
    assert refused(managed, "POST /key/service-account/generate", {}) == (400, "team_id")
    assert refused(managed, "POST /key/generate", {"team_id": "not-yet"}) == (404, "team_id")
    assert refused(managed, "POST /key/update", {"key": made["key"], "organization_id": "no"})[1] == "organization_id"
    assert done(managed, "POST /key/health", {}, made["key"])["key"] == "healthy"


def test_a_key_is_made_anew_and_its_spend_forgotten(managed: Gateway) -> None:
    old = done(managed, "POST /key/generate", {"key_alias": "anew"})["key"]
    new = done(managed, "POST /key/regenerate", {"key": old, "new_key": "sk-brand-new-1"})
    assert new["key"] == "sk-brand-new-1" and new["key_alias"] == "anew"
    assert ask(managed, "GET /key/info", key=old)[0] == 401
    assert done(managed, f"POST /key/{new['key']}/reset_spend", {"reset_to": 0})["spend"] == 0
    assert refused(managed, "POST /key/regenerate", {}) == (400, "key")


def test_no_date_is_too_far(managed: Gateway) -> None:
    for name in ("duration", "budget_duration"):
        for value in ("999999mo", "", "-1d"):
            assert refused(managed, "POST /key/generate", {name: value}) == (400, name), (name, value)


def test_a_body_that_is_no_json_is_refused(managed: Gateway) -> None:
    for body in (b"\xc8\xae\xa3", b"{", b"[" * 100_000, b'{"a": "\xff"}', b'{"metadata": {"a": NaN}}'):
        assert managed.post("/key/generate", body)[0] in (400, 422), body[:20]
