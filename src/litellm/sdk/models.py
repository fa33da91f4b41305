"""What is known of models and providers: `get_model_info`, `supports_*`, `get_llm_provider`, `register_model`, ...

`litellm.model_cost` is made of the catalog when somebody first asks for it. From then on it is what every function here
reads, so that editing it in place takes effect.
"""

import asyncio
import json
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.catalog import cost, hosts, models, params, vendors
from litellm.engine import resolve
from litellm.sdk import portal
from litellm.settings import settings
from litellm.types.calls import Op

__all__ = [
    "OPENAI_CHAT_COMPLETION_PARAMS",
    "check_valid_key",
    "get_llm_provider",
    "get_max_tokens",
    "get_model_cost_map",
    "get_model_info",
    "get_supported_openai_params",
    "get_valid_models",
    "model_cost",
    "model_list",
    "models_by_provider",
    "openai_compatible_providers",
    "provider_list",
    "register_model",
    "supports_audio_input",
    "supports_audio_output",
    "supports_computer_use",
    "supports_embedding_image_input",
    "supports_function_calling",
    "supports_native_streaming",
    "supports_native_structured_output",
    "supports_parallel_function_calling",
    "supports_pdf_input",
    "supports_prompt_caching",
    "supports_reasoning",
    "supports_response_schema",
    "supports_system_messages",
    "supports_tool_choice",
    "supports_url_context",
    "supports_vision",
    "supports_web_search",
    "validate_environment",
]

Entry = dict[str, Any]

_log: Final = logging.getLogger("litellm")

if TYPE_CHECKING:  # made when first asked for, below
    OPENAI_CHAT_COMPLETION_PARAMS: list[str]
    model_cost: dict[str, Entry]
    model_list: list[str]
    models_by_provider: dict[str, list[str]]
    openai_compatible_providers: list[str]
    provider_list: list[str]


def __getattr__(name: str) -> Any:
    made = _MADE.get(name)
    if made is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(settings).setdefault(name, made())


def _table() -> dict[str, Entry]:
    """`litellm.model_cost` as it is now."""
    known: dict[str, Entry] | None = vars(settings).get("model_cost")
    return known if known is not None else __getattr__("model_cost")


def edited() -> dict[str, Entry] | None:
    """`litellm.model_cost` if anybody has asked for it; else the catalog holds, which is cheaper to read."""
    return vars(settings).get("model_cost")


def get_model_cost_map(url: str = "") -> dict[str, Entry]:
    """The catalog that this version ships, as a new dict. Nothing is ever fetched: `url` is accepted and not used."""
    return models.entries()


def register_model(model_cost: str | dict[str, Entry]) -> dict[str, Entry]:
    """Add models, or change what is known of them: `{"my-model": {"input_cost_per_token": 1e-6, ...}}`.

    Text is JSON, or the path of a file that holds it. Returns what was registered. Raises ValueError for a URL: nothing
    is fetched from the network.
    """
    registered = model_cost if isinstance(model_cost, dict) else _loaded(model_cost)
    table = _table()
    for name, values in registered.items():
        provider = values.get("litellm_provider")
        known = models.find(name, provider, table) or name
        merged = {**table.get(known, {}), **values}
        table.setdefault(known, {}).update(merged)
        table[name] = table[known]
    return registered


def _loaded(text: str) -> dict[str, Entry]:
    if text.startswith(("http://", "https://")):
        raise ValueError("register_model does not fetch URLs: pass a dict, JSON, or the path of a file")
    return json.loads(text if text.lstrip().startswith("{") else Path(text).read_text("utf-8"))


def get_model_info(model: str, custom_llm_provider: str | None = None, api_base: str | None = None) -> Entry:
    """All that is known of a model; fields that are not are None.

    Rates are dollars per token. Raises ValueError for a model that is not in `litellm.model_cost`.
    """
    found = _entry(model, custom_llm_provider)
    if found is None:
        raise ValueError(_unmapped(model, custom_llm_provider))
    name, entry = found
    provider = custom_llm_provider or _provider_or_none(model) or entry.get("litellm_provider")
    return {
        **dict.fromkeys(_INFO),
        **entry,
        "key": name,
        "supported_openai_params": get_supported_openai_params(model, provider) if provider else None,
    }


_INFO: Final = (
    "key", "max_tokens", "max_input_tokens", "max_output_tokens", "input_cost_per_token", "output_cost_per_token",
    "cache_creation_input_token_cost", "cache_read_input_token_cost", "input_cost_per_character",
    "output_cost_per_character", "input_cost_per_audio_token", "output_cost_per_audio_token",
    "output_cost_per_reasoning_token", "input_cost_per_query", "input_cost_per_second", "output_cost_per_second",
    "input_cost_per_token_above_128k_tokens", "output_cost_per_token_above_128k_tokens",
    "input_cost_per_token_above_200k_tokens", "output_cost_per_token_above_200k_tokens",
    "input_cost_per_token_batches", "output_cost_per_token_batches", "input_cost_per_token_flex",
    "output_cost_per_token_flex", "input_cost_per_token_priority", "output_cost_per_token_priority",
    "output_vector_size", "search_context_cost_per_query", "litellm_provider", "mode", "supports_system_messages",
    "supports_response_schema", "supports_vision", "supports_function_calling", "supports_tool_choice",
    "supports_assistant_prefill", "supports_prompt_caching", "supports_audio_input", "supports_audio_output",
    "supports_pdf_input", "supports_embedding_image_input", "supports_native_streaming", "supports_web_search",
    "supports_url_context", "supports_reasoning", "supports_computer_use", "tpm", "rpm",
)  # fmt: skip


