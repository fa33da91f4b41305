"""Which parameter names are OpenAI's and which are ours.

OpenAI's go to the endpoint, ours never do, and every other name is the endpoint's own and goes to it as written
(litellm-contract 1a.1, 1a.2).
"""

from typing import Final

from litellm.types.calls import Op

_SHARED: Final = frozenset({"user", "extra_headers", "extra_body", "extra_query"})

OPENAI: Final[dict[Op, frozenset[str]]] = {
    "chat": _SHARED
    | {
        "messages", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
        "max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls",
        "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
        "stream_options", "temperature", "thinking", "tool_choice", "tools", "top_logprobs", "top_p", "verbosity",
        "web_search_options",
    },
    "completion": _SHARED
    | {
        "prompt", "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
        "presence_penalty", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p",
    },
    "embedding": _SHARED | {"input", "dimensions", "encoding_format"},
}  # fmt: skip

CREDENTIALS: Final = frozenset(
    {
        "api_base", "base_url", "api_key", "api_version", "organization", "custom_llm_provider", "extra_headers",
        "headers", "ssl_verify", "client", "provider_specific_header", "azure_ad_token", "tenant_id", "client_id",
        "client_secret", "region_name", "use_litellm_proxy", "litellm_credential_name", "shared_session",
        "api_type", "deployment_id", "azure_scope", "azure_username", "azure_password",
    }
)  # fmt: skip
"""What says where a call goes and as whom. A gateway's caller may not set them (nor aws_*, vertex_*)."""

CREDENTIAL_PREFIXES: Final = ("aws_", "vertex_", "gcs_", "s3_", "watsonx_", "oci_", "sagemaker_")

NOT_BUILT: Final = frozenset({"fallbacks", "guardrails", "context_window_fallback_dict", "model_list"})
"""Features whose silent absence would change the answer: asking for one is an error where it is not there."""

BUILT: Final = frozenset(
    {
        "api_base", "base_url", "api_key", "organization", "custom_llm_provider", "extra_headers", "headers",
        "ssl_verify", "num_retries", "max_retries", "timeout", "request_timeout", "stream_timeout", "drop_params",
        "additional_drop_params", "allowed_openai_params", "mock_response", "mock_tool_calls", "mock_timeout",
        "mock_delay", "litellm_call_id", "metadata", "litellm_metadata", "tags", "litellm_trace_id",
        "litellm_session_id", "no-log", "model_info", "base_model", "client", "logger_fn", "input_cost_per_token",
        "output_cost_per_token", "input_cost_per_second", "output_cost_per_second", "mock_testing_fallbacks",
        "mock_testing_context_fallbacks", "mock_testing_content_policy_fallbacks", "mock_testing_rate_limit_error",
        "cache", "caching", "ttl", "preset_cache_key",
    }
)  # fmt: skip
"""Names of ours that have an effect. Whoever uses another one in the SDK is told so, once."""

OURS: Final = (
    CREDENTIALS
    | NOT_BUILT
    | BUILT
    | {
        "metadata",
        "litellm_metadata", "tags", "litellm_trace_id", "litellm_session_id",
        "id", "input_cost_per_token", "output_cost_per_token", "input_cost_per_second", "output_cost_per_second",
        "base_model", "model_info", "retry_policy", "cooldown_time", "max_fallbacks", "ensure_alternating_roles",
        "user_continue_message", "assistant_continue_message", "supports_system_message", "initial_prompt_value",
        "roles", "final_prompt_value", "bos_token", "eos_token", "hf_model_name", "prompt_id", "prompt_variables",
        "prompt_label", "prompt_version", "litellm_system_prompt", "no-log", "verbose",
        "litellm_logging_obj", "proxy_server_request", "merge_reasoning_content_in_choices", "enable_prompt_caching",
        "use_chat_completions_api", "rust", "enable_json_schema_validation", "order", "weight", "rpm", "tpm",
        "max_parallel_requests", "disable_fallbacks", "acompletion", "aembedding",
        "atext_completion", "include_server_side_tool_invocations", "custom_prompt_dict",
        "litellm_params", "litellm_request_debug", "complete_response", "allowed_model_region", "priority",
    }
)  # fmt: skip
"""Names that steer us and are never sent."""


def is_credential(name: str) -> bool:
    return name in CREDENTIALS or name.startswith(CREDENTIAL_PREFIXES)
