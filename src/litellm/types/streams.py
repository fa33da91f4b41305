"""A part of a streamed answer in the form that a handler of one's own (`CustomLLM`) yields."""

from typing import Any

from typing_extensions import TypedDict


class GenericStreamingChunk(TypedDict, total=False):
    """`tool_use` is one tool call in OpenAI's form, `usage` OpenAI's counts."""

    text: str
    tool_use: dict[str, Any] | None
    is_finished: bool
    finish_reason: str | None
    usage: dict[str, Any] | None
    index: int
    provider_specific_fields: dict[str, Any] | None
