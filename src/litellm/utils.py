"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.models": """
            get_llm_provider get_max_tokens get_model_info _get_model_info_helper=get_model_info
            get_supported_openai_params get_valid_models check_valid_key register_model supports_audio_input
            supports_audio_output supports_computer_use supports_embedding_image_input supports_function_calling
            supports_native_streaming supports_native_structured_output supports_parallel_function_calling
            supports_pdf_input supports_prompt_caching supports_reasoning supports_response_schema
            supports_system_messages supports_tool_choice supports_url_context supports_vision supports_web_search
            validate_environment""",
        "litellm.sdk.optional_params": "get_optional_params",
        "litellm.sdk.tokens": "create_pretrained_tokenizer create_tokenizer decode encode token_counter trim_messages",
        "litellm.sdk.costs": "completion_cost cost_per_token",
        "litellm.sdk.streaming": "CustomStreamWrapper",
        "litellm.sdk.schema": "type_to_response_format_param=response_format_of",
        "litellm.sdk.secrets": "load_credentials_from_list",
        "litellm.sdk.thinking": "validate_and_fix_thinking_param",
        "litellm.sdk.logs": "print_verbose",
        "litellm.types.providers": "LlmProviders",
        "litellm.types.call_types": "CallTypes",
        "litellm.types.utils": """
            ChatCompletionDeltaToolCall ChatCompletionMessageToolCall Choices CompletionTokensDetailsWrapper Delta
            Embedding EmbeddingResponse Function FunctionCall ImageObject ImageResponse Message ModelResponse
            ModelResponseStream PromptTokensDetailsWrapper StreamingChoices TextChoices TextCompletionResponse
            TranscriptionResponse Usage map_finish_reason""",
        "litellm.exceptions": """
            APIConnectionError APIError AuthenticationError BadRequestError BudgetExceededError
            ContentPolicyViolationError ContextWindowExceededError NotFoundError OpenAIError RateLimitError
            ServiceUnavailableError Timeout UnprocessableEntityError UnsupportedParamsError""",
        "litellm.unbuilt": "ProviderConfigManager",
    },
)
