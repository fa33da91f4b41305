"""`get_optional_params`: which parameters a call would send, without sending it."""

from collections.abc import Sequence
from typing import Any

from litellm.engine.resolve import split_model
from litellm.providers import compatible, params
from litellm.sdk.ask import request_of
from litellm.settings import settings
from litellm.types.calls import Call, Json, Target

__all__ = ["get_optional_params"]


def get_optional_params(
    model: str,
    custom_llm_provider: str | None = None,
    drop_params: bool | None = None,
    additional_drop_params: Sequence[str] | None = None,
    allowed_openai_params: Sequence[str] | None = None,
    **openai_params: Any,
) -> Json:
    """The parameters as a chat call of this model would send them: the provider's rules applied, None left out.

    Raises UnsupportedParamsError for what the provider does not take and nobody said to drop, and BadRequestError for
    a provider that is not known.
    """
    request = request_of(
        "chat",
        {
            **openai_params,
            "model": model,
            "custom_llm_provider": custom_llm_provider,
            "drop_params": drop_params,
            "additional_drop_params": additional_drop_params,
            "allowed_openai_params": allowed_openai_params,
        },
    )
    wish = request.wish
    name, bare = split_model(wish.model, wish.custom_llm_provider, wish.api_base)
    target = Target(
        provider=name,
        model=bare,
        base_url="",
        drop_params=wish.drop_params or settings.drop_params,
        additional_drop_params=wish.additional_drop_params,
        allowed_openai_params=wish.allowed_openai_params,
    )
    call = Call("chat", target, request.ask.params, request.ask.stream)
    return dict(params.apply(compatible.provider_of(name), call))
