"""What callers ask of models and providers."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import litellm
from litellm.catalog import hosts, vendors
from support.upstream import UpstreamThread

CAPABILITIES = [name for name in litellm._NAMES if name.startswith("supports_")]


@pytest.fixture(autouse=True)
def _catalog_as_shipped() -> Iterator[None]:
    vars(litellm).pop("model_cost", None)
    yield
    vars(litellm).pop("model_cost", None)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for row in hosts.rows().values():
        for name in (*row.key_env, *row.base_env):
            monkeypatch.delenv(name, raising=False)
    for name in {name for groups in vendors.REQUIRED.values() for group in groups for name in group}:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_get_model_info():
    info = litellm.get_model_info("openai/gpt-4o")
    assert info["key"] == "gpt-4o"
    assert (info["litellm_provider"], info["mode"]) == ("openai", "chat")
    assert (info["max_tokens"], info["max_input_tokens"], info["max_output_tokens"]) == (16384, 128000, 16384)
    assert (info["input_cost_per_token"], info["output_cost_per_token"]) == (2.5e-06, 1e-05)
    assert info["supports_vision"] is True
    assert info["output_vector_size"] is None
    assert "tools" in info["supported_openai_params"]
    assert litellm.get_model_info("gpt-4o", custom_llm_provider="azure")["key"] == "azure/gpt-4o"
    assert "model_cost" not in vars(litellm)  # reading facts makes no table
    with pytest.raises(ValueError, match="isn't mapped yet"):
        litellm.get_model_info("nope")


def test_get_max_tokens():
    assert litellm.get_max_tokens("gpt-4o") == 16384
    with pytest.raises(ValueError, match="isn't mapped yet"):
        litellm.get_max_tokens("nope")


@pytest.mark.parametrize("name", CAPABILITIES)
def test_supports(name: str):
    function = getattr(litellm, name)
    assert list(inspect.signature(function).parameters) == ["model", "custom_llm_provider"]
    assert function("no-such-model") is False
    litellm.register_model({"can": {name: True}, "cannot": {name: False}})
    assert function(model="can") is True
    assert function("cannot", custom_llm_provider=None) is False


def test_supports_of_known_models():
    assert len(CAPABILITIES) == 17
    assert litellm.supports_function_calling("gpt-4o", custom_llm_provider="openai")
    assert litellm.supports_reasoning("openai/o3") and not litellm.supports_reasoning("gpt-4o")
    assert litellm.supports_vision("anthropic/claude-sonnet-4-5")
    assert litellm.supports_audio_input("gemini/gemini-2.5-flash")
    assert not litellm.supports_function_calling("hosted_vllm/gpt-4o")  # somebody's own server


def test_model_cost_can_be_edited_in_place():
    assert type(litellm.model_cost) is dict
    assert litellm.model_cost is litellm.model_cost
    litellm.model_cost["gpt-4o"]["input_cost_per_token"] = 0.5
    litellm.model_cost["mine"] = {"input_cost_per_token": 0.25, "output_cost_per_token": 0.0}
    assert litellm.cost_per_token("openai/gpt-4o", 2, 0) == (1.0, 0.0)
    assert litellm.cost_per_token("mine", 2, 5) == (0.5, 0.0)
    assert litellm.get_model_info("gpt-4o")["input_cost_per_token"] == 0.5
    del litellm.model_cost["gpt-4o"]
    with pytest.raises(ValueError, match="isn't mapped"):
        litellm.get_model_info("gpt-4o")


def test_model_cost_can_be_replaced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(litellm, "model_cost", {"only": {"input_cost_per_token": 1.0}})
    assert litellm.cost_per_token("only", 3) == (3.0, 0.0)
    with pytest.raises(ValueError, match="isn't mapped"):
        litellm.cost_per_token("gpt-4o", 1)


def test_register_model(tmp_path: Path):
    mine: dict[str, dict[str, Any]] = {
        "openai/my-model": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "litellm_provider": "openai"},
        "openai/gpt-4o": {"input_cost_per_token": 7e-6, "litellm_provider": "openai"},
    }
    assert litellm.register_model(mine) == mine
    assert litellm.cost_per_token("my-model", 1_000_000, 1_000_000, custom_llm_provider="openai") == (1.0, 2.0)
    assert litellm.model_cost["gpt-4o"]["input_cost_per_token"] == 7e-6
    assert litellm.model_cost["gpt-4o"]["output_cost_per_token"] == 1e-05  # what was known stays
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"from-file": {"max_tokens": 5}}))
    litellm.register_model(str(file))
    litellm.register_model('{"from-text": {"max_tokens": 6}}')
    assert (litellm.get_max_tokens("from-file"), litellm.get_max_tokens("from-text")) == (5, 6)
    with pytest.raises(ValueError, match="does not fetch"):
        litellm.register_model("https://example.com/models.json")


def test_get_model_cost_map_is_a_copy_of_what_is_shipped():
    assert litellm.get_model_cost_map(url="https://example.com/never-fetched") == litellm.get_model_cost_map()
    assert "gpt-4o" in litellm.get_model_cost_map()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"model": "groq/llama3"}, ("llama3", "groq", None, "https://api.groq.com/openai/v1")),
        ({"model": "gpt-4o"}, ("gpt-4o", "openai", None, None)),
        ({"model": "openai/org/m", "api_base": "http://x"}, ("org/m", "openai", None, "http://x")),
        ({"model": "m", "custom_llm_provider": "openai", "api_key": "k"}, ("m", "openai", "k", None)),
        ({"model": "m", "api_base": "https://api.groq.com/openai/v1"},
         ("m", "groq", None, "https://api.groq.com/openai/v1")),
        ({"model": "hosted_vllm/m", "api_base": "http://x"}, ("m", "hosted_vllm", "fake-api-key", "http://x")),
        ({"model": "anthropic/claude-x"}, ("claude-x", "anthropic", None, None)),
        ({"model": "claude-sonnet-4-5"}, ("claude-sonnet-4-5", "anthropic", None, None)),
        ({"model": "gemini-2.5-pro"}, ("gemini-2.5-pro", "vertex_ai", None, None)),
        ({"model": "azure/my-deployment"}, ("my-deployment", "azure", None, None)),
        ({"model": "m", "custom_llm_provider": "bedrock"}, ("m", "bedrock", None, None)),
    ],
)  # fmt: skip
def test_get_llm_provider(no_keys: pytest.MonkeyPatch, arguments: dict[str, Any], expected: tuple[Any, ...]):
    assert litellm.get_llm_provider(**arguments) == expected


def test_get_llm_provider_finds_the_key_and_address_of_a_host(no_keys: pytest.MonkeyPatch):
    no_keys.setenv("GROQ_API_KEY", "k")
    no_keys.setenv("GROQ_API_BASE", "http://here")
    assert litellm.get_llm_provider("groq/m") == ("m", "groq", "k", "http://here")
    assert litellm.get_llm_provider("groq/m", api_key="mine")[2] == "mine"


def test_get_llm_provider_says_what_to_do_about_a_name_it_does_not_know():
    with pytest.raises(litellm.BadRequestError, match="LLM Provider NOT provided"):
        litellm.get_llm_provider("nope")
    with pytest.raises(litellm.BadRequestError):
        litellm.get_llm_provider("m", custom_llm_provider="nope")


def test_get_supported_openai_params():
    assert {"tools", "response_format", "temperature", "max_retries"} <= set(
        litellm.get_supported_openai_params("gpt-4o") or ()
    )
    assert "reasoning_effort" in (litellm.get_supported_openai_params("o3", custom_llm_provider="openai") or ())
    assert "reasoning_effort" not in (litellm.get_supported_openai_params("gpt-4o") or ())
    assert "reasoning_effort" in (litellm.get_supported_openai_params("hosted_vllm/anything") or ())
    assert "logprobs" not in (litellm.get_supported_openai_params("groq/anything") or ())
    assert "dimensions" in (litellm.get_supported_openai_params("openai/e", request_type="embeddings") or ())
    assert litellm.get_supported_openai_params("nope") is None
    assert litellm.get_supported_openai_params("m", custom_llm_provider="nope") is None


def test_validate_environment(no_keys: pytest.MonkeyPatch):
    def missing(*args: Any, **kwargs: Any) -> list[str]:
        found = litellm.validate_environment(*args, **kwargs)
        assert found["keys_in_environment"] is (not found["missing_keys"])
        return found["missing_keys"]

    assert missing("gpt-4o") == missing(model="openai/x") == ["OPENAI_API_KEY"]
    assert missing("gpt-4o", api_key="k") == []
    assert missing("together_ai/m") == ["TOGETHER_API_KEY"]
    no_keys.setenv("TOGETHERAI_API_KEY", "k")  # any of its names
    assert missing("together_ai/m") == []
    assert missing("azure/d") == ["AZURE_API_KEY", "AZURE_API_BASE", "AZURE_API_VERSION"]
    assert missing("azure/d", api_key="k", api_base="b", api_version="v") == []
    assert missing("anthropic/c") == ["ANTHROPIC_API_KEY"]
    assert missing("hosted_vllm/m") == ["HOSTED_VLLM_API_BASE"]
    assert missing("ollama/m") == []
    assert litellm.validate_environment("nope") == {"keys_in_environment": False, "missing_keys": []}


def test_get_valid_models(no_keys: pytest.MonkeyPatch):
    assert litellm.get_valid_models() == []
    no_keys.setenv("OPENAI_API_KEY", "k")
    found = litellm.get_valid_models()
    assert "gpt-4o" in found and not [name for name in found if name.startswith("groq/")]
    no_keys.setenv("GROQ_API_KEY", "k")
    assert any(name.startswith("groq/") for name in litellm.get_valid_models())
    assert "claude-sonnet-4-5" in litellm.get_valid_models(custom_llm_provider="anthropic")


def test_endpoints_are_asked_for_their_models(no_keys: pytest.MonkeyPatch, upstream: UpstreamThread):
    asked = {"custom_llm_provider": "groq", "api_key": "k", "api_base": upstream.base_url}
    assert litellm.get_valid_models(check_provider_endpoint=True, **asked) == ["groq/ok"]
    assert litellm.get_valid_models(True, "openai", None, "k", upstream.base_url) == ["ok"]


def test_the_catalog_stands_in_for_an_endpoint_that_does_not_tell(
    no_keys: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    refused = "http://127.0.0.1:9"
    found = litellm.get_valid_models(True, custom_llm_provider="groq", api_key="k", api_base=refused)
    assert found == litellm.get_valid_models(custom_llm_provider="groq") and found
    assert "groq does not tell its models" in caplog.text


def test_check_valid_key_of_nobody():
    assert litellm.check_valid_key("nope", "k") is False


def test_lists():
    assert {"openai", "groq", "anthropic", "bedrock", "vertex_ai", "ollama"} <= set(litellm.provider_list)
    assert len(litellm.provider_list) == len(set(litellm.provider_list)) > 120
    assert "gpt-4o" in litellm.model_list
    assert "gpt-4o" in litellm.models_by_provider["openai"]
    assert "groq" in litellm.openai_compatible_providers and "openai" not in litellm.openai_compatible_providers
    assert "temperature" in litellm.OPENAI_CHAT_COMPLETION_PARAMS
