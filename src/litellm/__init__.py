"""Call every LLM through one interface: `litellm.completion(model="openai/...", messages=[...])`.

Importing this package loads nothing but this file and the version. Each public name is loaded when it is first used
(PEP 562) and kept here, where callers may replace it; what is no public name is a setting (`litellm/settings.py`), and
reads its default while it is unset.
"""

from litellm import _version

__version__ = _version.version

TYPE_CHECKING = False  # for type checkers alone; importing `typing` would cost a third of this package's import

_NAMES = {
    name: module
    for module, names in {
        "litellm.sdk.main": "completion acompletion embedding aembedding text_completion atext_completion",
        "litellm.sdk.streaming": "CustomStreamWrapper",
        "litellm.sdk.custom_llm": "CustomLLM CustomLLMError",
        "litellm.sdk.batch": "batch_completion batch_completion_models batch_completion_models_all_responses",
        "litellm.sdk.more": """
            LiteLLM acompletion_with_retries acount_tokens ahealth_check completion_with_retries config_completion""",
        "litellm.sdk.budget": "BudgetManager",
        "litellm.sdk.cache": "Cache disable_cache enable_cache update_cache",
        "litellm.sdk.router": "Router",
        "litellm.engine.builder": "stream_chunk_builder",
        "litellm.sdk.costs": """
            completion_cost cost_per_token get_response_cost_from_hidden_params response_cost_calculator""",
        "litellm.sdk.models": """
            OPENAI_CHAT_COMPLETION_PARAMS check_valid_key get_llm_provider get_max_tokens get_model_cost_map
            get_model_info get_supported_openai_params get_valid_models model_cost model_list models_by_provider
            openai_compatible_providers provider_list register_model supports_audio_input supports_audio_output
            supports_computer_use supports_embedding_image_input supports_function_calling
            supports_native_streaming supports_native_structured_output supports_parallel_function_calling
            supports_pdf_input supports_prompt_caching supports_reasoning supports_response_schema
            supports_system_messages supports_tool_choice supports_url_context supports_vision supports_web_search
            validate_environment""",
        "litellm.sdk.optional_params": "get_optional_params",
        "litellm.sdk.tokens": """
            create_pretrained_tokenizer create_tokenizer decode encode encoding token_counter trim_messages""",
        "litellm.exceptions": """
            APIConnectionError APIError APIResponseValidationError AuthenticationError AzureOpenAIError BadGatewayError
            BadRequestError BlockedPiiEntityError BudgetExceededError ContentPolicyViolationError
            ContextWindowExceededError GuardrailRaisedException ImageFetchError InternalServerError InvalidRequestError
            JSONSchemaValidationError LITELLM_EXCEPTION_TYPES LiteLLMUnknownProvider MidStreamFallbackError
            MockException ModifyResponseException NotFoundError OpenAIError PermissionDeniedError RateLimitError
            RejectedRequestError RouterRateLimitError ServiceUnavailableError Timeout UnprocessableEntityError
            UnsupportedParamsError""",
        "litellm.types.utils": """
            ChatCompletionDeltaToolCall ChatCompletionMessageToolCall Choices CompletionTokensDetailsWrapper Delta
            Embedding EmbeddingResponse Function FunctionCall ImageObject ImageResponse Message ModelResponse
            ModelResponseStream PromptTokensDetailsWrapper RerankResponse StreamingChoices TextChoices
            TextCompletionResponse TranscriptionResponse Usage""",
        "litellm.types.llms.openai": """
            AllMessageValues ChatCompletionAnnotation ChatCompletionAssistantMessage ChatCompletionAssistantToolCall
            ChatCompletionAudioParam ChatCompletionCachedContent ChatCompletionDeveloperMessage
            ChatCompletionFunctionMessage ChatCompletionImageObject ChatCompletionImageUrlObject ChatCompletionModality
            ChatCompletionPredictionContentParam ChatCompletionSystemMessage ChatCompletionTextObject
            ChatCompletionToolCallFunctionChunk ChatCompletionToolMessage ChatCompletionToolParam
            ChatCompletionToolParamFunctionChunk ChatCompletionUsageBlock ChatCompletionUserMessage
            OpenAIMessageContent OpenAIWebSearchOptions""",
        "litellm.types.responses.main": """
            ResponseAPIUsage ResponseFunctionToolCall ResponseInputParam ResponsesAPIResponse""",
        "litellm.types.llms.anthropic": "AnthropicThinkingParam",
        "litellm.types.call_types": "CallTypes",
        "litellm.types.caching": "LiteLLMCacheType",
        "litellm.types.prices": "CostPerToken ModelInfo",
        "litellm.types.providers": "LlmProviders",
        "litellm.types.router": "AllowedFailsPolicy DeploymentTypedDict GenericLiteLLMParams RetryPolicy",
        "litellm.types.streams": "GenericStreamingChunk",
        "litellm.integrations.custom_logger": "CustomLogger",
        "litellm._logging": "_disable_debugging _turn_on_debug",
        "litellm.sdk.logs": "print_verbose verbose_logger verbose_proxy_logger verbose_router_logger",
        "litellm.sdk.secrets": "get_secret get_secret_bool get_secret_str",
        "litellm.unbuilt": """
            AmazonBedrockGlobalConfig DualCache InMemoryCache acancel_batch acancel_responses acreate_batch
            acreate_file adapter_completion adelete_responses afile_content afile_delete afile_list afile_retrieve
            aget_responses aimage_edit aimage_generation aimage_variation alist_batches alist_input_items amoderation
            anthropic_messages aocr arerank aresponses aretrieve_batch asearch aspeech atranscription cancel_batch
            cancel_responses create_batch create_file delete_responses file_content
            file_delete file_list file_retrieve get_responses image_edit image_generation
            image_variation list_batches list_input_items moderation ocr rerank retrieve_batch search speech
            transcription""",
    }.items()
    for name in names.split()
}

