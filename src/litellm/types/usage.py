"""Token counts as endpoints report them, in OpenAI's words whichever words the vendor used."""

from typing import TYPE_CHECKING, Any

from litellm.types.base import Json, OpenAIObject, one


class PromptTokensDetailsWrapper(OpenAIObject):
    audio_tokens: int | None = None
    cached_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None

    if TYPE_CHECKING:  # absent unless set; the value stands for "optional in the constructor"
        cache_creation_tokens: int = 0


class CompletionTokensDetailsWrapper(OpenAIObject):
    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None


class ServerToolUse(OpenAIObject):
    web_search_requests: int | None = None


# Counts that some vendors put beside OpenAI's fields, and the detail they mean there. They stay where they were, too.
_PROMPT_WORDS = {
    "cache_read_input_tokens": "cached_tokens",  # Anthropic
    "prompt_cache_hit_tokens": "cached_tokens",  # DeepSeek
    "cache_creation_input_tokens": "cache_creation_tokens",  # Anthropic
}
_COMPLETION_WORDS = {"reasoning_tokens": "reasoning_tokens"}


class Usage(OpenAIObject):
    """What the endpoint counted; never recounted. Only a missing total is added up."""

    completion_tokens: int = 0
    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens_details: CompletionTokensDetailsWrapper | None = None
    prompt_tokens_details: PromptTokensDetailsWrapper | None = None

    if TYPE_CHECKING:  # absent unless set, as above
        cache_creation_input_tokens: int = 0
        cache_read_input_tokens: int = 0
        cost: float = 0.0
        server_tool_use: ServerToolUse = ServerToolUse()

    @staticmethod
    def _shape(fields: Json, extra: Json) -> None:
        _detail(fields, extra, "prompt_tokens_details", PromptTokensDetailsWrapper, _PROMPT_WORDS)
        _detail(fields, extra, "completion_tokens_details", CompletionTokensDetailsWrapper, _COMPLETION_WORDS)
        prompt, completion = fields["prompt_tokens"], fields["completion_tokens"]
        if not fields["total_tokens"] and isinstance(prompt, int) and isinstance(completion, int):
            fields["total_tokens"] = prompt + completion
        if "server_tool_use" in extra:
            extra["server_tool_use"] = one(ServerToolUse, extra["server_tool_use"])


def usage_of(value: Any) -> Usage | None:
    """None if the endpoint reported none, or something that is no object."""
    if isinstance(value, dict | OpenAIObject):
        return one(Usage, value)
    return one(Usage, value) if hasattr(value, "model_dump") else None


def _detail(fields: Json, extra: Json, name: str, cls: type[OpenAIObject], words: dict[str, str]) -> None:
    given = fields[name]
    elsewhere = {word: extra[word] for word in words if extra.get(word) is not None} if extra else {}
    if given is None and not elsewhere:
        return
    made = fields[name] = one(cls, given)
    for word, value in elsewhere.items():
        if made.get(words[word]) is None:
            made[words[word]] = value
