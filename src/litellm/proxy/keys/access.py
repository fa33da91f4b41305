"""What a caller may use: models by name, wildcard or access group, and routes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from litellm.proxy.errors import ProxyError

ALL_PROXY: Final = "all-proxy-models"
ALL_TEAM: Final = "all-team-models"
NONE: Final = "no-default-models"

MAX_REMEMBERED: Final = 1000

Groups = Mapping[str, Iterable[str]]
"""Access group -> the models in it (`model_info.access_groups`)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One list of models: whose it is (`key`, `team`, `user`, `org`), and what stands in it."""

    owner: str
    models: tuple[str, ...]
    exact: frozenset[str]
    wild: tuple[tuple[str, str], ...]

    def allows(self, model: str) -> bool:
        if model in self.exact:
            return True
        return any(
            len(model) >= len(before) + len(after) and model.startswith(before) and model.endswith(after)
            for before, after in self.wild
        )


def rule(owner: str, models: Sequence[str], groups: Groups) -> Rule | None:
    """None for a list that excludes nothing: an empty one, or one with `all-proxy-models` in it."""
    if not models or ALL_PROXY in models:
        return None
    exact: set[str] = set()
    wild: list[tuple[str, str]] = []
    for name in models:
        for each in (name, *groups.get(name, ())):
            before, star, after = each.partition("*")
            if star:
                wild.append((before, after))
            elif each != NONE:
                exact.add(each)
    return Rule(owner, tuple(models), frozenset(exact), tuple(wild))


@dataclass(slots=True)
class Access:
    """Every list that applies to one caller, in the order in which a refusal names them."""

    rules: tuple[Rule, ...] = ()
    _known: dict[str, Rule | None] = field(default_factory=dict[str, "Rule | None"])

    def refusing(self, model: str) -> Rule | None:
        """The first list that `model` is not on."""
        try:
            return self._known[model]
        except KeyError:
            found = next((rule for rule in self.rules if not rule.allows(model)), None)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[model] = found
            return found

    def check(self, model: str) -> None:
        """Raises ProxyError 403."""
        refused = self.refusing(model) if self.rules else None
        if refused is not None:
            raise ProxyError(
                403,
                f"{refused.owner} not allowed to access model. This {refused.owner} can only access "
                f"models={list(refused.models)}. Tried to access {model}",
                f"{refused.owner}_model_access_denied",
                "model",
            )

    def visible(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.refusing(name) is None]


_LLM: Final = "llm_api_routes"
_INFO: Final = "info_routes"
_MANAGEMENT: Final = "management_routes"
_INFO_PATHS: Final = ("/key/info", "/team/info", "/team/list", "/user/info", "/model/info", "/v1/model/info", "/models")


def may_call(routes: Sequence[str], path: str, inference: bool) -> bool:
    """Whether a key's `allowed_routes` have a path. None said: all that its role may call."""
    return not routes or any(_matches(route, path, inference) for route in routes)


def _matches(route: str, path: str, inference: bool) -> bool:
    if route == _LLM:
        return inference or path.startswith(("/models", "/v1/models"))
    if route == _INFO:
        return path in _INFO_PATHS or path.startswith("/v1/models")
    if route == _MANAGEMENT:
        return not inference
    return path.startswith(route[:-1]) if route.endswith("*") else path == route
