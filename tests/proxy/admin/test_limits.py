"""End users, budgets and tags: their rows, and that their limits hold."""

from collections.abc import Iterator

import pytest

from support.admin import ask, chat, config, cost_of, get, post, refused
from support.gateway import Gateway
from support.postgres import postgres as postgres
from support.upstream import UpstreamThread

CENT = 0.000001  # less than a call costs
MONTHLY_OR_NOT = {"max_budget": 1, "budget_duration": "x"}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def gateway(
    request: pytest.FixtureRequest, shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("limits")
    general = {"data_dir": str(folder / "data")}
    if request.param == "postgres":
        general["database_url"] = request.getfixturevalue("postgres").fresh()
    with Gateway(config(shared_upstream, **general), folder) as gateway:
        yield gateway


def actions(gateway: Gateway, kind: str, id: str) -> list[str]:
    rows = get(gateway, f"/audit?table_name={kind}&object_id={id}")["audit_logs"]
    return [row["action"] for row in reversed(rows)]


@pytest.mark.parametrize("prefix", ["/customer", "/end_user"])
def test_a_customer_from_beginning_to_end(gateway: Gateway, prefix: str) -> None:
    name = f"{prefix[1:]} with a space"
    made = post(gateway, f"{prefix}/new", {"user_id": name, "alias": "A", "max_budget": 0.5, "budget_duration": "1d"})
    assert (made["user_id"], made["max_budget"], made["spend"], made["blocked"]) == (name, 0.5, 0.0, False)
    assert made["created_by"] == "master_key" and made["created_at"].endswith("Z") and made["budget_reset_at"]
    changed = post(gateway, f"{prefix}/update", {"user_id": name, "max_budget": None, "rpm_limit": 7})
    assert (changed["max_budget"], changed["rpm_limit"], changed["alias"]) == (None, 7, "A")
    told = get(gateway, f"{prefix}/info?end_user_id={name.replace(' ', '%20')}")
    assert told == changed and told in get(gateway, f"{prefix}/list")
    assert refused(gateway, f"{prefix}/new", {"user_id": name}) == (400, "user_id")
    assert post(gateway, f"{prefix}/delete", {"user_ids": [name]})["deleted_customers"] == 1
    assert refused(gateway, f"{prefix}/delete", {"user_ids": [name]}) == (404, "user_ids")
    assert refused(gateway, f"{prefix}/info?end_user_id=x", None, "GET") == (404, "end_user_id")


def test_a_customer_with_a_budget_gets_429_after_spending_it(gateway: Gateway) -> None:
    post(gateway, "/customer/new", {"user_id": "own", "max_budget": CENT})
    status, answer = chat(gateway, user="own")
    assert status == 200
    status, error = chat(gateway, user="own")
    assert (status, error["error"]["type"]) == (429, "budget_exceeded")
    assert get(gateway, "/customer/info?end_user_id=own")["spend"] == pytest.approx(cost_of(answer))
    assert chat(gateway, user="another")[0] == 200
    post(gateway, "/customer/update", {"user_id": "own", "max_budget": 1})
    assert chat(gateway, user="own")[0] == 200


def test_a_named_budget_holds_for_customers_and_tags_each_for_itself(gateway: Gateway) -> None:
    assert post(gateway, "/budget/new", {"budget_id": "small", "max_budget": CENT})["max_budget"] == CENT
    for name in ("one", "two"):
        post(gateway, "/customer/new", {"user_id": name, "budget_id": "small"})
    post(gateway, "/tag/new", {"name": "shared", "budget_id": "small"})
    assert [chat(gateway, user=name)[0] for name in ("one", "one", "two", "two")] == [200, 429, 200, 429]
    tagged = {"metadata": {"tags": ["shared"]}}
    assert [chat(gateway, **tagged)[0] for _ in range(2)] == [200, 429]
    assert get(gateway, "/customer/info?end_user_id=one")["litellm_budget_table"]["budget_id"] == "small"
    post(gateway, "/budget/update", {"budget_id": "small", "max_budget": 5, "budget_duration": "30d"})
    assert [chat(gateway, user="one")[0], chat(gateway, **tagged)[0]] == [200, 200]


def test_a_budget_in_use_stays(gateway: Gateway) -> None:
    post(gateway, "/budget/new", {"budget_id": "used", "rpm_limit": 5})
    post(gateway, "/tag/new", {"name": "user of it", "budget_id": "used"})
    assert refused(gateway, "/budget/delete", {"id": "used"}) == (400, "id")
    post(gateway, "/tag/delete", {"name": "user of it"})
    assert post(gateway, "/budget/delete", {"id": "used"})["budget_id"] == "used"
    assert post(gateway, "/budget/info", {"budgets": ["used"]}) == []
    assert actions(gateway, "budget", "used") == ["created", "deleted"]


def test_a_budget_for_models_is_in_dollars(gateway: Gateway) -> None:
    asked = {"budget_id": "by model", "model_max_budget": {"m": {"max_budget": 0.5, "budget_duration": "1d"}}}
    made = post(gateway, "/budget/new", asked)
    assert made["model_max_budget"] == asked["model_max_budget"]
    assert made in get(gateway, "/budget/list") and made in post(gateway, "/budget/info", {"budgets": ["by model"]})
    assert post(gateway, "/budget/new", {})["budget_id"]


def test_a_blocked_customer_is_not_served(gateway: Gateway) -> None:
    post(gateway, "/customer/new", {"user_id": "known", "alias": "kept"})
    rows = post(gateway, "/customer/block", {"user_ids": ["known", "unheard of"]})["blocked_users"]
    assert [(row["user_id"], row["blocked"], row["alias"]) for row in rows] == [
        ("known", True, "kept"), ("unheard of", True, None),
    ]  # fmt: skip
    assert [chat(gateway, user=name)[0] for name in ("known", "unheard of")] == [400, 400]
    post(gateway, "/customer/unblock", {"user_ids": ["known"]})
    assert [chat(gateway, user=name)[0] for name in ("known", "unheard of")] == [200, 400]
    assert refused(gateway, "/customer/unblock", {"user_ids": ["nobody"]}) == (404, "user_ids")
    assert actions(gateway, "end_user", "known") == ["created", "blocked", "unblocked"]


def test_a_tag_from_beginning_to_end(gateway: Gateway) -> None:
    made = post(gateway, "/tag/new", {"name": "t", "description": "d", "max_budget": CENT})["tag"]
    assert (made["name"], made["description"], made["max_budget"]) == ("t", "d", CENT)
    assert chat(gateway, metadata={"tags": ["t"]})[0] == 200
    assert chat(gateway, metadata={"tags": ["t", "u"]})[0] == 429
    changed = post(gateway, "/tag/update", {"name": "t", "max_budget": 3})["tag"]
    assert changed["spend"] > 0
    assert post(gateway, "/tag/info", {"names": ["t", "none"]}) == {"t": changed}
    assert changed in get(gateway, "/tag/list")
    assert refused(gateway, "/tag/update", {"name": "none"}) == (404, "name")
    assert actions(gateway, "tag", "t") == ["created", "updated"]


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        ("/customer/new", {}, 422, "user_id"),
        ("/customer/new", {"user_id": ""}, 422, "user_id"),
        ("/customer/new", {"user_id": "a\0"}, 422, "user_id"),
        ("/customer/new", {"user_id": "x", "max_budget": -1}, 422, "max_budget"),
        ("/customer/new", {"user_id": "x", "budget_id": "none"}, 400, "budget_id"),
        ("/customer/update", {"user_id": "x", "budget_id": "none"}, 400, "budget_id"),
        ("/customer/update", {"user_id": "nobody"}, 404, "user_id"),
        ("/customer/block", {"user_ids": []}, 422, "user_ids"),
        ("/budget/new", {"budget_duration": "soon"}, 400, "budget_duration"),
        ("/budget/new", {"model_max_budget": {"m": MONTHLY_OR_NOT}}, 400, "model_max_budget"),
        ("/budget/update", {"budget_id": "none"}, 404, "budget_id"),
        ("/budget/delete", {"id": "none"}, 404, "id"),
        ("/budget/new", {"tpm_limit": 2**60}, 422, "tpm_limit"),
        ("/tag/new", {"name": "x", "budget_id": "none"}, 400, "budget_id"),
        ("/tag/new", {"name": "x" * 300}, 422, "name"),
        ("/tag/delete", {"name": "none"}, 404, "name"),
    ],
)  # fmt: skip
def test_bad_fields_are_named(gateway: Gateway, path: str, body: object, status: int, name: str) -> None:
    assert refused(gateway, path, body) == (status, name)


