"""The base of the objects of OpenAI's Responses API, under the name LiteLLM gave it."""

from litellm.types.base import OpenAIObject


class BaseLiteLLMOpenAIResponseObject(OpenAIObject):
    """Attribute and dict access to one JSON object; unknown fields are kept."""
