"""`enable_pre_call_checks`: a prompt goes only to deployments whose context window it fits in."""

import asyncio
from typing import Any

from litellm import exceptions as e
from litellm.router.deployments import Deployment
from litellm.router.groups import known_of
from litellm.types.calls import Json

Group = tuple[Deployment, ...]


async def tokens_of(given: Json, model: str, asynchronous: bool) -> int:
    """How many tokens a chat's prompt has; counted beside the event loop, which goes on meanwhile."""
    from litellm.sdk.tokens import token_counter  # with the tokenizers

    asked: Json = {"model": model, "messages": given.get("messages"), "tools": given.get("tools")}
    return await asyncio.to_thread(token_counter, **asked) if asynchronous else token_counter(**asked)


def fitting(group: Group, tokens: int) -> Group:
    """A deployment whose window nobody knows takes anything."""
    return tuple(one for one in group if (most := _window(one)) is None or tokens <= most)


def too_long(model: str, tokens: int) -> e.ContextWindowExceededError:
    """None of a group takes the prompt."""
    error = e.ContextWindowExceededError(
        message=f"The prompt has {tokens} tokens, and no deployment of model={model} takes so many",
        model=model,
        llm_provider="",
    )
    error.retryable = False
    return error


def _window(deployment: Deployment) -> Any:
    said = deployment.info.get("max_input_tokens")
    return known_of(deployment).get("max_input_tokens") if said is None else said
