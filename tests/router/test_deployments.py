"""Which deployments answer to a name, and what of a request reaches them."""

from typing import Any

import pytest

from litellm.exceptions import AuthenticationError
from litellm.router import deployments as module
from litellm.router.deployments import Deployment, Deployments
from litellm.types.calls import Ask, Target
from litellm.types.http import Timeouts


def deployment(name: str, model: str = "m", **more: Any) -> Deployment:
    return Deployment(f"{name}>{model}", name, Target("openai", model, "http://host/v1", "k"), **more)


def served(index: Deployments, model: str) -> list[str]:
    return [found.target.model for found in index.group(model)]


def test_a_group_is_all_of_one_name() -> None:
    index = Deployments([deployment("a", "1"), deployment("b", "2"), deployment("a", "3")])
    assert served(index, "a") == ["1", "3"]
    assert served(index, "b") == ["2"]
    assert served(index, "c") == []
    assert index.names == ("a", "b")
    assert index.by_id("a>3") is index.all[2]
    assert index.by_id("nobody") is None


def test_exact_names_win_over_wildcards_and_long_ones_over_short_ones() -> None:
    index = Deployments([
        deployment("*", "any-*"), deployment("openai/*", "*"), deployment("openai/gpt-*", "g-*"),
        deployment("openai/gpt-4", "exact"), deployment("*-mini", "small"),
    ])  # fmt: skip
    assert served(index, "openai/gpt-4") == ["exact"]
    assert served(index, "openai/gpt-5") == ["g-5"]
    assert served(index, "openai/o3") == ["o3"]
    assert served(index, "other") == ["any-other"]


def test_what_the_star_stands_for() -> None:
    index = Deployments([deployment("a*z", "<*>")])
    assert served(index, "abcz") == ["<bc>"]
    assert served(index, "az") == []
    assert served(index, "a") == []
    assert served(index, "aXz/deep/z") == ["<Xz/deep/>"]


def test_a_concrete_model_is_made_once_and_stands_alone() -> None:
    index = Deployments([deployment("*", "*")])
    index.group("a")[0].target.endpoints["chat"] = ()  # type: ignore[assignment]
    assert index.group("a") is index.group("a")
    assert index.group("b")[0].target.endpoints == {}


def test_callers_cannot_fill_the_memory_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EXPANDED", 10)
    index = Deployments([deployment("*", "*")])
    for i in range(100):
        assert served(index, f"model-{i}") == [f"model-{i}"]
    assert len(index._expanded) == 10


def test_defaults_give_way_to_the_request_and_fixed_values_do_not() -> None:
    made = deployment("a", defaults={"temperature": 1, "top_p": 2}, fixed={"vendor": "ours"})
    params = {"temperature": 0, "vendor": "theirs", "x": 1}
    call = made.call(Ask("chat", "a", params))
    assert call.params == {"temperature": 0, "top_p": 2, "vendor": "ours", "x": 1}
    assert params == {"temperature": 0, "vendor": "theirs", "x": 1}


def test_what_a_call_takes_from_the_ask() -> None:
    ask = Ask("chat", "a", {"x": 1}, stream=True, call_id="id", mock="hi", mock_tool_calls=[{}])
    call = deployment("a").call(ask)
    assert call.params is ask.params, "nothing to merge, nothing copied"
    assert (call.op, call.stream, call.call_id, call.mock, call.mock_tool_calls) == ("chat", True, "id", "hi", [{}])
    assert deployment("a", mock="own").call(Ask("chat", "a", {})).mock == "own"


def test_a_deployment_without_its_key_says_why() -> None:
    made = deployment("a", keyless="set MY_KEY")
    with pytest.raises(AuthenticationError, match="set MY_KEY"):
        made.call(Ask("chat", "a", {}))
    assert made.call(Ask("chat", "a", {}, mock="hi")).mock == "hi"


def test_streams_have_their_own_timeouts() -> None:
    bounds = Timeouts(1, 2, 3, None)
    made = deployment("a", stream_timeouts=bounds)
    assert made.call(Ask("chat", "a", {})).target is made.target
    streaming = made.call(Ask("chat", "a", {}, stream=True)).target
    assert streaming.timeouts == bounds
    assert made.call(Ask("chat", "a", {}, stream=True)).target is streaming
