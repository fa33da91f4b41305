"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.sdk.main": "acompletion aembedding atext_completion completion embedding text_completion",
        "litellm.sdk.batch": "batch_completion batch_completion_models batch_completion_models_all_responses",
        "litellm.sdk.more": """
            LiteLLM Chat Completions acompletion_with_retries ahealth_check completion_with_retries
            config_completion""",
        "litellm.engine.builder": "stream_chunk_builder",
        "litellm.sdk.streaming": "CustomStreamWrapper",
        "litellm.sdk.tokens": "decode encode encoding token_counter",
        "litellm.sdk.costs": "completion_cost",
        "litellm.types.utils": """
            Choices Delta EmbeddingResponse Message ModelResponse StreamingChoices TextChoices TextCompletionResponse
            TranscriptionResponse Usage""",
        "litellm.unbuilt": """
            aimage_generation amoderation aspeech atranscription image_generation moderation responses_api_bridge_check
            speech transcription""",
    },
)
