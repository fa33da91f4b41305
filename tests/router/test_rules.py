"""What users write about routing, as the router takes it."""

from typing import Any

import pytest

from litellm.router import rules
from litellm.router.deployments import Deployment
from litellm.router.health import State
from litellm.router.strategies import STRATEGIES
from litellm.types.calls import Target
from litellm.types.router import RetryPolicy


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ([{"a": ["b", "c"]}, {"d": "e"}], {"a": ("b", "c"), "d": ("e",)}),
        ({"a": ["b"], "d": ["e"]}, {"a": ("b",), "d": ("e",)}),
        ([{"a": ["b"]}, {"a": ["c"]}], {"a": ("b", "c")}),
        ([], {}),
    ],
)
def test_lists_of_fallbacks(written: Any, made: Any):
    assert rules.fallback_lists(written) == made


@pytest.mark.parametrize("written", ["a", ["a"], [{"a": 1}], None])
def test_what_is_no_list_of_fallbacks(written: Any):
    with pytest.raises(ValueError, match="expected a list"):
        rules.fallback_lists(written)


def test_policies_as_objects_and_as_dicts():
    assert rules.kinds(RetryPolicy(TimeoutErrorRetries=3), "Retries") == {"TimeoutError": 3}
    assert rules.kinds({"TimeoutErrorRetries": 3, "RateLimitErrorRetries": None}, "Retries") == {"TimeoutError": 3}
    assert rules.kinds(None, "Retries") == {}


def test_aliases_are_resolved_in_fallbacks():
    made = rules.fallbacks_of({"x": "a"}, {"x": ("b",)}, {}, {"m": ("x",)}, ("x",), None)
    assert (made.general, made.content_policy, made.default, made.most) == ({"a": ("b",)}, {"m": ("a",)}, ("a",), 5)


def test_a_buffer_widens_the_choice_by_latency():
    group = [Deployment(name, "m", Target("openai", name, "http://x", "k")) for name in "abc"]
    for one, seconds in zip(group, (1.0, 1.4, 2.0), strict=True):
        one.state = State()
        one.state.latency = seconds
    wide = rules.strategy_of("latency-based-routing", 0.5)
    assert [wide(group, 0.0, draw).id for draw in (0.0, 0.4, 0.6, 0.99)] == ["a", "a", "b", "b"]
    group[2].state = State()
    assert wide(group, 0.0, 0.0).id == "c"  # nobody has tried it yet
    assert rules.strategy_of("latency-based-routing") is STRATEGIES["latency-based-routing"]
    assert rules.strategy_of(None) is STRATEGIES["simple-shuffle"]
