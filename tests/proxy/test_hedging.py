"""Hedged calls, and attempts that are billed without serving: who answers, what is cancelled, what is in the books."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.admin import INPUT, OUTPUT, chat, get, post, until
from support.gateway import Gateway
from support.upstream import UpstreamThread, wait_until

GOOD = 5  # calls that a `hang-after` serves before it hangs


def entry(upstream: UpstreamThread, group: str, model: str, **more: Any) -> dict[str, Any]:
    prices = {"input_cost_per_token": INPUT / 1e9, "output_cost_per_token": OUTPUT / 1e9}
    params = {"model": f"openai/{model}", "api_base": upstream.base_url, "api_key": "k", **prices, **more}
    return {"model_name": group, "litellm_params": params, "model_info": {"id": f"{group}-{model}"}}


def config(upstream: UpstreamThread, folder: Path, **general: Any) -> str:
    hedging = {"hedging": {"max_share": 1, "min_samples": 3, "min_seconds": 0.8}}
    return json.dumps(
        {
            "model_list": [
                entry(upstream, "plain", f"hang-after-{GOOD}", order=1),
                entry(upstream, "plain", "ok", order=2),
                entry(upstream, "streamed", f"hang-after-{GOOD + 1}", order=1),
                entry(upstream, "streamed", "ok", order=2),
                entry(upstream, "full", f"hang-after-{GOOD + 2}", order=1),
                entry(upstream, "full", "ok", order=2, max_parallel_requests=0),
                entry(upstream, "timed", "hang", order=1, timeout=0.3),
                entry(upstream, "timed", "ok", order=2),
                entry(upstream, "vain", "hang", timeout=0.3, max_retries=1),
                entry(upstream, "single", "ok"),
            ],
            "router_settings": {"model_groups": {"plain": hedging, "streamed": hedging, "full": hedging}},
            "general_settings": {"master_key": "sk-1234", "data_dir": str(folder / "data"), **general},
        }
    )


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("hedging")
    with Gateway(config(shared_upstream, folder), folder) as running:
        yield running


def logged(gateway: Gateway, key: str, rows: int) -> list[dict[str, Any]]:
    """The key's rows of the log, the oldest first."""
    path = f"/spend/logs?api_key={key}"
    until(lambda: len(get(gateway, path)) >= rows)
    found = sorted(get(gateway, path), key=lambda row: (row["startTime"], row["request_id"]))
    assert len(found) == rows
    return found


@pytest.mark.parametrize(("model", "stream", "good"), [("plain", False, GOOD), ("streamed", True, GOOD + 1)])
def test_the_slow_one_is_overtaken_cancelled_and_billed(
    gateway: Gateway, shared_upstream: UpstreamThread, model: str, stream: bool, good: int
) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    for _ in range(good + 1):
        status, _ = gateway.post(
            "/v1/chat/completions",
            {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream},
            key=key,
        )
        assert status == 200
    slow = [one for one in shared_upstream.requests if one.model == f"hang-after-{good}"]
    assert len(slow) == good + 1
    assert wait_until(lambda: slow[-1].disconnected, 30)
    rows = logged(gateway, key, good + 2)
    assert Counter(row["call_type"] == "attempt" for row in rows) == {False: good + 1, True: 1}
    [lost] = [row for row in rows if row["call_type"] == "attempt"]
    [served] = [row for row in rows if row["request_id"] == lost["request_id"].removesuffix("#1")]
    assert (lost["model_id"], served["model_id"]) == (f"{model}-hang-after-{good}", f"{model}-ok")
    assert lost["spend"] == pytest.approx(lost["prompt_tokens"] * INPUT / 1e9)
    assert lost["spend"] > 0
    spent = get(gateway, f"/key/info?key={key}")["info"]["spend"]
    assert spent == pytest.approx(sum(row["spend"] for row in rows))


def test_nobody_is_asked_twice_if_the_others_are_full(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    for _ in range(GOOD + 2):
        assert chat(gateway, "full", "sk-1234")[0] == 200
    assert chat(gateway, "full", "sk-1234", timeout=1, num_retries=0)[0] == 408


def test_an_attempt_that_timed_out_is_in_the_books_once(gateway: Gateway) -> None:
    key = post(gateway, "/key/generate", {})["key"]
    assert chat(gateway, "timed", key)[0] == 200
    rows = logged(gateway, key, 2)
    assert sorted((row["call_type"], row["model_id"]) for row in rows) == [
        ("attempt", "timed-hang"),
        ("chat", "timed-ok"),
    ]
    other = post(gateway, "/key/generate", {})["key"]
    assert chat(gateway, "vain", other, num_retries=1)[0] == 408
    rows = logged(gateway, other, 2)  # two attempts: the call's own row is the last one's
    assert sorted((row["call_type"], row["status"]) for row in rows) == [("attempt", "failure"), ("chat", "failure")]
    assert all(row["spend"] > 0 for row in rows)


def test_strict_budgets_reserve_for_both(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(config(shared_upstream, tmp_path, budget_enforcement="strict"), tmp_path) as strict:
        key = post(strict, "/key/generate", {"max_budget": 0.001})["key"]
        most = {"max_tokens": 50}  # of 10,000 nano-dollars each, and a prompt of some 130 bytes at 2,000
        assert chat(strict, "plain", key, **most)[0] == 429
        assert chat(strict, "single", key, **most)[0] == 200
