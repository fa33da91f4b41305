"""What calls cost, in dollars: `completion_cost`, `cost_per_token`. The arithmetic is `catalog/cost.py`'s.

Rates are looked for in the call's own prices, then by `base_model`, by the model passed, by what the response says.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from litellm.catalog import cost, tokens
from litellm.catalog.models import custom_rates
from litellm.sdk.models import rates_for
from litellm.settings import settings
from litellm.types.calls import Json, as_list, as_object
from litellm.types.units import NANO

__all__ = ["completion_cost", "cost_per_token", "get_response_cost_from_hidden_params", "response_cost_calculator"]

TOOLS: Final = frozenset({"image_generation", "aimage_generation", "image_edit", "image_variation"})
RERANK: Final = frozenset({"rerank", "arerank"})
SPEECH: Final = frozenset({"speech", "aspeech"})


def completion_cost(
    completion_response: Any = None,
    model: str | None = None,
    prompt: str = "",
    messages: list[Any] | None = None,
    completion: str = "",
    total_time: float | None = 0.0,
    call_type: str | None = None,
    custom_llm_provider: str | None = None,
    region_name: str | None = None,
    size: str | None = None,
    quality: str | None = None,
    n: int | None = None,
    custom_cost_per_token: Mapping[str, Any] | None = None,
    custom_cost_per_second: float | None = None,
    optional_params: Mapping[str, Any] | None = None,
    custom_pricing: bool | None = None,
    base_model: str | None = None,
    service_tier: str | None = None,
    **kwargs: Any,
) -> float:
    """Dollars for one response; or, without one, for a prompt (or messages) and a completion given as text.

    `total_time` is in milliseconds, for models that are paid by time. `custom_cost_per_token` is
    `{"input_cost_per_token": ..., "output_cost_per_token": ...}`. Raises `catalog.cost.UnpricedModel` (a ValueError)
    for a model whose price is not known.
    """
    response = completion_response
    hidden = _hidden(response)
    provider = custom_llm_provider or hidden.get("custom_llm_provider")
    own = _custom(custom_cost_per_token, custom_cost_per_second)
    rates = _rates(_names(model, response, hidden), provider, base_model, own)
    used = _used(response, prompt, messages, completion)
    used = _by_call(used, call_type, n, prompt, total_time, response, rates)
    tier = service_tier or _text(response, "service_tier") or (optional_params or {}).get("service_tier")
    return cost.dollars(adjusted(cost.cost(used, rates, tier), provider))


def cost_breakdown(response: Json, hidden: Mapping[str, Any], prices: Mapping[str, Any]) -> Json:
    """What a call of the SDK's cost, as a CostBreakdown: `total_cost` is `completion_cost` of the same.

    `response` has `usage`, and `service_tier` where the endpoint said one, which wins over the one asked for. `hidden`
    says what was called and how long it took, `prices` the call's own. Raises `catalog.cost.UnpricedModel`.
    """
    info: Json = prices.get("model_info") or {}
    own = {name: value for name, value in {**info, **prices}.items() if "cost" in name and value is not None}
    provider = hidden.get("custom_llm_provider")
    base_model = prices.get("base_model") or info.get("base_model")
    rates = _rates([hidden.get("litellm_model_name")], provider, base_model, own)
    used = _by_call(cost.tokens_of(response["usage"]), None, None, "", hidden.get("_response_ms"), response, rates)
    asked: Json = hidden.get("optional_params") or {}
    tier = _text(response, "service_tier") or asked.get("service_tier")
    parts = cost.breakdown(used, rates, tier)
    return cost.in_dollars(parts, adjusted(parts.total, provider))


def cost_per_token(
    model: str = "",
    prompt_tokens: int = 0,
    completion_tokens: int = 0,
    response_time_ms: float | None = 0.0,
    custom_llm_provider: str | None = None,
    region_name: str | None = None,
    prompt_characters: int | None = None,
    completion_characters: int | None = None,
    cache_creation_input_tokens: int | None = 0,
    cache_read_input_tokens: int | None = 0,
    custom_cost_per_token: Mapping[str, Any] | None = None,
    custom_cost_per_second: float | None = None,
    number_of_queries: int | None = None,
    usage_object: Any = None,
    rerank_billed_units: Any = None,
    call_type: str = "completion",
    audio_transcription_file_duration: float = 0.0,
    service_tier: str | None = None,
    response: Any = None,
    request_model: str | None = None,
) -> tuple[float, float]:
    """(dollars for the prompt, dollars for the completion). Cached tokens are part of `prompt_tokens`.

    Raises `catalog.cost.UnpricedModel` for a model whose price is not known.
    """
    own = _custom(custom_cost_per_token, custom_cost_per_second)
    rates = _rates([model, request_model], custom_llm_provider, None, own)
    if usage_object is not None:
        used = cost.tokens_of(usage_object)
    else:
        cached, written = cache_read_input_tokens or 0, cache_creation_input_tokens or 0
        used = cost.Tokens(prompt_tokens, completion_tokens, cached=cached, written=written)
    timed = bool(rates.at(0).input is None and response_time_ms)
    used = replace(
        used,
        characters=prompt_characters or 0,
        queries=number_of_queries or 0,
        milliseconds=round(audio_transcription_file_duration * 1000) or (round(response_time_ms or 0) if timed else 0),
    )
    parts = cost.breakdown(used, rates, service_tier)
    return cost.dollars(parts.prompt), cost.dollars(parts.completion + parts.tools)


def response_cost_calculator(
    response_object: Any,
    model: str,
    custom_llm_provider: str | None = None,
    call_type: str | None = None,
    optional_params: Mapping[str, Any] | None = None,
    cache_hit: bool | None = None,
    base_model: str | None = None,
    custom_pricing: bool | None = None,
    prompt: str = "",
    **kwargs: Any,
) -> float:
    """`completion_cost` of a response, 0 for one out of a cache."""
    if cache_hit:
        return 0.0
    return completion_cost(
        response_object,
        model=model,
        prompt=prompt,
        call_type=call_type,
        custom_llm_provider=custom_llm_provider,
        optional_params=optional_params,
        base_model=base_model,
    )


def get_response_cost_from_hidden_params(hidden_params: Any) -> float | None:
    """What another gateway said that its answer cost, from its `x-litellm-response-cost` header."""
    headers = as_object(as_object(hidden_params) and hidden_params.get("additional_headers")) or {}
    said = headers.get("llm_provider-x-litellm-response-cost")
    amount = cost.pico(said)
    return None if amount is None else amount / cost.PICO


def adjusted(nano: int, provider: str | None) -> int:
    """With `litellm.cost_discount_config` and `cost_margin_config` applied, in that order.

    Both are fractions by provider, 0.05 for five per cent; a margin may also be
    `{"percentage": 0.08, "fixed_amount": 0.0005}`, and may stand under "global".
    """
    discount = settings.cost_discount_config.get(provider or "")
    margin = settings.cost_margin_config.get(provider or "", settings.cost_margin_config.get("global"))
    if not discount and not margin:
        return nano
    own = as_object(margin) or {"percentage": margin or 0}
    amount = nano * (1 - Decimal(str(discount or 0))) * (1 + Decimal(str(own.get("percentage") or 0)))
    return round(amount + Decimal(str(own.get("fixed_amount") or 0)) * NANO)


def _custom(per_token: Mapping[str, Any] | None, per_second: float | None) -> Json:
    return {**(per_token or {}), **({} if per_second is None else {"input_cost_per_second": per_second})}


def _names(model: str | None, response: Any, hidden: Mapping[str, Any]) -> Iterator[str | None]:
    yield model
    yield hidden.get("litellm_model_name")
    yield _text(response, "model")


def _rates(names: Iterable[str | None], provider: str | None, base_model: str | None, own: Json) -> cost.Rates:
    """Prices of the call's own go over those of the first name that has any."""
    tried = [name for name in names if name]
    known = (rates_for(name, provider, base_model) for name in tried)
    rates = custom_rates(own, next((found for found in known if found is not None and found.values), None))
    if rates is not None:
        return rates
    raise cost.UnpricedModel(
        f"This model isn't mapped yet. model={', '.join(dict.fromkeys(tried))}, custom_llm_provider={provider}. Tell "
        "its prices with `litellm.register_model` or `custom_cost_per_token`, or name a `base_model`"
    )


