"""Messages and the pieces of them: what a model says, whole (Message) or in parts (Delta)."""

import json
from typing import TYPE_CHECKING, Any, cast

from litellm.types.base import Json, OpenAIObject, joined, many, one, reshape
from litellm.types.fresh import new_id


class Function(OpenAIObject):
    """A call's name and its arguments: JSON as text; a dict given as arguments is encoded."""

    arguments: str = ""
    name: str | None = None

    def __init__(self, arguments: Any = None, name: str | None = None, **more: Any) -> None:
        self._fill({"arguments": arguments, "name": name, **more})

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if not isinstance(fields["arguments"], str):
            fields["arguments"] = json.dumps(fields["arguments"])


class FunctionCall(Function):
    """OpenAI's deprecated `function_call`."""


class ChatCompletionMessageToolCall(OpenAIObject):
    function: Function
    id: str
    type: str = "function"

    if TYPE_CHECKING:
        index: int

    def __init__(self, function: Any = None, id: str | None = None, type: str | None = None, **more: Any) -> None:
        self._fill({"function": function, "id": id, "type": type, **more})

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if not isinstance(fields["id"], str):
            fields["id"] = new_id("call_")
        # A call of another type ("custom") has its body elsewhere, in the extra fields.
        if fields["type"] == "function" or isinstance(fields["function"], dict):
            fields["function"] = one(Function, fields["function"])
        else:
            fields["function"] = None


class ChatCompletionDeltaToolCall(OpenAIObject):
    """A part of a call. The first one carries id and name, the others more of the arguments."""

    id: str | None = None
    function: Function
    type: str | None = None
    index: int = 0

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        fields["function"] = one(Function, fields["function"])


class ChatCompletionAudioResponse(OpenAIObject):
    id: str | None = None
    data: str | None = None
    expires_at: int | None = None
    transcript: str | None = None


class _Spoken(OpenAIObject):
    """What Message and Delta share. Of these fields only those that were set exist (`hasattr` says which)."""

    if TYPE_CHECKING:
        reasoning_content: str
        thinking_blocks: list[Json]
        reasoning_items: list[Json]
        annotations: list[Json]
        images: list[Json]

    @property
    def refusal(self) -> str | None:
        return joined(self.get("provider_specific_fields"), {}).get("refusal")


_OPTIONAL = frozenset(
    ("annotations", "audio", "images", "provider_specific_fields", "reasoning_content", "reasoning_items",
     "thinking_blocks")
)  # fmt: skip


def _shape_optional(extra: Json) -> None:
    """OpenRouter and newer vLLM say `reasoning` where others say `reasoning_content`. Null counts as absent."""
    for name in _OPTIONAL.intersection(extra):
        if extra[name] is None:
            del extra[name]
    if isinstance(extra.get("reasoning"), str):
        reasoning = extra.pop("reasoning")
        extra.setdefault("reasoning_content", reasoning)


class Message(_Spoken):
    content: str | None = None
    role: str = "assistant"
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    function_call: FunctionCall | None = None

    if TYPE_CHECKING:
        audio: ChatCompletionAudioResponse
        provider_specific_fields: Json

    def __init__(
        self,
        content: Any = None,
        role: str | None = "assistant",
        function_call: Any = None,
        tool_calls: Any = None,
        **more: Any,
    ) -> None:
        self._fill({"content": content, "role": role, "function_call": function_call, "tool_calls": tool_calls, **more})

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if fields["tool_calls"] is not None:
            fields["tool_calls"] = many(ChatCompletionMessageToolCall, fields["tool_calls"]) or None
        if fields["function_call"] is not None:
            fields["function_call"] = one(FunctionCall, fields["function_call"])
        if extra:
            _shape_optional(extra)
            reshape(extra, "audio", lambda audio: one(ChatCompletionAudioResponse, audio))
            if "refusal" in extra:
                own = extra.get("provider_specific_fields")
                extra["provider_specific_fields"] = joined(own, {"refusal": extra.pop("refusal")})


class Delta(_Spoken):
    provider_specific_fields: Json | None = None
    content: str | None = None
    role: str | None = None
    function_call: FunctionCall | None = None
    tool_calls: list[ChatCompletionDeltaToolCall] | None = None
    audio: ChatCompletionAudioResponse | None = None

    def __init__(
        self,
        content: Any = None,
        role: str | None = None,
        function_call: Any = None,
        tool_calls: Any = None,
        audio: Any = None,
        **more: Any,
    ) -> None:
        self._fill(
            {"content": content, "role": role, "function_call": function_call, "tool_calls": tool_calls,
             "audio": audio, **more}
        )  # fmt: skip

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        if fields["tool_calls"] is not None:
            fields["tool_calls"] = many(ChatCompletionDeltaToolCall, _numbered(fields["tool_calls"]))
        if fields["function_call"] is not None:
            fields["function_call"] = one(FunctionCall, fields["function_call"])
        if fields["audio"] is not None:
            fields["audio"] = one(ChatCompletionAudioResponse, fields["audio"])
        if extra:
            _shape_optional(extra)
            refusal = extra.pop("refusal", None)
            if refusal is not None:
                own = fields["provider_specific_fields"]
                fields["provider_specific_fields"] = joined(own, {"refusal": refusal})


def _numbered(calls: Any) -> Any:
    """Some hosts leave out the calls' `index`: then it is the place in the list."""
    if not isinstance(calls, list):
        return calls
    numbered = enumerate(cast(list[Any], calls))
    return [{**call, "index": place} if _lacks_index(call) else call for place, call in numbered]


def _lacks_index(call: Any) -> bool:
    return isinstance(call, dict) and cast(Json, call).get("index") is None
