"""Smaller ways to the same calls: with retries, from a client object, as a health check; a prompt's tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from litellm import exceptions as e
from litellm.sdk import public
from litellm.types.token_count import TokenCountResponse

RETRIES: Final = 3

_OURS: Final = ("retry_strategy", "retry_policy", "original_function")


def completion_with_retries(*args: Any, **kwargs: Any) -> Any:
    """`completion`, tried `num_retries` more times (3). `original_function` is called in its stead if given."""
    call = kwargs.get("original_function") or public.function("completion")
    return call(*args, **_with_retries(kwargs))


async def acompletion_with_retries(*args: Any, **kwargs: Any) -> Any:
    call = kwargs.get("original_function") or public.function("acompletion")
    return await call(*args, **_with_retries(kwargs))


def _with_retries(kwargs: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in kwargs.items() if name not in _OURS}
    if given.get("num_retries") is None:
        given["num_retries"] = RETRIES
    return given


def config_completion(**kwargs: Any) -> NoReturn:
    """LiteLLM's completion from a configuration file is not built: a gateway's config does what it did."""
    raise e.BadRequestError(
        message="config_completion is not built. Start a gateway on the configuration (`litellm --config ...`) and call"
        " that, or pass its parameters to `completion`",
        llm_provider="",
        model=str(kwargs.get("model", "")),
    )


class LiteLLM:
    """`LiteLLM(api_key=..., base_url=...).chat.completions.create(model=..., messages=[...])`.

    `create` is `completion` with the client's parameters as defaults, `acreate` is `acompletion`.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        organization: str | None = None,
        base_url: str | None = None,
        timeout: Any = 600,
        max_retries: int | None = None,
        default_headers: dict[str, str] | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "api_key": api_key,
            "organization": organization,
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": max_retries,
            "extra_headers": default_headers,
        }
        self.params = {name: value for name, value in given.items() if value is not None}
        self.chat = Chat(self.params)


class Chat:
    def __init__(self, params: dict[str, Any]) -> None:
        self.completions = Completions(params)


class Completions:
    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params

    def create(self, messages: list[Any], model: str, **kwargs: Any) -> Any:
        return public.function("completion")(model=model, messages=messages, **{**self.params, **kwargs})

    async def acreate(self, messages: list[Any], model: str, **kwargs: Any) -> Any:
        return await public.function("acompletion")(model=model, messages=messages, **{**self.params, **kwargs})


async def ahealth_check(
    model_params: dict[str, Any], mode: str | None = "chat", prompt: str | None = None, input: list[Any] | None = None
) -> dict[str, Any]:
    """Call a model once. `model_params` are the call's arguments, `model` among them; `mode` says which call.

    Returns the endpoint's `x-ratelimit-*` headers, or `{"error": ...}` with what went wrong.
    """
    params = {"num_retries": 0, **model_params}
    try:
        if not params.get("model"):
            raise ValueError("model_params has no `model`")
        made = await _CHECKS[mode or "chat"](params, prompt, input)
    except KeyError:
        return {"error": f"a health check of mode {mode!r} is not built (there are: {', '.join(_CHECKS)})"}
    except (e.LiteLLMError, ValueError, TypeError) as error:
        return {"error": str(error)}
    headers: dict[str, str] = made._hidden_params.get("additional_headers") or {}
    return {name: value for name, value in headers.items() if name.startswith("x-ratelimit-")}


def _chat(params: dict[str, Any], prompt: str | None, input: list[Any] | None) -> Awaitable[Any]:
    messages = params.get("messages") or [{"role": "user", "content": prompt or "Hey, how's it going?"}]
    return public.function("acompletion")(**{"max_tokens": 16, **params, "messages": messages})


def _text(params: dict[str, Any], prompt: str | None, input: list[Any] | None) -> Awaitable[Any]:
    return public.function("atext_completion")(**{"max_tokens": 16, **params, "prompt": prompt or "test"})


def _embedding(params: dict[str, Any], prompt: str | None, input: list[Any] | None) -> Awaitable[Any]:
    return public.function("aembedding")(**{**params, "input": input or ["test"]})


_CHECKS: Final[dict[str, Callable[[dict[str, Any], str | None, list[Any] | None], Awaitable[Any]]]] = {
    "chat": _chat,
    "completion": _text,
    "embedding": _embedding,
}


async def acount_tokens(
    model: str,
    messages: list[Any] | None = None,
    system: Any = None,
    tools: list[Any] | None = None,
    api_key: str | None = None,
    api_base: str | None = None,
    **kwargs: Any,
) -> TokenCountResponse:
    """How many tokens a prompt has, counted on this machine as `token_counter` does, outside the event loop.

    `system` (Anthropic's form: a text, or a list of text blocks) counts as a message. No endpoint is asked, so
    `api_key` and `api_base` are not needed.
    """
    from litellm.sdk.tokens import token_counter

    asked = [*([{"role": "system", "content": system}] if system else []), *(messages or [])]
    total = await asyncio.to_thread(token_counter, model=model, messages=asked, tools=tools)
    return TokenCountResponse(
        total_tokens=total, request_model=model, model_used=model, tokenizer_type="local_tokenizer"
    )
