"""`CustomLLM`: a provider of your own, in Python.

    class MyLLM(litellm.CustomLLM):
        def completion(self, model, messages, **kwargs): return litellm.ModelResponse(choices=[...])

    litellm.custom_provider_map = [{"provider": "my-llm", "custom_handler": MyLLM()}]
    litellm.completion(model="my-llm/any-name", messages=[...])

Arguments come by keyword: `model` (without the prefix), `messages` or `input`, `api_base`, `api_key`,
`optional_params` (what else the caller passed), `model_response` (an empty result to fill), `litellm_params`,
`headers`, `timeout` in seconds, and LiteLLM's further ones. One form of each method is enough, the synchronous one then
runs in a thread.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn, TypeVar

from litellm.types import utils as types
from litellm.types.calls import Op
from litellm.types.streams import GenericStreamingChunk

F = TypeVar("F", bound=Callable[..., Any])


class CustomLLMError(Exception):
    """Raise it from a handler: callers get the exception of that status."""

    def __init__(self, status_code: int, message: str, headers: Any = None) -> None:
        self.status_code = status_code
        self.message = message
        self.headers = headers
        super().__init__(message)


def _placeholder(method: F) -> F:
    method.not_implemented = True  # type: ignore[attr-defined]  # read by engine/custom.py
    return method


def _refuse() -> NoReturn:
    raise CustomLLMError(status_code=500, message="Not implemented yet!")


class CustomLLM:
    """Override what your provider can do."""

    @_placeholder
    def completion(self, *args: Any, **kwargs: Any) -> types.ModelResponse:
        _refuse()

    @_placeholder
    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[GenericStreamingChunk]:
        _refuse()

    @_placeholder
    async def acompletion(self, *args: Any, **kwargs: Any) -> types.ModelResponse:
        _refuse()

    @_placeholder
    def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:
        _refuse()

    @_placeholder
    def embedding(self, *args: Any, **kwargs: Any) -> types.EmbeddingResponse:
        _refuse()

    @_placeholder
    async def aembedding(self, *args: Any, **kwargs: Any) -> types.EmbeddingResponse:
        _refuse()


def empty_result(op: Op) -> Any:
    """The `model_response` that a handler may fill and return."""
    if op == "embedding":
        return types.EmbeddingResponse()
    return types.ModelResponse(choices=[types.Choices(message=types.Message(content=None))])
