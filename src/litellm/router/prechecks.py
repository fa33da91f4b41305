"""`enable_pre_call_checks`: a prompt goes only to deployments whose context window it fits in."""

from typing import Any

from litellm import exceptions as e
from litellm.catalog import models
from litellm.router.deployments import Deployment

Group = tuple[Deployment, ...]


def fitting(group: Group, tokens: int) -> Group:
    """A deployment whose window nobody knows takes anything."""
    return tuple(one for one in group if (most := window(one)) is None or tokens <= most)


def too_long(model: str, tokens: int) -> e.ContextWindowExceededError:
    """None of a group takes the prompt."""
    error = e.ContextWindowExceededError(
        message=f"The prompt has {tokens} tokens, and no deployment of model={model} takes so many",
        model=model,
        llm_provider="",
    )
    error.retryable = False
    return error


def window(deployment: Deployment) -> int | None:
    """Tokens of its longest prompt: by its `model_info`, else by the catalog."""
    said: Any = deployment.info.get("max_input_tokens")
    return known(deployment).get("max_input_tokens") if said is None else said


def known(deployment: Deployment) -> models.Row:
    """The catalog's row of its model, as it stands there; empty if there is none."""
    target, base_model = deployment.target, deployment.info.get("base_model")
    name = (models.find(base_model) if base_model else None) or models.find(target.model, target.provider)
    return {} if name is None else models.rows()[name]
