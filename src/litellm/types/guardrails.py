"""When a guardrail looks at a request and what it says of it, in LiteLLM's words."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from typing_extensions import TypedDict


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


class GuardrailTracingDetail(TypedDict, total=False):
    """What a guardrail adds to `guardrail_information` of the StandardLoggingPayload."""

    guardrail_id: str | None
    policy_template: str | None
    detection_method: str | None
    confidence_score: float | None
    classification: dict[str, Any] | None
    match_details: list[dict[str, Any]] | None
    patterns_checked: int | None
    violation_categories: list[str] | None
    guardrail_action: str | None
