"""What callers hand over in OpenAI's form, as TypedDicts; and, under their old path, the Responses API's objects."""

from typing import Any, Literal, Required, TypeAlias

from typing_extensions import TypedDict

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.types.responses.main": """
            GenericResponseOutputItem InputTokensDetails OutputFunctionToolCall OutputText OutputTokensDetails
            ResponseAPIUsage ResponseFunctionToolCall ResponseInputParam ResponsesAPIResponse""",
        "litellm.types.responses.events": """
            ErrorEvent FunctionCallArgumentsDeltaEvent FunctionCallArgumentsDoneEvent OutputItemAddedEvent
            OutputItemDoneEvent OutputTextDeltaEvent OutputTextDoneEvent ReasoningSummaryTextDeltaEvent
            RefusalDeltaEvent ResponseCompletedEvent ResponseCreatedEvent ResponseFailedEvent ResponseInProgressEvent
            ResponseIncompleteEvent ResponsesAPIStreamEvents""",
        "litellm.types.llms.base": "BaseLiteLLMOpenAIResponseObject",
    },
)

Json: TypeAlias = dict[str, Any]
OpenAIMessageContent: TypeAlias = str | list[Json]
ChatCompletionModality: TypeAlias = Literal["text", "audio", "image"]


class ChatCompletionCachedContent(TypedDict, total=False):
    """`cache_control`, Anthropic's mark of a prompt's part worth keeping."""

    type: Required[Literal["ephemeral"]]
    ttl: str


class ChatCompletionTextObject(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]
    cache_control: ChatCompletionCachedContent


class ChatCompletionImageUrlObject(TypedDict, total=False):
    url: Required[str]
    detail: str
    format: str


class ChatCompletionImageObject(TypedDict, total=False):
    type: Required[Literal["image_url"]]
    image_url: Required[str | ChatCompletionImageUrlObject]
    cache_control: ChatCompletionCachedContent


class ChatCompletionAudioParam(TypedDict, total=False):
    format: Required[str]
    voice: Required[str | Json]


class ChatCompletionPredictionContentParam(TypedDict):
    type: Literal["content"]
    content: OpenAIMessageContent


class ChatCompletionToolParamFunctionChunk(TypedDict, total=False):
    name: Required[str]
    description: str
    parameters: Json
    strict: bool


class ChatCompletionToolParam(TypedDict, total=False):
    type: Required[Literal["function"] | str]
    function: Required[ChatCompletionToolParamFunctionChunk]
    cache_control: ChatCompletionCachedContent


class ChatCompletionToolCallFunctionChunk(TypedDict, total=False):
    """`arguments` is JSON text."""

    name: str | None
    arguments: str
    provider_specific_fields: Json | None


class ChatCompletionAssistantToolCall(TypedDict, total=False):
    id: str | None
    type: Required[Literal["function"]]
    function: Required[ChatCompletionToolCallFunctionChunk]


class ChatCompletionSystemMessage(TypedDict, total=False):
    role: Required[Literal["system"]]
    content: Required[str | list[Any]]
    name: str
    cache_control: ChatCompletionCachedContent


class ChatCompletionDeveloperMessage(TypedDict, total=False):
    role: Required[Literal["developer"]]
    content: Required[str | list[Any]]
    name: str


class ChatCompletionUserMessage(TypedDict, total=False):
    role: Required[Literal["user"]]
    content: Required[OpenAIMessageContent]
    name: str
    cache_control: ChatCompletionCachedContent


class ChatCompletionAssistantMessage(TypedDict, total=False):
    role: Required[Literal["assistant"]]
    content: OpenAIMessageContent | None
    name: str | None
    tool_calls: list[ChatCompletionAssistantToolCall] | None
    function_call: ChatCompletionToolCallFunctionChunk | None
    reasoning_content: str | None
    thinking_blocks: list[Json] | None
    cache_control: ChatCompletionCachedContent


class ChatCompletionToolMessage(TypedDict, total=False):
    role: Required[Literal["tool"]]
    content: Required[str | list[Any]]
    tool_call_id: Required[str]


class ChatCompletionFunctionMessage(TypedDict, total=False):
    role: Required[Literal["function"]]
    content: Required[str | list[Any] | None]
    name: Required[str]


AllMessageValues: TypeAlias = (
    ChatCompletionSystemMessage
    | ChatCompletionDeveloperMessage
    | ChatCompletionUserMessage
    | ChatCompletionAssistantMessage
    | ChatCompletionToolMessage
    | ChatCompletionFunctionMessage
)


class OpenAIWebSearchOptions(TypedDict, total=False):
    search_context_size: Literal["low", "medium", "high"] | None
    user_location: Json | None


class ChatCompletionAnnotationURLCitation(TypedDict, total=False):
    """Indexes count characters of the message."""

    start_index: int
    end_index: int
    title: str
    url: str


class ChatCompletionAnnotation(TypedDict, total=False):
    type: Literal["url_citation"]
    url_citation: ChatCompletionAnnotationURLCitation


class ChatCompletionUsageBlock(TypedDict, total=False):
    prompt_tokens: Required[int]
    completion_tokens: Required[int]
    total_tokens: Required[int]
    prompt_tokens_details: Json | None
    completion_tokens_details: Json | None
