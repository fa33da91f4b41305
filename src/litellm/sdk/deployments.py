"""`model_list` of `litellm.Router`: each entry is checked, and made a deployment of the router's."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from litellm import exceptions as e
from litellm.catalog import cost, models
from litellm.engine import custom
from litellm.engine.resolve import split_model
from litellm.router.deployments import Deployment, id_of
from litellm.router.spending import Allowance
from litellm.sdk.ask import Unasked
from litellm.sdk.secrets import get_secret, load_credentials_from_list
from litellm.settings import settings
from litellm.types import router as types
from litellm.types.calls import Ask, Call, Json, Target, as_object

_log: Final = logging.getLogger("litellm")

_STEERING: Final = frozenset(
    {
        "model", "weight", "rpm", "tpm", "order", "tags", "max_parallel_requests", "num_retries", "max_retries",
        "configurable_clientside_auth_params", "litellm_credential_name", "model_info", "itpm", "otpm",
        "max_budget", "budget_duration",
    }
)  # fmt: skip
"""What `litellm_params` say to the router and not to the calls."""


@dataclass(slots=True)
class Asked(Ask):
    """A call to the Router. `params` are the caller's arguments, `first` the model group that was asked for."""

    first: str = ""
    changes: Mapping[str, Json] | None = None
    """By model group: what a fallback of the caller's says beside its name."""
    failure: e.LiteLLMError | None = None
    """What the group that was asked for fails with before anything is sent: the caller tests its fallbacks."""
    caching: Callable[[str], Any] | None = None
    """What calls of a model group are told of the cache (`group_caches.Caching`); None if there is none."""
    begun: Callable[[], None] | None = None
    """Called when an attempt begins."""


class Listed(Deployment):
    """A deployment whose calls are arguments of a public function."""

    __slots__ = ()

    def call(self, ask: Ask) -> Call:
        """What the caller says wins over what the list says, but for the model."""
        assert isinstance(ask, Asked)
        if ask.begun is not None:
            ask.begun()
        if ask.failure is not None and ask.model == ask.first:
            raise ask.failure
        own = self.defaults
        if "timeout" in ask.params and "stream_timeout" in own:  # the caller's bound is for streams too
            own = {name: value for name, value in own.items() if name != "stream_timeout"}
        params = {**own, **ask.params, **((ask.changes or {}).get(ask.model) or {})}
        known = {"model_group": ask.model, "deployment": self.target.model, "model_info": self.info}
        params["metadata"] = {**(params.get("metadata") or {}), **known}
        if ask.caching is not None:
            params["caching"] = ask.caching(ask.model)
        params.update(model=self.target.model, model_info=self.info, num_retries=0)
        if ask.stream and self.state is not None and self.state.budgets:  # which want to know what it costs
            options = as_object(params.get("stream_options")) or {}
            if "include_usage" not in options:
                params["stream_options"] = Unasked({**options, "include_usage": True})
        return Call(ask.op, self.target, params, ask.stream)

    def seconds(self, ask: Ask) -> float:
        """By the `timeout` of the call or the list, if it is a number; else by the usual one of the package."""
        names = ("stream_timeout", "timeout") if ask.stream else ("timeout",)
        said = (given.get(name) for given in (ask.params, self.defaults) for name in names)
        return next((float(one) for one in said if isinstance(one, int | float)), settings.request_timeout)


@dataclass(frozen=True, slots=True)
class Entry:
    """One of a `model_list`: as it was written, with its id, and what became of it."""

    written: Json
    deployment: Listed
    parallel: int | None
    allowance: Allowance | None
    """Its own budget, if it has one."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds for every entry that says nothing else."""

    params: Json
    parallel: int | None = None
    priced: bool = False
    """The strategy compares prices."""
    lenient: bool = False
    """An entry that is wrong is left out, and logged."""


def read(rows: Sequence[Any], usual: Usual) -> tuple[Entry, ...]:
    """Raises ValueError, which names the entry and the field."""
    made: list[Entry] = []
    for index, row in enumerate(rows):
        try:
            made.append(entry_of(row, f"model_list[{index}]", usual))
        except ValueError as error:
            if not usual.lenient:
                raise
            _log.warning("litellm.Router leaves out a deployment: %s", error)
    return tuple(made)


