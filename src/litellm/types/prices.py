"""What is known of a model, and a price of one's own, as callers see and give them. Amounts are dollars."""

from typing import Any

from typing_extensions import TypedDict


class CostPerToken(TypedDict):
    input_cost_per_token: float
    output_cost_per_token: float


class ModelInfo(TypedDict, total=False):
    """What `litellm.get_model_info` returns. Absent or None: not known."""

    key: str
    litellm_provider: str
    mode: str | None
    max_tokens: int | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    input_cost_per_token: float | None
    output_cost_per_token: float | None
    cache_creation_input_token_cost: float | None
    cache_read_input_token_cost: float | None
    input_cost_per_audio_token: float | None
    output_cost_per_audio_token: float | None
    output_cost_per_reasoning_token: float | None
    input_cost_per_second: float | None
    output_cost_per_second: float | None
    output_cost_per_image: float | None
    output_vector_size: int | None
    tpm: int | None
    rpm: int | None
    supported_openai_params: list[str] | None
    search_context_cost_per_query: dict[str, Any] | None
    supports_system_messages: bool | None
    supports_response_schema: bool | None
    supports_vision: bool | None
    supports_function_calling: bool | None
    supports_parallel_function_calling: bool | None
    supports_tool_choice: bool | None
    supports_assistant_prefill: bool | None
    supports_prompt_caching: bool | None
    supports_audio_input: bool | None
    supports_audio_output: bool | None
    supports_pdf_input: bool | None
    supports_web_search: bool | None
    supports_url_context: bool | None
    supports_reasoning: bool | None
    supports_computer_use: bool | None
    supports_embedding_image_input: bool | None
    supports_native_streaming: bool | None
