"""What a call tries besides its model."""

import asyncio
from typing import Any

import pytest

import litellm
from support.upstream import UpstreamThread

HI = [{"role": "user", "content": "hi"}]


def target(upstream: UpstreamThread) -> dict[str, Any]:
    return {"api_base": upstream.base_url, "api_key": "sk-first", "messages": HI, "num_retries": 0}


def asked(upstream: UpstreamThread) -> list[str]:
    return [request.json["model"] for request in upstream.requests]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_names_and_dicts_in_order(upstream: UpstreamThread, asynchronous: bool) -> None:
    fallbacks = ["openai/status-500", {"model": "openai/good", "api_key": "sk-third", "temperature": 0.1}, "openai/no"]
    given = {"model": "openai/status-400", "temperature": 0.9, "fallbacks": fallbacks, **target(upstream)}
    made = asyncio.run(litellm.acompletion(**given)) if asynchronous else litellm.completion(**given)
    assert asked(upstream) == ["status-400", "status-500", "good"]
    assert [request.json["temperature"] for request in upstream.requests] == [0.9, 0.9, 0.1]
    keys = [request.headers["authorization"] for request in upstream.requests]
    assert keys == ["Bearer sk-first", "Bearer sk-first", "Bearer sk-third"]
    assert made._hidden_params["additional_headers"]["x-litellm-attempted-fallbacks"] == 2
    assert "fallbacks" not in upstream.requests[0].json


def test_the_first_answer_is_enough(upstream: UpstreamThread) -> None:
    made = litellm.completion("openai/good", fallbacks=["openai/other"], **target(upstream))
    assert asked(upstream) == ["good"]
    assert "x-litellm-attempted-fallbacks" not in made._hidden_params["additional_headers"]


def test_if_all_fail_the_last_error_is_raised(upstream: UpstreamThread) -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion("openai/status-500", fallbacks=["openai/status-404"], **target(upstream))


def test_each_has_its_own_retries(upstream: UpstreamThread) -> None:
    given = {**target(upstream), "num_retries": 1}
    litellm.completion("openai/status-500", fallbacks=["openai/good"], **given)
    assert asked(upstream) == ["status-500", "status-500", "good"]


def test_key_and_address_do_not_go_to_another_provider(upstream: UpstreamThread, monkeypatch: Any) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(litellm.AuthenticationError, match="GROQ_API_KEY"):
        litellm.completion("openai/status-500", fallbacks=["groq/m"], **target(upstream))
    with pytest.raises(litellm.AuthenticationError, match="GROQ_API_KEY"):
        fallback = {"model": "groq/m", "api_base": upstream.base_url}
        litellm.completion("openai/status-500", fallbacks=[fallback], **target(upstream))
    assert asked(upstream) == ["status-500", "status-500"]


def test_streams(upstream: UpstreamThread) -> None:
    given = {"model": "openai/error-first-event", "fallbacks": ["openai/good"], "stream": True, **target(upstream)}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(**given))
    assert asked(upstream) == ["error-first-event", "good"]


def test_a_larger_window() -> None:
    given = {"messages": HI, "num_retries": 0, "mock_response": "litellm.ContextWindowExceededError"}
    with pytest.raises(litellm.ContextWindowExceededError) as caught:
        litellm.completion("openai/small", context_window_fallback_dict={"openai/small": "openai/large"}, **given)
    assert caught.value.model == "large"
    with pytest.raises(litellm.ContextWindowExceededError) as caught:
        litellm.completion("openai/small", context_window_fallback_dict={"openai/x": "openai/large"}, **given)
    assert caught.value.model == "small"


def test_model_fallbacks_for_all_calls(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "model_fallbacks", ["openai/good"])
    litellm.completion("openai/status-500", **target(upstream))
    assert asked(upstream) == ["status-500", "good"]


def test_a_model_list_in_the_call(upstream: UpstreamThread) -> None:
    rows = [
        {"model_name": "mine", "litellm_params": {"model": "openai/status-500", **target(upstream)}},
        {"model_name": "mine", "litellm_params": {"model": "openai/good", **target(upstream)}},
        {"model_name": "other", "litellm_params": {"model": "openai/never", **target(upstream)}},
    ]
    litellm.completion("mine", HI, model_list=rows)
    assert asked(upstream) == ["status-500", "good"]


def test_what_is_no_fallback() -> None:
    with pytest.raises(litellm.BadRequestError, match="fallbacks are names or dicts"):
        litellm.completion("openai/x", HI, fallbacks=[3], mock_response="litellm.RateLimitError", num_retries=0)


def test_a_failure_on_request_is_the_first_models_only(upstream: UpstreamThread) -> None:
    given = {"model": "openai/first", "fallbacks": ["openai/second"], **target(upstream)}
    litellm.completion(**given, mock_testing_fallbacks=True)
    assert asked(upstream) == ["second"]
    windows = {"openai/first": "openai/larger"}
    plain = {"model": "openai/first", **target(upstream)}
    litellm.completion(**plain, context_window_fallback_dict=windows, mock_testing_context_fallbacks=True)
    assert asked(upstream) == ["second", "larger"]
    with pytest.raises(litellm.RateLimitError, match="mock_testing_rate_limit_error"):
        litellm.completion(**plain, mock_testing_rate_limit_error=True)
    with pytest.raises(litellm.BadRequestError, match="mock_testing_fallbacks"):
        litellm.completion(**plain, mock_testing_fallbacks="yes")
    assert len(upstream.requests) == 2