def _used(response: Any, prompt: str, messages: list[Any] | None, completion: str) -> cost.Tokens:
    """What the endpoint counted; what it did not is counted here."""
    usage = _field(response, "usage")
    if usage is not None and hasattr(usage, "get"):
        return cost.tokens_of(usage)
    said = completion or _said(response)
    asked = tokens.estimate_messages(messages) if messages else tokens.estimate_tokens(prompt)
    return cost.Tokens(asked, tokens.estimate_tokens(said))


def _said(response: Any) -> str:
    choices: list[Any] = as_list(_field(response, "choices")) or []
    return "".join(str(_field(_field(choice, "message"), "content") or "") for choice in choices)


def _by_call(
    used: cost.Tokens, call_type: str | None, n: int | None, prompt: str, total_time: float | None, response: Any,
    rates: cost.Rates,
) -> cost.Tokens:  # fmt: skip
    """What calls other than chats are paid for."""
    if call_type in TOOLS:
        made = n or len(as_list(_field(response, "data")) or ()) or 1
        counted = _field(response, "usage") is not None
        return replace(used, images=made) if counted else cost.Tokens(images=made)
    if call_type in SPEECH:
        return replace(used, prompt=0, completion=0, characters=len(prompt))
    if call_type in RERANK:
        return replace(used, prompt=0, completion=0, queries=1)
    duration = _field(response, "duration")
    if isinstance(duration, int | float):
        return replace(used, milliseconds=round(duration * 1000))
    if total_time and rates.at(0).input is None:
        return replace(used, milliseconds=round(total_time))
    return used


def _hidden(response: Any) -> Mapping[str, Any]:
    return getattr(response, "_hidden_params", None) or {}


def _field(value: Any, name: str) -> Any:
    return value.get(name) if hasattr(value, "get") else getattr(value, name, None)


def _text(value: Any, name: str) -> str | None:
    found = _field(value, name) if value is not None else None
    return found if isinstance(found, str) else None
