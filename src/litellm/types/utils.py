"""What SDK callers get back: chat, text completion, embedding, image, transcription and rerank results.

Users construct these too, by keyword. `model_response` and its like at the end make them of an endpoint's JSON and
never fail on an odd shape: what is no list of choices is an empty one, what is no usage is None.
"""

from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, Field, SerializeAsAny

from litellm._reexport import names
from litellm.types.base import Json, OpenAIObject, joined, many, one, optional, put, reshape
from litellm.types.fresh import new_id, now
from litellm.types.messages import (
    ChatCompletionAudioResponse,
    ChatCompletionDeltaToolCall,
    ChatCompletionMessageToolCall,
    Delta,
    Function,
    FunctionCall,
    Message,
)
from litellm.types.usage import (
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    ServerToolUse,
    Usage,
    usage_of,
)

__all__ = [
    "ChatCompletionAudioResponse",
    "ChatCompletionDeltaToolCall",
    "ChatCompletionMessageToolCall",
    "ChatCompletionTokenLogprob",
    "ChoiceLogprobs",
    "Choices",
    "CompletionTokensDetailsWrapper",
    "Delta",
    "Embedding",
    "EmbeddingResponse",
    "Function",
    "FunctionCall",
    "ImageObject",
    "ImageResponse",
    "Logprobs",
    "Message",
    "ModelResponse",
    "ModelResponseBase",
    "ModelResponseStream",
    "OpenAIObject",
    "PromptTokensDetailsWrapper",
    "RerankResponse",
    "RerankResult",
    "ServerToolUse",
    "StreamingChoices",
    "TextChoices",
    "TextCompletionResponse",
    "TopLogprob",
    "TranscriptionResponse",
    "Usage",
    "embedding_response",
    "map_finish_reason",
    "model_response",
    "stream_chunk",
    "text_completion_response",
]

__getattr__, __dir__ = names(  # LiteLLM's path for these; their homes load when they are asked for
    __name__,
    {
        "litellm.types.call_types": "CallTypes",
        "litellm.types.guardrails": "GuardrailTracingDetail",
        "litellm.types.prices": "CostPerToken ModelInfo",
        "litellm.types.providers": "LlmProviders",
        "litellm.types.standard_logging": """
            CostBreakdown StandardLoggingHiddenParams StandardLoggingMetadata StandardLoggingModelInformation
            StandardLoggingPayload StandardLoggingPayloadErrorInformation""",
        "litellm.types.streams": "GenericStreamingChunk",
    },
)

# `SerializeAsAny` below: a user may put an object of another class into a field, and a dump must not lose its content.

# What vendors say instead of OpenAI's stop, length, tool_calls, content_filter.
FINISH_REASONS: Final = {
    "end_turn": "stop",  # Anthropic
    "stop_sequence": "stop",
    "eos": "stop",  # Together
    "eos_token": "stop",  # Hugging Face TGI
    "complete": "stop",  # Cohere
    "COMPLETE": "stop",
    "STOP": "stop",  # Gemini
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "tool_use": "tool_calls",
    "TOOL_CALL": "tool_calls",
    "content_filtered": "content_filter",  # Bedrock
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
    "ERROR_TOXIC": "content_filter",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
}


def map_finish_reason(reason: str) -> str:
    return FINISH_REASONS.get(reason, reason)


class TopLogprob(OpenAIObject):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class ChatCompletionTokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob] = []

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["top_logprobs"] = many(TopLogprob, fields["top_logprobs"])


class ChoiceLogprobs(OpenAIObject):
    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        for name in ("content", "refusal"):
            if isinstance(fields[name], list):
                fields[name] = many(ChatCompletionTokenLogprob, fields[name])


class Logprobs(OpenAIObject):
    """Those of a text completion."""

    text_offset: list[int] | None = None
    token_logprobs: list[float | None] | None = None
    tokens: list[str] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


