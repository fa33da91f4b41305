"""What answers cost: the headers of a gateway's answers, by the catalog, by prices of the config's own, by neither."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

CONFIG: Final = """
model_list:
  - model_name: known
    litellm_params: {{model: openai/good, api_base: {base}, api_key: sk-x}}
    model_info: {{base_model: gpt-4o}}
  - model_name: own
    litellm_params:
      {{model: openai/good, api_base: {base}, api_key: sk-x, input_cost_per_token: 0.001, output_cost_per_token: 0.002}}
  - model_name: in-info
    litellm_params: {{model: openai/good, api_base: {base}, api_key: sk-x, input_cost_per_token: 7}}
    model_info: {{input_cost_per_token: 0.5, output_cost_per_token: "1.5e-06", input_cost_per_audio_token: 1}}
  - model_name: free
    litellm_params:
      {{model: openai/gpt-4o, api_base: {base}, api_key: sk-x, input_cost_per_token: 0, output_cost_per_token: 0}}
  - model_name: by-time
    litellm_params: {{model: openai/good, api_base: {base}, api_key: sk-x, input_cost_per_second: 1000}}
  - model_name: nobody-knows
    litellm_params: {{model: openai/good, api_base: {base}, api_key: sk-x}}
  - model_name: bad
    litellm_params: {{model: openai/status-500, api_base: {base}, api_key: sk-x, max_retries: 0}}
  - model_name: details
    litellm_params: {{model: openai/gpt-4o, api_base: {base}, api_key: sk-x}}
  - model_name: openai/*
    litellm_params: {{model: openai/*, api_base: {base}, api_key: sk-x}}
general_settings:
  master_key: {key}
"""

MESSAGES: Final = [{"role": "user", "content": "hi"}]
PREFIX: Final = "x-litellm-response-cost"


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY)
    with Gateway(config, tmp_path_factory.mktemp("prices")) as started:
        yield started


def asked(gateway: Gateway, model: str, **further: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """The answer's cost headers without their prefix, and its body if it is JSON."""
    body = json.dumps({"model": model, "messages": MESSAGES, **further}).encode()
    headers = {"authorization": f"Bearer {MASTER_KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.origin}/v1/chat/completions", body, headers)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        raw = answer.read()
    costs = {name.lower().removeprefix(PREFIX): value for name, value in answer.headers.items() if PREFIX in name}
    return costs, json.loads(raw) if raw.startswith(b"{") else {}


def counted(body: dict[str, Any]) -> tuple[int, int]:
    return body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("model", "per_prompt", "per_completion"),
    [
        ("known", 2.5e-6, 1e-5),
        ("openai/gpt-4o", 2.5e-6, 1e-5),
        ("own", 0.001, 0.002),
        ("in-info", 0.5, 1.5e-6),
        ("free", 0.0, 0.0),
    ],
)
def test_what_an_answer_cost_is_in_its_headers(
    gateway: Gateway, model: str, per_prompt: float, per_completion: float
) -> None:
    costs, body = asked(gateway, model)
    prompt, completion = counted(body)
    cached = body["usage"]["prompt_tokens_details"]["cached_tokens"]
    thought = body["usage"]["completion_tokens_details"]["reasoning_tokens"]
    per_cached = 1.25e-6 if per_prompt == 2.5e-6 else per_prompt  # the catalog has a price for them
    asked_for = (prompt - cached) * per_prompt + cached * per_cached
    said = completion * per_completion
    assert float(costs["-input"]) == pytest.approx(asked_for, abs=1e-9)
    assert float(costs["-output"]) == pytest.approx(said, abs=1e-9)
    assert float(costs[""]) == float(costs["-original"]) == pytest.approx(asked_for + said, abs=1e-9)
    assert float(costs.pop("-cache-read", 0)) == pytest.approx(cached * per_cached, abs=1e-9)
    assert float(costs.pop("-reasoning", 0)) == pytest.approx(thought * per_completion, abs=1e-9)
    assert costs["-discount-amount"] == costs["-margin-amount"] == costs["-margin-percent"] == "0.0"
    assert set(costs) == {
        "", "-original", "-discount-amount", "-margin-amount", "-margin-percent", "-input", "-output",
    }  # fmt: skip


def test_a_deployment_paid_by_time(gateway: Gateway) -> None:
    costs, _ = asked(gateway, "by-time")
    assert 0 < float(costs[""]) < 60_000


@pytest.mark.parametrize("model", ["nobody-knows", "openai/nobody-knows"])
def test_without_a_price_there_is_no_cost(gateway: Gateway, model: str) -> None:
    costs, body = asked(gateway, model)
    assert counted(body)[1] and costs == {}


def test_errors_cost_nothing(gateway: Gateway) -> None:
    for model in ("bad", "no-such-model"):
        costs, body = asked(gateway, model)
        assert costs == {"": "0"} and "error" in body


def test_a_stream_has_no_cost_yet(gateway: Gateway) -> None:
    assert asked(gateway, "own", stream=True) == ({}, {})


def test_parts_of_the_prompt_and_the_completion_have_their_own_headers() -> None:
    from litellm.catalog.cost import Cost
    from litellm.proxy.headers import of_cost

    lines = of_cost(
        Cost(111_500, input=50_000, cache_read=1_500, cache_creation=20_000, output=30_000, reasoning=10_000)
    )
    found = dict(line.split(b": ") for line in lines.splitlines())
    told = {name.decode().removeprefix(PREFIX): float(value) for name, value in found.items() if float(value)}
    assert told == {
        "": 0.0001115, "-original": 0.0001115, "-input": 7.15e-5, "-output": 4e-5, "-reasoning": 1e-5,
        "-cache-read": 1.5e-6, "-cache-creation": 2e-5,
    }  # fmt: skip


def test_model_info_has_the_catalogs_facts_below_the_configs(gateway: Gateway) -> None:
    rows = {row["model_name"]: row["model_info"] for row in json.loads(gateway.get("/model/info")[1])["data"]}
    known = rows["known"]
    assert (known["input_cost_per_token"], known["supports_vision"], known["mode"]) == (2.5e-6, True, "chat")
    assert known["max_input_tokens"] == 128_000 and known["litellm_provider"] == "openai"
    assert rows["own"]["input_cost_per_token"] == 0.001 and "max_tokens" not in rows["own"]
    assert rows["in-info"]["input_cost_per_token"] == 0.5
    assert rows["free"]["input_cost_per_token"] == 0 and rows["free"]["max_input_tokens"] == 128_000
    groups = {row["model_group"]: row for row in json.loads(gateway.get("/model_group/info")[1])["data"]}
    assert groups["known"]["output_cost_per_token"] == 1e-5 and groups["known"]["supports_vision"] is True


def test_spend_calculate(gateway: Gateway) -> None:
    answer = {"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}}
    for body, cost in (
        ({"completion_response": answer}, 3.5e-5),
        ({"model": "own", "completion_response": answer}, 0.012),
        ({"model": "openai/gpt-4o", "completion_response": answer}, 3.5e-5),
    ):
        status, raw = gateway.post("/spend/calculate", body)
        assert (status, json.loads(raw)) == (200, {"cost": cost}), body
    status, raw = gateway.post("/spend/calculate", {"model": "gpt-4o", "messages": MESSAGES})
    assert status == 200 and 0 < json.loads(raw)["cost"] < 1e-4


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "nobody-knows", "messages": MESSAGES}, "model"),
        ({"messages": MESSAGES}, "model"),
        ({"model": "gpt-4o"}, "messages"),
        ({"model": "gpt-4o", "completion_response": {}}, "completion_response"),
    ],
)
def test_spend_calculate_says_what_is_missing(gateway: Gateway, body: dict[str, Any], param: str) -> None:
    status, raw = gateway.post("/spend/calculate", body)
    assert (status, json.loads(raw)["error"]["param"]) == (400, param)


def test_prices_of_the_config_are_no_parameters_of_calls(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    shared_upstream.requests.clear()
    asked(gateway, "own")
    assert not any("cost" in name for name in shared_upstream.requests[-1].json)
    assert "cost" not in gateway.log
