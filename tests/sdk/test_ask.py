"""What reaches the endpoint of what a caller wrote: every OpenAI parameter and every unknown one, none of ours."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import litellm
from litellm.catalog import params
from litellm.router.mocking import FAILURES
from litellm.sdk import ask as ask_module
from support.upstream import UpstreamThread

MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}

# Every parameter that litellm-contract 1a.1 names, and some that nobody knows.
WRITTEN: dict[str, Any] = {
    "temperature": 0.0,
    "top_p": 0.5,
    "n": 2,
    "stop": ["a", "b"],
    "max_tokens": 5,
    "max_completion_tokens": 6,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logit_bias": {"50256": -100},
    "user": "u1",
    "seed": 0,
    "logprobs": False,
    "top_logprobs": 3,
    "stream_options": {"include_usage": True},
    "tools": [TOOL],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "functions": [{"name": "g"}],
    "function_call": "none",
    "response_format": {"type": "json_object"},
    "reasoning_effort": "xhigh",
    "thinking": {"type": "enabled", "budget_tokens": 9},
    "verbosity": "low",
    "modalities": ["text"],
    "prediction": {"type": "content", "content": "x"},
    "audio": {"voice": "a", "format": "wav"},
    "web_search_options": {},
    "service_tier": "flex",
    "store": False,
    "safety_identifier": "s",
    "prompt_cache_key": "p",
    "prompt_cache_retention": "24h",
    "top_k": 40,
    "min_p": 0.1,
    "chat_template_kwargs": {"enable_thinking": False},
    "x_nobody_knows": [1, {"a": None}],
}


@pytest.fixture(autouse=True)
def nothing_warned_yet() -> Iterator[None]:
    ask_module._warned.clear()
    yield
    ask_module._warned.clear()


def sent(upstream: UpstreamThread, **given: Any) -> dict[str, Any]:
    """The JSON that reaches the endpoint."""
    litellm.completion(**{"model": "openai/ok", "api_key": "k", "api_base": upstream.base_url, "messages": MESSAGES}
                       | given)  # fmt: skip
    return upstream.requests[-1].json


@pytest.mark.parametrize("name", WRITTEN)
def test_a_parameter_goes_out_as_written(upstream: UpstreamThread, name: str) -> None:
    assert sent(upstream, **{name: WRITTEN[name]}) == {"model": "ok", "messages": MESSAGES, name: WRITTEN[name]}


def test_all_parameters_go_out_together(upstream: UpstreamThread) -> None:
    assert sent(upstream, **WRITTEN) == {"model": "ok", "messages": MESSAGES, **WRITTEN}


def test_none_is_absent(upstream: UpstreamThread) -> None:
    nothing = dict.fromkeys(WRITTEN)
    assert sent(upstream, **nothing) == {"model": "ok", "messages": MESSAGES}


def test_only_the_first_segment_is_the_provider(upstream: UpstreamThread) -> None:
    assert sent(upstream, model="openai/org/name:tag")["model"] == "org/name:tag"


def test_extra_body_is_merged_last(upstream: UpstreamThread) -> None:
    body = sent(upstream, temperature=0.1, extra_body={"metadata": {"a": "b"}, "temperature": 0.9, "cache": "x"})
    assert body == {"model": "ok", "messages": MESSAGES, "metadata": {"a": "b"}, "temperature": 0.9, "cache": "x"}


def test_messages_may_be_objects(upstream: UpstreamThread) -> None:
    """An agent's loop: the model's own message goes back to it, in a form every endpoint takes."""
    made = litellm.completion(model="openai/tool-call", api_key="k", api_base=upstream.base_url, messages=MESSAGES)
    said = made.choices[0].message
    body = sent(upstream, messages=[*MESSAGES, said, {"role": "tool", "tool_call_id": "call_1", "content": "sun"}])
    assert body["messages"][1]["role"] == "assistant"
    assert body["messages"][1]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert "provider_specific_fields" not in body["messages"][1]


def test_integer_keys_and_sets_are_written_as_json(upstream: UpstreamThread) -> None:
    body = sent(upstream, logit_bias={50256: -100}, stop={"a"})
    assert body["logit_bias"] == {"50256": -100}
    assert body["stop"] == ["a"]


@pytest.mark.parametrize("value", [object(), b"bytes", 2**70, "\ud800"])
def test_what_json_cannot_say_is_a_bad_request(upstream: UpstreamThread, value: object) -> None:
    with pytest.raises(litellm.BadRequestError, match="JSON"):
        sent(upstream, x=value)
    assert upstream.requests == []


# Headers.


def test_headers(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "headers", {"x-global": "g", "X-A": "global"}, raising=False)
    sent(upstream, extra_headers={"X-A": "1", "x-none": None}, headers={"x-b": "2", "x-a": "0"}, organization="org-1")
    headers = upstream.requests[-1].headers
    assert headers["authorization"] == "Bearer k"
    assert headers["openai-organization"] == "org-1"
    assert (headers["x-a"], headers["x-b"], headers["x-global"]) == ("1", "2", "g")
    assert "x-none" not in headers
    assert headers["content-type"] == "application/json"


def test_a_header_is_no_template(upstream: UpstreamThread) -> None:
    sent(upstream, extra_headers={"x-a": "{api_key}"})
    assert upstream.requests[-1].headers["x-a"] == "{api_key}"


@pytest.mark.parametrize("headers", [{"x-a": "1\r\nx-b: 2"}, {"bad name": "x"}, {"content-length": "1"}])
def test_a_header_cannot_smuggle(upstream: UpstreamThread, headers: dict[str, str]) -> None:
    with pytest.raises(litellm.BadRequestError, match="header"):
        sent(upstream, extra_headers=headers)
    assert upstream.requests == []


# Addresses.


def test_base_url_wins_over_api_base(upstream: UpstreamThread) -> None:
    sent(upstream, base_url=f"{upstream.origin}/other", api_base="http://127.0.0.1:1/v1")
    assert upstream.requests[-1].path == "/other/chat/completions"


def test_nothing_but_the_endpoints_path_is_appended(upstream: UpstreamThread) -> None:
    for base, path in {"": "", "/": "", "/v1/": "/v1", "/a/b?x=1": "/a/b"}.items():
        sent(upstream, api_base=upstream.origin + base)
        query = "?x=1" if "?" in base else ""
        assert upstream.requests[-1].path == f"{path}/chat/completions{query}"


@pytest.mark.parametrize("base", ["ftp://x/v1", "no-scheme/v1", "http:///v1", "http://u:p@127.0.0.1/v1"])
def test_a_bad_address_is_a_bad_request(upstream: UpstreamThread, base: str) -> None:
    with pytest.raises(litellm.BadRequestError):
        sent(upstream, api_base=base)


# Our names.

STEERING: dict[str, Any] = {
    "cache": {"ttl": 5},
    "caching": True,
    "ttl": 5,
    "preset_cache_key": "k",
    "timeout": 30,
    "request_timeout": 30,
    "stream_timeout": 30,
    "num_retries": 1,
    "max_retries": 1,
    "headers": {"x-a": "1"},
    "extra_headers": {"x-a": "1"},
    "organization": "o",
    "custom_llm_provider": "openai",
    "drop_params": True,
    "additional_drop_params": ["nothing"],
    "allowed_openai_params": ["nothing"],
    "ssl_verify": True,
    "litellm_call_id": "id-1",
    "mock_delay": 0.001,
    "metadata": {"a": "b"},
    "litellm_metadata": {"a": "b"},
    "tags": ["t"],
    "litellm_trace_id": "t",
    "litellm_session_id": "s",
    "no-log": True,
    "logger_fn": print,
    "model_info": {"id": "1"},
    "base_model": "gpt-4o",
    "input_cost_per_token": 1e-6,
    "output_cost_per_token": 1e-6,
    "input_cost_per_second": 1e-6,
    "output_cost_per_second": 1e-6,
}
ELSEWHERE = {"api_base", "base_url", "api_key", "mock_response", "mock_tool_calls", "mock_timeout", "client", *FAILURES}
UNBUILT = [*sorted(params.OURS - params.BUILT - params.NOT_BUILT), "aws_region_name", "vertex_project"]


def test_the_table_above_holds_every_name_that_has_an_effect() -> None:
    assert {*STEERING, *ELSEWHERE} == params.BUILT


@pytest.mark.parametrize("name", STEERING)
def test_names_of_ours_are_never_sent(upstream: UpstreamThread, name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert sent(upstream, **{name: STEERING[name]}) == {"model": "ok", "messages": MESSAGES}
    assert caplog.records == []


def test_names_of_ours_without_effect_are_never_sent_and_warn_once(
    upstream: UpstreamThread, caplog: pytest.LogCaptureFixture
) -> None:
    given = dict.fromkeys(UNBUILT, "x")
    with caplog.at_level(logging.WARNING):
        assert sent(upstream, **given) == {"model": "ok", "messages": MESSAGES}
        assert sent(upstream, **given) == {"model": "ok", "messages": MESSAGES}
    assert sorted(record.args[0] for record in caplog.records) == sorted(UNBUILT)  # type: ignore[index]


CONTRACT = [
    "api_base", "custom_llm_provider", "num_retries", "max_retries", "fallbacks", "context_window_fallback_dict",
    "drop_params", "additional_drop_params", "allowed_openai_params", "mock_response", "mock_tool_calls",
    "mock_timeout", "mock_delay", "caching", "cache", "ttl", "preset_cache_key", "metadata", "litellm_metadata",
    "tags", "litellm_trace_id", "litellm_session_id", "litellm_call_id", "id", "headers", "extra_headers",
    "provider_specific_header", "organization", "api_version", "region_name", "azure_ad_token", "tenant_id",
    "client_id", "client_secret", "input_cost_per_token", "output_cost_per_token", "input_cost_per_second",
    "output_cost_per_second", "base_model", "model_info", "ssl_verify", "client", "use_litellm_proxy",
    "request_timeout", "stream_timeout", "retry_policy", "cooldown_time", "max_fallbacks", "ensure_alternating_roles",
    "user_continue_message", "assistant_continue_message", "supports_system_message", "initial_prompt_value", "roles",
    "final_prompt_value", "bos_token", "eos_token", "hf_model_name", "prompt_id", "prompt_variables", "prompt_label",
    "prompt_version", "litellm_system_prompt", "guardrails", "no-log", "logger_fn", "verbose", "litellm_logging_obj",
    "proxy_server_request", "merge_reasoning_content_in_choices", "enable_prompt_caching", "use_chat_completions_api",
    "rust", "litellm_credential_name",
]  # fmt: skip


def test_every_name_of_the_contract_is_ours() -> None:
    """litellm-contract 1a.2, all rows."""
    assert set(CONTRACT) - params.OURS == set()


FEATURES = {"guardrails": ["g"]}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_whose_absence_would_change_the_answer_raises(upstream: UpstreamThread, name: str) -> None:
    with pytest.raises(litellm.BadRequestError, match=f"`{name}` is not supported yet"):
        sent(upstream, **{name: FEATURES[name]})
    assert upstream.requests == []


def test_an_empty_feature_asks_for_nothing(upstream: UpstreamThread) -> None:
    assert sent(upstream, fallbacks=[], cache={}) == {"model": "ok", "messages": MESSAGES}


# Dropping.


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("temperature", {"tools": [TOOL]}),
        ("tools", {"temperature": 1}),
        ("tools[*].function.strict", None),
        ("tools[0].function.strict", None),
        ("tools[1].function.strict", {"tools": [TOOL], "temperature": 1}),
        ("tools[*].nothing.here", {"tools": [TOOL], "temperature": 1}),
    ],
)
def test_additional_drop_params_take_paths(upstream: UpstreamThread, path: str, kept: dict[str, Any] | None) -> None:
    loose = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body = sent(upstream, tools=[TOOL], temperature=1, additional_drop_params=[path])
    expected = {"tools": [loose], "temperature": 1} if kept is None else kept
    assert body == {"model": "ok", "messages": MESSAGES, **expected}


def test_model_aliases(upstream: UpstreamThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "model_alias_map", {"mine": "openai/real"}, raising=False)
    assert sent(upstream, model="mine")["model"] == "real"


# What is wrong is said before anything is sent.


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": ""}, "model must be"),
        ({"model": 5}, "model must be"),
        ({"model": "no-such-model"}, "LLM Provider NOT provided"),
        ({"messages": []}, "messages must be"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"num_retries": "many"}, "num_retries"),
        ({"custom_llm_provider": "no-such"}, "Unknown provider"),
    ],
)
def test_bad_requests(upstream: UpstreamThread, given: dict[str, Any], words: str) -> None:
    with pytest.raises(litellm.BadRequestError, match=words):
        sent(upstream, **given)
    assert upstream.requests == []
