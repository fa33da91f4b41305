"""What LiteLLM has and this package has not yet, on one page.

Importing one of these works, and so does naming it in an annotation, in `isinstance`, as a base class or as the target
of a patch; using it raises NotBuilt, which says what is missing. Whoever builds one takes it off this page, and off
the list in tests/compat/test_unbuilt.py.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

Public = tuple[str, str]
"""Names of plain functions, and of coroutine functions; separated by blanks."""


class NotBuilt(RuntimeError):
    """Something was used that this package does not have yet. Nothing was sent."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not built yet. Nothing was sent.")
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)


FUNCTIONS: Final[dict[str, Public]] = {
    "litellm": (
        """
        image_generation image_edit image_variation transcription speech moderation rerank ocr search
        create_batch retrieve_batch list_batches cancel_batch create_file file_retrieve file_delete file_list
        file_content get_responses delete_responses cancel_responses
        list_input_items anthropic_messages adapter_completion""",
        """
        aresponses aimage_generation aimage_edit aimage_variation atranscription aspeech amoderation arerank aocr
        asearch acreate_batch aretrieve_batch alist_batches acancel_batch acreate_file afile_retrieve afile_delete
        afile_list afile_content aget_responses adelete_responses acancel_responses alist_input_items""",
    ),
    "litellm.responses.main": ("responses", ""),
    "litellm.main": ("responses_api_bridge_check", ""),
    "litellm.anthropic_interface.messages": ("create", "acreate"),
    "litellm.google_genai": (
        "generate_content generate_content_stream",
        "agenerate_content agenerate_content_stream",
    ),
    "litellm.videos": (
        "video_content video_generation video_list video_remix video_status",
        "avideo_content avideo_generation avideo_list avideo_remix avideo_status",
    ),
    "litellm.litellm_core_utils.litellm_logging": ("_extract_response_obj_and_hidden_params", ""),
    "litellm.llms.azure.common_utils": ("get_azure_ad_token get_azure_ad_token_from_oidc", ""),
    "litellm.llms.vertex_ai.common_utils": ("_get_gemini_url", ""),
    "litellm.llms.vertex_ai.gemini.transformation": ("_transform_request_body", ""),
}

CLASSES: Final[dict[str, dict[str, Public]]] = {
    "litellm": {
        "AmazonBedrockGlobalConfig": ("", ""),
    },
    "litellm.caching.caching": {"DualCache": ("", ""), "InMemoryCache": ("", "")},
    "litellm.integrations.mlflow": {"MlflowLogger": ("", "")},
    "litellm.integrations.opik.opik": {"OpikLogger": ("", "")},
    "litellm.llms.anthropic.common_utils": {"AnthropicModelInfo": ("", "")},
    "litellm.llms.azure.azure": {"AzureChatCompletion": ("completion", "acompletion")},
    "litellm.llms.azure.common_utils": {
        "BaseAzureLLM": (
            """
            _base_validate_azure_environment _resolve_env_var get_azure_openai_client initialize_azure_sdk_client""",
            "",
        ),
    },
    "litellm.llms.azure.completion.handler": {"AzureTextCompletion": ("completion", "acompletion")},
    "litellm.llms.azure_ai.chat.transformation": {"AzureAIStudioConfig": ("", "")},
    "litellm.llms.bedrock.common_utils": {"BedrockModelInfo": ("get_bedrock_route", "")},
    "litellm.llms.bedrock_mantle.common_utils": {
        "BedrockMantleAuthMixin": ("_resolve_bearer_token sign_request", ""),
    },
    "litellm.llms.databricks.common_utils": {"DatabricksBase": ("databricks_validate_environment", "")},
    "litellm.llms.gdc.chat.transformation": {"GDCGeminiConfig": ("", "")},
    "litellm.llms.openai.chat.gpt_transformation": {"OpenAIGPTConfig": ("validate_environment", "")},
    "litellm.llms.openai.common_utils": {"BaseOpenAILLM": ("get_openai_client_cache_key", "")},
    "litellm.llms.openai.completion.handler": {"OpenAITextCompletion": ("completion", "acompletion")},
    "litellm.llms.openai.openai": {"OpenAIChatCompletion": ("completion", "acompletion")},
    "litellm.llms.ragflow.chat.transformation": {"RAGFlowConfig": ("", "")},
    "litellm.llms.vertex_ai.vertex_ai_aws_wif": {
        "VertexAIAwsWifAuth": ("credentials_from_explicit_aws extract_aws_params", ""),
    },
    "litellm.llms.vertex_ai.vertex_llm_base": {"VertexBase": ("_credentials_from_service_account load_auth", "")},
    "litellm.llms.xai.chat.transformation": {"XAIChatConfig": ("", "")},
    "litellm.responses.streaming_iterator": {
        "ResponsesAPIStreamingIterator": ("", ""),
        "SyncResponsesAPIStreamingIterator": ("", ""),
    },
    "litellm.utils": {"ProviderConfigManager": ("get_provider_responses_api_config", "")},
}

METHODS: Final[dict[str, dict[str, Public]]] = {
    "litellm": {
        "Router": (
            "_deployment_params_with_request_reasoning_override",
            "aresponses aimage_generation atranscription aspeech arerank amoderation",
        ),
    },
}
"""What built classes lack."""

Made = Callable[..., Any]


def lacking(module: str, name: str) -> Callable[[type[T]], type[T]]:
    """Gives a class the methods that METHODS says it has not yet."""

    def given(cls: type[T]) -> type[T]:
        for method, made in _functions(module, METHODS[module][name], f"{name}.").items():
            setattr(cls, method, made)
        return cls

    return given


def _functions(module: str, public: Public, prefix: str = "") -> dict[str, Made]:
    plain, asynchronous = (dict.fromkeys(words.split(), make) for words, make in zip(public, _MAKERS, strict=True))
    return {name: make(module, prefix + name) for name, make in {**plain, **asynchronous}.items()}


def _plain(module: str, name: str) -> Made:
    def unbuilt(*args: Any, **kwargs: Any) -> Any:
        raise NotBuilt(f"{module}.{name}")

    return _labelled(unbuilt, module, name)


def _asynchronous(module: str, name: str) -> Made:
    async def unbuilt(*args: Any, **kwargs: Any) -> Any:
        raise NotBuilt(f"{module}.{name}")

    return _labelled(unbuilt, module, name)


_MAKERS: Final = (_plain, _asynchronous)


def _labelled(function: Made, module: str, name: str) -> Made:
    """Under the name where users find it: pickling looks there, and instrumentors read it."""
    function.__module__, function.__qualname__, function.__name__ = module, name, name.rpartition(".")[2]
    function.__doc__ = f"{module}.{name}, which is not built yet: calling it raises NotBuilt."
    return function


def _class(module: str, name: str, methods: Public) -> type:
    def refuse(self: object, *args: Any, **kwargs: Any) -> None:
        raise NotBuilt(f"{module}.{name}")

    doc = f"{module}.{name}, which is not built yet: making one, or calling a method, raises NotBuilt."
    body = {"__module__": module, "__doc__": doc, "__init__": refuse}
    return type(name, (), {**body, **_functions(module, methods, f"{name}.")})


def _all() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for module, public in FUNCTIONS.items():
        made.update(_functions(module, public))
    for module, classes in CLASSES.items():
        made.update({name: _class(module, name, methods) for name, methods in classes.items()})
    return made


globals().update(_all())
