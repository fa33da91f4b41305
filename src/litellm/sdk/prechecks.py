"""Tokens of a prompt, for `enable_pre_call_checks`."""

import asyncio

from litellm.types.calls import Json


async def tokens_of(given: Json, model: str, asynchronous: bool) -> int:
    """How many tokens a chat's prompt has; counted beside the event loop, which goes on meanwhile."""
    from litellm.sdk.tokens import token_counter  # with the tokenizers

    asked: Json = {"model": model, "messages": given.get("messages"), "tools": given.get("tools")}
    return await asyncio.to_thread(token_counter, **asked) if asynchronous else token_counter(**asked)
