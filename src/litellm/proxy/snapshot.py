"""A config as the gateway serves it: deployments, router, auth. Immutable; a reload builds another and swaps.

What outlives a reload (connections, metrics) is not here: the engine is handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.catalog import params as names
from litellm.engine.engine import Engine
from litellm.engine.resolve import DEFAULT_SECONDS, Wish, no_key, resolve, timeouts, tls
from litellm.proxy import prices, routing
from litellm.proxy.auth import Auth
from litellm.proxy.config.kinds import first
from litellm.proxy.config.load import Config
from litellm.proxy.config.model_list import LitellmParams, ModelEntry
from litellm.proxy.stock import EMPTY, LeftOut, NoCredential, Stock, furnished
from litellm.router.deployments import Deployment, Deployments, id_of
from litellm.router.router import Router
from litellm.settings import Settings
from litellm.types.calls import Json, Target
from litellm.types.http import Timeouts

if TYPE_CHECKING:  # loaded for a config that wants them
    from litellm.proxy.budgeting import Budgeting
    from litellm.proxy.cached import Cache
    from litellm.proxy.continuing import Continuing
    from litellm.proxy.hooks import Hooks
    from litellm.proxy.idempotency import Once
    from litellm.proxy.sticking import Sticking

DEFAULT_COMMIT_SECONDS: Final = 15.0
DEFAULT_MAX_BODY_MB: Final = 100

_OPENAI_NAMES: Final = frozenset[str]().union(*names.OPENAI.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`version` counts the configs this process has served; `max_body` is in bytes. `keeps_prompts`: with the log.

    `commit_seconds`: how long a stream's status line waits for an event, and how often a comment follows it then.
    """

    config: Config
    router: Router
    auth: Auth
    default_model: str | None
    max_body: int
    commit_seconds: float
    keeps_prompts: bool = False
    version: int = 1
    entries: tuple[ModelEntry, ...] = ()
    """What was said of each of the router's deployments, in their order: by the config, then by the store."""
    left_out: tuple[LeftOut, ...] = ()
    hooks: "Hooks | None" = None
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other names of model groups."""
    hidden: frozenset[str] = frozenset()
    """Those of them that are not listed."""
    any_tag: bool | None = None
    """Requests with tags go to deployments with one of these tags (True), or with all (False). None: anywhere."""
    cache: "Cache | None" = None
    sticking: "Sticking | None" = None
    """What keeps calls together, if anything does."""
    once: "Callable[[], Once | None]" = lambda: None
    """Knows calls by their Idempotency-Key; made when the first has one."""
    budgeting: "Budgeting | None" = None
    """What providers and deployments have spent, if any of them has a budget."""
    queues: bool = False
    """Calls of some group wait where its deployments are full."""
    checks_windows: bool = False
    """Prompts go only to deployments that they fit in."""
    continuing: "Continuing | None" = None
    """Goes on elsewhere with streams that break off, if those of any group are."""


def build(
    config: Config, engine: Engine, environ: Mapping[str, str], version: int = 1, stock: Stock = EMPTY
) -> Snapshot:
    """Raises ObjectError for a callback or handler that cannot be had, and APIError subclasses for a deployment of the
    config that cannot be resolved; the message names its model. One of the store is left out then."""
    general, given = config.general_settings, config.router_settings
    served, left_out = _served(config, _settings(config), environ, stock.over(config.credential_list))
    deployments = Deployments([deployment for _, deployment in served])
    commit_seconds = first(general.stream_commit_seconds, DEFAULT_COMMIT_SECONDS)
    router = _router(config, deployments, engine, commit_seconds)
    return Snapshot(
        config=config,
        router=router,
        auth=Auth(
            general.master_key.get_secret_value() if general.master_key else None, general.litellm_key_header_name
        ),
        default_model=deployments.names[0] if len(deployments.names) == 1 and "*" not in deployments.names[0] else None,
        max_body=int(first(general.max_request_size_mb, DEFAULT_MAX_BODY_MB) * 1024 * 1024),
        commit_seconds=commit_seconds,
        keeps_prompts=bool(general.store_prompts_in_spend_logs)
        and not config.litellm_settings.turn_off_message_logging,
        version=version,
        entries=tuple(entry for entry, _ in served),
        left_out=left_out,
        hooks=_callbacks().hooks(config) if config.litellm_settings.names_callbacks else None,
        aliases=routing.aliases_of(config),
        hidden=routing.hidden_of(config),
        queues=given.queue is not None or any(group.queue for group in (given.model_groups or {}).values()),
        any_tag=given.tag_filtering_match_any is not False if given.enable_tag_filtering else None,
        checks_windows=bool(given.enable_pre_call_checks),
        continuing=_continuing(config, router),
    )


Served = tuple[ModelEntry, Deployment]


def _served(
    config: Config, settings: Settings, environ: Mapping[str, str], stock: Stock
) -> tuple[list[Served], tuple[LeftOut, ...]]:
    """The config's deployments, then the store's. One of the store's takes the place of the config's with its id."""
    left_out = list(stock.left_out)
    stored: list[Served] = []
    for entry in stock.entries:
        try:
            stored.append(_furnished(entry, config, settings, environ, stock, in_store=True))
        except (NoCredential, e.LiteLLMError) as error:
            left_out.append(LeftOut(entry.model_info.id or "", entry.model_name, reason_of(error)))
    ids = {deployment.id for _, deployment in stored}
    own: list[Served] = []
    for entry in config.model_list:
        id = entry.model_info.id or _id_of(entry)
        if id in ids:
            continue
        try:
            own.append(_furnished(entry, config, settings, environ, stock))
        except (NoCredential, e.LiteLLMError) as error:
            if entry.litellm_params.litellm_credential_name is None:
                raise
            left_out.append(LeftOut(id, entry.model_name, reason_of(error), in_store=False))
    return [*own, *stored], tuple(left_out)


def reason_of(error: Exception) -> str:
    return str(error.raw_message if isinstance(error, e.LiteLLMError) else error)


def check_stored(entry: ModelEntry, config: Config, environ: Mapping[str, str], stock: Stock) -> None:
    """Whether a deployment could be served beside those of the config. Raises NoCredential, LiteLLMError."""
    _furnished(entry, config, _settings(config), environ, stock.over(config.credential_list), in_store=True)


def _furnished(
    entry: ModelEntry,
    config: Config,
    settings: Settings,
    environ: Mapping[str, str],
    stock: Stock,
    in_store: bool = False,
) -> Served:
    """With its credential's values; its id is that of what was written, so that it outlives another key."""
    both = furnished(entry, stock)
    made = _deployment(both, config, settings, environ, in_store)
    made.id = entry.model_info.id or _id_of(entry)
    return entry, made


