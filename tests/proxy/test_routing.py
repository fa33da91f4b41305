"""Routing as callers of the gateway see it: fallbacks, resting deployments, aliases, tags, limits, deadlines."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread, wait_until

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
  - {{model_name: tokens, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, tpm: 1}}}}
  - {{model_name: closed, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0,
      configurable_clientside_auth_params: [api_key]}}}}
  - {{model_name: paid-only, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k, max_retries: 0}}}}
router_settings:
  fallbacks: [{{dead: [alone, nickname]}}, {{closed: [ok]}}, {{paid-only: [tagged]}}]
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


def test_a_fallback_by_name_is_a_model_that_is_here(gateway: Gateway) -> None:
    status, _, body = ask(gateway, "alone", fallbacks=["nobody"])
    assert (status, b"'fallbacks' names a model that is not served here: nobody" in body) == (400, True)
    assert ask(gateway, "alone", fallbacks=["nickname"])[1]["x-litellm-model-id"] == "ok-id"
    assert ask(gateway, "alone", disable_fallbacks="yes")[0] == 400


def test_a_fallback_keeps_to_what_the_caller_said(gateway: Gateway, shared_upstream: UpstreamThread) -> None:
    assert ask(gateway, "closed")[1]["x-litellm-model-id"] == "ok-id"
    before = len(shared_upstream.requests)
    assert ask(gateway, "closed", api_key="mine")[0] == 503  # the fallback does not take a caller's key
    assert len(shared_upstream.requests) == before + 1
    for tag in ("free", "paid"):
        assert ask(gateway, "paid-only", metadata={"tags": [tag]})[0] == 401  # its own group has none of them
    assert ask(gateway, "paid-only")[1]["x-litellm-model-id"] == "rest"


def test_the_tokens_of_a_stream_count_for_its_deployment(gateway: Gateway) -> None:
    assert ask(gateway, "tokens", stream=True)[0] == 200
    assert ask(gateway, "tokens", stream=True)[0] == 429


def test_an_alias_of_a_key_may_stand_for_one_of_the_config(gateway: Gateway) -> None:
    made = httpx.post(
        gateway.origin + "/key/generate",
        json={"models": ["ok"], "aliases": {"mine": "nickname"}},
        headers={"Authorization": f"Bearer {MASTER_KEY}"},
    ).json()["key"]
    key = {"Authorization": f"Bearer {made}"}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}

    def status(model: str, **more: Any) -> int:
        return httpx.post(gateway.origin + "/v1/chat/completions", json={**body, "model": model, **more}, headers=key,
                          timeout=60).status_code  # fmt: skip

    assert [status(model) for model in ("mine", "nickname", "ok", "alone")] == [200, 200, 200, 403]
    assert status("ok", fallbacks=["dead"]) == 403


ONE = """
model_list: [{{model_name: m, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k, rpm: {rpm}}}, model_info: {{id: a}}}}]
general_settings: {{master_key: {key}}}
"""  # noqa: E501


def test_a_reload_keeps_what_has_been_counted_and_one_that_fails_changes_no_limit(
    shared_upstream: UpstreamThread, tmp_path: Path
) -> None:
    def text(rpm: int, more: str = "") -> str:
        return ONE.format(base=shared_upstream.base_url, key=MASTER_KEY, rpm=rpm) + more

    with Gateway(text(2), tmp_path) as gateway:
        assert [ask(gateway, "m")[0] for _ in range(2)] == [200, 200]
        full = ask(gateway, "m")[0]
        seen = len(gateway.log)
        gateway.config_file.write_text(text(1000, "litellm_settings: {callbacks: [nowhere.thing]}\n"))
        gateway.signal(signal.SIGHUP)
        assert wait_until(lambda: "nowhere" in gateway.log[seen:], 30)
        assert [full, ask(gateway, "m")[0]] == [429, 429]
        gateway.config_file.write_text(text(1000))
        gateway.signal(signal.SIGHUP)
        assert wait_until(lambda: ask(gateway, "m")[0] == 200, 30)


MOCKED = """
model_list:
  - {{model_name: own, litellm_params: {{model: openai/own, api_base: {base}, api_key: k}}}}
  - {{model_name: other, litellm_params: {{model: openai/other, api_base: {base}, api_key: k}}, model_info: {{id: other}}}}
  - {{model_name: larger, litellm_params: {{model: openai/larger, api_base: {base}, api_key: k}}, model_info: {{id: larger}}}}
  - {{model_name: milder, litellm_params: {{model: openai/milder, api_base: {base}, api_key: k}}, model_info: {{id: milder}}}}
