"""From files to a Config: includes, environment variables, checks; one immutable snapshot, or every problem at once.

Nothing outside is changed: `environment_variables` are in the Config for the composition root to set once it has
decided to use this snapshot, and are seen here by `os.environ/NAME` all the same.
"""

import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from litellm.proxy.config import check
from litellm.proxy.config.general_settings import GeneralSettings
from litellm.proxy.config.litellm_settings import LitellmSettings
from litellm.proxy.config.model_list import CredentialEntry, ModelEntry
from litellm.proxy.config.router_settings import RouterSettings
from litellm.proxy.config.source import Fields, Items, Leaf, Mark, Node, Place, Problem, dotted, of, read

_REFERENCE: Final = "os.environ/"

# Without these the gateway would be open, or keep its state where nobody looks for it: unset is an error.
_MUST_BE_SET: Final = (
    "general_settings.master_key",
    "general_settings.database_url",
    "general_settings.salt_key",
    "general_settings.coordination_redis*",
    "general_settings.redis_url",
    "router_settings.redis_*",
    *(
        f"litellm_settings.cache_params.{name}"
        for name in ("host", "port", "url", "password", "redis_*", "sentinel_*", "service_name")
    ),
    *(
        f"environment_variables.{name}"
        for name in ("LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "DATABASE_*", "DIRECT_URL", "REDIS_*")
    ),
)


class ConfigError(Exception):
    """A config that cannot be used. `problems` has its warnings, too; the text is one problem a line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Config:
    """A config that has been checked. Sections that the file does not have are there, empty."""

    model_list: tuple[ModelEntry, ...]
    litellm_settings: LitellmSettings
    router_settings: RouterSettings
    general_settings: GeneralSettings
    environment_variables: Mapping[str, str] = field(repr=False)
    """To be set in the process's environment when this snapshot is taken into use."""
    missing: Mapping[str, str]
    """Path of a value that counts as absent -> the environment variable that was to hold it."""
    sources: tuple[Path, ...]
    """The files read, the given one first."""
    warnings: tuple[Problem, ...]
    credential_list: tuple[CredentialEntry, ...] = field(default=(), repr=False)


def load(
    path: Path | None, overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Read and check `path`, with `overrides` (of the file's shape: lists extend, other values replace) on top.

    Raises ConfigError.
    """
    config, problems = inspect(path, overrides, environ)
    if config is None:
        raise ConfigError(problems)
    return config


def inspect(
    path: Path | None, overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Config | None, tuple[Problem, ...]]:
    """As `load`; returns the Config, unless there are errors, and all problems in the files' order."""
    problems: list[Problem] = []
    sources: list[Path] = []
    root = _gather(path, sources, (), problems) if path else Fields(Mark("command line"))
    if root is None:
        return None, tuple(problems)
    _overlay(root, of(overrides or {}, Mark("command line")))
    environment = _environment(root, os.environ if environ is None else environ, problems)
    missing: dict[Place, str] = _resolve(root, environment, problems)
    _default_master_key(root, environment)
    parts = check.examine(root, missing, environment, problems)
    ordered = _in_order(problems, sources)
    if any(problem.severity == "error" for problem in ordered):
        return None, ordered
    config = Config(
        tuple(entry for _, entry in parts.entries),
        parts.litellm_settings,
        parts.router_settings,
        parts.general_settings,
        parts.environment_variables,
        {dotted(place): name for place, name in missing.items()},
        tuple(sources),
        ordered,
        parts.credentials,
    )
    return config, ordered


def _in_order(problems: list[Problem], sources: list[Path]) -> tuple[Problem, ...]:
    files = [str(source) for source in sources]
    rank = {file: files.index(file) for file in files}
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (rank.get(p.file, len(files)), p.line, p.column)))


# Includes


def _gather(path: Path, sources: list[Path], above: tuple[Path, ...], problems: list[Problem]) -> Fields | None:
    """The file with what it includes. `above` are the files that are including this one."""
    sources.append(path)
    root = read(path, problems)
    included = root.nodes.get("include") if root else None
    for index, item in enumerate(included.nodes if isinstance(included, Items) else ()):
        other = _included(path, item, ("include", index), sources, (*above, path.resolve()), problems)
        if root is not None and other is not None:
            other.nodes.pop("include", None)
            _merge(root, other)
    return root


def _included(
    path: Path, item: Node, place: Place, sources: list[Path], above: tuple[Path, ...], problems: list[Problem]
) -> Fields | None:
    if not isinstance(item, Leaf) or not isinstance(item.value, str):
        return None  # The type check reports it.
    target = path.parent / item.value
    if target.resolve() in above:
        problems.append(Problem.at(item.mark, place, f"{item.value} includes this file, or is it"))
    elif target.resolve() in [source.resolve() for source in sources]:
        problems.append(Problem.at(item.mark, place, f"{item.value} is included already: read once", "warning"))
    elif not target.is_file():
        problems.append(Problem.at(item.mark, place, f"no such file: {target}"))
    else:
        return _gather(target, sources, above, problems)
    return None


def _merge(root: Fields, other: Fields) -> None:
    """An included file's lists extend those of the including one, its other keys replace them."""
    for name, node in other.nodes.items():
        mine = root.nodes.get(name)
        if isinstance(mine, Items) and isinstance(node, Items):
            mine.nodes += node.nodes
        else:
            root.put(name, node, other.keys[name])


def _overlay(root: Fields, other: Node) -> None:
    """As `_merge`, key by key in mappings at every depth: what the command line says of one setting leaves the rest."""
    for name, node in other.nodes.items() if isinstance(other, Fields) else ():
        mine = root.nodes.get(name)
        if isinstance(mine, Fields) and isinstance(node, Fields):
            _overlay(mine, node)
        elif isinstance(mine, Items) and isinstance(node, Items):
            mine.nodes += node.nodes
        else:
            root.put(name, node, node.mark)


# Environment


def _environment(root: Fields, environ: Mapping[str, str], problems: list[Problem]) -> Mapping[str, str]:
    """The process's environment, the file's `environment_variables` before it, each as the text that was written."""
    node = root.nodes.get("environment_variables")
    if not isinstance(node, Fields):
        return environ
    _Resolver(environ, problems).fields(node, ("environment_variables",))
    own: dict[str, str] = {}
    for name, leaf in node.nodes.items():
        if isinstance(leaf, Leaf) and leaf.value is not None:
            leaf.value = own[name] = leaf.text
    return ChainMap(own, dict(environ))


def _resolve(root: Fields, environment: Mapping[str, str], problems: list[Problem]) -> dict[Place, str]:
    """Put the values of variables in place. Returns the places whose variable is not set, now gone from the tree."""
    resolver = _Resolver(environment, problems)
    for name, node in root.nodes.items():
        if name != "environment_variables":
            resolver.inside(node, (name,))
    return resolver.missing


@dataclass(slots=True)
class _Resolver:
    environment: Mapping[str, str] = field(repr=False)
    problems: list[Problem]
    missing: dict[Place, str] = field(default_factory=dict[Place, str])

    def inside(self, node: Node, place: Place) -> None:
        if isinstance(node, Fields):
            self.fields(node, place)
        elif isinstance(node, Items):
            kept = [item for index, item in enumerate(node.nodes) if self._stays(item, (*place, index))]
            node.nodes = kept

    def fields(self, node: Fields, place: Place) -> None:
        for name, item in list(node.nodes.items()):
            if not self._stays(item, (*place, name)):
                node.remove(name)

    def _stays(self, node: Node, place: Place) -> bool:
        """False for a reference to a variable that is not set; one that is takes its value."""
        if not isinstance(node, Leaf):
            self.inside(node, place)
            return True
        if not isinstance(node.value, str) or not node.value.startswith(_REFERENCE):
            return True
        name = node.value.removeprefix(_REFERENCE)
        value = self.environment.get(name)
        if value:
            node.value = node.text = value
            return True
        self._report(node.mark, place, name, "is not set" if value is None else "is empty")
        return False

    def _report(self, mark: Mark, place: Place, name: str, state: str) -> None:
        self.missing[place] = name
        if any(fnmatchcase(dotted(place), pattern) for pattern in _MUST_BE_SET):
            self.problems.append(Problem.at(mark, place, f"the environment variable {name} {state}"))
        else:
            message = f"the environment variable {name} {state}: the value counts as absent"
            self.problems.append(Problem.at(mark, place, message, "warning"))


def _default_master_key(root: Fields, environment: Mapping[str, str]) -> None:
    key = environment.get("LITELLM_MASTER_KEY")
    general = root.nodes.get("general_settings")
    if not key or (isinstance(general, Fields) and _is_set(general.nodes.get("master_key"))):
        return
    mark = Mark("environment variable LITELLM_MASTER_KEY")
    if general is None or (isinstance(general, Leaf) and general.value is None):
        general = Fields(mark)
        root.put("general_settings", general, mark)
    if isinstance(general, Fields):
        general.put("master_key", Leaf(mark, key, key), mark)


def _is_set(node: Node | None) -> bool:
    return node is not None and not (isinstance(node, Leaf) and node.value is None)
