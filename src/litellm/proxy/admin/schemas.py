"""The inference requests as OpenAPI shows them: what is checked is stated, what else an endpoint takes is allowed.

Used for `/openapi.json` alone: on the hot path `proxy/body.py` checks the same by hand.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from litellm.types.calls import Op


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatMessage(_Open):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(examples=["user"])
    content: str | list[dict[str, Any]] | None = Field(default=None, examples=["what llm are you"])


class StreamOptions(_Open):
    include_usage: bool | None = Field(default=None, description="Ask for a last chunk with the usage.")


class ChatRequest(_Open):
    """OpenAI's chat completion; further fields go to the endpoint as they are."""

    model: str = Field(description="A model_name of the gateway's config.")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    timeout: float | None = Field(default=None, gt=0, description="Seconds.")
    num_retries: int | None = Field(default=None, ge=0, le=10)


class CompletionRequest(_Open):
    """OpenAI's text completion; further fields go to the endpoint as they are."""

    model: str = Field(description="A model_name of the gateway's config.")
    prompt: str | list[str]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)


class EmbeddingRequest(_Open):
    """OpenAI's embeddings; further fields go to the endpoint as they are."""

    model: str = Field(description="A model_name of the gateway's config.")
    input: str | list[str]
    encoding_format: Literal["float", "base64"] | None = None


class ErrorObject(_Open):
    message: str
    type: str | None
    param: str | None
    code: str


class ErrorBody(_Open):
    error: ErrorObject


REQUESTS: dict[Op, type[BaseModel]] = {
    "chat": ChatRequest,
    "completion": CompletionRequest,
    "embedding": EmbeddingRequest,
}

SUMMARIES: dict[Op, str] = {
    "chat": "Chat completion",
    "completion": "Text completion",
    "embedding": "Embeddings",
}
"""What each operation is called on the docs page."""
