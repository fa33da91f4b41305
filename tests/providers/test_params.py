"""A vendor's parameter rules, on a vendor that has all of them."""

from dataclasses import replace
from typing import Any

import pytest

from litellm.exceptions import UnsupportedParamsError
from litellm.providers import compatible, params
from litellm.providers.base import ParamRules
from litellm.types.calls import Call, Json, Target

RULES = ParamRules(
    rename={"max_completion_tokens": "max_tokens"},
    unsupported=frozenset({"seed", "logit_bias"}),
    clamp={"temperature": (0.0, 1.0)},
    force={"store": False},
    flatten_content=True,
)
PROVIDER = replace(compatible.provider_of("openai"), name="odd", rules=RULES)


def applied(given: Json, **target: Any) -> Json:
    call = Call("chat", Target("odd", "m", "http://x", "k", **target), given, False)
    return params.apply(PROVIDER, call)


def test_no_rule_no_copy() -> None:
    given: Json = {"a": 1}
    call = Call("chat", Target("openai", "m", "http://x", "k"), given, False)
    assert params.apply(compatible.provider_of("openai"), call) is given


def test_renamed_clamped_forced() -> None:
    given: Json = {"max_completion_tokens": 5, "temperature": 1.7, "store": True, "x": 1}
    assert applied(given) == {"max_tokens": 5, "temperature": 1.0, "store": False, "x": 1}
    assert applied({"temperature": -1}) == {"temperature": 0.0, "store": False}
    assert applied({"temperature": "hot"}) == {"temperature": "hot", "store": False}
    assert given["temperature"] == 1.7, "what the caller gave stays as it is"


def test_an_unsupported_parameter_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedParamsError, match=r"odd does not support parameters: \['seed'\], for model=m") as e:
        applied({"seed": 1, "x": 2})
    assert e.value.status_code == 400
    assert "drop_params" in str(e.value) and "allowed_openai_params=['seed']" in str(e.value)


def test_or_dropped_or_sent_all_the_same() -> None:
    given: Json = {"seed": 1, "logit_bias": {}, "x": 2}
    assert applied(given, drop_params=True) == {"x": 2, "store": False}
    allowed = frozenset({"seed"})
    assert applied(given, drop_params=True, allowed_openai_params=allowed) == {"seed": 1, "x": 2, "store": False}
    assert applied({"seed": 1}, allowed_openai_params=allowed) == {"seed": 1, "store": False}
    assert applied({"seed": 1}, additional_drop_params=("seed",)) == {"store": False}


def test_content_lists_of_text_become_one_text() -> None:
    text = {"type": "text", "text": "a"}
    image = {"type": "image_url", "image_url": {"url": "x"}}
    messages = [
        {"role": "user", "content": [text, text]},
        {"role": "user", "content": [text, image]},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": None},
        "odd",
    ]
    assert applied({"messages": messages})["messages"] == [{"role": "user", "content": "aa"}, *messages[1:]]
    assert messages[0] == {"role": "user", "content": [text, text]}
    assert applied({"messages": "odd"})["messages"] == "odd"
