"""A stand-alone Settings: defaults, what is made per instance, what the environment decides."""

import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from litellm.settings import Settings


def test_defaults():
    mine = Settings()
    assert (mine.api_key, mine.num_retries, mine.ssl_verify, mine.request_timeout) == (None, None, True, 600.0)
    assert (mine.allowed_fails, mine.max_tokens, mine.max_budget, mine.telemetry) == (3, 4096, 0.0, False)


def test_every_knob_can_be_read_and_has_the_type_it_says():
    mine = Settings()
    for name, kind in Settings.__annotations__.items():
        TypeAdapter(kind).validate_python(getattr(mine, name), strict=True)


def test_mutable_defaults_belong_to_one_instance():
    mine, other = Settings(), Settings()
    mine.callbacks.append("x")
    mine.cost_margin_config["m"] = {"input_cost_per_token": 1e-6}
    assert mine.callbacks == ["x"]
    assert mine.callbacks is mine.callbacks
    assert mine.cost_margin_config == {"m": {"input_cost_per_token": 1e-6}}
    assert other.callbacks == []
    assert other.cost_margin_config == {}


def test_assigning_and_deleting():
    mine = Settings()
    mine.callbacks = ["y"]
    mine.drop_params = True
    assert (mine.callbacks, mine.drop_params) == (["y"], True)
    del mine.callbacks, mine.drop_params
    assert (mine.callbacks, mine.drop_params) == ([], False)
    assert not hasattr(mine, "no_such_knob")


@pytest.mark.parametrize(("text", "value"), [("True", True), ("1", True), ("false", False), ("", False)])
def test_drop_params_from_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, value: bool):
    monkeypatch.setenv("LITELLM_DROP_PARAMS", text)
    mine = Settings()
    assert mine.drop_params is value
    mine.drop_params = not value
    assert mine.drop_params is not value


def test_request_timeout_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUEST_TIMEOUT", "12.5")
    assert Settings().request_timeout == 12.5
    monkeypatch.setenv("REQUEST_TIMEOUT", "soon")
    assert Settings().request_timeout == 600.0


def test_a_mutable_default_edited_on_the_package():
    code = """
import litellm
from unittest import mock
litellm.success_callback.append(print)
from litellm.settings import settings
assert settings.success_callback == [print] and litellm.success_callback is settings.success_callback
with mock.patch("litellm.success_callback", []):
    assert settings.success_callback == []
assert settings.success_callback == [print]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
