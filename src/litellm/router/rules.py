"""What users write about routing, as the router takes it: for `router_settings` and for `litellm.Router` alike."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from litellm.router.fallbacks import MOST, Fallbacks, Table
from litellm.router.health import State
from litellm.router.spending import Allowance
from litellm.router.strategies import STRATEGIES, Strategy, simple_shuffle, usage_based
from litellm.router.strategies.latency_based import within
from litellm.types.calls import as_list, as_object

DEFAULT_RETRIES: Final = 2
DEFAULT_REST: Final = 5.0  # seconds
DEFAULT_STRATEGY: Final = "simple-shuffle"
BY_LATENCY: Final = "latency-based-routing"


def strategy_of(name: str | None, buffer: float | None = None) -> Strategy:
    """The default one for a name that has none. `buffer`: of `latency_based.within`, for the strategy by latency."""
    if buffer and name == BY_LATENCY:
        return within(buffer)
    return STRATEGIES.get(name or DEFAULT_STRATEGY, STRATEGIES[DEFAULT_STRATEGY])


def observe(state: State, strategy: Strategy) -> None:
    """Has a state note what the strategy and its limits go by, and forget what would be out of date by the time that
    somebody asks again."""
    state.wants_tokens = strategy is usage_based or state.window is not None
    if strategy is simple_shuffle:
        state.latency = None


def kinds(policy: BaseModel | Mapping[str, Any] | None, ending: str) -> dict[str, int]:
    """`RateLimitErrorRetries: 3` is 3 for RateLimitError."""
    given: Mapping[str, Any] = policy.model_dump() if isinstance(policy, BaseModel) else policy or {}
    return {name.removesuffix(ending): count for name, count in given.items() if count is not None}


def fallback_lists(value: Any) -> dict[str, tuple[Any, ...]]:
    """`[{a: [b, c]}, {d: e}]`, or the same as one mapping. Raises ValueError."""
    pairs = [value] if as_object(value) is not None else as_list(value)
    if pairs is None:
        raise ValueError("expected a list like [{model: [fallback, ...]}]")
    made: dict[str, tuple[Any, ...]] = {}
    for pair in pairs:
        given = as_object(pair)
        if given is None:
            raise ValueError("expected a list like [{model: [fallback, ...]}]")
        for model, others in given.items():
            names = [others] if isinstance(others, str) else others
            if not isinstance(names, list | tuple):
                raise ValueError(f"expected a list of models for {model}")
            made[str(model)] = (*made.get(str(model), ()), *names)
    return made


def allowance(value: Any) -> Allowance:
    """`{budget_limit: 100, time_period: 1d}`, or the same as `max_budget` and `budget_duration`. Raises ValueError."""
    given = value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else as_object(value)
    said = None if given is None else {name for name, one in given.items() if one is not None}
    if given is None or said is None or not said <= _OF_BUDGET:
        raise ValueError("expected {budget_limit: dollars, time_period: 1d}")
    return Allowance.of(
        given.get("budget_limit", given.get("max_budget")), given.get("time_period", given.get("budget_duration"))
    )


_OF_BUDGET: Final = frozenset({"budget_limit", "time_period", "max_budget", "budget_duration"})


def fallbacks_of(
    aliases: Mapping[str, str],
    general: Table,
    context_window: Table,
    content_policy: Table,
    default: Iterable[str],
    most: int | None,
) -> Fallbacks:
    """With the models that aliases stand for."""

    def models(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(aliases.get(name, name) for name in names)

    def table(written: Table) -> Table:
        return {aliases.get(model, model): models(others) for model, others in written.items()}

    most = MOST if most is None else most
    return Fallbacks(table(general), table(context_window), table(content_policy), models(default), most)
