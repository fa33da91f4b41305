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

    The catalog of prices takes 20 ms to load and a cost some microseconds: most calls are not asked. `usage` is the
    endpoint's; of a stream it stands in the dict itself once it has come.
    """

    __slots__ = ("prices", "usage")

    prices: Json
    usage: Any

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
            self[_COST] = cost_of(usage, {name: known(name) for name in _OF_COST}, self.prices)


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


def cost_of(usage: Any, hidden: Json, prices: Mapping[str, Any]) -> float | None:
    """Dollars, by the call's own prices (PRICED) over the catalog's; None if nobody knows any.

    `hidden` says what was called, in which service tier, and how long it took.
    """
    from litellm.sdk.costs import completion_cost  # with the catalog

    info: Json = prices.get("model_info") or {}
    own = {name: value for name, value in {**info, **prices}.items() if "cost" in name and value is not None}
    try:
        return completion_cost(
            {"usage": usage},
            model=hidden.get("litellm_model_name"),
            custom_llm_provider=hidden.get("custom_llm_provider"),
            optional_params=hidden.get("optional_params"),
            total_time=hidden.get("_response_ms"),
            custom_cost_per_token=own,
            base_model=prices.get("base_model") or info.get("base_model"),
        )
    except ValueError:  # no price, or one that makes no sense
        return None
