"""Explanations of real calls, through the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread, wait_until

CONFIG = """
model_list:
  - {{model_name: pair, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: sk-hidden, order: 1}},
      model_info: {{id: bad}}}}
  - {{model_name: pair, litellm_params: {{model: openai/ok, api_base: {base}, api_key: sk-hidden, order: 2}},
      model_info: {{id: good}}}}
  - {{model_name: dead, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0}},
      model_info: {{id: dead-id}}}}
  - {{model_name: lost, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0}}}}
  - {{model_name: tagged, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tags: [free]}},
      model_info: {{id: free}}}}
  - {{model_name: tagged, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tags: [paid]}},
      model_info: {{id: paid}}}}
  - {{model_name: many, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, order: 1}},
      model_info: {{id: m}}}}
{many}
router_settings:
  fallbacks: [{{dead: [pair, tagged]}}]
  enable_tag_filtering: true
  disable_cooldowns: true
general_settings: {{master_key: {key}}}
"""
MANY = "  - {{model_name: many, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, order: {n}}}}}"
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    base = shared_upstream.base_url
    many = "\n".join(MANY.format(base=base, n=n) for n in range(2, 60))
    folder: Path = tmp_path_factory.mktemp("explaining")
    with Gateway(CONFIG.format(base=base, key=MASTER_KEY, many=many), folder, ("--debug",)) as running:
        yield running


def post(gateway: Gateway, path: str, model: str, key: str = MASTER_KEY, explain: str | None = "1", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} | ({} if explain is None else {"x-litellm-explain": explain})
    body = {"model": model, "messages": MESSAGES, **more}
    return httpx.post(gateway.origin + path, json=body, headers=headers, timeout=60)


def call(gateway: Gateway, model: str, **more: Any) -> Any:
    return post(gateway, "/v1/chat/completions", model, **more)


def told(answer: httpx.Response) -> Any:
    return json.loads(answer.headers["x-litellm-explain"])


def verdicts(step: Any) -> dict[str, str]:
    return {row["model_id"]: row["verdict"] for row in step["candidates"]}


def limited_key(gateway: Gateway, *models: str) -> str:
    body = {"models": list(models)}
    headers = {"Authorization": f"Bearer {MASTER_KEY}"}
    return httpx.post(gateway.origin + "/key/generate", json=body, headers=headers, timeout=60).json()["key"]


@pytest.mark.parametrize("stream", [False, True])
def test_each_attempt_and_who_served(gateway: Gateway, stream: bool) -> None:
    answer = call(gateway, "pair", stream=stream)
    first, second = told(answer)["steps"]
    assert (answer.status_code, told(answer)["served_by"]) == (200, "good")
    assert verdicts(first) == {"bad": "chosen", "good": "skipped"}
    assert "order 2" in first["candidates"][1]["why"]
    assert verdicts(second) == {"good": "chosen", "bad": "skipped"}
    assert [step["attempt"]["status"] for step in (first, second)] == [500, 200]
    assert first["attempt"]["error"] == "InternalServerError" and first["attempt"]["ms"] >= 0
    assert "sk-hidden" not in answer.headers["x-litellm-explain"]


def test_fallbacks_and_errors_are_explained(gateway: Gateway) -> None:
    steps = told(call(gateway, "dead"))["steps"]
    assert [step["model_group"] for step in steps] == ["dead", "pair", "pair"]
    answer = call(gateway, "lost")
    assert (answer.status_code, told(answer)["served_by"]) == (503, None)
    assert told(answer)["steps"][0]["attempt"]["error"] == "ServiceUnavailableError"


def test_only_who_asks_is_told(gateway: Gateway) -> None:
    for said in (None, "0", "false"):
        assert "x-litellm-explain" not in call(gateway, "pair", explain=said).headers


def test_tags_are_a_reason(gateway: Gateway) -> None:
    [step] = told(call(gateway, "tagged", metadata={"tags": ["free"]}))["steps"]
    assert verdicts(step) == {"free": "chosen", "paid": "skipped"}
    assert "tags ['free']" in step["candidates"][1]["why"]


def test_a_long_explanation_is_shortened(gateway: Gateway) -> None:
    answer = call(gateway, "many")
    assert len(answer.headers["x-litellm-explain"]) <= 4096
    assert told(answer)["shortened"] and told(answer)["served_by"] == "m"
    assert len(post(gateway, "/router/explain", "many").json()["candidates"]) == 59


def test_without_a_call(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    before = len(shared_upstream.requests)
    answer = post(gateway, "/router/explain", "dead", explain=None)
    body = answer.json()
    assert (answer.status_code, body["chosen"], body["strategy"]) == (200, "dead-id", "simple-shuffle")
    assert [step["model_group"] for step in body["fallbacks"]] == ["pair"]  # nothing of `tagged` is for no tags
    assert verdicts(body["fallbacks"][0]) == {"bad": "chosen", "good": "skipped"}
    assert post(gateway, "/router/explain", "nobody").status_code == 400
    assert post(gateway, "/router/explain", "dead", key="sk-wrong").status_code == 401
    read = httpx.get(gateway.origin + "/router/explain", headers={"Authorization": f"Bearer {MASTER_KEY}"})
    assert (read.status_code, read.headers["allow"]) == (405, "POST")
    assert len(shared_upstream.requests) == before


def test_a_key_sees_the_groups_that_serve_it_and_no_address(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    key = limited_key(gateway, "dead")
    answer = post(gateway, "/router/explain", "dead", key=key)
    # The config's fallbacks serve a key that may not call them itself: so a call does, and so it is explained.
    assert [step["model_group"] for step in answer.json()["fallbacks"]] == ["pair"]
    assert told(call(gateway, "dead", key=key))["served_by"] == "good"
    assert post(gateway, "/router/explain", "pair", key=key).status_code == 403
    for text in (answer.text, call(gateway, "dead", key=key).headers["x-litellm-explain"]):
        assert shared_upstream.base_url not in text and "api_base" not in text
    assert shared_upstream.base_url in post(gateway, "/router/explain", "dead").text


def test_the_log_has_it(gateway: Gateway) -> None:
    explained = call(gateway, "pair").headers["x-litellm-call-id"]
    failed = call(gateway, "lost", explain=None).headers["x-litellm-call-id"]
    assert wait_until(lambda: f"INFO litellm.proxy: call {explained}: 200, explained: {{" in gateway.log)
    assert wait_until(lambda: f"DEBUG litellm.proxy: call {failed}: 503, explained: {{" in gateway.log)
    assert "sk-hidden" not in gateway.log
