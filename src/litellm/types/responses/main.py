"""The objects of OpenAI's Responses API ("Responses", API reference)."""

from typing import Any, TypeAlias

from pydantic import Field, SerializeAsAny

from litellm.types.base import Json, many, one, put
from litellm.types.calls import as_list, as_object
from litellm.types.fresh import now
from litellm.types.llms.base import BaseLiteLLMOpenAIResponseObject

ResponseInputParam: TypeAlias = str | list[dict[str, Any]]
"""`input` of a request: text, or items."""

__all__ = [
    "GenericResponseOutputItem",
    "InputTokensDetails",
    "OutputFunctionToolCall",
    "OutputText",
    "OutputTokensDetails",
    "ResponseAPIUsage",
    "ResponseFunctionToolCall",
    "ResponseInputParam",
    "ResponsesAPIResponse",
]


class OutputText(BaseLiteLLMOpenAIResponseObject):
    type: str | None = "output_text"
    text: str | None = None
    annotations: list[Any] | None = None


class GenericResponseOutputItem(BaseLiteLLMOpenAIResponseObject):
    """A message in `output`."""

    type: str = "message"
    id: str | None = None
    status: str | None = None
    role: str | None = None
    content: list[OutputText] = Field(default_factory=list[OutputText])

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["content"] = many(OutputText, fields["content"])


class OutputFunctionToolCall(BaseLiteLLMOpenAIResponseObject):
    """A function call in `output`; `arguments` is JSON text."""

    arguments: str | None = None
    call_id: str | None = None
    name: str | None = None
    type: str | None = "function_call"
    id: str | None = None
    status: str | None = None


class ResponseFunctionToolCall(OutputFunctionToolCall):
    """The same under the `openai` package's name."""


class InputTokensDetails(BaseLiteLLMOpenAIResponseObject):
    audio_tokens: int | None = None
    cached_tokens: int = 0
    text_tokens: int | None = None


class OutputTokensDetails(BaseLiteLLMOpenAIResponseObject):
    reasoning_tokens: int = 0
    text_tokens: int | None = None


class ResponseAPIUsage(BaseLiteLLMOpenAIResponseObject):
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens_details: OutputTokensDetails | None = None
    cost: float | None = None

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        for name, cls in (("input_tokens_details", InputTokensDetails), ("output_tokens_details", OutputTokensDetails)):
            if fields[name] is not None:
                fields[name] = one(cls, fields[name])
        if not fields["total_tokens"] and isinstance(fields["input_tokens"], int):
            fields["total_tokens"] = fields["input_tokens"] + fields["output_tokens"]


class ResponsesAPIResponse(BaseLiteLLMOpenAIResponseObject):
    """One response. `output` holds items as objects where their form is known here, else as they came."""

    id: str = ""
    created_at: int | float = Field(default_factory=now)
    error: dict[str, Any] | None = None
    incomplete_details: Any = None
    instructions: str | list[Any] | None = None
    metadata: dict[str, Any] | None = None
    model: str | None = None
    object: str = "response"
    output: list[Any] = Field(default_factory=list[Any])
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    tool_choice: Any = None
    tools: list[Any] | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    reasoning: dict[str, Any] | None = None
    status: str | None = None
    text: Any = None
    truncation: str | None = None
    usage: SerializeAsAny[ResponseAPIUsage] | None = None
    user: str | None = None
    store: bool | None = None

    _hidden_params: Json = {}

    def _fill(self, wire: Json) -> None:
        super()._fill(wire)
        put(self, "__pydantic_private__", {"_hidden_params": {}})

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if fields["created_at"] is None:
            fields["created_at"] = now()
        if fields["usage"] is not None:
            fields["usage"] = one(ResponseAPIUsage, fields["usage"])
        fields["output"] = [_item(item) for item in as_list(fields["output"]) or ()]

    @property
    def output_text(self) -> str:
        """The texts of all messages in `output`."""
        messages = [item for item in self.output if isinstance(item, GenericResponseOutputItem)]
        return "".join(part.text or "" for message in messages for part in message.content)


_ITEMS: dict[Any, type[BaseLiteLLMOpenAIResponseObject]] = {
    "message": GenericResponseOutputItem,
    "function_call": OutputFunctionToolCall,
}


def _item(value: Any) -> Any:
    kind = (as_object(value) or {}).get("type")
    return one(_ITEMS[kind], value) if kind in _ITEMS else value
