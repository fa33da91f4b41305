"""Virtual keys against a real gateway, a real store and a real upstream: who may call what, and what it cost."""

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from support.gateway import Gateway
from support.postgres import Postgres
from support.postgres import postgres as postgres
from support.upstream import UpstreamThread, wait_until

Answer = tuple[int, dict[str, Any], dict[str, str]]
HI = [{"role": "user", "content": "hi"}]
INPUT, OUTPUT = 2_000, 10_000  # nano-dollars per token


def config(upstream: UpstreamThread, **general: Any) -> str:
    def model(name: str, behaviour: str) -> dict[str, Any]:
        prices = {"input_cost_per_token": INPUT / 1e9, "output_cost_per_token": OUTPUT / 1e9}
        params = {"model": f"openai/{behaviour}", "api_base": upstream.base_url, "api_key": "k", **prices}
        return {"model_name": name, "litellm_params": params, "model_info": {"access_groups": ["all-of-us"]}}

    return json.dumps(
        {
            "model_list": [model("m", "ok"), model("other", "ok"), model("hang", "hang")],
            "general_settings": {"master_key": "sk-1234", **general},
            "litellm_settings": {"num_retries": 0},
        }
    )


@pytest.fixture
def fresh(upstream: UpstreamThread, tmp_path: Path) -> Iterator[Gateway]:
    """One that has no store yet."""
    with Gateway(config(upstream, data_dir=str(tmp_path / "data")), tmp_path) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all the tests that look at nothing but keys of their own."""
    folder = tmp_path_factory.mktemp("keys")
    with Gateway(config(shared_upstream, data_dir=str(folder / "data")), folder) as gateway:
        yield gateway


def ask(gateway: Gateway, path: str, body: Any = None, key: str = "sk-1234", **headers: str) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    told = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(gateway.origin + path, data, told)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), {k.lower(): v for k, v in error.headers.items()}


def chat(gateway: Gateway, key: str, model: str = "m", **more: Any) -> Answer:
    return ask(gateway, "/v1/chat/completions", {"model": model, "messages": HI, **more}, key)


def new_key(gateway: Gateway, **fields: Any) -> str:
    status, made, _ = ask(gateway, "/key/generate", fields)
    assert status == 200, made
    return made["key"]


def info(gateway: Gateway, key: str) -> dict[str, Any]:
    status, told, _ = ask(gateway, f"/key/info?key={key}")
    assert status == 200, told
    return told["info"]


def cost_of(usage: dict[str, Any]) -> float:
    return (usage["prompt_tokens"] * INPUT + usage["completion_tokens"] * OUTPUT) / 1e9


def logs(gateway: Gateway, key: str, count: int) -> list[dict[str, Any]]:
    """The log's rows of a key, once there are so many."""
    until = time.monotonic() + 30
    while True:
        status, rows, _ = ask(gateway, f"/spend/logs?api_key={key}")
        assert status == 200, rows
        if len(rows) >= count or time.monotonic() > until:
            assert len(rows) == count
            return rows  # pyright: ignore[reportReturnType]
        time.sleep(0.1)


def test_nothing_is_made_before_it_is_needed(fresh: Gateway) -> None:
    assert chat(fresh, "sk-1234")[0] == 200 and not (fresh.folder / "data").exists()
    new_key(fresh)
    assert (fresh.folder / "data").is_dir()


def test_a_key_is_made_used_and_billed_to_the_nano_dollar(gateway: Gateway) -> None:
    key = new_key(gateway, key_alias="first", metadata={"team": "blue"}, user_id="u1")
    assert key.startswith("sk-")
    spent = 0.0
    for _ in range(3):
        status, answer, headers = chat(gateway, key)
        assert status == 200, answer
        spent += cost_of(answer["usage"])
    assert float(headers["x-litellm-key-spend"]) == pytest.approx(spent, abs=1e-12)
    told = info(gateway, key)
    assert told["spend"] == pytest.approx(spent, abs=1e-12)
    assert (told["key_alias"], told["user_id"], told["key_name"]) == ("first", "u1", f"sk-...{key[-4:]}")
    rows = logs(gateway, key, 3)
    assert {row["status"] for row in rows} == {"success"} and {row["usage_source"] for row in rows} == {"reported"}
    assert sum(row["spend"] for row in rows) == pytest.approx(spent, abs=1e-12)
    assert rows[0]["user"] == "u1" and rows[0]["model_group"] == "m" and rows[0]["custom_llm_provider"] == "openai"
    assert key not in json.dumps(rows) + json.dumps(told) + gateway.log


def test_while_the_store_cannot_be_opened_no_key_is_called_wrong(fresh: Gateway) -> None:
    """As when a worker meets one that another has just made, and that it cannot read."""
    gateway = fresh
    assert chat(gateway, "sk-unknown")[0] == 401
    store = gateway.folder / "data" / "litellm.db"
    store.parent.mkdir()
    store.write_bytes(b"no database" * 1000)
    assert chat(gateway, "sk-unknown")[0] == 503
    assert ask(gateway, "/v1/models", key="sk-unknown")[0] == 503
    assert chat(gateway, "sk-1234")[0] == 200
    store.unlink()
    assert chat(gateway, "sk-unknown")[0] == 401
    assert chat(gateway, new_key(gateway))[0] == 200