def _shape_finish(fields: Json, extra: Json) -> None:
    reason = fields["finish_reason"]
    if isinstance(reason, str) and reason in FINISH_REASONS:
        fields["finish_reason"] = FINISH_REASONS[reason]
        own = extra.get("provider_specific_fields")
        extra["provider_specific_fields"] = joined(own, {"native_finish_reason": reason})


def _logprobs(value: Any) -> ChoiceLogprobs:
    return one(ChoiceLogprobs, value)


class _Choice(OpenAIObject):
    """A vendor's own finish reason is translated and kept in `provider_specific_fields["native_finish_reason"]`."""

    logprobs = optional("logprobs", "ChoiceLogprobs | None")
    provider_specific_fields = optional("provider_specific_fields", "dict | None")


class Choices(_Choice):
    finish_reason: str = "stop"
    index: int = 0
    message: SerializeAsAny[Message] = Field(default_factory=Message)

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["message"] = one(Message, fields["message"])
        _shape_finish(fields, extra)
        reshape(extra, "logprobs", _logprobs)


class StreamingChoices(_Choice):
    finish_reason: str | None = None
    index: int = 0
    delta: SerializeAsAny[Delta] = Field(default_factory=Delta)

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["delta"] = one(Delta, fields["delta"])
        _shape_finish(fields, extra)
        reshape(extra, "logprobs", _logprobs)


class TextChoices(OpenAIObject):
    finish_reason: str | None = None
    index: int = 0
    text: str = ""
    logprobs: Logprobs | None = None

    provider_specific_fields = optional("provider_specific_fields", "dict | None")

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _shape_finish(fields, extra)
        if fields["logprobs"] is not None:
            fields["logprobs"] = one(Logprobs, fields["logprobs"])


class _Response(OpenAIObject):
    """What comes with a call beside the answer: `_hidden_params` (what is known of the call), milliseconds, headers."""

    _hidden_params: Json = {}
    _response_ms: float | None = None
    _response_headers: dict[str, str] | None = None

    def __init__(
        self,
        *,
        hidden_params: Json | None = None,
        response_ms: float | None = None,
        _response_headers: dict[str, str] | None = None,
        **data: Any,
    ) -> None:
        super().__init__(**data)
        self._hidden_params = hidden_params if hidden_params is not None else {}
        self._response_ms = response_ms
        self._response_headers = _response_headers

    def _fill(self, wire: Json) -> None:
        super()._fill(wire)
        put(self, "__pydantic_private__", {"_hidden_params": {}, "_response_ms": None, "_response_headers": None})


class ModelResponseBase(_Response):
    """What an answer and a chunk of one have in common."""

    id: str = Field(default_factory=lambda: new_id("chatcmpl-"))
    created: int = Field(default_factory=now)
    model: str | None = None
    object: str
    system_fingerprint: str | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _identify(fields, "chatcmpl-")


class ModelResponse(ModelResponseBase):
    """A chat completion. `usage` is None if the endpoint reported none."""

    object: str = "chat.completion"
    choices: list[SerializeAsAny[Choices]] = Field(default_factory=list[Choices])
    usage: SerializeAsAny[Usage] | None = None

    def __init__(self, *, stream: bool | None = None, stream_options: Json | None = None, **data: Any) -> None:
        """Made by a user without choices, it has an empty one. With `stream=True` it takes a chunk's form."""
        if not data.get("choices"):
            data["choices"] = [StreamingChoices() if stream else Choices()]
        elif stream:
            data["choices"] = many(StreamingChoices, data["choices"])
        if stream:
            data.setdefault("object", "chat.completion.chunk")
        super().__init__(**data)

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _identify(fields, "chatcmpl-")
        fields["choices"] = _choices(fields["choices"])
        if fields["usage"] is not None:
            fields["usage"] = usage_of(fields["usage"])


