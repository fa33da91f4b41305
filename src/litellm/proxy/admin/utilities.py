"""`/utils/*`: what a program may want to know before it makes a call. Nothing is sent anywhere."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from litellm.catalog import counting, vocabulary
from litellm.proxy.admin import answers, schemas
from litellm.proxy.errors import ProxyError
from litellm.proxy.windows import prompt_tokens
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway

router = APIRouter(tags=["models"], responses=schemas.INVALID)

_EXAMPLES: Final[dict[str, Any]] = {
    "chat": {"value": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}}
}


class Prompt(BaseModel):
    """One of `messages` and `prompt`."""

    model: str = Field(min_length=1, description="A model group, or any other name.", examples=["gpt-4o"])
    messages: list[dict[str, Any]] | None = None
    prompt: str | None = None
    tools: list[dict[str, Any]] | None = None


class TokenCount(BaseModel):
    total_tokens: int
    request_model: str
    model_used: str = Field(description="That of the group's first deployment.")
    tokenizer_type: str = Field(description="`openai_tokenizer`, or `local_tokenizer`: an estimate.")
    original_response: Json | None = None
    error: bool = False
    error_message: str | None = None
    status_code: int | None = None


@router.post("/utils/token_counter", summary="How many tokens a prompt has", **answers.of(TokenCount))
async def token_counter(request: Request, asked: Annotated[Prompt, Body(openapi_examples=_EXAMPLES)]) -> Json:
    """Exact for OpenAI's models with the `tokenizers` extra, an estimate without it, and for others."""
    if asked.messages is None and asked.prompt is None:
        raise ProxyError(400, "messages or prompt is missing", param="messages")
    gateway: Gateway = request.app.state.gateway
    snapshot = gateway.snapshot
    group = snapshot.router.deployments.group(snapshot.aliases.get(asked.model, asked.model))
    model = group[0].target.model if group else asked.model
    total, exact = await asyncio.to_thread(_counted, asked, model)  # a long prompt takes its time
    if total is None:
        raise ProxyError(400, "messages are nested too deeply", param="messages")
    counted = TokenCount(
        total_tokens=total,
        request_model=asked.model,
        model_used=model,
        tokenizer_type="openai_tokenizer" if exact else "local_tokenizer",
    )
    return counted.model_dump()


def _counted(asked: Prompt, model: str) -> tuple[int | None, bool]:
    """And whether by a tokenizer."""
    exact = not isinstance(vocabulary.tokenizer(vocabulary.name_for(model)), vocabulary.StandIn)
    if asked.messages is None:
        return counting.counter(model)(asked.prompt or ""), exact
    return prompt_tokens({"messages": asked.messages, "tools": asked.tools}, model), exact
