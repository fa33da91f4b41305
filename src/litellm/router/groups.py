"""What is known of deployments, and of a model group as a whole, as users see it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from litellm.catalog import hosts, models
from litellm.catalog import params as names
from litellm.providers import compatible
from litellm.router import prechecks
from litellm.router.deployments import Deployment
from litellm.types.calls import Json, Op

INPUTS: Final = frozenset({"messages", "prompt", "input", "extra_headers", "extra_body", "extra_query"})
"""OpenAI's parameters that are no settings, or that may carry anything."""

_OPS: Final[dict[str, Op]] = {"embedding": "embedding", "completion": "completion"}
_OWN: Final = frozenset({"litellm_provider"})  # a deployment has one of its own


def known_of(deployment: Deployment) -> Json:
    """What the catalog knows of a deployment's model (windows, prices in dollars, `supports_*`)."""
    row = prechecks.known(deployment)
    return {key: value for key, value in models.entry(row).items() if key not in _OWN} if row else {}


def supported_of(deployment: Deployment) -> list[str]:
    """OpenAI's parameters that the deployment takes."""
    op = _OPS.get(deployment.info.get("mode", ""), "chat")
    provider = deployment.target.provider
    refused = compatible.provider_of(provider).rules.unsupported if provider in hosts.rows() else frozenset[str]()
    return sorted(names.OPENAI[op] - refused - INPUTS)


def info_of(name: str, group: Sequence[Deployment]) -> Json:
    """What the deployments of one `model_name` are together: the largest windows and prices, the sums of limits."""
    infos = [{**known_of(deployment), **deployment.info} for deployment in group]
    abilities = {key: True for info in infos for key, value in info.items() if key.startswith("supports_") and value}
    return {
        "model_group": name,
        "providers": sorted({deployment.target.provider for deployment in group}),
        "mode": next((info["mode"] for info in infos if "mode" in info), None),
        "max_input_tokens": _largest(infos, "max_input_tokens"),
        "max_output_tokens": _largest(infos, "max_output_tokens"),
        "input_cost_per_token": _largest(infos, "input_cost_per_token"),
        "output_cost_per_token": _largest(infos, "output_cost_per_token"),
        "rpm": _sum(deployment.rpm for deployment in group),
        "tpm": _sum(deployment.tpm for deployment in group),
        **abilities,
        "supported_openai_params": sorted({param for deployment in group for param in supported_of(deployment)}),
    }


def _largest(infos: list[Json], name: str) -> Any:
    return max((info[name] for info in infos if name in info), default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