@pytest.mark.parametrize(("path", "name"), [("/customer/info", "end_user_id"), ("/tag/list?size=0", "size")])
def test_bad_parameters_are_named(gateway: Gateway, path: str, name: str) -> None:
    assert refused(gateway, path, None, "GET") == (422, name)


def test_without_the_master_key_there_is_nothing_to_see(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/customer/list", key="sk-nobody1")[0] == 401


def test_a_key_sees_the_deployments_that_it_may_use(gateway: Gateway) -> None:
    for name in ("seen", "unseen"):
        params = {"model": "openai/ok", "api_base": "http://127.0.0.1:9", "api_key": "os.environ/PATH"}
        post(gateway, "/model/new", {"model_name": name, "litellm_params": params})
    key = post(gateway, "/key/generate", {"models": ["seen"]})["key"]
    for path in ("/model/info", "/v1/model/info", "/v2/model/info"):
        status, told = ask(gateway, "GET", path, None, key)
        assert status == 200
        [row] = told["data"]
        assert (row["model_name"], row["litellm_params"]["model"]) == ("seen", "openai/ok")
        assert "127.0.0.1:9" not in str(told) and "api_key" not in row["litellm_params"]
        assert "127.0.0.1:9" in str(get(gateway, path)), "the admin sees it"
    status, told = ask(gateway, "GET", "/model_group/info", None, key)
    assert (status, [row["model_group"] for row in told["data"]]) == (200, ["seen"])
    other = next(row for row in get(gateway, "/model/info")["data"] if row["model_name"] == "unseen")["model_info"]
    assert ask(gateway, "GET", f"/model/info?litellm_model_id={other['id']}", None, key)[0] == 404


def test_the_models_of_a_tag_are_the_only_ones(gateway: Gateway) -> None:
    post(gateway, "/tag/new", {"name": "narrow", "models": ["other"]})
    status, error = chat(gateway, metadata={"tags": ["narrow"]})
    assert (status, error["error"]["type"], error["error"]["param"]) == (403, "tag_model_access_denied", "model")
    post(gateway, "/tag/update", {"name": "narrow", "models": ["m*"]})
    assert chat(gateway, metadata={"tags": ["narrow"]})[0] == 200


def test_a_budget_says_what_one_model_may_cost(gateway: Gateway) -> None:
    post(gateway, "/budget/new", {"budget_id": "for one model", "model_max_budget": {"m": {"max_budget": CENT}}})
    keys = [post(gateway, "/key/generate", {"budget_id": "for one model"})["key"] for _ in range(2)]
    assert [chat(gateway, key=key)[0] for key in (*keys, *keys)] == [200, 200, 429, 429], "each counts for itself"
    own = {"budget_id": "for one model", "model_max_budget": {"m": {"max_budget": 1}}}
    key = post(gateway, "/key/generate", own)["key"]
    assert [chat(gateway, key=key)[0] for _ in range(2)] == [200, 200]
