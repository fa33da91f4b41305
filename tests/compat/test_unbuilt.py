"""Which of LiteLLM's names are here in name only: all of them, and what they say when they are used."""

import asyncio
import importlib
import inspect
import pickle
from typing import Any
from unittest import mock

import pytest

import litellm
from litellm import unbuilt

FUNCTIONS = """
    litellm.acancel_batch litellm.acancel_responses litellm.acreate_batch litellm.acreate_file
    litellm.adapter_completion litellm.adelete_responses litellm.afile_content litellm.afile_delete litellm.afile_list
    litellm.afile_retrieve litellm.aget_responses litellm.aimage_edit litellm.aimage_generation litellm.aimage_variation
    litellm.alist_batches litellm.alist_input_items litellm.amoderation litellm.anthropic_messages litellm.aocr
    litellm.arerank litellm.aresponses litellm.aretrieve_batch litellm.asearch litellm.aspeech litellm.atranscription
    litellm.cancel_batch litellm.cancel_responses litellm.create_batch litellm.create_file litellm.delete_responses
    litellm.file_content litellm.file_delete litellm.file_list
    litellm.file_retrieve litellm.get_responses litellm.image_edit litellm.image_generation
    litellm.image_variation litellm.list_batches litellm.list_input_items litellm.moderation litellm.ocr litellm.rerank
    litellm.retrieve_batch litellm.search litellm.speech litellm.transcription
    litellm.anthropic_interface.messages.acreate litellm.anthropic_interface.messages.create
    litellm.google_genai.agenerate_content litellm.google_genai.agenerate_content_stream
    litellm.google_genai.generate_content litellm.google_genai.generate_content_stream
    litellm.litellm_core_utils.litellm_logging._extract_response_obj_and_hidden_params
    litellm.llms.azure.common_utils.get_azure_ad_token litellm.llms.azure.common_utils.get_azure_ad_token_from_oidc
    litellm.llms.vertex_ai.common_utils._get_gemini_url
    litellm.llms.vertex_ai.gemini.transformation._transform_request_body litellm.main.responses_api_bridge_check
    litellm.responses.main.responses
    litellm.videos.avideo_content litellm.videos.avideo_generation litellm.videos.avideo_list
    litellm.videos.avideo_remix litellm.videos.avideo_status litellm.videos.video_content
    litellm.videos.video_generation litellm.videos.video_list litellm.videos.video_remix litellm.videos.video_status
""".split()  # noqa: SIM905

CLASSES = """
    litellm.AmazonBedrockGlobalConfig
    litellm.caching.caching.DualCache litellm.caching.caching.InMemoryCache
    litellm.integrations.mlflow.MlflowLogger litellm.integrations.opik.opik.OpikLogger
    litellm.llms.anthropic.common_utils.AnthropicModelInfo litellm.llms.azure.azure.AzureChatCompletion
    litellm.llms.azure.common_utils.BaseAzureLLM litellm.llms.azure.completion.handler.AzureTextCompletion
    litellm.llms.azure_ai.chat.transformation.AzureAIStudioConfig litellm.llms.bedrock.common_utils.BedrockModelInfo
    litellm.llms.bedrock_mantle.common_utils.BedrockMantleAuthMixin
    litellm.llms.databricks.common_utils.DatabricksBase litellm.llms.gdc.chat.transformation.GDCGeminiConfig
    litellm.llms.openai.chat.gpt_transformation.OpenAIGPTConfig litellm.llms.openai.common_utils.BaseOpenAILLM
    litellm.llms.openai.completion.handler.OpenAITextCompletion litellm.llms.openai.openai.OpenAIChatCompletion
    litellm.llms.ragflow.chat.transformation.RAGFlowConfig
    litellm.llms.vertex_ai.vertex_ai_aws_wif.VertexAIAwsWifAuth litellm.llms.vertex_ai.vertex_llm_base.VertexBase
    litellm.llms.xai.chat.transformation.XAIChatConfig
    litellm.responses.streaming_iterator.ResponsesAPIStreamingIterator
    litellm.responses.streaming_iterator.SyncResponsesAPIStreamingIterator litellm.utils.ProviderConfigManager
""".split()  # noqa: SIM905


