"""Gemini's parts of a message, as its REST reference spells them."""

from typing import Any

from typing_extensions import TypedDict


class BlobType(TypedDict, total=False):
    """`data` is base64."""

    mime_type: str
    data: str


class FileDataType(TypedDict, total=False):
    mime_type: str
    file_uri: str


class FunctionCall(TypedDict, total=False):
    name: str
    args: dict[str, Any]


class FunctionResponse(TypedDict, total=False):
    name: str
    response: dict[str, Any]


class PartType(TypedDict, total=False):
    """One part; one of the first five is there."""

    text: str
    inline_data: BlobType
    file_data: FileDataType
    function_call: FunctionCall
    function_response: FunctionResponse
    thought: bool
    thoughtSignature: str
