"""What the gateway's answers cost: rates are resolved once per deployment, a cost is worked out per answer."""

from typing import Any

from litellm.catalog import cost, models
from litellm.router.deployments import Deployment
from litellm.types.calls import Json, Target


def rates_of(target: Target, info: Json) -> cost.Rates | None:
    """The prices in a deployment's `info`, in dollars, over the catalog's; None if nobody knows any."""
    base_model: str | None = info.get("base_model")
    rates = models.custom_rates(info, models.rates(target.model, target.provider, base_model))
    return rates if rates is not None and rates.values else None


def of_answer(deployment: Deployment, wire: Json, usage: Json, seconds: float) -> cost.Cost | None:
    """None if there is no price for what was used. `seconds` are what the endpoint took."""
    rates = deployment.rates
    if rates is None:
        return None
    tier = wire.get("service_tier")
    if tier.__class__ is not str:
        tier = None
    try:
        return cost.of_usage(usage, rates, tier, round(seconds * 1000) or 1)
    except cost.UnpricedModel:
        return None


def estimate(deployment: Deployment, prompt: int, completion: int) -> int | None:
    """Nano-dollars for so many tokens, rounded up; None if nobody knows a price."""
    if deployment.rates is None:
        return None
    rates = deployment.rates.at(prompt)
    return -(-(prompt * (rates.input or 0) + completion * (rates.output or 0)) // 1000)


def of_params(params: Any) -> Json:
    """The prices among `litellm_params`, in dollars."""
    written: Json = params.model_dump(exclude_none=True)
    return {name: value for name, value in written.items() if cost.is_rate(name)}
