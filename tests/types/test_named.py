"""The shapes that callers name: Responses API objects, requests, prices, keys, router's parameters."""

import copy
import pickle
from hashlib import sha256
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import litellm
from litellm.types.call_types import CallTypes, get_call_types_for_route
from litellm.types.llms import openai
from litellm.types.router import GenericLiteLLMParams, RetryPolicy
from litellm.types.who import UserAPIKeyAuth

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "created_at": 5,
    "model": "m",
    "status": "completed",
    "output": [
        {"type": "message", "id": "a", "role": "assistant", "content": [{"type": "output_text", "text": "Hel"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "message", "content": [{"type": "output_text", "text": "lo", "annotations": []}]},
        {"type": "novelty", "x": 1},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2}},
    "novel": True,
}


def test_a_response_of_the_responses_api():
    made = openai.ResponsesAPIResponse(**RESPONSE)
    assert made.output_text == "Hello"
    assert (made.usage.total_tokens, made.usage.input_tokens_details.cached_tokens) == (7, 2)
    assert isinstance(made.output[1], openai.OutputFunctionToolCall)
    assert made.output[1]["name"] == "f"
    assert made.output[3] == {"type": "novelty", "x": 1}
    assert made.model_extra == {"novel": True}
    assert made._hidden_params == {}
    assert openai.ResponsesAPIResponse.model_validate(made.model_dump()) == made
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made
    assert made.model_dump(mode="json")["output"][0]["content"][0]["text"] == "Hel"


def test_an_empty_response_has_its_fields():
    made = openai.ResponsesAPIResponse()
    assert (made.output, made.output_text, made.usage, made.object) == ([], "", None, "response")
    assert made.created_at > 1_700_000_000


def test_events_are_told_apart_by_class_and_by_type():
    delta = openai.OutputTextDeltaEvent(item_id="i", output_index=0, content_index=0, delta="He", sequence_number=4)
    assert (delta.type, delta.delta) == (openai.ResponsesAPIStreamEvents.OUTPUT_TEXT_DELTA, "He")
    for cls, kind in (
        (openai.ResponseCompletedEvent, "response.completed"),
        (openai.ResponseFailedEvent, "response.failed"),
        (openai.ResponseIncompleteEvent, "response.incomplete"),
    ):
        event = cls(response=RESPONSE)
        assert event.type == kind
        assert event.response.output_text == "Hello"
        assert pickle.loads(pickle.dumps(event)) == event
    assert openai.ErrorEvent(message="no").model_dump()["type"] == "error"
    assert openai.RefusalDeltaEvent(delta="x").type == "response.refusal.delta"
    assert openai.ReasoningSummaryTextDeltaEvent(delta="x").type == "response.reasoning_summary_text.delta"


def test_requests_are_plain_dicts_that_pydantic_can_check():
    assert litellm.ChatCompletionUserMessage(role="user", content="Hi") == {"role": "user", "content": "Hi"}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    checked = TypeAdapter(litellm.ChatCompletionToolParam).validate_python(tool)
    assert checked == tool
    with pytest.raises(ValidationError):
        TypeAdapter(litellm.ChatCompletionToolMessage).validate_python({"role": "tool", "content": "x"})
    messages = TypeAdapter(list[litellm.AllMessageValues])
    assert messages.validate_python([{"role": "system", "content": "S"}]) == [{"role": "system", "content": "S"}]


def test_a_key_is_kept_as_its_digest_only():
    made = UserAPIKeyAuth(api_key="sk-secret", user_id="u", novel=1)
    digest = sha256(b"sk-secret").hexdigest()
    assert (made.api_key, made.token, made.user_id, made.novel) == (digest, digest, "u", 1)
    assert "sk-secret" not in repr(made) + made.model_dump_json()
    assert pickle.loads(pickle.dumps(made)) == UserAPIKeyAuth.model_validate(made.model_dump()) == made
    assert UserAPIKeyAuth().api_key is None
    assert UserAPIKeyAuth(api_key=digest, token="t").model_dump()["token"] == "t"
    with pytest.raises(ValidationError):
        UserAPIKeyAuth(max_budget="much")


def test_parameters_of_a_deployment():
    made = GenericLiteLLMParams(api_base="http://x", timeout=3, novel=1)
    assert (made.api_base, made["timeout"], made.get("novel"), made.get("nothing", 5)) == ("http://x", 3, 1, 5)
    assert "novel" in made
    assert "nothing" not in made
    made["rpm"] = 5
    assert made.rpm == 5
    assert made.model_dump(exclude_none=True) == {"api_base": "http://x", "timeout": 3, "novel": 1, "rpm": 5}
    policy = RetryPolicy(RateLimitErrorRetries=3)
    assert (policy.RateLimitErrorRetries, policy.TimeoutErrorRetries) == (3, None)


def test_providers_are_those_of_the_catalog():
    assert {provider.value for provider in litellm.LlmProviders} == {*litellm.provider_list, "custom"}
    assert litellm.LlmProviders("groq") is litellm.LlmProviders.GROQ
    assert litellm.LlmProviders.NANO_GPT == "nano-gpt"
    assert litellm.LlmProviders.OPENAI in litellm.provider_list
    assert pickle.loads(pickle.dumps(litellm.LlmProviders.OPENAI)) is litellm.LlmProviders.OPENAI


def test_call_types_of_a_route():
    chat = [CallTypes.acompletion, CallTypes.completion]
    for route in (
        "/chat/completions", "/v1/chat/completions", "/v1/chat/completions/?x=1", "/engines/gpt/chat/completions",
        "/openai/deployments/gpt/chat/completions",
    ):  # fmt: skip
        assert get_call_types_for_route(route) == chat, route
    assert get_call_types_for_route("/v2/rerank") == [CallTypes.arerank, CallTypes.rerank]
    assert get_call_types_for_route("/v1beta/models/g:generateContent") == ["agenerate_content", "generate_content"]
    for route in ("", "/", "/key/generate", "/engines//chat/completions", "/engines/a/b/chat/completions"):
        assert get_call_types_for_route(route) is None, route
