"""`model_name: "*"`: every name goes to the provider that it says."""

from pathlib import Path

import pytest

from litellm import exceptions as e
from litellm.engine.engine import Engine
from litellm.proxy.config.load import load
from litellm.proxy.snapshot import Snapshot, build
from litellm.transport.mock import MockTransport
from litellm.types.http import HttpResponse


def _snapshot(tmp_path: Path) -> Snapshot:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: [{model_name: '*', litellm_params: {model: '*'}}]\n")
    engine = Engine(MockTransport(lambda _: HttpResponse(200)), lambda: 0.0)
    return build(load(path, {}, {}), engine, {"OPENAI_API_KEY": "sk-openai"})


@pytest.mark.parametrize(
    ("asked", "provider", "model"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o"),
        ("groq/llama-3", "groq", "llama-3"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("openai/org/model", "openai", "org/model"),
    ],
)
def test_a_name_goes_to_its_provider(tmp_path: Path, asked: str, provider: str, model: str) -> None:
    (deployment,) = _snapshot(tmp_path).router.deployments.group(asked)
    assert (deployment.target.provider, deployment.target.model) == (provider, model)


def test_a_provider_without_a_key_is_not_given_anothers(tmp_path: Path) -> None:
    (deployment,) = _snapshot(tmp_path).router.deployments.group("groq/llama-3")
    assert deployment.target.api_key is None
    assert "GROQ_API_KEY" in (deployment.keyless or "")


def test_a_name_without_a_provider_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(e.BadRequestError, match="model=nonsense"):
        _snapshot(tmp_path).router.deployments.group("nonsense")
