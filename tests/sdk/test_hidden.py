"""What a call cost, in its hidden parameters: worked out when it is asked for, however it is asked."""

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest

import litellm

HI = [{"role": "user", "content": "hi"}]
COST = 10 * 2.5e-6 + 20 * 10e-6  # a mocked answer uses 10 and 20 tokens


def test_however_it_is_read() -> None:
    def fresh() -> Any:
        return litellm.completion("gpt-4o", HI, mock_response="x")._hidden_params

    readings = [
        fresh()["response_cost"], fresh().get("response_cost"), {**fresh()}["response_cost"],
        dict(fresh())["response_cost"], dict(fresh().items())["response_cost"], fresh().copy()["response_cost"],
        json.loads(json.dumps(fresh(), default=str))["response_cost"], copy.deepcopy(fresh())["response_cost"],
        pickle.loads(pickle.dumps(fresh()))["response_cost"],
    ]  # fmt: skip
    assert readings == [pytest.approx(COST)] * len(readings)
    assert COST in [pytest.approx(value) for value in fresh().values() if isinstance(value, float)]
    assert fresh().get("no such", 3) == 3


def test_own_prices() -> None:
    given = {"model": "openai/mine", "messages": HI, "mock_response": "x"}
    assert litellm.completion(**given)._hidden_params["response_cost"] is None
    own = litellm.completion(**given, input_cost_per_token=1e-3, output_cost_per_token=2e-3)
    assert own._hidden_params["response_cost"] == pytest.approx(0.05)
    base = litellm.completion(**given, base_model="gpt-4o")
    assert base._hidden_params["response_cost"] == pytest.approx(COST)


def test_the_tier_that_answered_wins_over_the_one_asked_for() -> None:
    litellm.register_model({"tiered": {
        "litellm_provider": "openai", "input_cost_per_token": 2e-6, "input_cost_per_token_flex": 1e-6,
        "output_cost_per_token": 4e-6, "output_cost_per_token_flex": 2e-6,
    }})  # fmt: skip
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }

    def cost(**said: Any) -> float:
        made = litellm.completion("openai/tiered", HI, service_tier="flex", mock_response={**answer, **said})
        return made._hidden_params["response_cost"]

    assert cost(service_tier="default") == pytest.approx(240e-6)
    assert cost(service_tier="flex") == cost() == pytest.approx(120e-6)


def test_of_a_stream_once_its_usage_has_come() -> None:
    stream = litellm.completion("gpt-4o", HI, mock_response="x", stream=True, stream_options={"include_usage": True})
    costs = [chunk._hidden_params["response_cost"] for chunk in stream]
    assert costs[0] is None and costs[-1] == pytest.approx(COST)


def test_the_catalog_is_not_loaded_for_a_call() -> None:
    code = """
import litellm, sys
made = litellm.completion("openai/m", [{"role": "user", "content": "hi"}], mock_response="x")
assert "litellm.catalog.models" not in sys.modules
made._hidden_params["response_cost"]
assert "litellm.catalog.models" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
