"""How providers are told to go on with an answer that has begun: with its beginning as the assistant's last message,
and, at most of them, a mark. Which models do it is a capability in `models.json` (`assistant_prefill`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What is added to the message."""
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """And to the request."""
    echoed: bool = False
    """The answer may say the beginning again."""


PLAIN: Final = Prefix()

_OF: Final[dict[str, Prefix]] = {
    "deepseek": Prefix({"prefix": True}),  # DeepSeek, "Chat Prefix Completion (Beta)": at the address .../beta
    "mistral": Prefix({"prefix": True}, echoed=True),  # Mistral, "Prefix"
    "codestral": Prefix({"prefix": True}, echoed=True),
    "moonshot": Prefix({"partial": True}),  # Moonshot, "Partial Mode"
    "dashscope": Prefix({"partial": True}),  # Alibaba Cloud Model Studio, "Partial mode"
    # vLLM, "OpenAI-Compatible Server", extra parameters of the chat API: the template closes the message otherwise.
    "hosted_vllm": Prefix(request={"continue_final_message": True, "add_generation_prompt": False}),
}

ALWAYS: Final = frozenset({"hosted_vllm"})
"""Providers that do it for whatever model they serve."""


def of(provider: str) -> Prefix:
    return _OF.get(provider, PLAIN)
