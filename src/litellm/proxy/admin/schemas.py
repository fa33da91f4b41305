"""The inference requests as OpenAPI shows them: what is checked is stated, what else an endpoint takes is allowed.

Used for `/openapi.json` alone: on the hot path `proxy/body.py` checks by hand.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from litellm.types.calls import Json, Op


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatMessage(_Open):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(examples=["user"])
    content: str | list[dict[str, Any]] | None = Field(
        default=None, description="Text, or parts such as text and images.", examples=["what llm are you"]
    )


class StreamOptions(_Open):
    include_usage: bool | None = Field(default=None, description="Ask for a last chunk with the usage.")


class _Steered(_Open):
    """What every inference request may say to the gateway itself; none of it is sent on."""

    model: str = Field(description="A model of this gateway.", min_length=1)
    timeout: float | None = Field(default=None, gt=0, description="Seconds. To the gateway, not sent on.")
    num_retries: int | None = Field(
        default=None, ge=0, le=10, description="Further attempts after one that failed. To the gateway, not sent on."
    )
    mock_response: str | None = Field(
        default=None, description="Answer this, without calling anybody. To the gateway, not sent on."
    )


STEERING: Final = ("timeout", "num_retries", "mock_response")


class _Sampled(_Steered):
    stream: bool | None = Field(default=None, description="Answer with server-sent events.")
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    n: int | None = Field(default=None, ge=1, le=128, description="How many answers.")
    stop: str | list[str] | None = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    user: str | None = None


class ChatRequest(_Sampled):
    """OpenAI's chat completion; further fields go to the endpoint as they are."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)


class CompletionRequest(_Sampled):
    """OpenAI's text completion; further fields go to the endpoint as they are."""

    prompt: str | list[str] | list[int] | list[list[int]] = Field(examples=["Once upon a time"])
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = Field(default=None, ge=0, le=5)


class EmbeddingRequest(_Steered):
    """OpenAI's embeddings; further fields go to the endpoint as they are."""

    input: str | list[str] | list[int] | list[list[int]] = Field(examples=["good morning from litellm"])
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = None


class SpendRequest(_Open):
    """One of `messages` and `completion_response`."""

    model: str | None = Field(
        default=None, description="Default: the one of `completion_response`.", examples=["gpt-4o-mini"]
    )
    messages: list[dict[str, Any]] | None = Field(
        default=None, description="A prompt.", examples=[[{"role": "user", "content": "what llm are you"}]]
    )
    completion_response: dict[str, Any] | None = Field(default=None, description="An answer, with its `usage`.")


class ErrorObject(_Open):
    message: str
    type: str | None
    param: str | None
    code: str | None = Field(description="The status, as text.")


class ErrorBody(_Open):
    error: ErrorObject


INVALID: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": ErrorBody, "description": "A parameter is wrong; `param` names it."}
}
"""For routers whose routes take parameters: FastAPI's own 422 has another shape."""

REQUESTS: Final[dict[Op, type[BaseModel]]] = {
    "chat": ChatRequest,
    "completion": CompletionRequest,
    "embedding": EmbeddingRequest,
}

SUMMARIES: Final[dict[Op, str]] = {
    "chat": "Chat completion",
    "completion": "Text completion",
    "embedding": "Embeddings",
}
"""What each operation is called on the docs page."""

EXAMPLES: Final[dict[Op, Json]] = {
    "chat": {"messages": [{"role": "user", "content": "what llm are you"}]},
    "completion": {"prompt": "Once upon a time", "max_tokens": 16},
    "embedding": {"input": ["good morning from litellm"]},
}
"""A request that works as it is, but for its model."""
