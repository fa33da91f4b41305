"""What callers are told that their calls cost, in dollars."""

from collections.abc import Iterator
from typing import Any

import pytest

import litellm
from litellm.catalog.cost import UnpricedModel

HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def _catalog_as_shipped() -> Iterator[None]:
    vars(litellm).pop("model_cost", None)
    yield
    vars(litellm).pop("model_cost", None)


def response(model: str = "gpt-4o", provider: str = "openai", **fields: Any) -> Any:
    made = litellm.ModelResponse(
        model=model, usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}, **fields
    )
    made._hidden_params["custom_llm_provider"] = provider
    return made


def test_a_response():
    assert litellm.completion_cost(response()) == 0.0035
    assert litellm.completion_cost(completion_response=response().model_dump(), model="gpt-4o") == 0.0035
    assert litellm.completion_cost(response(service_tier="priority")) == 0.00595
    assert litellm.completion_cost(response(), service_tier="batch") == 0.00175


def test_a_call_s_answer():
    answer = litellm.completion(model="openai/gpt-4o", messages=HI, mock_response="yes")
    assert litellm.completion_cost(answer) == 0.000225  # a mock counts 10 and 20


def test_cached_and_reasoning_tokens():
    made = response()
    made.usage.prompt_tokens_details = litellm.PromptTokensDetailsWrapper(cached_tokens=400)
    assert litellm.completion_cost(made) == 0.003


def test_texts_are_estimated():
    assert litellm.completion_cost(model="gpt-4o", prompt="", completion="") == 0
    asked = litellm.completion_cost(model="gpt-4o", messages=HI, completion="hello there")
    assert 0 < asked < 0.001


def test_which_model_is_priced():
    own_server = response("my-finetune", "hosted_vllm")
    with pytest.raises(UnpricedModel, match="isn't mapped yet"):
        litellm.completion_cost(own_server)
    assert litellm.completion_cost(own_server, base_model="gpt-4o") == 0.0035
    assert litellm.completion_cost(response("what-the-endpoint-calls-it"), model="gpt-4o") == 0.0035
    with pytest.raises(ValueError):
        litellm.completion_cost(response("gpt-4o", "hosted_vllm"))  # not OpenAI's price for somebody's own server


def test_custom_prices():
    per_token = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    assert litellm.completion_cost(response("x"), custom_cost_per_token=per_token) == 0.0012
    assert litellm.completion_cost(response("x"), custom_cost_per_second=0.5, total_time=3000) == 1.5
    assert litellm.completion_cost(response(), custom_cost_per_second=0.5, total_time=3000) == 1.5
    only_input = {"input_cost_per_token": 1e-6}
    assert litellm.completion_cost(response(), custom_cost_per_token=only_input) == 0.002  # the rest is the catalog's
    assert litellm.cost_per_token("x", 1000, 100, custom_cost_per_token=per_token) == (0.001, 0.0002)
    assert litellm.cost_per_token("x", response_time_ms=500, custom_cost_per_second=0.5) == (0.25, 0.0)


def test_cost_per_token():
    assert litellm.cost_per_token(model="gpt-4o", prompt_tokens=1000, completion_tokens=100) == (0.0025, 0.001)
    assert litellm.cost_per_token("gpt-4o", 1000, 0, cache_read_input_tokens=400) == (0.002, 0.0)
    assert litellm.cost_per_token("claude-sonnet-4-5", 1000, 0, cache_creation_input_tokens=1000) == (0.00375, 0.0)
    assert litellm.cost_per_token("whisper-1", audio_transcription_file_duration=60.0) == (0.006, 0.0)
    usage = litellm.Usage(prompt_tokens=1000, completion_tokens=100)
    assert litellm.cost_per_token("openai/gpt-4o", usage_object=usage) == (0.0025, 0.001)
    with pytest.raises(ValueError, match="isn't mapped"):
        litellm.cost_per_token("nope", 1, 1)


def test_other_calls():
    prices = {"p": {"input_cost_per_image": 0.04, "input_cost_per_query": 0.002, "input_cost_per_character": 1e-5}}
    litellm.register_model(prices)
    pictures = litellm.ImageResponse(created=1, data=[{"url": "a"}, {"url": "b"}])
    assert litellm.completion_cost(pictures, model="p", call_type="image_generation") == 0.08
    assert litellm.completion_cost(model="p", call_type="rerank") == 0.002
    assert litellm.completion_cost(model="p", prompt="a" * 100, call_type="speech") == 0.001
    heard = litellm.TranscriptionResponse(text="x", duration=60.0)
    assert litellm.completion_cost(heard, model="whisper-1", call_type="transcription") == 0.006


def test_discounts_and_margins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(litellm, "cost_discount_config", {"openai": 0.1})
    assert litellm.completion_cost(response()) == 0.00315
    monkeypatch.setattr(litellm, "cost_margin_config", {"global": {"percentage": 1, "fixed_amount": 0.001}})
    assert litellm.completion_cost(response()) == 0.0073
    assert litellm.completion_cost(response("claude-sonnet-4-5", "anthropic")) == 0.01  # 0.0045 x 2 + 0.001


def test_response_cost_calculator():
    assert litellm.response_cost_calculator(response(), "gpt-4o", "openai", "completion", {}) == 0.0035
    assert litellm.response_cost_calculator(response(), "gpt-4o", "openai", "completion", {}, cache_hit=True) == 0


def test_what_another_gateway_said():
    said = {"additional_headers": {"llm_provider-x-litellm-response-cost": "0.0123"}}
    assert litellm.get_response_cost_from_hidden_params(said) == 0.0123
    assert litellm.get_response_cost_from_hidden_params({}) is None
    assert litellm.get_response_cost_from_hidden_params(None) is None