def _router(config: Config, deployments: Deployments, engine: Engine, commit_seconds: float) -> Router:
    """The plain one, unless the config names callbacks."""
    telling = _callbacks().telling(config) if config.litellm_settings.names_callbacks else None
    policy, how, others = routing.retry_policy(config), routing.routing_of(config), routing.fallbacks_of(config)
    if telling is None:
        return Router(deployments, engine, policy, commit_seconds, how, others)
    from litellm.router.told import ToldRouter

    return ToldRouter(deployments, engine, policy, commit_seconds, telling, how, others)


def _continuing(config: Config, router: Router) -> "Continuing | None":
    everywhere, groups = routing.continued(config)
    if not (everywhere or any(groups.values())) or router.fallbacks.most == 0:
        return None
    from litellm.proxy.continuing import Continuing

    return Continuing(router, everywhere, groups)


def _callbacks() -> ModuleType:
    """Loaded for a config that names something in Python, and only then."""
    from litellm.proxy import callbacks

    return callbacks


def _settings(config: Config) -> Settings:
    """`litellm_settings` as the settings object that resolving takes."""
    settings = Settings()
    given = config.litellm_settings
    for name in ("api_base", "organization", "ssl_verify", "ssl_certificate", "drop_params"):
        value = getattr(given, name)
        if value is not None:
            setattr(settings, name, value)
    settings.api_key = given.api_key.get_secret_value() if given.api_key else None
    settings.openai_key = given.openai_key.get_secret_value() if given.openai_key else None
    settings.request_timeout = first(config.router_settings.timeout, given.request_timeout, DEFAULT_SECONDS)
    if given.custom_provider_map:
        settings.custom_provider_map = _callbacks().custom_providers(config)
    return settings


