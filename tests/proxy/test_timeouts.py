"""Timeouts of single phases, as callers of the gateway see them."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

CONFIG = """
model_list:
  - {{model_name: no-head, litellm_params: {{model: openai/hang, api_base: {base}, api_key: k, order: 1}}}}
  - {{model_name: no-head, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: head}}}}
  - {{model_name: no-event, litellm_params: {{model: openai/hang-before-event, api_base: {base}, api_key: k, order: 1}}}}
  - {{model_name: no-event, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: event}}}}
  - {{model_name: comments, litellm_params: {{model: openai/endless-comments, api_base: {base}, api_key: k, order: 1}}}}
  - {{model_name: comments, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: com}}}}
  - {{model_name: alone, litellm_params: {{model: openai/hang-before-event, api_base: {base}, api_key: k, max_retries: 0,
      first_token_timeout: 0.2}}}}
  - {{model_name: silent, litellm_params: {{model: openai/hang-mid-body, api_base: {base}, api_key: k, order: 1}}}}
  - {{model_name: silent, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: other}}}}
  - {{model_name: chatty, litellm_params: {{model: openai/comments-later, api_base: {base}, api_key: k,
      between_tokens_timeout: 0.2}}}}
  - {{model_name: patient, litellm_params: {{model: openai/stream-silent-900, api_base: {base}, api_key: k,
      between_tokens_timeout: 0.3, first_token_timeout: 40}}}}
  - {{model_name: late, litellm_params: {{model: openai/delay-60000, api_base: {base}, api_key: k}}}}
  - {{model_name: nobody, litellm_params: {{model: openai/ok, api_base: "https://127.0.0.1:{silent}/v1", api_key: k,
      order: 1, connect_timeout: 0.2}}}}
  - {{model_name: nobody, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: some}}}}
  - {{model_name: broken, litellm_params: {{model: openai/status-503, api_base: {base}, api_key: k}}}}
router_settings:
  first_token_timeout: 0.6
  timeout: 50
  cooldown_time: 600
  model_groups:
    silent: {{between_tokens_timeout: 0.2, first_token_timeout: 40}}
    late: {{total_timeout: 0.5}}
    comments: {{first_token_timeout: 0.5}}
general_settings: {{master_key: {key}, stream_commit_seconds: 0.2}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says anything
        port = silent.getsockname()[1]
        config = CONFIG.format(base=shared_upstream.base_url, key=MASTER_KEY, silent=port)
        with Gateway(config, tmp_path_factory.mktemp("timeouts")) as running:
            yield running


def ask(gateway: Gateway, model: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    headers = {"Authorization": f"Bearer {MASTER_KEY}"}
    return httpx.post(gateway.origin + "/v1/chat/completions", json=body, headers=headers, timeout=45)


@pytest.mark.parametrize(
    ("model", "served"), [("no-head", "head"), ("no-event", "event"), ("comments", "com"), ("nobody", "some")]
)
def test_a_stall_before_the_first_token_is_tried_elsewhere(gateway: Gateway, model: str, served: str) -> None:
    answer = ask(gateway, model, stream=True)
    assert answer.status_code == 200
    assert (answer.headers["x-litellm-model-id"], answer.headers["x-litellm-attempted-retries"]) == (served, "1")
    assert answer.text.endswith("data: [DONE]\n\n")


def test_nobody_else_to_ask_is_408_although_the_head_had_come(gateway: Gateway) -> None:
    for more in ({}, {"timeout": 30}, {"stream_timeout": 0.1}):
        answer = ask(gateway, "alone", stream=True, **more)
        assert answer.status_code == 408
        assert "Request timed out" in answer.text


def test_a_stall_between_tokens_ends_the_stream_with_an_error_and_counts(gateway: Gateway) -> None:
    stalled = 0
    while (answer := ask(gateway, "silent", stream=True)).headers["x-litellm-model-id"] != "other":
        stalled += 1
        assert (answer.status_code, '"error"' in answer.text) == (200, True)
    # At least five calls of one minute, most of which stalled after their first tokens: the deployment rests.
    assert 5 <= stalled <= 9
    assert '"error"' not in answer.text


def test_the_first_token_may_take_longer_than_the_next_ones(gateway: Gateway) -> None:
    answer = ask(gateway, "patient", stream=True)
    assert (answer.status_code, answer.text.endswith("data: [DONE]\n\n")) == (200, True)


def test_comments_are_no_tokens(gateway: Gateway) -> None:
    answer = ask(gateway, "chatty", stream=True)
    assert (answer.status_code, "no event came within 0.2 s" in answer.text) == (200, True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_has_its_own_total(gateway: Gateway, stream: bool) -> None:
    answer = ask(gateway, "late", stream=stream)
    assert (answer.status_code, "total time" in answer.text) == (408, True)


@pytest.mark.parametrize("stream", [False, True])
def test_pauses_are_no_longer_than_the_callers_timeout(
    gateway: Gateway, shared_upstream: UpstreamThread, stream: bool
) -> None:
    before, began = len(shared_upstream.asked("status-503")), time.monotonic()
    answer = ask(gateway, "broken", stream=stream, timeout=0.4, num_retries=6)
    assert answer.status_code == 503
    assert len(shared_upstream.asked("status-503")) - before == 7
    assert time.monotonic() - began < 7 * 0.4 + 6 * 0.4