def entry_of(row: Any, where: str, usual: Usual) -> Entry:
    """Raises ValueError; values are not quoted, one may be a key."""
    written = row.model_dump(exclude_none=True) if isinstance(row, BaseModel) else as_object(row)
    if written is None:
        raise ValueError(f"{where}: expected a dict with model_name and litellm_params")
    given = _looked_up(as_object(written.get("litellm_params")))
    try:
        info = {**written.get("model_info", {})} if written.get("model_info") else {}
        if info.get("id") is not None:
            info["id"] = str(info["id"])
        checked = types.Deployment.model_validate({**written, "litellm_params": given, "model_info": info})
    except ValidationError as error:
        raise ValueError("; ".join(f"{where}.{problem}" for problem in _problems(error))) from None
    except TypeError:
        raise ValueError(f"{where}.model_info: expected a dict") from None
    params = checked.litellm_params
    own: Json = {name: value for name, value in (given or {}).items() if value is not None}
    # It is the same deployment, and has spent the same, when its budget has been changed.
    told = {name: value for name, value in own.items() if name not in ("max_budget", "budget_duration")}
    info["id"] = info.get("id") or id_of(checked.model_name, told)
    prices = {name: value for name, value in own.items() if cost.is_rate(name)}
    deployment = Listed(
        id=info["id"],
        model_name=checked.model_name,
        target=_target(params, where),
        defaults={**usual.params, **{name: value for name, value in own.items() if name not in _STEERING}},
        weight=params.weight,
        rpm=params.rpm,
        tpm=params.tpm,
        order=params.order,
        tags=frozenset(params.tags or ()),
        max_retries=params.num_retries if params.max_retries is None else params.max_retries,
        info={**prices, **info},
    )
    if usual.priced:
        deployment = replace(deployment, rates=_rates(deployment.target, deployment.info), price=_rates)
    if params.model == "*":
        deployment = replace(deployment, resolve=partial(_concrete, deployment, params))
    parallel = usual.parallel if params.get("max_parallel_requests") is None else params.max_parallel_requests
    return Entry({**written, "model_info": info}, deployment, parallel, _allowance(params, where))


def _concrete(star: Listed, params: types.LiteLLM_Params, name: str) -> Listed:
    """The deployment `*` for one asked name: `groq/llama-3` goes to groq."""
    try:
        target = _target(params.model_copy(update={"model": name}), "")
    except ValueError:  # the call says so
        target = replace(star.target, model=name, endpoints={})
    rates = star.price(target, star.info) if star.price is not None else None
    return replace(star, target=target, rates=rates)


def _allowance(params: types.LiteLLM_Params, where: str) -> Allowance | None:
    if params.max_budget is None:
        return None
    try:
        return Allowance.of(params.max_budget, params.budget_duration)
    except ValueError as error:
        raise ValueError(f"{where}.litellm_params.max_budget: {error}") from None


def _looked_up(params: Json | None) -> Json | None:
    """With the values of the variables and of the credential that it names."""
    if params is None:
        return None
    own: Json = {
        name: get_secret(value) if isinstance(value, str) and value.startswith("os.environ/") else value
        for name, value in params.items()
    }
    load_credentials_from_list(own)
    return own


def _target(params: types.LiteLLM_Params, where: str) -> Target:
    """Who serves the model, under the name by which the public functions know it."""
    found = custom.find(settings.custom_provider_map, params.model, params.custom_llm_provider)
    if found:
        return Target(found[0], params.model, params.api_base or "")
    try:
        provider, _ = split_model(params.model, params.custom_llm_provider, params.api_base)
    except e.LiteLLMError as error:
        raise ValueError(f"{where}.litellm_params.model: {error.raw_message}") from None
    return Target(provider, params.model, params.api_base or "")


def _rates(target: Target, prices: Json) -> cost.Rates | None:
    model = target.model.removeprefix(f"{target.provider}/")
    return models.custom_rates(
        prices, models.rates(model, target.provider, cast("str | None", prices.get("base_model")))
    )


def _problems(error: ValidationError) -> list[str]:
    listed = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in listed]