class ModelResponseStream(ModelResponseBase):
    """One chunk of a streamed chat completion. `usage` reads as None where there is none."""

    object: str = "chat.completion.chunk"
    choices: list[SerializeAsAny[StreamingChoices]] = Field(default_factory=list[StreamingChoices])

    usage = optional("usage", "Usage | None")
    provider_specific_fields = optional("provider_specific_fields", "dict | None")

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _identify(fields, "chatcmpl-")
        fields["choices"] = many(StreamingChoices, fields["choices"])
        reshape(extra, "usage", usage_of)


class TextCompletionResponse(_Response):
    id: str = Field(default_factory=lambda: new_id("cmpl-"))
    object: str = "text_completion"
    created: int = Field(default_factory=now)
    model: str | None = None
    choices: list[SerializeAsAny[TextChoices]] = Field(default_factory=list[TextChoices])
    usage: SerializeAsAny[Usage] | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _identify(fields, "cmpl-")
        fields["choices"] = many(TextChoices, fields["choices"])
        if fields["usage"] is not None:
            fields["usage"] = usage_of(fields["usage"])


class Embedding(OpenAIObject):
    """`embedding` is a list of floats, or text in base64 if that was asked for."""

    embedding: list[float] | str = []
    index: int = 0
    object: str = "embedding"


class EmbeddingResponse(_Response):
    model: str | None = None
    data: list[Embedding] = Field(default_factory=list[Embedding])
    object: str = "list"
    usage: SerializeAsAny[Usage] | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["data"] = many(Embedding, fields["data"])
        if fields["usage"] is not None:
            fields["usage"] = usage_of(fields["usage"])


class ImageObject(OpenAIObject):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class ImageResponse(_Response):
    created: int = Field(default_factory=now)
    data: list[ImageObject] = Field(default_factory=list[ImageObject])

    usage = optional("usage", "dict | None")

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if not isinstance(fields["created"], int):
            fields["created"] = now()
        fields["data"] = many(ImageObject, fields["data"])


class TranscriptionResponse(_Response):
    """`text`, and what `verbose_json` adds: language, duration, segments, words."""

    text: str | None = None

    def __init__(self, text: str | None = None, **data: Any) -> None:
        super().__init__(text=text, **data)


class RerankResult(OpenAIObject):
    index: int = 0
    relevance_score: float = 0.0

    if TYPE_CHECKING:  # absent unless set; the value stands for "optional in the constructor"
        document: Json = {}


class RerankResponse(_Response):
    """Cohere's shape."""

    id: str | None = None
    results: list[RerankResult] | None = None
    meta: Json | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if fields["results"] is not None:
            fields["results"] = many(RerankResult, fields["results"])


def model_response(wire: Json) -> ModelResponse:
    """Of the JSON of POST /chat/completions."""
    return ModelResponse.from_wire(wire)


def stream_chunk(wire: Json) -> ModelResponseStream:
    """Of one event of a streamed chat completion."""
    return ModelResponseStream.from_wire(wire)


def text_completion_response(wire: Json) -> TextCompletionResponse:
    """Of the JSON of POST /completions, or of one event of its stream."""
    return TextCompletionResponse.from_wire(wire)


def embedding_response(wire: Json) -> EmbeddingResponse:
    """Of the JSON of POST /embeddings."""
    return EmbeddingResponse.from_wire(wire)


def _identify(fields: Json, prefix: str) -> None:
    """An id and a time for what came without."""
    if not isinstance(fields["id"], str):
        fields["id"] = new_id(prefix)
    created = fields["created"]
    if not isinstance(created, int):
        fields["created"] = int(created) if isinstance(created, float) and abs(created) < 1e15 else now()


def _choices(value: Any) -> list[Choices | StreamingChoices]:
    """A user may build a ModelResponse of streaming choices, too."""
    if not isinstance(value, list):
        return []
    return [_choice(item) for item in cast(list[Any], value) if isinstance(item, dict | BaseModel)]


def _choice(value: Any) -> Choices | StreamingChoices:
    return value if isinstance(value, StreamingChoices) else one(Choices, value)
