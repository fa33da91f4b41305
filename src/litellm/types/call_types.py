"""Which function a request means, in LiteLLM's words: `call_type` of hooks and of the StandardLoggingPayload."""

from enum import StrEnum
from typing import Final


class CallTypes(StrEnum):
    completion = "completion"
    acompletion = "acompletion"
    text_completion = "text_completion"
    atext_completion = "atext_completion"
    embedding = "embedding"
    aembedding = "aembedding"
    responses = "responses"
    aresponses = "aresponses"
    anthropic_messages = "anthropic_messages"
    image_generation = "image_generation"
    aimage_generation = "aimage_generation"
    image_edit = "image_edit"
    aimage_edit = "aimage_edit"
    moderation = "moderation"
    amoderation = "amoderation"
    transcription = "transcription"
    atranscription = "atranscription"
    speech = "speech"
    aspeech = "aspeech"
    rerank = "rerank"
    arerank = "arerank"
    search = "search"
    asearch = "asearch"
    ocr = "ocr"
    aocr = "aocr"
    create_batch = "create_batch"
    acreate_batch = "acreate_batch"
    create_file = "create_file"
    acreate_file = "acreate_file"
    generate_content = "generate_content"
    agenerate_content = "agenerate_content"
    generate_content_stream = "generate_content_stream"
    agenerate_content_stream = "agenerate_content_stream"
    create_video = "create_video"
    acreate_video = "acreate_video"
    arealtime = "_arealtime"
    call_mcp_tool = "call_mcp_tool"
    pass_through = "pass_through_endpoint"


# The asynchronous form stands first: it is the one that the gateway calls.
_ROUTES: Final = {
    "/chat/completions": "acompletion completion",
    "/engines/{model}/chat/completions": "acompletion completion",
    "/openai/deployments/{model}/chat/completions": "acompletion completion",
    "/completions": "atext_completion text_completion",
    "/engines/{model}/completions": "atext_completion text_completion",
    "/openai/deployments/{model}/completions": "atext_completion text_completion",
    "/embeddings": "aembedding embedding",
    "/engines/{model}/embeddings": "aembedding embedding",
    "/openai/deployments/{model}/embeddings": "aembedding embedding",
    "/responses": "aresponses responses",
    "/messages": "anthropic_messages",
    "/images/generations": "aimage_generation image_generation",
    "/images/edits": "aimage_edit image_edit",
    "/moderations": "amoderation moderation",
    "/audio/transcriptions": "atranscription transcription",
    "/audio/speech": "aspeech speech",
    "/rerank": "arerank rerank",
    "/ocr": "aocr ocr",
    "/batches": "acreate_batch create_batch",
    "/files": "acreate_file create_file",
    "/videos": "acreate_video create_video",
    "/realtime": "arealtime",
    "/mcp/call_tool": "call_mcp_tool",
    "/v1beta/models/{model}:generateContent": "agenerate_content generate_content",
    "/v1beta/models/{model}:streamGenerateContent": "agenerate_content_stream generate_content_stream",
}


def get_call_types_for_route(route: str) -> list[CallTypes] | None:
    """The functions that a path of the gateway (`/v1/chat/completions`) may mean; None for a path it does not know."""
    path = route.partition("?")[0].rstrip("/")
    for spelling in (path, path.removeprefix("/v1"), path.removeprefix("/v2")):
        found = next((names for pattern, names in _ROUTES.items() if _matches(spelling, pattern)), None)
        if found is not None:
            return [CallTypes[name] for name in found.split()]
    return None


def _matches(path: str, pattern: str) -> bool:
    before, variable, after = pattern.partition("{model}")
    if not variable:
        return path == pattern
    model = path.removeprefix(before).removesuffix(after)
    return path == before + model + after and "/" not in model and model != ""
