"""Routing as callers of the gateway see it: fallbacks, resting deployments, aliases, tags, limits, deadlines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

CONFIG = """
model_list:
  - {{model_name: pair, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: good}}}}
  - {{model_name: pair, litellm_params: {{model: openai/status-500, api_base: {base}, api_key: k}}, model_info: {{id: bad}}}}
  - {{model_name: dead, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0}}}}
  - {{model_name: limited, litellm_params: {{model: openai/status-429, api_base: {base}, api_key: k}}, model_info: {{id: l1}}}}
  - {{model_name: limited, litellm_params: {{model: openai/status-429, api_base: {base}, api_key: k, rpm: 9}}, model_info: {{id: l2}}}}
  - {{model_name: alone, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0}}}}
  - {{model_name: ok, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: ok-id}}}}
  - {{model_name: once, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, rpm: 1}}}}
  - {{model_name: tagged, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tags: [free]}}, model_info: {{id: free}}}}
  - {{model_name: tagged, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tags: [paid]}}, model_info: {{id: paid}}}}
  - {{model_name: tagged, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tags: [default]}}, model_info: {{id: rest}}}}
router_settings:
  fallbacks: [{{dead: [alone, ok]}}]
  model_group_alias: {{nickname: ok}}
  enable_tag_filtering: true
  cooldown_time: 600
  num_retries: 2
general_settings: {{master_key: {key}}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("routing")
    with Gateway(CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY), folder) as running:
        yield running


def ask(gateway: Gateway, model: str, **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    key = {"Authorization": f"Bearer {MASTER_KEY}"}
    answer = httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=key, timeout=60)
    return answer.status_code, answer.headers, answer.content


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_answers_and_says_so(gateway: Gateway, stream: bool) -> None:
    status, headers, body = ask(gateway, "dead", stream=stream)
    assert status == 200
    assert headers["x-litellm-attempted-fallbacks"] == "2"
    assert headers["x-litellm-model-id"] == "ok-id"
    assert b'"dead"' in body  # the model that was asked for


def test_a_caller_may_name_fallbacks_or_forbid_them(gateway: Gateway) -> None:
    assert ask(gateway, "alone")[0] == 503
    assert ask(gateway, "alone", fallbacks=["ok"])[1]["x-litellm-model-id"] == "ok-id"
    assert ask(gateway, "dead", disable_fallbacks=True)[0] == 503
    status, _, body = ask(gateway, "ok", fallbacks="ok")
    assert (status, b"'fallbacks' must be a list" in body) == (400, True)


def test_no_caller_sees_the_error_of_one_of_two(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    answers = [ask(gateway, "pair") for _ in range(40)]
    assert {(status, headers["x-litellm-model-id"]) for status, headers, _ in answers} == {(200, "good")}
    # Five calls, more than half of them failed, and the bad one is asked no more.
    assert sum(int(headers["x-litellm-attempted-retries"]) for _, headers, _ in answers) <= 5


def test_all_resting_is_429_with_when_to_come_again(gateway: Gateway) -> None:
    assert ask(gateway, "limited")[0] == 429
    status, headers, body = ask(gateway, "limited")
    assert (status, b"No deployments available for selected model" in body) == (429, True)
    assert int(headers["retry-after"]) > 0


def test_an_alias(gateway: Gateway) -> None:
    status, headers, body = ask(gateway, "nickname")
    assert (status, headers["x-litellm-model-id"], b'"nickname"' in body) == (200, "ok-id", True)


def test_an_rpm_is_kept(gateway: Gateway) -> None:
    assert {ask(gateway, "once")[0] for _ in range(3)} == {200, 429}


@pytest.mark.parametrize(("tags", "id"), [(["free"], "free"), (["paid", "x"], "paid"), (["x"], "rest"), ([], "rest")])
def test_tags(gateway: Gateway, tags: list[str], id: str) -> None:
    for _ in range(5):
        assert ask(gateway, "tagged", metadata={"tags": tags})[1]["x-litellm-model-id"] == id
