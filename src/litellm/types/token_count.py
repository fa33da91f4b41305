"""What `acount_tokens` returns."""

from typing import Any

from litellm.types.base import OpenAIObject


class TokenCountResponse(OpenAIObject):
    """`tokenizer_type` is "local_tokenizer": it was counted, or estimated, on this machine."""

    total_tokens: int = 0
    request_model: str = ""
    model_used: str = ""
    tokenizer_type: str = ""
    original_response: dict[str, Any] | None = None
