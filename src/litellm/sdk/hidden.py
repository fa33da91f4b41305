"""`response._hidden_params`: what users read beside the answer (litellm-contract 1a.5)."""

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any, Final

from litellm.engine.upstream import additional_headers
from litellm.router.deployments import Deployment
from litellm.types.calls import Json
from litellm.types.http import RawHeaders

_CONTENT: Final = frozenset({"messages", "input", "prompt"})

_COST: Final = "response_cost"

PRICED: Final = frozenset(
    {
        "input_cost_per_token", "output_cost_per_token", "input_cost_per_second", "output_cost_per_second",
        "cache_read_input_token_cost", "cache_creation_input_token_cost", "base_model", "model_info",
    }
)  # fmt: skip
"""A call's arguments that say what it costs."""

_OF_COST: Final = ("litellm_model_name", "custom_llm_provider", "optional_params", "_response_ms")


class HiddenParams(dict[str, Any]):
    """A dict whose `response_cost` (dollars, or None) is worked out when it is first asked for.

    The catalog of prices takes 20 ms to load and a cost some microseconds: most calls are not asked. `usage` and `tier`
    are the endpoint's; a stream's usage stands in the dict itself once it has come.
    """

    __slots__ = ("_breakdown", "prices", "tier", "usage")

    prices: Json
    usage: Any
    tier: str | None

    @property
    def breakdown(self) -> Json | None:
        """The parts of `response_cost` (a CostBreakdown); None if nobody knows a price, or somebody set the cost."""
        self._price()
        return getattr(self, "_breakdown", None)

    def __getitem__(self, name: str) -> Any:
        if name == _COST:
            self._price()
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name == _COST:
            self._price()
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        """Written out so that `{**hidden}` and `dict(hidden)` read by `__getitem__`."""
        return super().__iter__()

    def items(self) -> ItemsView[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._price()
        return super().items()

    def values(self) -> ValuesView[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._price()
        return super().values()

    def _price(self) -> None:
        usage = getattr(self, "usage", None) or super().get("usage")
        if usage is not None and super().get(_COST) is None:
            known = super().get  # our own `get` would ask for the cost again
            called = {name: known(name) for name in _OF_COST}
            self._breakdown = breakdown_of(usage, getattr(self, "tier", None), called, self.prices)
            self[_COST] = None if self._breakdown is None else self._breakdown["total_cost"]


def hidden_params(deployment: Deployment, headers: RawHeaders, params: Json, call_id: str, given: Json) -> HiddenParams:
    """`given` are the call's arguments, if some of them say what it costs."""
    target = deployment.target
    hidden = HiddenParams(
        {
            "custom_llm_provider": target.provider,
            "region_name": None,
            "additional_headers": additional_headers(headers),
            "optional_params": {name: value for name, value in params.items() if name not in _CONTENT},
            "litellm_call_id": call_id,
            "api_base": target.base_url,
            "model_id": deployment.id or None,
            "response_cost": None,
            "litellm_model_name": target.model,
        }
    )
    hidden.prices = {name: given[name] for name in PRICED & given.keys()} if given else given
    return hidden


def breakdown_of(usage: Any, tier: str | None, hidden: Json, prices: Mapping[str, Any]) -> Json | None:
    """A CostBreakdown, by the call's own prices (PRICED) over the catalog's; None if nobody knows any.

    `tier` is the service tier that the endpoint says it answered in; `hidden` says what was called, and in which tier
    it was asked for.
    """
    from litellm.sdk.costs import cost_breakdown  # with the catalog

    try:
        return cost_breakdown({"usage": usage, "service_tier": tier}, hidden, prices)
    except ValueError:  # no price, or one that makes no sense
        return None