LACKING = """
    litellm.Router._deployment_params_with_request_reasoning_override litellm.Router.aimage_generation
    litellm.Router.amoderation litellm.Router.arerank litellm.Router.aresponses litellm.Router.aspeech
    litellm.Router.atranscription
""".split()  # noqa: SIM905


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def use(function: Any) -> None:
    """Call it, and run what it returns if that is a coroutine."""
    made = function(model="m", anything=1)
    if inspect.iscoroutine(made):
        asyncio.run(made)


def test_these_and_no_others_are_not_built():
    functions = {
        f"{module}.{name}" for module, public in unbuilt.FUNCTIONS.items() for name in " ".join(public).split()
    }
    assert functions == set(FUNCTIONS)
    assert {f"{module}.{name}" for module, names in unbuilt.CLASSES.items() for name in names} == set(CLASSES)
    assert sorted(f"{path}.{method}" for path, method in _methods(unbuilt.METHODS)) == LACKING


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_function_says_what_is_missing_when_it_is_called(path: str):
    function = found(path)
    assert inspect.isfunction(function)
    assert inspect.iscoroutinefunction(function) == path.rpartition(".")[2].startswith(
        ("aimage", "amod", "aocr", "arer", "ares", "aret", "asea", "aspe", "atra", "acan", "acre", "adel", "afil",
         "aget", "alis", "agen", "avid")
    )  # fmt: skip
    with pytest.raises(unbuilt.NotBuilt) as raised:
        use(function)
    assert raised.value.name == path
    assert str(raised.value) == f"{path} is not built yet. Nothing was sent."


@pytest.mark.parametrize("path", CLASSES)
def test_a_class_is_one_until_an_object_is_made(path: str):
    cls = found(path)
    assert inspect.isclass(cls)
    assert f"{cls.__module__}.{cls.__qualname__}" == path
    assert pickle.loads(pickle.dumps(cls)) is cls
    assert not isinstance(object(), cls)
    for made in (cls, type("Child", (cls,), {})):
        with pytest.raises(unbuilt.NotBuilt, match=f"^{path} is not built yet"):
            made(model_list=[])


def _methods(table: dict[str, dict[str, unbuilt.Public]]) -> list[tuple[str, str]]:
    return [
        (f"{module}.{name}", method)
        for module, classes in table.items()
        for name, public in classes.items()
        for method in " ".join(public).split()
    ]


@pytest.mark.parametrize(("path", "method"), [*_methods(unbuilt.CLASSES), *_methods(unbuilt.METHODS)])
def test_a_method_says_what_is_missing_and_can_be_replaced(path: str, method: str):
    cls = found(path)
    with pytest.raises(unbuilt.NotBuilt, match=f"^{path}.{method} is not built yet"):
        use(getattr(cls, method))
    with mock.patch.object(cls, method, autospec=True) as fake:
        assert getattr(cls, method) is fake


def test_the_error_travels():
    error = pickle.loads(pickle.dumps(unbuilt.NotBuilt("litellm.ocr")))
    assert (error.name, str(error)) == ("litellm.ocr", "litellm.ocr is not built yet. Nothing was sent.")


def test_old_paths_and_the_package_share_them():
    from litellm.caching import DualCache
    from litellm.caching.caching import Cache
    from litellm.caching.dual_cache import DualCache as Same
    from litellm.responses.main import aresponses
    from litellm.router import Router

    assert (DualCache, Cache, aresponses, Router) == (Same, litellm.Cache, litellm.aresponses, litellm.Router)
    with pytest.raises(unbuilt.NotBuilt, match=r"^litellm\.responses\.main\.responses is not built yet"):
        litellm.responses(model="m", input="i")
    with pytest.raises(unbuilt.NotBuilt, match=r"^litellm\.anthropic_interface\.messages\.acreate is not built yet"):
        asyncio.run(litellm.anthropic.messages.acreate(model="m"))
