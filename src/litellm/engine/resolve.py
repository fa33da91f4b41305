"""From what a caller or a config wrote to a Target: provider, model, address, key, timeouts.

The order in which each is looked for is litellm-contract 2.1 and 2.2. Nothing here opens a socket; the environment is
an argument.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from litellm import exceptions as e
from litellm.catalog import hosts
from litellm.providers import compatible
from litellm.providers.base import Provider
from litellm.settings import Settings
from litellm.types.calls import Target
from litellm.types.http import Timeouts, Tls

CONNECT_SECONDS: Final = 10.0
DEFAULT_SECONDS: Final = 600.0

# Names that LiteLLM's users write for a provider that has another name here.
ALIASES: Final = {"text-completion-openai": "openai"}

_OPENAI_MODELS: Final = (
    "gpt-", "chatgpt-", "o1", "o3", "o4", "ft:gpt-", "text-embedding-", "davinci", "babbage", "dall-e", "whisper",
    "tts-", "omni-moderation", "text-moderation", "codex-", "computer-use-",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of a deployment before it is resolved: all as the user wrote it, None where nothing was."""

    model: str
    custom_llm_provider: str | None = None
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeouts: Timeouts | None = None
    tls: Tls | None = None
    drop_params: bool = False
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: frozenset[str] = frozenset()


def split_model(model: str, custom_llm_provider: str | None = None, api_base: str | None = None) -> tuple[str, str]:
    """(provider, model) of a model string (2.1). Raises BadRequestError for one that names no provider."""
    if custom_llm_provider:
        name = ALIASES.get(custom_llm_provider, custom_llm_provider)
        return _known(name, model), model.removeprefix(f"{custom_llm_provider}/")
    prefix, slash, rest = model.partition("/")
    prefix = ALIASES.get(prefix, prefix)
    if slash and rest and prefix in hosts.rows():
        return prefix, rest
    by_base = _host_of_base(api_base) if api_base else None
    if by_base:
        return by_base, model
    if model.startswith(_OPENAI_MODELS) or model == "*":
        return "openai", model
    raise e.BadRequestError(
        message=f"LLM Provider NOT provided. Pass in the LLM provider you are trying to call. You passed model={model}."
        f" Put the provider before the model's name, as in model='openai/{model}', together with api_base for a server "
        "of your own.",
        llm_provider="",
        model=model,
    )


def _known(name: str, model: str) -> str:
    if name in hosts.rows():
        return name
    raise e.LiteLLMUnknownProvider(model, name)


def _host_of_base(api_base: str) -> str | None:
    host = urlsplit(api_base).hostname
    for name, row in hosts.rows().items():
        if row.base_url and urlsplit(row.base_url).hostname == host and not row.base_url.startswith("http://"):
            return name
    return None


def resolve(wish: Wish, settings: Settings, environment: Mapping[str, str], key_needed: bool = True) -> Target:
    """Raises BadRequestError (no provider, no address), AuthenticationError (no key: names the variable to set).

    With `key_needed=False` a missing key is None: whoever calls the target must see to it.
    """
    name, model = split_model(wish.model, wish.custom_llm_provider, wish.api_base)
    provider = compatible.provider_of(name)
    base = _base(provider, wish, settings, environment)
    key = _key(provider, wish, settings, environment)
    if key is None and key_needed:
        raise e.AuthenticationError(message=no_key(name), llm_provider=name, model=model)
    if "/" not in model:
        model = provider.model_prefix + model
    return Target(
        provider=name,
        model=model,
        base_url=base,
        api_key=key,
        organization=_organization(name, wish, settings, environment),
        headers=(*_from_variables(name, environment), *(settings.headers or {}).items(), *wish.headers),
        timeouts=wish.timeouts or timeouts(settings.request_timeout or DEFAULT_SECONDS),
        tls=wish.tls or tls(None, settings, environment),
        drop_params=wish.drop_params or settings.drop_params,
        additional_drop_params=wish.additional_drop_params,
        allowed_openai_params=wish.allowed_openai_params,
    )


def _base(provider: Provider, wish: Wish, settings: Settings, environment: Mapping[str, str]) -> str:
    candidates = (wish.api_base, settings.api_base, _first(provider.base_env, environment), provider.base_url)
    base = next((candidate for candidate in candidates if candidate), None)
    if base:
        return base
    raise e.BadRequestError(
        message=f"{provider.name} has no address of its own: pass api_base, or set "
        f"{' or '.join(provider.base_env) or 'api_base'}",
        llm_provider=provider.name,
        model=wish.model,
    )


def _key(provider: Provider, wish: Wish, settings: Settings, environment: Mapping[str, str]) -> str | None:
    own = getattr(settings, _KEY_SETTINGS.get(provider.name, ""), None)
    candidates = (wish.api_key, settings.api_key, own, _first(provider.key_env, environment), provider.default_key)
    return next((candidate for candidate in candidates if candidate), None)


# The settings that hold one provider's key.
_KEY_SETTINGS: Final = {
    "openai": "openai_key",
    "groq": "groq_key",
    "openrouter": "openrouter_key",
    "together_ai": "togetherai_api_key",
    "xai": "xai_key",
}


def _from_variables(name: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Headers with which a user tells a host who is calling (OpenRouter: `OR_SITE_URL`, `OR_APP_NAME`)."""
    for header, variable in hosts.rows()[name].header_env.items():
        if environment.get(variable):
            yield header, environment[variable]


def _organization(name: str, wish: Wish, settings: Settings, environment: Mapping[str, str]) -> str | None:
    if wish.organization or name != "openai":
        return wish.organization
    return settings.organization or environment.get("OPENAI_ORGANIZATION")


def no_key(name: str) -> str:
    """What to tell somebody who has no key for a provider."""
    variables = " or ".join(compatible.provider_of(name).key_env) or "one"
    return f"No API key for {name}: pass api_key, or set {variables}. A server that wants none takes any, say 'none'"


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    return next((value for name in names if (value := environment.get(name))), None)


def timeouts(value: Any, stream: bool = False) -> Timeouts:
    """A number bounds connecting (at most 10 s), the first byte and each gap, and without streaming also the whole.

    An object with `connect`, `read` (httpx.Timeout and its like) is taken phase by phase, and its `total` if it has
    one. Raises TypeError, ValueError for anything else.
    """
    if isinstance(value, Timeouts):
        return value
    if hasattr(value, "read") and hasattr(value, "connect"):
        return Timeouts(value.connect, value.read, value.read, getattr(value, "total", None))
    seconds = float(value)
    if not seconds > 0:
        raise ValueError(f"timeout must be more than 0 seconds, not {value}")
    return Timeouts(min(seconds, CONNECT_SECONDS), seconds, seconds, None if stream else seconds)


def tls(verify: Any, settings: Settings, environment: Mapping[str, str]) -> Tls:
    """`ssl_verify` as LiteLLM's users write it: a bool, "true"/"false", or the path of a CA file."""
    for candidate in (verify, environment.get("SSL_VERIFY"), settings.ssl_verify):
        if candidate is not None:
            verify = candidate
            break
    if isinstance(verify, str) and verify.lower() in ("true", "false", "1", "0"):
        verify = verify.lower() in ("true", "1")
    ca_file = verify if isinstance(verify, str) else environment.get("SSL_CERT_FILE")
    return Tls(verify=verify is not False, ca_file=ca_file, cert_file=settings.ssl_certificate)