def test_streams_are_billed_before_their_last_byte(gateway: Gateway) -> None:
    key = new_key(gateway)
    body = {"model": "m", "messages": HI, "stream": True}
    request = urllib.request.Request(
        gateway.origin + "/chat/completions", json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert b"[DONE]" in answer.read()
    assert info(gateway, key)["spend"] > 0
    (row,) = logs(gateway, key, 1)
    assert (row["status"], row["usage_source"]) == ("success", "reported") and row["spend"] == info(gateway, key)[
        "spend"
    ]


def test_what_a_key_may_not(gateway: Gateway) -> None:
    key = new_key(gateway, models=["other"], aliases={"mine": "other"})
    status, answer, _ = chat(gateway, key)
    assert (
        status == 403 and answer["error"]["type"] == "key_model_access_denied" and answer["error"]["param"] == "model"
    )
    assert chat(gateway, key, "other")[0] == 200
    status, answer, _ = chat(gateway, key, "mine")
    assert (status, answer["model"]) == (200, "mine")
    assert [row["id"] for row in ask(gateway, "/v1/models", key=key)[1]["data"]] == ["other"]
    assert {row["model_name"] for row in ask(gateway, "/model/info", key=key)[1]["data"]} == {"other"}
    for path in ("/key/list", "/spend/logs"):
        assert ask(gateway, path, key=key)[0] == 403, path
    other = new_key(gateway)
    assert ask(gateway, f"/key/info?key={other}", key=key)[:2] == ask(gateway, "/key/info?key=sk-none", key=key)[:2]
    assert ask(gateway, "/key/generate", {}, key=key)[0] == 403
    assert ask(gateway, "/key/info", key=key)[1]["info"]["models"] == ["other"]
    assert chat(gateway, new_key(gateway, models=["all-of-us"]))[0] == 200
    assert chat(gateway, new_key(gateway, allowed_routes=["/v1/embeddings"]))[0] == 403


def test_unknown_blocked_expired_and_deleted_keys(gateway: Gateway) -> None:
    key = new_key(gateway)
    unknown = [chat(gateway, wrong)[:2] for wrong in ("sk-nobody", "nobody", "sk-" + "x" * 300)]
    assert [status for status, _ in unknown] == [401] * 3
    assert len({json.dumps(answer) for _, answer in unknown}) == 1, "one answer for every key that is not known"
    assert ask(gateway, "/key/block", {"key": key})[0] == 200
    status, answer, _ = chat(gateway, key)
    assert status == 401 and "blocked" in answer["error"]["message"]
    assert ask(gateway, "/key/unblock", {"key": key})[0] == 200
    assert chat(gateway, key)[0] == 200
    assert ask(gateway, "/key/update", {"key": key, "duration": "1s"})[0] == 200
    time.sleep(1.1)
    status, answer, _ = chat(gateway, key)
    assert (status, answer["error"]["type"]) == (401, "expired_key")
    assert ask(gateway, "/key/delete", {"keys": [key]})[1] == {"deleted_keys": [key]}
    assert chat(gateway, key)[0] == 401
    assert ask(gateway, "/key/delete", {"keys": [key]})[0] == 404


def test_what_no_database_takes_does_not_hold_up_the_journal(gateway: Gateway) -> None:
    key = new_key(gateway)
    assert chat(gateway, key, user="a\0b\u2028", metadata={"tags": ["\0", "t"]})[0] == 200
    (row,) = logs(gateway, key, 1)
    assert (row["end_user"], row["request_tags"]) == ("a?b?", ["?", "t"])


def test_a_regenerated_key(gateway: Gateway) -> None:
    old = new_key(gateway, models=["m"], key_alias="a")
    status, made, _ = ask(gateway, f"/key/{old}/regenerate", {"grace_period": "1h"})
    assert status == 200 and made["models"] == ["m"] and made["key_alias"] == "a"
    assert [chat(gateway, key)[0] for key in (old, made["key"])] == [200, 200]
    assert ask(gateway, f"/key/{old}/regenerate", {})[0] == 200
    assert chat(gateway, old)[0] == 401


def test_requests_per_minute(gateway: Gateway) -> None:
    key = new_key(gateway, rpm_limit=2)
    left = [chat(gateway, key)[2]["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    status, answer, headers = chat(gateway, key)
    assert status == 429 and "Limit type: requests" in answer["error"]["message"]
    assert 1 <= int(headers["retry-after"]) <= 61


def test_parallel_requests(gateway: Gateway) -> None:
    key = new_key(gateway, max_parallel_requests=1)
    with ThreadPoolExecutor(4) as pool:
        hanging = pool.submit(chat, gateway, key, "hang", timeout=3)
        time.sleep(1)
        assert chat(gateway, key)[0] == 429
        assert hanging.result()[0] == 408
    assert chat(gateway, key)[0] == 200


def test_a_budget_ends_and_begins_anew(gateway: Gateway) -> None:
    key = new_key(gateway, max_budget=0.000001)
    assert chat(gateway, key)[0] == 200
    status, answer, _ = chat(gateway, key)
    assert (status, answer["error"]["type"]) == (429, "budget_exceeded")
    assert ask(gateway, "/key/update", {"key": key, "max_budget": None})[0] == 200
    assert chat(gateway, key)[0] == 200


def test_bad_fields_are_named(gateway: Gateway) -> None:
    cases = [
        ({"max_budget": -1}, 422, "max_budget"),
        ({"duration": "soon"}, 400, "duration"),
        ({"budget_duration": "1x"}, 400, "budget_duration"),
        ({"key": "mine"}, 400, "key"),
        ({"rpm_limit": "many"}, 422, "rpm_limit"),
    ]
    for body, status, name in cases:
        got, answer, _ = ask(gateway, "/key/generate", body)
        assert (got, answer["error"]["param"]) == (status, name), answer
    assert ask(gateway, "/key/info?key=sk-nobody1")[0] == 404
    new_key(gateway, key_alias="twice")
    assert ask(gateway, "/key/generate", {"key_alias": "twice"})[0] == 400


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_many_at_once_on_a_small_budget(upstream: UpstreamThread, tmp_path: Path, strict: bool) -> None:
    general = {"data_dir": str(tmp_path / "data"), "budget_enforcement": "strict" if strict else "default"}
    with Gateway(config(upstream, **general), tmp_path) as gateway:
        key = new_key(gateway, max_budget=0.01)
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: chat(gateway, key, max_tokens=30), range(300)))
        served = [answer for status, answer, _ in answers if status == 200]
        refused = [answer["error"]["type"] for status, answer, _ in answers if status != 200]
        assert served and refused and set(refused) == {"budget_exceeded"}
        spent = info(gateway, key)["spend"]
        assert spent == pytest.approx(sum(cost_of(answer["usage"]) for answer in served), abs=1e-12)
        if strict:
            assert spent <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_killed_gateway_loses_no_call_and_counts_none_twice(
    upstream: UpstreamThread, tmp_path: Path, postgres: Postgres, database: str
) -> None:
    url = postgres.fresh() if database == "postgres" else None
    data = tmp_path / "data"
    general: dict[str, Any] = {"data_dir": str(data), **({"database_url": url} if url else {})}
    finished: list[str] = []

    async def books() -> tuple[dict[str, str], list[str]]:
        opened = await open_database(url, data)
        try:
            ledger = SqlLedger(opened)
            from litellm.store.base import LogQuery

            rows, _ = await ledger.log(LogQuery(size=100_000))
            return {row.call_id: row.status for row in rows}, await ledger.prove()
        finally:
            await opened.aclose()

    def one(gateway: Gateway, key: str) -> None:
        try:
            status, _, headers = chat(gateway, key)
        except (OSError, ValueError):
            return
        if status == 200:
            finished.append(headers["x-litellm-call-id"])

    key = ""
    for round_ in range(3):
        gateway = Gateway(config(upstream, **general), tmp_path)
        gateway.start()
        key = key or new_key(gateway)
        so_far = len(finished)
        with ThreadPoolExecutor(8) as pool:
            for _ in range(60):
                pool.submit(one, gateway, key)
            hanging = pool.submit(one, gateway, key) if round_ else pool.submit(chat, gateway, key, "hang", timeout=50)
            time.sleep(0.4)
            assert wait_until(lambda so_far=so_far: len(finished) > so_far + 1)
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
            assert hanging is not None
    with Gateway(config(upstream, **general), tmp_path) as gateway:
        chat(gateway, key)
    stored, problems = asyncio.run(books())
    assert problems == []
    assert len(finished) > 3 and set(finished) <= stored.keys()
    assert all(stored[call] == "success" for call in finished)
    assert "unknown" in stored.values(), "the call that was under way"


def test_prompts_are_kept_only_where_they_are_asked_for(upstream: UpstreamThread, tmp_path: Path) -> None:
    general: dict[str, Any] = {"data_dir": str(tmp_path / "data")}
    for wanted in (False, True):
        text = config(upstream, **general, store_prompts_in_spend_logs=wanted)
        with Gateway(text, tmp_path) as gateway:
            key = new_key(gateway)
            calls = [chat(gateway, key)[2]["x-litellm-call-id"]]
            body = json.dumps({"model": "m", "messages": HI, "stream": True}).encode()
            status, answer = gateway.post("/chat/completions", body, key=key)
            assert status == 200 and b"[DONE]" in answer
            rows = logs(gateway, key, 2)
            calls += [row["request_id"] for row in rows if row["request_id"] not in calls]
            time.sleep(2 if wanted else 0)
            told = [ask(gateway, f"/spend/logs?request_id={call}")[1][0] for call in calls]  # pyright: ignore
            if not wanted:
                assert all(row["response"] is None for row in told)
                continue
            assert all(row["proxy_server_request"]["messages"] == HI for row in told), told
            assert all(row["response"]["choices"][0]["message"]["content"] for row in told), told