def _deployment(
    entry: ModelEntry, config: Config, settings: Settings, environ: Mapping[str, str], in_store: bool = False
) -> Deployment:
    params = entry.litellm_params
    seconds = first(params.timeout, settings.request_timeout)
    streamed = first(params.stream_timeout, config.router_settings.stream_timeout, seconds)
    try:
        bounds = routing.phased(timeouts(seconds), params, config, entry.model_name, stream=False)
        target = _target(_wish(params, bounds, settings, environ), settings, environ)
    except e.LiteLLMError as error:
        error.message = f"model_list, {entry.model_name}: {error.raw_message}"
        raise
    if params.api_key_variable:  # the provider's own variable may hold a key that is for another address
        target.api_key = None
    defaults, fixed = _wire(params)
    info = _info(entry, in_store)
    return Deployment(
        id=entry.model_info.id or _id_of(entry),
        model_name=entry.model_name,
        target=target,
        defaults=defaults,
        fixed=fixed,
        weight=params.weight,
        rpm=params.rpm,
        tpm=params.tpm,
        order=params.order,
        tags=frozenset(params.tags or ()),
        region=params.region_name,
        max_retries=params.max_retries,
        stream_timeouts=routing.phased(timeouts(streamed, stream=True), params, config, entry.model_name, stream=True),
        mock=params.mock_response,
        clientside=frozenset(params.configurable_clientside_auth_params or ()),
        keyless=_keyless(params, target.api_key, target.provider, target.handler is not None),
        info=info,
        rates=prices.rates_of(target, info),
        price=prices.rates_of,
        resolve=partial(_concrete, entry, config, settings, environ, in_store) if params.model == "*" else None,
    )


def _concrete(
    entry: ModelEntry, config: Config, settings: Settings, environ: Mapping[str, str], in_store: bool, model: str
) -> Deployment:
    """The deployment `*` for one asked name: `groq/llama-3` goes to groq. Raises BadRequestError."""
    params = entry.litellm_params.model_copy(update={"model": model})
    named = entry.model_copy(update={"litellm_params": params})
    try:
        return _deployment(named, config, settings, environ, in_store)
    except e.LiteLLMError as error:
        error.message = f"Invalid model name passed in model={model}: it names no provider that is known here"
        raise


def _target(wish: Wish, settings: Settings, environ: Mapping[str, str]) -> Target:
    if settings.custom_provider_map:
        custom = _callbacks().target(settings.custom_provider_map, wish)
        if custom is not None:
            return custom
    return resolve(wish, settings, environ, key_needed=False)


def _wish(params: LitellmParams, bounds: Timeouts, settings: Settings, environ: Mapping[str, str]) -> Wish:
    return Wish(
        model=params.model,
        custom_llm_provider=params.custom_llm_provider,
        api_base=params.api_base,
        api_key=params.api_key.get_secret_value() if params.api_key else None,
        organization=params.organization,
        headers=tuple((params.extra_headers or {}).items()),
        timeouts=bounds,
        tls=tls(params.ssl_verify, settings, environ),
        drop_params=bool(params.drop_params),
        additional_drop_params=params.additional_drop_params or (),
        allowed_openai_params=frozenset(params.allowed_openai_params or ()),
    )


def _wire(params: LitellmParams) -> tuple[Json, Json]:
    """Default parameters that a request may override (OpenAI's), and those that it may not."""
    defaults = {name: value for name, value in params.wire.items() if name in _OPENAI_NAMES}
    fixed = {name: value for name, value in params.wire.items() if name not in _OPENAI_NAMES}
    return defaults, {**fixed, **(params.extra_body or {})}


def _keyless(params: LitellmParams, key: str | None, provider: str, own: bool) -> str | None:
    """Why calls to a deployment without a key fail, naming the variable to set. `own`: a custom provider needs none."""
    if key is not None or own:
        return None
    if params.api_key_variable:
        return f"No API key for {provider}: the environment variable {params.api_key_variable} is not set"
    return no_key(provider)


def _info(entry: ModelEntry, in_store: bool) -> Json:
    """`model_info`, with the prices of `litellm_params` among it: both are places to write them."""
    shown = entry.model_info.model_dump(exclude_none=True)
    return {**prices.of_params(entry.litellm_params), **shown, "db_model": in_store}


def _id_of(entry: ModelEntry) -> str:
    params = entry.litellm_params
    key = params.api_key.get_secret_value() if params.api_key else None
    # It is the same deployment, and has spent the same, when its budget has been changed.
    left_out = {"api_key", "max_budget", "budget_duration"}
    told: dict[str, Any] = {**params.model_dump(exclude=left_out, exclude_none=True), "api_key": key}
    return id_of(entry.model_name, told)
