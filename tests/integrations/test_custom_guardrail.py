"""CustomGuardrail: whether it looks at a request, with which parameters, and what it notes."""

import asyncio
from typing import Any

import pytest

from litellm.integrations.custom_guardrail import CustomGuardrail, log_guardrail_information
from litellm.types.guardrails import GuardrailEventHooks, Mode

PRE, POST = GuardrailEventHooks.pre_call, GuardrailEventHooks.post_call


def runs(guardrail: CustomGuardrail, hook: GuardrailEventHooks = PRE, **data: Any) -> bool:
    return guardrail.should_run_guardrail(data=data, event_type=hook)


def test_one_that_is_on_by_default_looks_at_its_own_point() -> None:
    guardrail = CustomGuardrail(guardrail_name="g", event_hook=PRE, default_on=True, mine=1)
    assert runs(guardrail) and not runs(guardrail, POST)
    assert guardrail.optional_params == {"mine": 1}
    assert runs(CustomGuardrail(guardrail_name="g", event_hook="pre_call", default_on=True))
    assert runs(CustomGuardrail(guardrail_name="g", default_on=True), POST)


def test_one_that_is_not_is_asked_for() -> None:
    guardrail = CustomGuardrail(guardrail_name="g", event_hook=[PRE, POST])
    assert not runs(guardrail)
    assert not runs(guardrail, guardrails=["other"])
    assert runs(guardrail, guardrails=["g"])
    assert runs(guardrail, POST, metadata={"guardrails": [{"g": {"extra_body": {"level": 2}}}]})


def test_parameters_of_a_request() -> None:
    guardrail = CustomGuardrail(guardrail_name="g")
    data = {"guardrails": [{"g": {"extra_body": {"level": 2}}}]}
    assert guardrail.get_guardrail_dynamic_request_body_params(data) == {"level": 2}
    assert guardrail.get_guardrail_dynamic_request_body_params({"guardrails": ["g"]}) == {}
    assert guardrail.get_guardrail_from_metadata({"metadata": {"guardrails": ["g"]}}) == ["g"]


def test_hooks_by_tag() -> None:
    mode = Mode(tags={"slow": ["pre_call", "post_call"]}, default="post_call")
    guardrail = CustomGuardrail(guardrail_name="g", event_hook=mode, default_on=True)
    assert runs(guardrail, PRE, metadata={"tags": ["slow"]})
    assert not runs(guardrail, PRE) and runs(guardrail, POST)


def test_a_hook_that_is_not_supported() -> None:
    with pytest.raises(ValueError, match="post_call is not supported"):
        CustomGuardrail(guardrail_name="g", supported_event_hooks=[PRE], event_hook=[PRE, POST])
    with pytest.raises(ValueError, match="post_call is not supported"):
        CustomGuardrail(supported_event_hooks=[PRE], event_hook=Mode(tags={"a": "post_call"}))


def test_what_it_decided_is_noted_in_the_request() -> None:
    class Mine(CustomGuardrail):
        @log_guardrail_information
        async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str) -> Any:
            if "bad" in data:
                raise ValueError("no")
            return data

    guardrail = Mine(guardrail_name="g", event_hook=PRE)
    fine: dict[str, Any] = {}
    bad: dict[str, Any] = {"bad": True}
    asyncio.run(guardrail.async_pre_call_hook(None, None, fine, "completion"))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(guardrail.async_pre_call_hook(user_api_key_dict=None, cache=None, data=bad, call_type="completion"))
    noted = [data["metadata"]["standard_logging_guardrail_information"][0] for data in (fine, bad)]
    assert [note["guardrail_status"] for note in noted] == ["success", "guardrail_intervened"]
    assert noted[1]["guardrail_response"] == "no"
    assert asyncio.run(guardrail.apply_guardrail(inputs={"texts": ["a"]})) == {"texts": ["a"]}
