"""`litellm.Router`: several deployments under one name, in a program.

    router = litellm.Router(model_list=[{"model_name": "gpt", "litellm_params": {"model": "openai/gpt-4o", ...}}, ...])
    router.completion(model="gpt", messages=[...])

It routes as the gateway does (docs/routing.md) and may be used from any thread and any event loop; its deployments may
be changed while calls are under way, which end on those they began with.
"""

import asyncio
from collections.abc import Mapping, Sequence
from random import random
from threading import RLock
from time import monotonic
from typing import Any, Final
from weakref import finalize

from litellm.router import groups, rules
from litellm.router.health import Health
from litellm.router.plan import choose
from litellm.router.refusal import refused_by_all
from litellm.router.shared import SharedState
from litellm.router.spending import Spending
from litellm.sdk import batch, portal
from litellm.sdk.deployments import Entry, entry_of, read
from litellm.sdk.lines import Lines
from litellm.sdk.picking import Picking
from litellm.sdk.routed import Routed, driven
from litellm.sdk.router_settings import CHANGEABLE, allowances, checked, own_cache, resting, routed, sticking, usual
from litellm.types import router as types
from litellm.types.calls import Json, Op
from litellm.unbuilt import lacking

_NONE: Final[Mapping[str, Any]] = {}
_NOTHING: Final[Sequence[Any]] = []