_MODULES = {
    name: name
    for name in (
        "_logging", "anthropic_interface", "caching", "constants", "cost_calculator", "exceptions",
        "experimental_mcp_client", "google_genai", "integrations", "litellm_core_utils", "llms", "main", "proxy",
        "responses", "router", "sdk", "settings", "types", "utils", "videos",
    )
}  # fmt: skip
_MODULES["anthropic"] = "anthropic_interface"

# A popular tool walks `dir(litellm)` and fails on an `...Error` it does not know; these came after it was written.
# They are served all the same.
_UNLISTED = frozenset(
    ("BadGatewayError", "BlockedPiiEntityError", "CustomLLMError", "ImageFetchError", "MidStreamFallbackError",
     "PermissionDeniedError", "RejectedRequestError")
)  # fmt: skip


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name in _NAMES:
        value = getattr(import_module(_NAMES[name]), name)
        return globals().setdefault(name, value)
    if name in _MODULES:
        return import_module(f"litellm.{_MODULES[name]}")
    if not name.startswith("__"):
        from litellm.settings import settings

        if hasattr(settings, name):
            return getattr(settings, name)
    raise AttributeError(f"module 'litellm' has no attribute {name!r}")


def __dir__() -> list[str]:
    from litellm.settings import Settings

    return sorted({*globals(), *_NAMES, *_MODULES, *Settings.__annotations__} - _UNLISTED)


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from litellm.engine.builder import stream_chunk_builder as stream_chunk_builder
    from litellm.exceptions import *  # noqa: F403
    from litellm.sdk.costs import *  # noqa: F403
    from litellm.sdk.main import acompletion as acompletion
    from litellm.sdk.main import aembedding as aembedding
    from litellm.sdk.main import atext_completion as atext_completion
    from litellm.sdk.main import completion as completion
    from litellm.sdk.main import embedding as embedding
    from litellm.sdk.main import text_completion as text_completion
    from litellm.sdk.models import *  # noqa: F403
    from litellm.sdk.router import Router as Router
    from litellm.sdk.streaming import CustomStreamWrapper as CustomStreamWrapper
    from litellm.sdk.tokens import *  # noqa: F403
    from litellm.types.utils import *  # noqa: F403

    # The settings; a test compares them with litellm/settings.py.
    api_base: str | None
    api_key: str | None
    api_version: str | None
    organization: str | None
    headers: Mapping[str, str] | None
    openai_key: str | None
    ai21_key: str | None
    anthropic_key: str | None
    azure_key: str | None
    cloudflare_api_key: str | None
    cohere_key: str | None
    databricks_key: str | None
    groq_key: str | None
    huggingface_key: str | None
    infinity_key: str | None
    nlp_cloud_key: str | None
    ollama_key: str | None
    openrouter_key: str | None
    replicate_key: str | None
    togetherai_api_key: str | None
    vertex_location: str | None
    vertex_project: str | None
    xai_key: str | None
    gdc_api_base: str | None
    use_litellm_proxy: bool
    custom_provider_map: list[dict[str, Any]]
    model_alias_map: dict[str, str]
    drop_params: bool
    modify_params: bool
    add_function_to_prompt: bool
    enable_json_schema_validation: bool
    max_tokens: int
    route_all_chat_openai_to_responses: bool
    request_timeout: float
    num_retries: int | None
    ssl_verify: bool | str
    ssl_certificate: str | None
    client_session: Any
    aclient_session: Any
    force_ipv4: bool
    use_aiohttp_transport: bool
    disable_aiohttp_transport: bool
    network_mock: bool
    enable_azure_ad_token_refresh: bool
    allowed_fails: int
    fallbacks: list[Any] | None
    default_fallbacks: list[Any] | None
    context_window_fallbacks: list[Any] | None
    content_policy_fallbacks: list[Any] | None
    model_fallbacks: list[Any] | None
    expose_router_debug_in_errors: bool
    callbacks: list[Any]
    input_callback: list[Any]
    success_callback: list[Any]
    failure_callback: list[Any]
    service_callback: list[Any]
    _async_input_callback: list[Any]
    _async_success_callback: list[Any]
    _async_failure_callback: list[Any]
    custom_prometheus_metadata_labels: list[str]
    custom_prometheus_tags: list[str]
    disable_streaming_logging: bool
    redact_messages_in_exceptions: bool
    redact_user_api_key_info: bool
    set_verbose: bool
    suppress_debug_info: bool
    telemetry: bool
    turn_off_message_logging: bool
    cache: Any
    budget_duration: str | None
    cost_discount_config: dict[str, float]
    cost_margin_config: dict[str, Any]
    disable_token_counter: bool
    include_cost_in_streaming_usage: bool
    max_budget: float
    model_cost_map_url: str
    _current_cost: float
    default_internal_user_params: dict[str, Any] | None
    default_team_settings: list[Any] | None
    tag_budget_config: dict[str, Any] | None
    REPEATED_STREAMING_CHUNK_LIMIT: int