def _entry(model: str, provider: str | None) -> tuple[str, Entry] | None:
    """(name, entry): the user's table if there is one, else the catalog's row."""
    table = edited()
    name = models.find(model, provider, table)
    if name is None:
        return None
    return name, dict(table[name]) if table is not None else models.entry(models.rows()[name])


def _unmapped(model: str, provider: str | None) -> str:
    return (
        f"This model isn't mapped yet. model={model}, custom_llm_provider={provider}. Tell what is known of it with "
        "`litellm.register_model`, or name a `base_model`"
    )


def get_max_tokens(model: str) -> int | None:
    """The most tokens a model may answer with. Raises ValueError for one that is not known."""
    found = _entry(model, None)
    if found is None:
        raise ValueError(_unmapped(model, None))
    return found[1].get("max_tokens")


def _supports(capability: str, model: str, provider: str | None) -> bool:
    table = edited()
    known = models.rows() if table is None else table
    name = models.find(model, provider, table)
    return name is not None and models.supports(known[name], capability)


def supports_function_calling(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("function_calling", model, custom_llm_provider)


def supports_parallel_function_calling(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("parallel_function_calling", model, custom_llm_provider)


def supports_vision(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("vision", model, custom_llm_provider)


def supports_response_schema(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("response_schema", model, custom_llm_provider)


def supports_system_messages(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("system_messages", model, custom_llm_provider)


def supports_web_search(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("web_search", model, custom_llm_provider)


def supports_url_context(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("url_context", model, custom_llm_provider)


def supports_tool_choice(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("tool_choice", model, custom_llm_provider)


def supports_audio_input(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("audio_input", model, custom_llm_provider)


def supports_audio_output(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("audio_output", model, custom_llm_provider)


def supports_pdf_input(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("pdf_input", model, custom_llm_provider)


def supports_prompt_caching(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("prompt_caching", model, custom_llm_provider)


def supports_computer_use(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("computer_use", model, custom_llm_provider)


def supports_reasoning(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("reasoning", model, custom_llm_provider)


def supports_native_streaming(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("native_streaming", model, custom_llm_provider)


def supports_native_structured_output(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("native_structured_output", model, custom_llm_provider)


def supports_embedding_image_input(model: str, custom_llm_provider: str | None = None) -> bool:
    return _supports("embedding_image_input", model, custom_llm_provider)


def get_llm_provider(
    model: str,
    custom_llm_provider: str | None = None,
    api_base: str | None = None,
    api_key: str | None = None,
    litellm_params: Any = None,
) -> tuple[str, str, str | None, str | None]:
    """(model, provider, key, address): `"groq/llama3"` -> `("llama3", "groq", None, "https://api.groq.com/openai/v1")`.

    The key is the one passed, or that of the environment for a host that is not OpenAI itself. Raises BadRequestError
    for a name that tells no provider.
    """
    provider, name = _split(model, custom_llm_provider, api_base)
    row = hosts.rows().get(provider)
    if row is None or provider == "openai":
        return name, provider, api_key, api_base
    key = api_key or _environment(row.key_env) or row.default_key
    return name, provider, key, api_base or _environment(row.base_env) or row.base_url


def _split(model: str, provider: str | None, api_base: str | None) -> tuple[str, str]:
    prefix, _, rest = model.partition("/")
    if provider in vendors.REQUIRED:
        return provider, model.removeprefix(f"{provider}/")
    if provider is None and rest and prefix in vendors.REQUIRED:
        return prefix, rest
    try:
        return resolve.split_model(model, provider, api_base)
    except e.BadRequestError:
        known = models.provider_of(model, edited())
        if provider is not None or known is None:
            raise
        return known, model.removeprefix(f"{known}/")


def _provider_or_none(model: str) -> str | None:
    try:
        return _split(model, None, None)[0]
    except e.BadRequestError:
        return None


def _environment(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


_REQUESTS: Final[dict[str, Op]] = {"chat_completion": "chat", "embeddings": "embedding", "completion": "completion"}
_NO_PARAMS: Final = frozenset({"messages", "input", "prompt", "extra_body", "extra_query", "metadata", "moderation"})


def get_supported_openai_params(
    model: str, custom_llm_provider: str | None = None, request_type: str = "chat_completion"
) -> list[str] | None:
    """The OpenAI parameters that a model takes; None for a provider that is not known.

    What the catalog knows a model not to do (tools, reasoning) is left out.
    """
    provider = custom_llm_provider or _provider_or_none(model)
    row = hosts.rows().get(provider or "")
    if provider is None or (row is None and provider not in vendors.REQUIRED):
        return None
    names = {*params.OPENAI[_REQUESTS.get(request_type, "chat")], "max_retries"} - _NO_PARAMS
    names -= row.unsupported if row else frozenset()
    if request_type == "chat_completion":
        names -= _beyond(model, provider)
    return sorted(names)


def _beyond(model: str, provider: str) -> set[str]:
    """Parameters for what a known model cannot do."""
    found = _entry(model, provider)
    if found is None or not found[1].get("max_input_tokens"):
        return set()
    return {
        name for capability, names in _NEEDED.items() if not models.supports(found[1], capability) for name in names
    }


_NEEDED: Final = {
    "function_calling": ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    "reasoning": ("reasoning_effort", "thinking"),
}


def validate_environment(
    model: str | None = None, api_key: str | None = None, api_base: str | None = None, api_version: str | None = None
) -> dict[str, Any]:
    """`{"keys_in_environment": bool, "missing_keys": [...]}`: whether all is set that calls of a model need."""
    provider = _provider_or_none(model) if model else None
    given = {"KEY": api_key, "BASE": api_base, "VERSION": api_version}
    missing = [
        group[0]
        for group in (_required(provider) if provider else ())
        if not _environment(group) and not given.get(group[0].rpartition("_")[2])
    ]
    return {"keys_in_environment": provider is not None and not missing, "missing_keys": missing}


def _required(provider: str) -> tuple[tuple[str, ...], ...]:
    row = hosts.rows().get(provider)
    if row is None:
        return vendors.REQUIRED.get(provider, ())
    address = () if row.base_url or not row.base_env else (row.base_env,)
    return (*((row.key_env,) if row.key_env and not row.default_key else ()), *address)


def get_valid_models(
    check_provider_endpoint: bool | None = None,
    custom_llm_provider: str | None = None,
    litellm_params: Any = None,
    api_key: str | None = None,
    api_base: str | None = None,
) -> list[str]:
    """The models of the providers that the environment has keys for, as `provider/model` where needed.

    They are the catalog's; with `check_provider_endpoint` those that the endpoints themselves say they have, and the
    catalog's for one that does not tell.
    """
    if custom_llm_provider:
        usable = [custom_llm_provider]
    else:
        usable = [name for name in _provider_list() if (needed := _required(name)) and all(map(_environment, needed))]
    by_provider = _models_by_provider()
    asked: dict[str, list[str]] = {}
    if check_provider_endpoint:
        asked = portal.run_sync(partial(_told_by, [name for name in usable if name in hosts.rows()], api_key, api_base))
    return sorted({name for provider in usable for name in asked.get(provider) or by_provider.get(provider, ())})


async def _told_by(providers: list[str], api_key: str | None, api_base: str | None) -> dict[str, list[str]]:
    """provider -> the names of its models as users write them; without those whose endpoint does not tell."""
    from litellm.sdk.client import client

    router = await client.router()

    async def of(provider: str) -> list[str]:
        wish = resolve.Wish("models", custom_llm_provider=provider, api_key=api_key, api_base=api_base)
        found = await router.models(client.target(wish))
        return found if provider == "openai" else [f"{provider}/{name}" for name in found]

    answers = await asyncio.gather(*map(of, providers), return_exceptions=True)
    for provider, answer in zip(providers, answers, strict=True):
        if isinstance(answer, BaseException):
            _log.warning("litellm: the catalog's models stand in for those of %s: %s", provider, answer)
    told = zip(providers, answers, strict=True)
    return {provider: answer for provider, answer in told if not isinstance(answer, BaseException)}


def check_valid_key(model: str, api_key: str) -> bool:
    """Whether a very small call with this key succeeds."""
    from litellm.sdk.main import completion

    try:
        completion(model=model, messages=[{"role": "user", "content": "Hey!"}], api_key=api_key, max_tokens=10)
    except e.LiteLLMError:
        return False
    return True


def _provider_list() -> list[str]:
    return [*hosts.rows(), *(name for name in vendors.REQUIRED if name not in hosts.rows())]


def _models_by_provider() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in models.rows():
        provider = models.provider_of(name)
        if provider:
            found.setdefault(provider, []).append(name)
    return found


_MADE: Final = {
    "model_cost": models.entries,
    "model_list": lambda: [*models.rows()],
    "models_by_provider": _models_by_provider,
    "provider_list": _provider_list,
    "openai_compatible_providers": lambda: [name for name in hosts.rows() if name != "openai"],
    "OPENAI_CHAT_COMPLETION_PARAMS": lambda: sorted(params.OPENAI["chat"] - {"extra_body", "extra_query"}),
}


def rates_for(model: str, provider: str | None = None, base_model: str | None = None) -> cost.Rates | None:
    """The rates that hold now: those of `litellm.model_cost` where anybody has asked for it. None: not known."""
    table = edited()
    if table is None:
        return models.rates(model, provider, base_model)
    name = (models.find(base_model, None, table) if base_model else None) or models.find(model, provider, table)
    if name is None:
        return None
    return cost.rates_of_dollars(table[name])
