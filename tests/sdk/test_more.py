"""The smaller ways: with retries, from a client object, health, tokens."""

import asyncio
from typing import Any

import pytest

import litellm
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]


def target(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_base": upstream.base_url, "api_key": "sk-1"}


def test_completion_with_retries(upstream: UpstreamThread) -> None:
    given = {"messages": HI, "retry_strategy": "constant_retry", **target(upstream)}
    assert litellm.completion_with_retries(model="openai/fail-first-2", **given).choices
    assert asyncio.run(litellm.acompletion_with_retries(model="openai/fail-first-1", num_retries=1, **given)).choices
    assert len(upstream.requests) == 5
    assert "retry_strategy" not in upstream.requests[0].json
    made = litellm.completion_with_retries(
        original_function=litellm.embedding, model="openai/e", input=["a"], **target(upstream)
    )
    assert made.data


def test_config_completion_says_what_to_do_instead() -> None:
    with pytest.raises(litellm.BadRequestError, match="not built"):
        litellm.config_completion(model="x")


def test_a_client_object(upstream: UpstreamThread) -> None:
    client = litellm.LiteLLM(api_key="sk-1", base_url=upstream.base_url, default_headers={"x-mine": "1"}, timeout=9)
    made = client.chat.completions.create(model="openai/m", messages=HI, temperature=0.2)
    assert made.choices[0].message.content
    made = asyncio.run(client.chat.completions.acreate(model="openai/m", messages=HI, api_key="sk-2"))
    assert made.choices[0].message.content
    first, second = upstream.requests
    assert (first.headers["authorization"], second.headers["authorization"]) == ("Bearer sk-1", "Bearer sk-2")
    assert first.headers["x-mine"] == "1"
    assert first.json["temperature"] == 0.2


@pytest.mark.parametrize("mode", ["chat", "completion", "embedding", None])
def test_health_of_a_model_that_answers(upstream: UpstreamThread, mode: Any) -> None:
    assert "error" not in asyncio.run(litellm.ahealth_check({"model": "openai/m", **target(upstream)}, mode))
    assert len(upstream.requests) == 1


def test_health_of_one_that_does_not(upstream: UpstreamThread) -> None:
    said = asyncio.run(litellm.ahealth_check({"model": "openai/status-401", **target(upstream)}))
    assert "AuthenticationError" in said["error"]
    asyncio.run(litellm.ahealth_check({"model": "openai/status-500", **target(upstream)}))
    assert len(upstream.requests) == 2, "it is tried once"
    assert "no `model`" in asyncio.run(litellm.ahealth_check({}))["error"]
    assert "not built" in asyncio.run(litellm.ahealth_check({"model": "openai/m"}, mode="rerank"))["error"]


def test_counting_tokens() -> None:
    counted = asyncio.run(litellm.acount_tokens("openai/gpt-4o", messages=HI))
    assert counted.total_tokens == litellm.token_counter(model="openai/gpt-4o", messages=HI) > 0
    assert (counted.request_model, counted.tokenizer_type) == ("openai/gpt-4o", "local_tokenizer")
    more = asyncio.run(litellm.acount_tokens("openai/gpt-4o", messages=HI, system="Be brief."))
    assert more.total_tokens > counted.total_tokens
