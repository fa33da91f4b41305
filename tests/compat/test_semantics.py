"""What dependents rely on beyond a name: one test for each bullet of what they were seen to do."""

import asyncio
import json
import pickle
from typing import Any
from unittest import mock

import openai
import pytest

import litellm
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.guardrails import GuardrailEventHooks
from litellm.types.utils import Delta, Usage

HI = [{"role": "user", "content": "Hi"}]


def ask(**more: Any) -> Any:
    return litellm.completion(model="openai/m", messages=HI, mock_response="Hello", **more)


def test_results_read_as_dicts_as_attributes_and_as_pydantic_objects():
    response = ask()
    assert response["choices"][0]["message"]["content"] == response.choices[0].message.content == "Hello"
    assert "choices" in response
    assert "nothing" not in response
    assert response.get("usage", {})["total_tokens"] == response.usage.total_tokens
    assert response.choices[0].message.get("tool_calls") is None
    dumped = response.model_dump(mode="json")
    assert dumped == response.model_dump(warnings=False) == response.json() == response.dict() == response.to_dict()
    assert json.loads(response.model_dump_json()) == dumped
    again = litellm.ModelResponse.model_validate(dumped)
    assert (again.model_dump(mode="json"), again.model_extra) == (dumped, {})
    assert pickle.loads(pickle.dumps(response)) == response
    assert litellm.ModelResponse.model_construct(id="x").id == "x"


def test_chunks_read_the_same_way_and_the_last_has_the_usage():
    chunks = [*ask(stream=True, stream_options={"include_usage": True})]
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk.choices)
    assert said == "Hello"
    assert chunks[-1].usage.total_tokens == chunks[-1].model_extra["usage"].total_tokens > 0
    assert chunks[0].usage is None


def test_results_are_made_by_dependents():
    call = litellm.ChatCompletionDeltaToolCall(
        id="1", type="function", index=0, function=litellm.Function(name="f", arguments="{}")
    )
    choice = litellm.Choices(
        message=litellm.Message(role="assistant", content="x", tool_calls=None), index=0, finish_reason="stop"
    )
    made = litellm.ModelResponse(
        id="i", choices=[choice], created=1, model="m", object="chat.completion", usage=Usage(prompt_tokens=1)
    )
    assert (made.id, made.created, made.choices[0], made.usage.prompt_tokens) == ("i", 1, choice, 1)
    assert made.model_dump(include={"model"}) == {"model": "m"}
    streaming = litellm.StreamingChoices(index=0, delta=Delta(content="x", tool_calls=[call]), finish_reason=None)
    chunk = litellm.ModelResponseStream(id="i", model="m", choices=[streaming])
    assert chunk.choices[0].delta.tool_calls[0].function.name == "f"
    assert litellm.EmbeddingResponse(data=[{"embedding": [1.0], "index": 0}]).data[0]["embedding"] == [1.0]
    assert litellm.ImageResponse(data=[{"url": "u"}]).data[0].url == "u"
    assert litellm.TextCompletionResponse(choices=[{"text": "t"}]).choices[0].text == "t"


def test_hidden_params_know_the_provider():
    hidden = ask()._hidden_params
    assert hidden["custom_llm_provider"] == "openai"
    assert "response_cost" in litellm.completion(model="openai/gpt-4o", messages=HI, mock_response="x")._hidden_params


def test_exceptions_are_made_changed_and_told_apart_by_class():
    error = litellm.RateLimitError(message="slow", llm_provider="openai", model="m", response=None)
    error.message += " down"
    error.num_retries = 3
    assert "slow down" in str(error)
    assert (error.status_code, error.llm_provider, error.num_retries) == (429, "openai", 3)
    assert type(error) is litellm.RateLimitError is litellm.exceptions.RateLimitError
    assert error.__class__.__module__.startswith("litellm")
    with pytest.raises(openai.RateLimitError):
        raise error


