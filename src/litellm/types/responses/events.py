"""The events of a streamed response ("Streaming events", OpenAI's API reference)."""

from enum import StrEnum
from typing import Any

from litellm.types.base import Json, one
from litellm.types.llms.base import BaseLiteLLMOpenAIResponseObject
from litellm.types.responses.main import ResponsesAPIResponse


class ResponsesAPIStreamEvents(StrEnum):
    RESPONSE_CREATED = "response.created"
    RESPONSE_IN_PROGRESS = "response.in_progress"
    RESPONSE_COMPLETED = "response.completed"
    RESPONSE_FAILED = "response.failed"
    RESPONSE_INCOMPLETE = "response.incomplete"
    RESPONSE_PART_ADDED = "response.reasoning_summary_part.added"
    REASONING_SUMMARY_TEXT_DELTA = "response.reasoning_summary_text.delta"
    REASONING_SUMMARY_TEXT_DONE = "response.reasoning_summary_text.done"
    OUTPUT_ITEM_ADDED = "response.output_item.added"
    OUTPUT_ITEM_DONE = "response.output_item.done"
    CONTENT_PART_ADDED = "response.content_part.added"
    CONTENT_PART_DONE = "response.content_part.done"
    OUTPUT_TEXT_DELTA = "response.output_text.delta"
    OUTPUT_TEXT_ANNOTATION_ADDED = "response.output_text.annotation.added"
    OUTPUT_TEXT_DONE = "response.output_text.done"
    REFUSAL_DELTA = "response.refusal.delta"
    REFUSAL_DONE = "response.refusal.done"
    FUNCTION_CALL_ARGUMENTS_DELTA = "response.function_call_arguments.delta"
    FUNCTION_CALL_ARGUMENTS_DONE = "response.function_call_arguments.done"
    FILE_SEARCH_CALL_IN_PROGRESS = "response.file_search_call.in_progress"
    FILE_SEARCH_CALL_SEARCHING = "response.file_search_call.searching"
    FILE_SEARCH_CALL_COMPLETED = "response.file_search_call.completed"
    WEB_SEARCH_CALL_IN_PROGRESS = "response.web_search_call.in_progress"
    WEB_SEARCH_CALL_SEARCHING = "response.web_search_call.searching"
    WEB_SEARCH_CALL_COMPLETED = "response.web_search_call.completed"
    ERROR = "error"


class _Event(BaseLiteLLMOpenAIResponseObject):
    type: str
    sequence_number: int | None = None


class _Whole(_Event):
    """The response as it is by then."""

    response: ResponsesAPIResponse

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["response"] = one(ResponsesAPIResponse, fields["response"])


class ResponseCreatedEvent(_Whole):
    type: str = ResponsesAPIStreamEvents.RESPONSE_CREATED.value


class ResponseInProgressEvent(_Whole):
    type: str = ResponsesAPIStreamEvents.RESPONSE_IN_PROGRESS.value


class ResponseCompletedEvent(_Whole):
    type: str = ResponsesAPIStreamEvents.RESPONSE_COMPLETED.value


class ResponseFailedEvent(_Whole):
    type: str = ResponsesAPIStreamEvents.RESPONSE_FAILED.value


class ResponseIncompleteEvent(_Whole):
    type: str = ResponsesAPIStreamEvents.RESPONSE_INCOMPLETE.value


class _OfItem(_Event):
    item_id: str = ""
    output_index: int = 0


class OutputTextDeltaEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.OUTPUT_TEXT_DELTA.value
    content_index: int = 0
    delta: str = ""


class OutputTextDoneEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.OUTPUT_TEXT_DONE.value
    content_index: int = 0
    text: str = ""


class RefusalDeltaEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.REFUSAL_DELTA.value
    content_index: int = 0
    delta: str = ""


class ReasoningSummaryTextDeltaEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.REASONING_SUMMARY_TEXT_DELTA.value
    summary_index: int = 0
    delta: str = ""


class FunctionCallArgumentsDeltaEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.FUNCTION_CALL_ARGUMENTS_DELTA.value
    delta: str = ""


class FunctionCallArgumentsDoneEvent(_OfItem):
    type: str = ResponsesAPIStreamEvents.FUNCTION_CALL_ARGUMENTS_DONE.value
    arguments: str = ""


class OutputItemAddedEvent(_Event):
    type: str = ResponsesAPIStreamEvents.OUTPUT_ITEM_ADDED.value
    output_index: int = 0
    item: Any = None


class OutputItemDoneEvent(_Event):
    type: str = ResponsesAPIStreamEvents.OUTPUT_ITEM_DONE.value
    output_index: int = 0
    item: Any = None


class ErrorEvent(_Event):
    type: str = ResponsesAPIStreamEvents.ERROR.value
    code: str | None = None
    message: str = ""
    param: str | None = None