router_settings:
  fallbacks: [{{own: [other]}}]
  context_window_fallbacks: [{{own: [larger]}}]
  content_policy_fallbacks: [{{own: [milder]}}]
  model_group_alias: {{nickname: own, secret: {{model: other, hidden: true}}, lost: nowhere}}
general_settings: {{master_key: {key}}}
"""  # noqa: E501


def test_failures_on_request_and_aliases_in_the_list(upstream: UpstreamThread, tmp_path: Path) -> None:
    with Gateway(MOCKED.format(base=upstream.base_url, key=MASTER_KEY), tmp_path) as gateway:
        for flag, served in (
            ("mock_testing_fallbacks", "other"),
            ("mock_testing_context_fallbacks", "larger"),
            ("mock_testing_content_policy_fallbacks", "milder"),
            ("mock_testing_rate_limit_error", "other"),
        ):
            for stream in (False, True):
                status, headers, _ = ask(gateway, "own", stream=stream, **{flag: True})
                assert (status, headers["x-litellm-model-id"]) == (200, served)
        assert ask(gateway, "own", mock_testing_rate_limit_error=True, disable_fallbacks=True)[0] == 429
        assert ask(gateway, "other", mock_testing_fallbacks=True)[0] == 500
        assert ask(gateway, "own", mock_testing_fallbacks="yes")[0] == 400
        assert "own" not in {request.model for request in upstream.requests}
        assert not any("mock" in str(request.json) for request in upstream.requests)

        def models(key: str) -> list[str]:
            got = httpx.get(gateway.origin + "/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=60)
            return [row["id"] for row in got.json()["data"]]

        assert models(MASTER_KEY) == ["own", "other", "larger", "milder", "nickname"]
        made = httpx.post(gateway.origin + "/key/generate", json={"models": ["own"]}, headers=gateway.headers).json()
        assert models(made["key"]) == ["own", "nickname"]
        for name, status in (("nickname", 200), ("secret", 200), ("lost", 404)):
            assert httpx.get(f"{gateway.origin}/v1/models/{name}", headers=gateway.headers).status_code == status
        assert ask(gateway, "secret")[0] == 200


TWO = """
model_list:
  - {{model_name: m, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: a}}}}
  - {{model_name: m, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: b}}}}
router_settings: {{routing_strategy: {strategy}}}
general_settings: {{master_key: {key}}}
"""


def test_tokens_are_counted_from_when_a_strategy_compares_them(shared_upstream: UpstreamThread, tmp_path: Path) -> None:
    def text(strategy: str) -> str:
        return TWO.format(base=shared_upstream.base_url, key=MASTER_KEY, strategy=strategy)

    def tokens() -> list[int] | None:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        key = {"Authorization": f"Bearer {MASTER_KEY}"}
        told = httpx.post(gateway.origin + "/router/explain", json=body, headers=key, timeout=60).json()
        by_id = {row["model_id"]: row["score"].get("tokens") for row in told["candidates"]}
        return None if None in by_id.values() else sorted(by_id.values())

    with Gateway(text("simple-shuffle"), tmp_path) as gateway:
        assert ask(gateway, "m")[0] == 200
        gateway.config_file.write_text(text("usage-based-routing-v2"))
        gateway.signal(signal.SIGHUP)
        assert wait_until(lambda: tokens() is not None, 30)
        used = [ask(gateway, "m")[2] for _ in range(2)]
        assert tokens() == [json.loads(body)["usage"]["total_tokens"] for body in used]