def test_settings_that_dependents_set():
    for name in (
        "suppress_debug_info", "drop_params", "set_verbose", "modify_params", "telemetry", "callbacks",
        "success_callback", "failure_callback", "input_callback", "_async_success_callback", "service_callback",
        "cache", "custom_provider_map", "api_base", "api_key", "client_session", "aclient_session",
        "add_function_to_prompt", "enable_json_schema_validation", "max_budget", "disable_aiohttp_transport",
        "turn_off_message_logging", "REPEATED_STREAMING_CHUNK_LIMIT",
    ):  # fmt: skip
        before = getattr(litellm, name)
        with mock.patch.object(litellm, name, value := object()):
            assert getattr(litellm, name) is value
        assert getattr(litellm, name) == before
    for name in ("_dspy_logging_configured", "_datadog_patch"):
        assert not hasattr(litellm, name)
        setattr(litellm, name, True)
        assert vars(litellm).pop(name) is True


def test_model_cost_is_edited_in_place():
    litellm.model_cost["tests/own"] = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "mode": "chat"}
    try:
        assert litellm.cost_per_token(model="tests/own", prompt_tokens=10, completion_tokens=5) == (1e-5, 1e-5)
    finally:
        del litellm.model_cost["tests/own"]


def test_functions_are_replaced_on_the_package_and_looked_up_when_called():
    with mock.patch("litellm.completion", autospec=True) as fake:
        assert litellm.batch_completion(model="m", messages=[HI]) == [fake.return_value]
        assert fake.call_args.kwargs["model"] == "m"

    original = litellm.completion

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    litellm.completion = wrapper
    try:
        assert ask().choices[0].message.content == "Hello"
    finally:
        litellm.completion = original


def test_callbacks_are_functions_and_loggers():
    told: list[tuple[str, Any]] = []

    class Logger(CustomLogger):
        def log_pre_api_call(self, model: str, messages: Any, kwargs: Any) -> None:
            told.append(("pre", kwargs["litellm_call_id"]))

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            told.append(("success", response_obj.choices[0].message.content))

        async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            told.append(("failure", type(kwargs["exception"])))

    def hear(kwargs: Any, completion_response: Any, start_time: Any, end_time: Any) -> None:
        told.append(("function", kwargs["model"]))

    async def run() -> None:
        await litellm.acompletion(model="openai/m", messages=HI, mock_response="Hello")
        with pytest.raises(litellm.RateLimitError):
            await litellm.acompletion(model="openai/m", messages=HI, mock_response="litellm.RateLimitError")
        from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

        await GLOBAL_LOGGING_WORKER.flush()

    with mock.patch.object(litellm, "callbacks", [Logger()]), mock.patch.object(litellm, "success_callback", [hear]):
        asyncio.run(run())
    assert [name for name, _ in told].count("pre") == 2
    assert {("success", "Hello"), ("failure", litellm.RateLimitError), ("function", "m")} <= set(told)


def test_guardrails_are_subclassed():
    class Guard(CustomGuardrail):
        async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str) -> Any:
            return {**data, "checked": call_type}

    guard = Guard(guardrail_name="g", event_hook=GuardrailEventHooks.pre_call, default_on=True, own="x")
    assert guard.should_run_guardrail({}, GuardrailEventHooks.pre_call)
    assert not guard.should_run_guardrail({}, GuardrailEventHooks.post_call)
    assert guard.optional_params == {"own": "x"}
    changed = asyncio.run(guard.async_pre_call_hook(None, None, {"model": "m"}, "completion"))
    assert changed == {"model": "m", "checked": "completion"}


def test_a_custom_llm_is_subclassed():
    class Mine(litellm.CustomLLM):
        def completion(self, *args: Any, **kwargs: Any) -> Any:
            return litellm.ModelResponse(choices=[litellm.Choices(message=litellm.Message(content="mine"))])

    with mock.patch.object(litellm, "custom_provider_map", [{"provider": "mine", "custom_handler": Mine()}]):
        assert litellm.completion(model="mine/x", messages=HI).choices[0].message.content == "mine"
