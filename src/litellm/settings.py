"""Every knob that `litellm.x = ...` turns, on one object.

`settings` is the process's: its attributes *are* the names of the package's module, so that assigning
`litellm.drop_params = True`, `mock.patch("litellm.drop_params", True)` and `del litellm.drop_params` need no code of
ours. A name nobody has set reads the default below. `Settings()` makes another, independent one.

A knob with no effect yet is here all the same: setting it must not fail, and reading it must give what users expect.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

T = TypeVar("T")


class _Made(Generic[T]):
    """A mutable default: made per instance when first read, and kept, so that callers can edit it in place."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: "Settings | None", owner: type) -> T:
        if instance is None:
            return self._make()
        return instance.__dict__.setdefault(self._name, self._make())


class _FromEnvironment(Generic[T]):
    """A default that an environment variable overrides for as long as nothing is set. A malformed one is ignored."""

    def __init__(self, variable: str, parse: Callable[[str], T], default: T) -> None:
        self._variable, self._parse, self._default = variable, parse, default

    def __get__(self, instance: "Settings | None", owner: type) -> T:
        text = os.environ.get(self._variable)
        try:
            return self._parse(text) if text else self._default
        except ValueError:
            return self._default


def made(make: Callable[[], T]) -> T:
    return cast(T, _Made(make))


def from_environment(variable: str, parse: Callable[[str], T], default: T) -> T:
    return cast(T, _FromEnvironment(variable, parse, default))


def _truth(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on")


Callbacks = list[Any]  # names, functions, CustomLogger instances
Table = dict[str, Any]


class Settings:
    # Where calls go, and with which key, unless the call says.
    api_base: str | None = None
    api_key: str | None = None
    api_version: str | None = None
    organization: str | None = None
    headers: Mapping[str, str] | None = None
    openai_key: str | None = None
    ai21_key: str | None = None
    anthropic_key: str | None = None
    azure_key: str | None = None
    cloudflare_api_key: str | None = None
    cohere_key: str | None = None
    databricks_key: str | None = None
    groq_key: str | None = None
    huggingface_key: str | None = None
    infinity_key: str | None = None
    nlp_cloud_key: str | None = None
    ollama_key: str | None = None
    openrouter_key: str | None = None
    replicate_key: str | None = None
    togetherai_api_key: str | None = None
    vertex_location: str | None = None
    vertex_project: str | None = None
    xai_key: str | None = None
    gdc_api_base: str | None = None
    use_litellm_proxy: bool = False
    custom_provider_map: list[Table] = made(list[Table])
    model_alias_map: dict[str, str] = made(dict[str, str])

    # What is sent.
    drop_params: bool = from_environment("LITELLM_DROP_PARAMS", _truth, False)
    modify_params: bool = False
    add_function_to_prompt: bool = False
    enable_json_schema_validation: bool = False
    max_tokens: int = 4096
    route_all_chat_openai_to_responses: bool = False

    # How it is sent. Seconds; None for `num_retries` means the function's own default.
    request_timeout: float = from_environment("REQUEST_TIMEOUT", float, 600.0)
    num_retries: int | None = None
    ssl_verify: bool | str = True
    ssl_certificate: str | None = None
    client_session: Any = None
    aclient_session: Any = None
    force_ipv4: bool = False
    use_aiohttp_transport: bool = True
    disable_aiohttp_transport: bool = False
    network_mock: bool = False
    enable_azure_ad_token_refresh: bool = False

    # What follows a failure.
    allowed_fails: int = 3
    fallbacks: list[Any] | None = None
    default_fallbacks: list[Any] | None = None
    context_window_fallbacks: list[Any] | None = None
    content_policy_fallbacks: list[Any] | None = None
    model_fallbacks: list[Any] | None = None
    expose_router_debug_in_errors: bool = False

    # Who is told.
    callbacks: Callbacks = made(Callbacks)
    input_callback: Callbacks = made(Callbacks)
    success_callback: Callbacks = made(Callbacks)
    failure_callback: Callbacks = made(Callbacks)
    service_callback: Callbacks = made(Callbacks)
    _async_input_callback: Callbacks = made(Callbacks)
    _async_success_callback: Callbacks = made(Callbacks)
    _async_failure_callback: Callbacks = made(Callbacks)
    custom_prometheus_metadata_labels: list[str] = made(list[str])
    custom_prometheus_tags: list[str] = made(list[str])
    disable_streaming_logging: bool = False
    redact_messages_in_exceptions: bool = False
    redact_user_api_key_info: bool = False
    set_verbose: bool = False
    suppress_debug_info: bool = False
    telemetry: bool = False  # there is none
    turn_off_message_logging: bool = False

    # What is remembered. (LiteLLM's old `caching` is not here: that name belongs to the package of caches.)
    cache: Any = None

    # What it costs. Dollars.
    budget_duration: str | None = None
    cost_discount_config: dict[str, float] = made(dict[str, float])
    cost_margin_config: Table = made(Table)
    disable_token_counter: bool = False
    include_cost_in_streaming_usage: bool = False
    max_budget: float = 0.0
    model_cost_map_url: str = ""
    _current_cost: float = 0.0

    # The gateway's.
    default_internal_user_params: Table | None = None
    default_team_settings: list[Any] | None = None
    tag_budget_config: Table | None = None
    REPEATED_STREAMING_CHUNK_LIMIT: int = 100


settings: Final = Settings()
# The package is a parent of this module, so it is loaded already; importing it by name would climb a floor.
settings.__dict__ = sys.modules[__package__ or "litellm"].__dict__
