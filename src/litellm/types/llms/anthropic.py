"""What callers hand over in Anthropic's form."""

from typing import Literal

from typing_extensions import TypedDict


class AnthropicThinkingParam(TypedDict, total=False):
    """`thinking`: at most so many tokens of it."""

    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: int
