"""What is wrong with a config's tree: names nobody knows, values of the wrong type, entries that contradict others.

Every function adds to a list of problems and goes on, so that one run shows them all. Parts are made typed one by one:
a mistake in one deployment does not hide those of another.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from litellm.catalog import hosts, params
from litellm.engine.resolve import Wish, resolve
from litellm.exceptions import LiteLLMError
from litellm.proxy.config.general_settings import GeneralSettings
from litellm.proxy.config.litellm_settings import LitellmSettings
from litellm.proxy.config.model_list import CLIENTSIDE_NAMES, CredentialEntry, LitellmParams, ModelEntry, ModelInfo
from litellm.proxy.config.router_settings import BUILT_CHECKS, BUILT_STRATEGIES, RouterSettings
from litellm.proxy.config.schema import ConfigFile
from litellm.proxy.config.section import Section
from litellm.proxy.config.source import Fields, Items, Node, Place, Problem, Severity, find, name_mark, plain
from litellm.settings import Settings

T = TypeVar("T")
Finding = tuple[Place, str, Severity]

SETTINGS: Final[dict[str, type[Section]]] = {
    "litellm_settings": LitellmSettings,
    "router_settings": RouterSettings,
    "general_settings": GeneralSettings,
}
_OF_ENTRY: Final[dict[str, type[Section]]] = {
    "litellm_params": LitellmParams,
    "model_info": ModelInfo,
}

# How alike two names must be (difflib's ratio): where any name is allowed, only what is hardly anything else.
_LIKE: Final = 0.6
_VERY_LIKE: Final = 0.8


@dataclass(slots=True)
class Parts:
    """What of the document could be made typed. `deployments` counts those that could not, too."""

    deployments: int = 0
    entries: list[tuple[int, ModelEntry]] = field(default_factory=list[tuple[int, ModelEntry]])
    litellm_settings: LitellmSettings = field(default_factory=LitellmSettings)
    router_settings: RouterSettings = field(default_factory=RouterSettings)
    general_settings: GeneralSettings = field(default_factory=GeneralSettings)
    credentials: tuple[CredentialEntry, ...] = field(default=(), repr=False)
    environment_variables: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def examine(
    root: Fields, missing: Mapping[Place, str], environment: Mapping[str, str], problems: list[Problem]
) -> Parts:
    """Check everything. `missing` are the places whose environment variable is not set, with its name."""
    for place, message in _names(root):
        problems.append(Problem.at(name_mark(root, place), place, message, "warning"))
    parts = _typed(root, missing, problems)
    parts.environment = environment
    for rule in _RULES:
        for place, message, severity in rule(parts):
            problems.append(Problem.at(find(root, place)[1], place, message, severity))
    return parts


def nearest(name: str, known: Iterable[str], likeness: float = _LIKE) -> str | None:
    """The known name that `name` is most like, if any is like it at all."""
    matches = get_close_matches(name.lower().replace("-", "_"), sorted(known), 1, likeness)
    return matches[0] if matches else None


# Names


def _names(root: Fields) -> Iterator[tuple[Place, str]]:
    yield from _unknown(root, (), ConfigFile, SETTINGS)
    for name, section in SETTINGS.items():
        others = {other: cls for other, cls in SETTINGS.items() if other != name}
        yield from _unknown(root.nodes.get(name), (name,), section, others)
    entries = root.nodes.get("model_list")
    for index, entry in enumerate(entries.nodes if isinstance(entries, Items) else ()):
        place = ("model_list", index)
        yield from _unknown(entry, place, ModelEntry, _OF_ENTRY)
        if not isinstance(entry, Fields):
            continue
        for name, section in _OF_ENTRY.items():
            yield from _unknown(entry.nodes.get(name), (*place, name), section, {})


def _unknown(
    node: Node | None, place: Place, section: type[Section], others: Mapping[str, type[Section]]
) -> Iterator[tuple[Place, str]]:
    """Names in `node` that do nothing; `others` are sections where a name may have been meant to stand."""
    for name in node.nodes if isinstance(node, Fields) else ():
        if section.has_no_effect(name):
            effect = "is not enforced yet: it restricts nothing" if name in section.unguarded else "has no effect yet"
            yield (*place, name), effect
        elif name not in section.known() and not section.is_rate(name):
            message = _near_miss(name, section) if section.open else _stray(name, section, others)
            if message:
                yield (*place, name), message


def _near_miss(name: str, section: type[Section]) -> str | None:
    meant = nearest(name, section.known(), _VERY_LIKE)
    sent = "is sent to the endpoint as it is" if section is LitellmParams else "has no effect"
    return f"unknown name, {sent}, did you mean {meant}?" if meant else None


def _stray(name: str, section: type[Section], others: Mapping[str, type[Section]]) -> str:
    homes = (f"{other}.{name}" for other, cls in others.items() if name in cls.known())
    meant = next(homes, None) or nearest(name, section.known())
    return "unknown name, has no effect" + (f", did you mean {meant}?" if meant else "")


# Types


def _typed(root: Fields, missing: Mapping[Place, str], problems: list[Problem]) -> Parts:
    parts = Parts()
    absent: dict[Place, dict[str, str]] = {}
    for at, name in missing.items():
        absent.setdefault(at[:-1], {})[str(at[-1])] = name
    entries = root.nodes.get("model_list")
    parts.deployments = len(entries.nodes) if isinstance(entries, Items) else 0
    for index in range(parts.deployments):
        place = ("model_list", index)
        entry = _part(ModelEntry, root, place, problems, absent.get((*place, "litellm_params")))
        if entry is not None:
            parts.entries.append((index, entry))
    if not isinstance(entries, Items):
        _part(tuple[ModelEntry, ...], root, ("model_list",), problems)
    credentials = _part(tuple[CredentialEntry, ...], root, ("credential_list",), problems)
    parts.credentials = credentials or ()
    for name, section in SETTINGS.items():
        setattr(parts, name, _part(section, root, (name,), problems) or section())
    _part(tuple[str, ...], root, ("include",), problems)
    parts.environment_variables = _part(dict[str, str], root, ("environment_variables",), problems) or {}
    return parts


def _part(
    kind: type[T], root: Fields, place: Place, problems: list[Problem], context: Mapping[str, str] | None = None
) -> T | None:
    """What stands at `place`, as a `kind`; None if it is absent, null or wrong."""
    node, _, found = find(root, place)
    value = plain(node)
    if found != place or (value is None and len(place) == 1):
        return None
    try:
        return TypeAdapter(kind).validate_python(value, context=context)
    except ValidationError as error:
        problems += _described(error.errors(include_url=False, include_input=False), root, place)
        return None


_EXPECTED: Final = {
    "string_type": "text (in quotes, if it looks like a number)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_RANGE: Final = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def _described(errors: Iterable[ErrorDetails], root: Fields, base: Place) -> list[Problem]:
    """One problem per place: what pydantic says of each member of a union is joined by `or`."""
    expected: dict[Place, list[str]] = {}
    problems: list[Problem] = []
    for error in errors:
        place: Place = (*base, *error["loc"])
        node, mark, found = find(root, place)
        if error["type"] == "missing":
            problems.append(Problem.at(mark, place, "is required"))
        elif error["type"] in _EXPECTED:
            expected.setdefault(found, []).append(_EXPECTED[error["type"]])
        else:
            problems.append(Problem.at(mark, found, _other_message(error, node)))
    for place, words in expected.items():
        node, mark, _ = find(root, place)
        problems.append(Problem.at(mark, place, f"expected {', or '.join(dict.fromkeys(words))}, found {_kind(node)}"))
    return problems


def _other_message(error: ErrorDetails, node: Node) -> str:
    if error["type"] in _RANGE:
        return _RANGE[error["type"]].format(**error.get("ctx", {}))
    if error["type"] != "literal_error":
        return error["msg"].removeprefix("Value error, ")
    allowed = str(error.get("ctx", {}).get("expected", ""))
    meant = nearest(str(plain(node)), [name.strip("'") for name in allowed.replace(" or ", ", ").split(", ")])
    return f"expected one of {allowed}" + (f", did you mean {meant}?" if meant else "")


def _kind(node: Node) -> str:
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Fields):
        return "a mapping"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return "true or false"
    return "text" if isinstance(node.value, str) else "a number"


# Rules that look at more than one value, or at what a value means


def _params_place(index: int, *names: str) -> Place:
    return ("model_list", index, "litellm_params", *names)


def _nothing_to_serve(parts: Parts) -> Iterator[Finding]:
    if not parts.deployments:
        yield ("model_list",), "there is no model: nothing can be called", "warning"


def _ids_are_unique(parts: Parts) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, entry in parts.entries:
        name = entry.model_info.id
        if name is not None and seen.setdefault(name, index) != index:
            first = f"model_list[{seen[name]}]"
            yield ("model_list", index, "model_info", "id"), f"is the id of {first} already", "error"


def _models_are_named(parts: Parts) -> Iterator[Finding]:
    for index, entry in parts.entries:
        model = entry.litellm_params.model
        if model.endswith("/"):
            yield _params_place(index, "model"), "names no model after the provider", "error"
        elif "*" in model and "*" not in entry.model_name:
            yield _params_place(index, "model"), "`*` stands for nothing: model_name has none", "warning"


_ENDPOINTS: Final = ("/chat/completions", "/completions", "/embeddings")


def _bases_are_bases(parts: Parts) -> Iterator[Finding]:
    for index, entry in parts.entries:
        for name in ("api_base", "base_url"):
            base: str = (getattr(entry.litellm_params, name) or "").rstrip("/")
            ending = next((path for path in _ENDPOINTS if base.endswith(path)), None)
            if ending:
                yield _params_place(index, name), f"should end before {ending}, which is appended to it", "warning"


def _keys_are_filled(parts: Parts) -> Iterator[Finding]:
    for index, entry in parts.entries:
        key = entry.litellm_params.api_key
        if key is not None and not key.get_secret_value():
            yield _params_place(index, "api_key"), "is empty: taken as absent", "warning"


def _clientside_names(parts: Parts) -> Iterator[Finding]:
    for index, entry in parts.entries:
        for position, name in enumerate(entry.litellm_params.configurable_clientside_auth_params or ()):
            if name in CLIENTSIDE_NAMES:
                continue
            place = ("model_list", index, "litellm_params", "configurable_clientside_auth_params", position)
            meant = None if params.is_credential(name) else nearest(name, CLIENTSIDE_NAMES)
            yield place, "has no effect here" + (f", did you mean {meant}?" if meant else ""), "warning"


def _models_resolve(parts: Parts) -> Iterator[Finding]:
    """The provider is known, and has an address. Keys are asked for when a call needs one."""
    settings = Settings()
    settings.api_base = parts.litellm_settings.api_base
    custom = {row.provider for row in parts.litellm_settings.custom_provider_map or ()}
    for index, entry in parts.entries:
        given = entry.litellm_params
        if given.litellm_credential_name:  # it may have the address
            continue
        if given.model.endswith("/") or (given.custom_llm_provider or given.model.partition("/")[0]) in custom:
            continue
        try:
            resolve(Wish(given.model, given.custom_llm_provider, given.api_base), settings, parts.environment, False)
        except LiteLLMError as error:
            yield _params_place(index, "model"), str(error.raw_message), "error"


def _strategy_is_built(parts: Parts) -> Iterator[Finding]:
    strategy = parts.router_settings.routing_strategy
    if strategy and strategy not in BUILT_STRATEGIES:
        yield ("router_settings", "routing_strategy"), f"{strategy} has no effect yet", "warning"


def _checks_are_built(parts: Parts) -> Iterator[Finding]:
    for check in parts.router_settings.optional_pre_call_checks or ():
        if check not in BUILT_CHECKS:
            yield ("router_settings", "optional_pre_call_checks"), f"{check} has no effect yet", "warning"


def _budgets_are_providers(parts: Parts) -> Iterator[Finding]:
    own = (one.provider for one in parts.litellm_settings.custom_provider_map or ())
    known = {*hosts.rows(), *own}
    for name in parts.router_settings.provider_budget_config or ():
        if name not in known:
            meant = nearest(name, known)
            hint = f", did you mean {meant}?" if meant else ""
            yield ("router_settings", "provider_budget_config", name), f"no provider has this name{hint}", "warning"


def _served(names: set[str]) -> Callable[[str], bool]:
    """Does one of these model groups answer to a name?"""
    patterns = [name.partition("*") for name in names if "*" in name]

    def served(model: str) -> bool:
        return model in names or any(model.startswith(before) and model.endswith(end) for before, _, end in patterns)

    return served


def _fallbacks_are_models(parts: Parts) -> Iterator[Finding]:
    """A warning, as the store may have the model."""
    names = {entry.model_name for _, entry in parts.entries}
    served = _served(names | set(parts.router_settings.model_group_alias or {}))
    for section, given in (("router_settings", parts.router_settings), ("litellm_settings", parts.litellm_settings)):
        for name, table in (
            ("fallbacks", given.fallbacks),
            ("context_window_fallbacks", given.context_window_fallbacks),
            ("content_policy_fallbacks", given.content_policy_fallbacks),
            ("default_fallbacks", {"*": given.default_fallbacks or ()}),
        ):
            for model in dict.fromkeys(one for pair in (table or {}).items() for one in (pair[0], *pair[1])):
                if model != "*" and not served(model):
                    yield (section, name), f"no entry of model_list is called {model}", "warning"


def _semantic_cache_is_whole(parts: Parts) -> Iterator[Finding]:
    """Without these it would answer nothing, or anything."""
    given = parts.litellm_settings.cache_params
    if given is None or not given.is_semantic:
        return
    place = ("litellm_settings", "cache_params")
    if given.similarity_threshold is None:
        yield (*place, "similarity_threshold"), f"is required for {given.type}", "error"
    if given.embeds_with is None:
        yield (*place, "embedding_model"), f"is required for {given.type}: a model_name of model_list", "error"
    elif not _served({entry.model_name for _, entry in parts.entries})(given.embeds_with):
        name = "embedding_model" if given.embedding_model else "redis_semantic_cache_embedding_model"
        yield (*place, name), f"no entry of model_list is called {given.embeds_with}", "error"


_RULES: Final[tuple[Callable[[Parts], Iterator[Finding]], ...]] = (
    _nothing_to_serve,
    _ids_are_unique,
    _models_are_named,
    _models_resolve,
    _bases_are_bases,
    _keys_are_filled,
    _clientside_names,
    _strategy_is_built,
    _checks_are_built,
    _budgets_are_providers,
    _fallbacks_are_models,
    _semantic_cache_is_whole,
)
