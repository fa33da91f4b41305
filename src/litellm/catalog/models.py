"""The models: `models.json`, one row a model, and how a model's name finds its row.

The file is read once, on first use. A *row* is what stands in it, rates in pico-dollars; an *entry* is the same as
LiteLLM's users see it in `litellm.model_cost`: rates in dollars, `supports_vision: True`. A *table* is either of them
by name; users edit theirs.
"""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import orjson

from litellm.catalog import cost

Row = dict[str, Any]
Entry = dict[str, Any]
Table = Mapping[str, Mapping[str, Any]]

# Providers whose rows say a family, not the provider: `vertex_ai-language-models`, `bedrock_converse`, `cohere_chat`.
_FAMILIES: Final = {"vertex_ai": "vertex_ai-", "bedrock": "bedrock_", "cohere": "cohere_"}
_SAME: Final = {"text-completion-openai": "openai", "custom_openai": "openai", "azure_text": "azure"}


@cache
def rows() -> dict[str, Row]:
    return orjson.loads(files("litellm.catalog").joinpath("models.json").read_bytes())["models"]


def entries() -> dict[str, Entry]:
    """A table of users' entries of its own, to be edited as its owner likes."""
    return {name: entry(row) for name, row in rows().items()}


def entry(row: Row) -> Entry:
    made = {name: value / cost.PICO if "_cost" in name else value for name, value in row.items() if name != "supports"}
    for capability in row["supports"]:
        made[f"supports_{capability}"] = True
    if "max_output_tokens" in made or "max_input_tokens" in made:
        made["max_tokens"] = made.get("max_output_tokens", made.get("max_input_tokens"))
    search = made.pop(cost.SEARCH, None)
    if search is not None:
        made["search_context_cost_per_query"] = {f"search_context_size_{size}": search for size in _SIZES}
    files_search = made.pop("file_search_cost_per_query", None)
    if files_search is not None:
        made["file_search_cost_per_1k_calls"] = files_search * 1000
    return made


_SIZES: Final = ("low", "medium", "high")


def find(model: str, provider: str | None = None, table: Table | None = None) -> str | None:
    """The name of a model's row, None if there is none. `provider` may stand before the model's name instead.

    A bare name counts only if its row is of the provider in question: somebody's own server may call a model `gpt-4o`,
    and charges nothing for it.
    """
    known = rows() if table is None else table
    prefix, slash, _ = model.partition("/")
    provider = provider or (prefix if slash else None)
    for name in _spellings(model, provider):
        found = known.get(name)
        if found is not None and _is_of(found, name, provider):
            return name
    return None


def _spellings(model: str, provider: str | None) -> Iterator[str]:
    """How a model's row may be named, the most exact first."""
    if provider:
        yield f"{provider}/{model}"
    yield model
    bare = model.removeprefix(f"{provider}/")
    yield bare
    last = model.rpartition("/")[2]
    if provider == "bedrock":  # bedrock/converse/m, bedrock/us-east-1/m
        yield last
    if provider == "fireworks_ai":
        yield f"fireworks_ai/accounts/fireworks/models/{last}"
    if bare.startswith("ft:"):  # ft:gpt-4o-2024-08-06:org::id
        yield ":".join(bare.split(":")[:2])


def _is_of(found: Mapping[str, Any], name: str, provider: str | None) -> bool:
    own = found.get("litellm_provider")
    if not provider or not own or name.startswith(f"{provider}/"):
        return True
    provider = _SAME.get(provider, provider)
    family = _FAMILIES.get(provider)
    return own == provider or (family is not None and own.startswith(family))


def provider_of(model: str, table: Table | None = None) -> str | None:
    """The provider of a bare name, as it is called in `provider/model`: None for a model that is not known."""
    known = rows() if table is None else table
    own = known.get(model, {}).get("litellm_provider")
    return next((name for name, family in _FAMILIES.items() if own and own.startswith(family)), own)


def supports(found: Mapping[str, Any], capability: str) -> bool:
    """Whether a row or an entry has a capability. Not known is no."""
    listed = found.get("supports")
    return capability in listed if isinstance(listed, list) else found.get(f"supports_{capability}") is True


def rates(model: str, provider: str | None = None, base_model: str | None = None) -> cost.Rates | None:
    """The rates of the catalog: of `base_model` if there is one, else of the model. None: it is not there."""
    name = (find(base_model) if base_model else None) or find(model, provider)
    return _rates(name) if name else None


@lru_cache(maxsize=1024)
def _rates(name: str) -> cost.Rates:
    return cost.rates_of(rows()[name])


def custom_rates(prices: Mapping[str, Any], base: cost.Rates | None = None) -> cost.Rates | None:
    """A call's or a deployment's own prices in dollars (`input_cost_per_token=...`) over the catalog's.

    None if there is neither.
    """
    own = cost.rates_of_dollars(prices)
    if not own.values:
        return base
    by_time = any("_per_second" in name for name in own.values)  # what is paid by time is not paid by tokens, too
    return cost.overlaid(base, own) if base and not by_time else own