@lacking("litellm", "Router")
class Router:
    """Raises ValueError for an entry of `model_list`, or another argument, that makes no sense: the message names the
    field; NotBuilt for an argument whose feature is not there yet."""

    def __init__(
        self,
        model_list: Sequence[Any] | None = None,
        redis_url: str | None = None,
        redis_host: str | None = None,
        redis_port: int | None = None,
        redis_password: str | None = None,
        cache_responses: bool | None = False,
        cache_kwargs: Mapping[str, Any] = _NONE,
        caching_groups: Sequence[Any] | None = None,
        client_ttl: int = 3600,
        num_retries: int | None = None,
        max_fallbacks: int | None = None,
        timeout: Any = None,
        stream_timeout: Any = None,
        default_litellm_params: Mapping[str, Any] | None = None,
        default_max_parallel_requests: int | None = None,
        default_fallbacks: Sequence[str] | None = _NOTHING,
        fallbacks: Any = _NOTHING,
        context_window_fallbacks: Any = _NOTHING,
        content_policy_fallbacks: Any = _NOTHING,
        model_group_alias: Mapping[str, Any] | None = _NONE,
        enable_pre_call_checks: bool = False,
        enable_tag_filtering: bool = False,
        tag_filtering_match_any: bool = True,
        retry_after: float = 0,
        retry_policy: types.RetryPolicy | Mapping[str, Any] | None = None,
        model_group_retry_policy: Mapping[str, Any] = _NONE,
        allowed_fails: int | None = None,
        allowed_fails_policy: types.AllowedFailsPolicy | Mapping[str, Any] | None = None,
        cooldown_time: float | None = None,
        disable_cooldowns: bool | None = None,
        routing_strategy: str = "simple-shuffle",
        routing_strategy_args: Mapping[str, Any] = _NONE,
        optional_pre_call_checks: Sequence[str] | None = None,
        provider_budget_config: Any = None,
        alerting_config: Any = None,
        enable_health_check_routing: bool = False,
        enable_weighted_failover: bool = False,
        deployment_affinity_ttl_seconds: int = 3600,
        ignore_invalid_deployments: bool = False,
        router_general_settings: Any = None,
        search_tools: Any = None,
        guardrail_list: Any = None,
    ) -> None:
        given: Json = {name: value for name, value in locals().items() if name not in ("self", "model_list")}
        self._lock = RLock()
        self._given = checked(given)
        self._health = Health(SharedState)
        self._entries: tuple[Entry, ...] = ()
        self._cache = own_cache(self._given)
        self._lines = Lines()
        self._picking: Picking | None = None
        self._sticking = sticking(self._given)
        self._spending = Spending()
        self._resting = resting(self._given, self._health, self._spending)
        if self._resting is not None:
            finalize(self, self._resting.stop).atexit = False
        self._routed: Routed
        self.set_model_list(model_list or ())

    def __getattr__(self, name: str) -> Any:
        """The settings are attributes, to read: `router.num_retries`."""
        given: Json = self.__dict__.get("_given", {})
        if name in given:
            return given[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Calls. `model` is a model group, an alias of one, or the id of a deployment.

    def completion(self, model: str, messages: Sequence[Any], **kwargs: Any) -> Any:
        """As `litellm.completion`. `num_retries`, `fallbacks`, `timeout` and the like hold for this call alone."""
        return self._now("chat", {"model": model, "messages": messages, **kwargs})

    async def acompletion(self, model: str, messages: Sequence[Any], stream: bool = False, **kwargs: Any) -> Any:
        return await self._call("chat", {"model": model, "messages": messages, "stream": stream or None, **kwargs})

    async def schedule_acompletion(
        self, model: str, messages: Sequence[Any], priority: int, stream: bool = False, **kwargs: Any
    ) -> Any:
        """As `acompletion`; while no deployment takes calls it waits, those with the lowest `priority` being served
        first. Raises Timeout if it has not begun within its timeout. (`priority` does this in every other call, too.)
        """
        return await self.acompletion(model, messages, stream, priority=priority, **kwargs)

    def text_completion(self, model: str, prompt: Any, **kwargs: Any) -> Any:
        return self._now("completion", {"model": model, "prompt": prompt, **kwargs})

    async def atext_completion(self, model: str, prompt: Any, **kwargs: Any) -> Any:
        return await self._call("completion", {"model": model, "prompt": prompt, **kwargs})

    def embedding(self, model: str, input: Any, **kwargs: Any) -> Any:
        return self._now("embedding", {"model": model, "input": input, **kwargs})

    async def aembedding(self, model: str, input: Any, **kwargs: Any) -> Any:
        return await self._call("embedding", {"model": model, "input": input, **kwargs})

    async def abatch_completion(self, models: Sequence[str], messages: Sequence[Any], **kwargs: Any) -> list[Any]:
        """One prompt, or a list of prompts, to each of the models, all at once. For one prompt a list of answers in the
        order of the models; for several, such a list for each. In the place of one that fails stands its exception."""
        several = bool(messages) and not isinstance(messages[0], Mapping)
        prompts: Sequence[Any] = messages if several else [messages]
        asked = [self.acompletion(model, prompt, **kwargs) for prompt in prompts for model in models]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        rows = [answers[at : at + len(models)] for at in range(0, len(answers), max(1, len(models)))]
        return rows if several else answers

    async def abatch_completion_fastest_response(self, model: str, messages: Sequence[Any], **kwargs: Any) -> Any:
        """One prompt to several models ("a, b, c") at once: the first answer. The other calls are cancelled; if all
        fail, the last one's error is raised."""
        names = [name.strip() for name in model.split(",")]
        return await batch.first_of([self.acompletion(name, messages, **kwargs) for name in names])

    def _now(self, op: Op, given: Json) -> Any:
        if self._resting is not None:
            self._resting.started()
        return driven(self._routed.call(op, False, given))

    async def _call(self, op: Op, given: Json) -> Any:
        if self._resting is not None:
            self._resting.started()
        return await self._routed.call(op, True, given)

    # Deployments: what is known of those that stay is kept.

    def set_model_list(self, model_list: Sequence[Any]) -> None:
        with self._lock:
            self._serve(read(model_list, usual(self._given)))

    def add_deployment(self, deployment: Any) -> types.Deployment | None:
        """None if there is one with its id already."""
        with self._lock:
            entry = entry_of(deployment, "deployment", usual(self._given))
            if self._found(entry.deployment.id) is not None:
                return None
            self._serve((*self._entries, entry))
            return _shown(entry)

    def upsert_deployment(self, deployment: Any) -> types.Deployment | None:
        """Adds it, or puts it in the place of the one with its id; None if that is the same already."""
        with self._lock:
            entry = entry_of(deployment, "deployment", usual(self._given))
            known = self._found(entry.deployment.id)
            if known is None:
                self._serve((*self._entries, entry))
            elif known.written == entry.written:
                return None
            else:
                self._serve(tuple(entry if one is known else one for one in self._entries))
            return _shown(entry)

    def delete_deployment(self, id: str) -> types.Deployment | None:
        """The one that was there; None if there was none."""
        with self._lock:
            gone = self._found(id)
            if gone is None:
                return None
            self._serve(tuple(one for one in self._entries if one is not gone))
            return _shown(gone)

    @property
    def model_list(self) -> list[Json]:
        """The deployments as they were written, each with an id."""
        return [one.written for one in self._entries]

    @property
    def model_names(self) -> set[str]:
        return set(self._routed.deployments.names)

    def get_model_list(self, model_name: str | None = None) -> list[Json]:
        """Those of one model group, or under an alias; all without a name."""
        if model_name is None:
            return self.model_list
        with self._lock:  # what is served and what is listed are of one moment
            routed = self._routed
            ids = {one.id for one in routed.deployments.group(routed.aliases.get(model_name, model_name))}
            return [{**one.written, "model_name": model_name} for one in self._entries if one.deployment.id in ids]

    def get_model_names(self) -> list[str]:
        """The model groups, and the aliases that are not hidden."""
        hidden = {name for name, alias in self._given["model_group_alias"].items() if _is_hidden(alias)}
        aliases = [name for name in self._routed.aliases if name not in hidden]
        return list(dict.fromkeys((*self._routed.deployments.names, *aliases)))

    def get_model_ids(self, model_name: str | None = None) -> list[str]:
        return [one["model_info"]["id"] for one in self.get_model_list(model_name)]

    def get_deployment(self, model_id: str) -> types.Deployment | None:
        entry = self._found(model_id)
        return None if entry is None else _shown(entry)

    def get_model_group_info(self, model_group: str) -> types.ModelGroupInfo | None:
        """What its deployments are together, by the list and the catalog of models; None if there are none."""
        group = self._routed.deployments.group(self._routed.aliases.get(model_group, model_group))
        return types.ModelGroupInfo.model_validate(groups.info_of(model_group, group)) if group else None

    def get_available_deployment(
        self, model: str, messages: Any = None, input: Any = None, request_kwargs: Mapping[str, Any] | None = None
    ) -> Json:
        """Whom a call would go to now, as it was written. Nothing is sent. Raises as a call."""
        given: Json = {**(request_kwargs or {}), "model": model, "messages": messages, "input": input}
        return driven(self._available(given, asynchronous=False))

    async def async_get_available_deployment(
        self, model: str, request_kwargs: Mapping[str, Any] | None = None, messages: Any = None, input: Any = None
    ) -> Json:
        return await self._available(
            {**(request_kwargs or {}), "model": model, "messages": messages, "input": input}, asynchronous=True
        )

    async def _available(self, given: Json, asynchronous: bool) -> Json:
        with self._lock:  # what is served and what is listed are of one moment
            routed, entries = self._routed, self._entries
        strategy = routed.routing.strategy
        group, bond = await routed.bound(routed.group_for(given), given, asynchronous)
        if bond is not None:
            strategy = bond.over(strategy, routed.aliases.get(given["model"], given["model"]), monotonic())
        chosen = choose(group, strategy, monotonic(), random())
        if chosen is None:
            raise refused_by_all(group, monotonic(), given["model"])
        return next(one.written for one in entries if one.deployment.id == chosen.id)

    def set_custom_routing_strategy(self, CustomRoutingStrategy: types.CustomRoutingStrategyBase) -> None:  # noqa: N803
        """Its methods choose the deployment of a call from now on, wherever that takes calls; else, and for what
        follows a failure, `routing_strategy` does."""
        with self._lock:
            self._picking = Picking(CustomRoutingStrategy)
            self._serve(self._entries)

    # Settings.

    def get_settings(self) -> Json:
        """Those that `update_settings` changes."""
        return {name: self._given[name] for name in CHANGEABLE}

    def update_settings(self, **kwargs: Any) -> None:
        """Arguments of the constructor, for calls from now on. Raises ValueError for one that cannot be changed."""
        fixed = sorted(kwargs.keys() - set(CHANGEABLE))
        if fixed:
            raise ValueError(f"update_settings cannot change {', '.join(fixed)} (but: {', '.join(CHANGEABLE)})")
        with self._lock:
            self._given = checked({**self._given, **kwargs})
            self.set_model_list(self.model_list)

    def reset(self) -> None:
        """Forget what is known of the deployments: who rests, how quick each was, what was used. Not who is busy, nor
        what budgets have spent."""
        self._health.forget()

    def flush_cache(self) -> None:
        """The same, and all answers of its own cache (`cache_responses`)."""
        self.reset()
        if self._cache is not None:
            self._cache.flush_cache()

    def discard(self) -> None:
        """It is used no more: its connections to Redis are closed. Calls go on without."""
        if self._resting is not None:
            self._resting.stop()
            self._resting = None
        if self._cache is not None:
            portal.run_sync(self._cache.disconnect)

    def _found(self, id: str) -> Entry | None:
        return next((one for one in self._entries if one.deployment.id == id), None)

    def _serve(self, entries: tuple[Entry, ...]) -> None:
        self._spending.follow(allowances(self._given, entries))
        strategy = rules.strategy_of(self._given["routing_strategy"])
        ids: set[str] = set()
        for one in entries:
            deployment, id = one.deployment, one.deployment.id
            star = deployment.resolve is not None  # at no provider, until it is asked for a name
            states = {id: "" if star else deployment.target.provider}
            states.update({f"{id}/{name}": name for name in self._given["provider_budget_config"] or () if star})
            for which, provider in states.items():
                state = self._health.of(which)
                budgets = self._spending.holding(state, provider, id)
                state.limit(one.parallel, deployment.rpm, deployment.tpm, budgets)
                rules.observe(state, strategy)
                if which == id:
                    deployment.state = state
                else:
                    deployment.by_provider[provider] = state
            ids |= states.keys()
        listed = [one.deployment for one in entries]
        given = self._given, listed, self._cache, self._lines, self._picking, self._sticking
        self._routed = routed(*given, self._spending)
        self._entries = entries
        self._health.keep(ids)


def _shown(entry: Entry) -> types.Deployment:
    return types.Deployment.model_validate(entry.written)


def _is_hidden(alias: Any) -> bool:
    return not isinstance(alias, str) and bool(alias.get("hidden"))
