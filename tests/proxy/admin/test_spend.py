"""What calls have cost, asked in every way: the routes agree with the calls' own usage and with each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.admin import ask, chat, config, cost_of, get, post, refused, until
from support.gateway import Gateway
from support.postgres import postgres as postgres
from support.upstream import UpstreamThread


@dataclass
class Spent:
    """Five calls: three by one key, two by another, of which one failed."""

    gateway: Gateway
    keys: tuple[str, str]
    ids: tuple[str, str]
    costs: tuple[float, float]
    day: str
    week: str

    def get(self, path: str) -> Any:
        return get(self.gateway, path.format(day=self.day, week=self.week, key=self.keys[0], id=self.ids[0]))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def spent(
    request: pytest.FixtureRequest, shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Spent]:
    folder = tmp_path_factory.mktemp("spend")
    general = {"data_dir": str(folder / "data")}
    if request.param == "postgres":
        general["database_url"] = request.getfixturevalue("postgres").fresh()
    with Gateway(config(shared_upstream, "m", "n", **general), folder) as gateway:
        bad = {"model": "openai/status-500", "api_base": shared_upstream.base_url, "api_key": "os.environ/PATH"}
        post(gateway, "/model/new", {"model_name": "bad", "litellm_params": bad})
        post(gateway, "/team/new", {"team_id": "t1"})
        first = post(gateway, "/key/generate", {"key_alias": "one", "user_id": "u1", "team_id": "t1", "tags": ["a"]})
        other = post(gateway, "/key/generate", {"user_id": "u2"})
        more = {"user": "c1", "metadata": {"tags": ["b"]}}
        answers = [chat(gateway, model, first["key"], **more) for model in ("m", "m", "n")]
        alone = chat(gateway, "m", other["key"])
        assert chat(gateway, "bad", other["key"])[0] == 500
        until(lambda: get(gateway, "/spend/logs/v2")["total"] == 5)
        now = datetime.now(UTC)
        costs = (sum(cost_of(answer) for _, answer in answers), cost_of(alone[1]))
        days = (f"{now:%Y-%m-%d}", f"{now - timedelta(days=7):%Y-%m-%d}")
        yield Spent(gateway, (first["key"], other["key"]), (first["token"], other["token"]), costs, *days)


WEEK = "start_date={week}&end_date={day}"


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


def test_rows_of_the_log(spent: Spent) -> None:
    rows = spent.get("/spend/logs")
    assert len(rows) == 5 and rows[0]["status"] == "failure" and rows[0]["model_group"] == "bad"
    assert len(spent.get("/spend/logs?api_key={key}")) == 3 == len(spent.get("/spend/logs?api_key={id}"))
    assert len(spent.get("/spend/logs?user_id=u2")) == 2 and spent.get("/spend/logs?user_id=nobody") == []
    [one] = spent.get(f"/spend/logs?request_id={rows[1]['request_id']}&{WEEK}")
    assert one == rows[1]
    assert len(spent.get(f"/spend/logs?{WEEK}&summarize=false")) == 5
    assert [len(spent.get(f"/spend/logs?page={page}&page_size=2")) for page in (1, 2, 3, 4)] == [2, 2, 1, 0]


def test_days_of_the_log(spent: Spent) -> None:
    [day] = spent.get(f"/spend/logs?{WEEK}")
    assert (day["startTime"], day["spend"]) == (spent.day, near(sum(spent.costs)))
    assert day["users"] == {"u1": near(spent.costs[0]), "u2": near(spent.costs[1])}
    assert set(day["models"]) == {"m", "n", "bad"} and day["api_keys"][spent.ids[1]] == near(spent.costs[1])
    assert spent.get("/spend/logs?start_date=1999-01-01&end_date=1999-12-31") == []


@pytest.mark.parametrize("path", ["/spend/logs/v2", "/spend/logs/ui"])
def test_pages_of_the_log(spent: Spent, path: str) -> None:
    page = spent.get(f"{path}?page_size=2&page=3")
    assert (len(page["data"]), page["total"], page["page"], page["total_pages"]) == (1, 5, 3, 3)
    counts = {"status_filter=failure": 1, "model=n": 1, "tag=a": 3, "tag=none": 0, "end_user=c1": 3, "team_id=t1": 3,
              "key_alias=one": 3, "api_key={id}": 3, "start_date={day}": 5, "start_date={day} 00:00:00": 5,
              "end_date={week}": 0, "end_date={day}": 5}  # fmt: skip
    for given, count in counts.items():
        assert spent.get(f"{path}?{given}".replace(" ", "%20"))["total"] == count, given
    costs = [row["spend"] for row in spent.get(f"{path}?sort_by=spend&sort_order=asc")["data"]]
    assert costs == sorted(costs) and costs[0] == 0


def test_keys_users_and_tags(spent: Spent) -> None:
    keys = spent.get("/spend/keys")
    assert [(row["token"], row["key_alias"]) for row in keys] == [(spent.ids[0], "one"), (spent.ids[1], None)]
    assert [row["spend"] for row in keys] == [near(cost) for cost in spent.costs]
    assert [row["user_id"] for row in spent.get("/spend/users")] == ["u1", "u2"]
    [user] = spent.get("/spend/users?user_id=u2")
    assert user["spend"] == near(spent.costs[1])
    for path in ("/spend/tags", f"/spend/tags?{WEEK}"):
        rows = {row["individual_request_tag"]: row for row in spent.get(path)}
        assert {name: row["log_count"] for name, row in rows.items()} == {"a": 3, "b": 3}
        assert rows["a"]["total_spend"] == near(spent.costs[0])


def test_what_everybody_spent(spent: Spent) -> None:
    everything = sum(spent.costs)
    assert spent.get("/global/spend")["spend"] == near(everything)
    assert spent.get("/global/spend/logs") == [{"date": spent.day, "spend": near(everything)}]
    assert spent.get("/global/spend/logs?api_key={key}")[0]["spend"] == near(spent.costs[0])
    assert [row["api_key"] for row in spent.get("/global/spend/keys?limit=1")] == [spent.ids[0]]
    assert [row["model"] for row in spent.get("/global/spend/models")] == ["m", "n", "bad"]
    assert spent.get("/global/spend/provider") == [{"provider": "openai", "spend": near(everything)}]
    teams = spent.get("/global/spend/teams")
    assert teams["teams"] == ["t1", ""] and teams["daily_spend"][0]["t1"] == near(spent.costs[0])
    tags = spent.get("/global/spend/tags?tags=a,none")["spend_per_tag"]
    assert [(row["name"], row["log_count"]) for row in tags] == [("a", 3)]
    [customer] = post(spent.gateway, "/global/spend/end_users", {"startTime": spent.week, "endTime": spent.day})
    assert customer == {"end_user": "c1", "total_count": 3, "total_spend": near(spent.costs[0])}
    assert post(spent.gateway, "/global/spend/end_users", {"api_key": spent.keys[1]}) == []


@pytest.mark.parametrize(
    ("group", "plural", "owners"),
    [("team", "teams", {"t1", ""}), ("customer", "customers", {"c1", ""}), ("api_key", "api_keys", None)],
)
def test_the_report(spent: Spent, group: str, plural: str, owners: set[str] | None) -> None:
    [day] = spent.get(f"/global/spend/report?{WEEK}&group_by={group}")
    assert day["group_by_day"] == spent.day
    name = "team_name" if group == "team" else group
    assert {row[name] for row in day[plural]} == (owners or set(spent.ids))
    assert sum(row["total_spend"] for row in day[plural]) == near(sum(spent.costs))
    assert sum(part["spend"] for row in day[plural] for part in row["metadata"]) == near(sum(spent.costs))
    [one] = spent.get(f"/global/spend/report?{WEEK}&group_by={group}&api_key={{key}}")
    assert sum(row["total_spend"] for row in one[plural]) == near(spent.costs[0])


def test_activity(spent: Spent) -> None:
    told = spent.get(f"/global/activity?{WEEK}")
    assert told["sum_api_requests"] == 5 and told["daily_data"][0]["date"] == spent.day
    assert told["sum_total_tokens"] == told["daily_data"][0]["total_tokens"] > 0
    by_model = spent.get(f"/global/activity/model?{WEEK}")
    assert [(row["model"], row["sum_api_requests"]) for row in by_model] == [("m", 3), ("bad", 1), ("n", 1)]


def test_rate_limits_met_and_cache_hits(shared_upstream: UpstreamThread, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("events")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder) as gateway:
        for name, path in (("limited", "status-429"), ("broken", "status-500")):
            params = {"model": f"openai/{path}", "api_base": shared_upstream.base_url, "api_key": "os.environ/PATH"}
            post(gateway, "/model/new", {"model_name": name, "litellm_params": params})
        assert [chat(gateway, name)[0] for name in ("m", "limited", "broken")] == [200, 429, 500]
        until(lambda: get(gateway, "/spend/logs/v2")["total"] == 3)
        days = f"start_date=2026-01-01&end_date={datetime.now(UTC):%Y-%m-%d}"
        told = get(gateway, f"/global/activity/exceptions?{days}")
        assert told["sum_num_rate_limit_exceptions"] == 1 == told["daily_data"][0]["num_rate_limit_exceptions"]
        assert get(gateway, f"/global/activity/exceptions?{days}&model_group=broken")["daily_data"] == []
        [row] = get(gateway, f"/global/activity/exceptions/deployment?{days}")
        assert (row["api_base"], row["sum_num_rate_limit_exceptions"]) == (shared_upstream.base_url, 1)
        failed = get(gateway, "/spend/logs/v2?status_filter=failure")["data"]
        assert {(one["custom_llm_provider"], one["model_group"]) for one in failed} == {
            ("openai", "limited"), ("openai", "broken"),
        }  # fmt: skip
        hits = {row["model"]: row for row in get(gateway, f"/global/activity/cache_hits?{days}")}
        assert set(hits) == {"m", "limited", "broken"} and hits["m"]["generated_completion_tokens"] > 0
        assert (hits["m"]["total_rows"], hits["m"]["cache_hit_true_rows"], hits["m"]["api_key"]) == (1, 0, "")
        post(gateway, "/budget/new", {"budget_id": "b", "max_budget": 2, "rpm_limit": 3})
        fields = {row["field_name"]: row for row in get(gateway, "/budget/settings?budget_id=b")}
        assert (fields["max_budget"]["field_value"], fields["max_budget"]["stored_in_db"]) == (2, True)
        assert (fields["rpm_limit"]["field_type"], fields["tpm_limit"]["stored_in_db"]) == ("Integer", False)
        assert refused(gateway, "/budget/settings?budget_id=none", None, "GET") == (404, "budget_id")
        [own] = [row for row in get(gateway, "/model/info")["data"] if row["model_name"] == "m"]
        [kept] = [row for row in get(gateway, "/model/info")["data"] if row["model_name"] == "broken"]
        for id in (own["model_info"]["id"], kept["model_info"]["id"]):
            assert get(gateway, f"/credentials/by_model/{id}")["credential_values"] == {"api_key": "********"}
        assert refused(gateway, "/credentials/by_model/none", None, "GET") == (404, "model_id")


@pytest.mark.parametrize(
    ("path", "names", "entities"),
    [
        ("/user/daily/activity", "user_id=u1", {"u1", "u2"}),
        ("/user/daily/activity/aggregated", "user_id=u1", {"u1", "u2"}),
        ("/team/daily/activity", "team_ids=t1", {"t1", ""}),
        ("/organization/daily/activity", "organization_ids=none", {""}),
        ("/customer/daily/activity", "end_user_ids=c1", {"c1", ""}),
        ("/end_user/daily/activity", "end_user_ids=c1", {"c1", ""}),
        ("/tag/daily/activity", "tags=a", {"a", "b"}),
    ],
)
def test_daily_activity(spent: Spent, path: str, names: str, entities: set[str]) -> None:
    whole = spent.get(f"{path}?{WEEK}")
    [day] = whole["results"]
    metrics = day["metrics"]
    assert (day["date"], metrics["api_requests"], metrics["failed_requests"]) == (spent.day, 5, 1)
    assert metrics["spend"] == near(sum(spent.costs)) == whole["metadata"]["total_spend"]
    assert whole["metadata"]["total_pages"] == 1 and whole["metadata"]["has_more"] is False
    parts = day["breakdown"]
    assert set(parts["entities"]) == entities
    if path != "/tag/daily/activity":  # the calls without tags are nobody's there
        assert parts["providers"]["openai"]["metrics"]["spend"] == near(metrics["spend"])
        assert set(parts["model_groups"]) == {"m", "n", "bad"} and "ok" in parts["models"]
        for name in ("providers", "models", "model_groups", "api_keys", "entities"):
            assert sum(part["metrics"]["api_requests"] for part in parts[name].values()) == 5, name
    key = parts["api_keys"][spent.ids[0]]
    assert key["metadata"] == {"key_alias": "one", "team_id": "t1"}
    some = spent.get(f"{path}?{WEEK}&{names}")["results"]
    if "none" in names:
        assert some == []
    else:
        assert some[0]["metrics"]["spend"] == near(spent.costs[0])
        assert next(iter(some[0]["breakdown"]["entities"].values()))["metrics"]["api_requests"] == 3
    assert spent.get(f"{path}?{WEEK}&model=n")["results"][0]["metrics"]["api_requests"] == 1


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/spend/logs?start_date=yesterday", 422, "start_date"),
        ("/spend/logs?start_date=9999-12-31&end_date=9999-12-31", 422, "start_date"),
        ("/spend/logs?start_date=2026-01-02&end_date=2026-01-01", 400, "end_date"),
        ("/spend/logs/v2?start_date=yesterday", 400, "start_date"),
        ("/spend/logs/v2?end_date=9999-12-31", 400, "end_date"),
        ("/spend/logs/v2?sort_by=x", 422, "sort_by"),
        ("/spend/logs?page_size=0", 422, "page_size"),
        ("/global/activity", 422, "start_date"),
        ("/global/spend/report?start_date=2026-01-01&end_date=2026-01-01&group_by=x", 422, "group_by"),
        ("/global/spend/keys?limit=-1", 422, "limit"),
        ("/tag/daily/activity?start_date=2026-01-01", 422, "end_date"),
        ("/audit?page=0", 422, "page"),
        ("/audit/none", 404, "id"),
    ],
)
def test_bad_parameters_are_named(spent: Spent, path: str, status: int, name: str) -> None:
    assert refused(spent.gateway, path, None, "GET") == (status, name)


@pytest.mark.parametrize("text", ["%00", "%ff", "x" * 3000, "'%20OR%201=1--", "%F0%9F%92%A9"])
def test_no_text_is_a_defect(spent: Spent, text: str) -> None:
    for path in ("/spend/logs?api_key=", "/spend/logs/v2?tag=", "/global/spend/tags?tags=", "/spend/users?user_id=",
                 "/audit?object_id=", "/audit/", f"/tag/daily/activity?{WEEK}&tags="):  # fmt: skip
        status, answer = ask(spent.gateway, "GET", (path + text).format(day=spent.day, week=spent.week))
        assert status in (200, 404), (path, answer)


def test_the_audit_log(spent: Spent) -> None:
    page = spent.get("/audit?table_name=key&page_size=1")
    [row] = page["audit_logs"]
    assert (page["total"], page["total_pages"], row["action"], row["table_name"]) == (2, 2, "created", "key")
    assert row["object_id"] == spent.ids[1] and row["changed_by"] == "master_key" and row["before_value"] is None
    assert spent.get(f"/audit/{row['id']}") == row
    assert spent.get("/audit?changed_by=nobody")["total"] == 0


def test_a_reset_begins_every_budget_anew(shared_upstream: UpstreamThread, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("reset")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder) as gateway:
        key = post(gateway, "/key/generate", {"max_budget": 0.000001})["key"]
        assert [chat(gateway, "m", key)[0] for _ in range(2)] == [200, 429]
        assert post(gateway, "/global/spend/reset", None)["status"] == "success"
        assert get(gateway, f"/key/info?key={key}")["info"]["spend"] == 0
        assert [chat(gateway, "m", key)[0] for _ in range(2)] == [200, 429]
        until(lambda: get(gateway, "/spend/logs/v2")["total"] == 2)
