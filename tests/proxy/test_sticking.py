"""Calls that stay together, through the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway import MASTER_KEY, Gateway
from support.upstream import UpstreamThread

ENTRY = """
  - {{model_name: m, litellm_params: {{model: openai/ok, api_base: {base}, api_key: k}}, model_info: {{id: m{n}}}}}"""
CALLS = 12


@pytest.fixture(scope="module")
def gateway(shared_upstream: UpstreamThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    base = shared_upstream.base_url
    rows = [ENTRY.format(base=base, n=n) for n in range(8)]
    config = "\n".join(
        [
            "model_list:",
            *rows,
            "router_settings:",
            "  optional_pre_call_checks: [prompt_caching, session_affinity]",
            f"general_settings: {{master_key: {MASTER_KEY}}}",
        ]
    )
    folder: Path = tmp_path_factory.mktemp("sticking")
    with Gateway(config, folder) as running:
        yield running


def post(gateway: Gateway, path: str, text: str, session: str | None, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "x-litellm-explain": "1"}
    if session is not None:
        headers["x-litellm-session-id"] = session
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(gateway.origin + path, json=body, headers=headers, timeout=60)


def served(gateway: Gateway, text: str = "hi", session: str | None = None, **more: Any) -> set[str]:
    answers = [post(gateway, "/v1/chat/completions", text, session, **more) for _ in range(CALLS)]
    assert {answer.status_code for answer in answers} == {200}
    return {answer.headers["x-litellm-model-id"] for answer in answers}


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_stays(gateway: Gateway, stream: bool) -> None:
    assert len(served(gateway, session=f"mine-{stream}", stream=stream)) == 1


def test_a_prompt_cache_key_stays(gateway: Gateway) -> None:
    assert len(served(gateway, prompt_cache_key="mine")) == 1


def test_a_long_prefix_stays_and_a_short_prompt_does_not(gateway: Gateway) -> None:
    assert len(served(gateway, "x" * 4096)) == 1
    assert len(served(gateway, "short")) > 1  # all alike: once in 8 ** 11


def test_it_is_explained(gateway: Gateway) -> None:
    [id] = served(gateway, session="told")
    dry = post(gateway, "/router/explain", "hi", "told").json()
    assert (dry["affinity"], dry["chosen"]) == (id, id)
    [step] = json.loads(post(gateway, "/v1/chat/completions", "hi", "told").headers["x-litellm-explain"])["steps"]
    assert step["affinity"] == id
