"""When a guardrail looks at a request, in LiteLLM's words."""

from enum import StrEnum

from pydantic import BaseModel


class GuardrailEventHooks(StrEnum):
    pre_call = "pre_call"
    post_call = "post_call"
    during_call = "during_call"
    logging_only = "logging_only"
    pre_mcp_call = "pre_mcp_call"
    during_mcp_call = "during_mcp_call"


class Mode(BaseModel):
    """Hooks by the request's tags; `default` for a request that has none of them."""

    tags: dict[str, str | list[str]]
    default: str | list[str] | None = None
