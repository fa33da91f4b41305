"""StandardLoggingPayload: one call as callbacks see it, in LiteLLM's words (`kwargs["standard_logging_object"]`)."""

from typing import Any, Literal

from typing_extensions import TypedDict


class StandardLoggingMetadata(TypedDict, total=False):
    """Who asked. In the SDK these are None; what the caller put into `metadata` is in `requester_metadata`."""

    user_api_key_hash: str | None
    user_api_key_alias: str | None
    user_api_key_user_id: str | None
    user_api_key_user_email: str | None
    user_api_key_team_id: str | None
    user_api_key_team_alias: str | None
    user_api_key_org_id: str | None
    user_api_key_end_user_id: str | None
    user_api_key_request_route: str | None
    spend_logs_metadata: dict[str, Any] | None
    requester_ip_address: str | None
    requester_metadata: dict[str, Any] | None
    requester_custom_headers: dict[str, str] | None
    applied_guardrails: list[str] | None
    prompt_management_metadata: dict[str, Any] | None
    mcp_tool_call_metadata: dict[str, Any] | None
    vector_store_request_metadata: list[dict[str, Any]] | None
    usage_object: dict[str, Any] | None


class StandardLoggingHiddenParams(TypedDict, total=False):
    model_id: str | None
    cache_key: str | None
    api_base: str | None
    response_cost: float | None
    litellm_overhead_time_ms: float | None
    additional_headers: dict[str, str] | None
    batch_models: list[str] | None
    litellm_model_name: str | None
    usage_object: dict[str, Any] | None


class StandardLoggingModelInformation(TypedDict):
    model_map_key: str
    model_map_value: Any


class StandardLoggingPayloadErrorInformation(TypedDict, total=False):
    error_code: str | None
    error_class: str | None
    llm_provider: str | None
    traceback: str | None
    error_message: str | None


class StandardLoggingModelCostFailureDebugInformation(TypedDict, total=False):
    error_str: str
    traceback_str: str
    model: str
    cache_hit: bool | None
    custom_llm_provider: str | None


class StandardLoggingPayloadStatusFields(TypedDict, total=False):
    llm_api_status: Literal["success", "failure"]
    guardrail_status: Literal["success", "guardrail_intervened", "guardrail_failed_to_respond", "not_run"]


class CostBreakdown(TypedDict, total=False):
    """Dollars. Input, output and tools add up to `original_cost`; a discount or a margin makes it `total_cost`."""

    input_cost: float
    output_cost: float
    tool_usage_cost: float
    original_cost: float
    total_cost: float


class StandardLoggingPayload(TypedDict):
    """Times are Unix seconds, `response_time` is seconds, costs are dollars. Of a failed call `response` is None."""

    id: str
    trace_id: str
    session_id: str | None
    litellm_call_id: str
    call_type: str
    stream: bool | None
    response_cost: float
    cost_breakdown: CostBreakdown | None
    response_cost_failure_debug_info: StandardLoggingModelCostFailureDebugInformation | None
    status: Literal["success", "failure"]
    status_fields: StandardLoggingPayloadStatusFields
    custom_llm_provider: str | None
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    startTime: float
    endTime: float
    completionStartTime: float
    response_time: float
    model_map_information: StandardLoggingModelInformation
    model: str
    model_id: str | None
    model_group: str | None
    api_base: str
    metadata: StandardLoggingMetadata
    cache_hit: bool | None
    cache_key: str | None
    saved_cache_cost: float
    request_tags: list[str]
    end_user: str | None
    requester_ip_address: str | None
    user_agent: str | None
    messages: Any
    response: Any
    error_str: str | None
    error_information: StandardLoggingPayloadErrorInformation | None
    model_parameters: dict[str, Any]
    hidden_params: StandardLoggingHiddenParams
    guardrail_information: Any
