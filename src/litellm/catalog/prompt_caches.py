"""How long a provider keeps a prompt's prefix after its last use, in seconds."""

from typing import Final

USUAL: Final = 300.0
"""Where the provider does not say."""
LONG: Final = 86_400.0
"""With `prompt_cache_retention: 24h` (OpenAI, "Prompt caching")."""

_SECONDS: Final = {
    "openai": 600.0,  # "5 to 10 minutes of inactivity" (OpenAI, "Prompt caching")
    "azure": 600.0,  # the same (Azure OpenAI, "Prompt caching")
    "anthropic": 300.0,  # five minutes, renewed by each use (Anthropic, "Prompt caching")
    "bedrock": 300.0,  # five minutes, renewed by each use (Amazon Bedrock, "Prompt caching")
    "deepseek": 7200.0,  # "a few hours to a few days" (DeepSeek, "Context caching")
}


def seconds(provider: str, retention: object = None) -> float:
    """`retention` is the request's `prompt_cache_retention`."""
    return LONG if retention == "24h" else _SECONDS.get(provider, USUAL)
