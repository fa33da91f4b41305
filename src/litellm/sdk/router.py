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
from typing import Any, Final, cast

from litellm import exceptions as e
from litellm.router import groups
from litellm.router.candidates import wait
from litellm.router.health import Health
from litellm.router.plan import choose
from litellm.router.shared import SharedState
from litellm.sdk import batch
from litellm.sdk.deployments import Entry, entry_of, read
from litellm.sdk.routed import Routed, driven
from litellm.sdk.router_settings import CHANGEABLE, checked, routed, usual
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
        return driven(self._routed.call(op, False, given))

    async def _call(self, op: Op, given: Json) -> Any:
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
        ids = {one.id for one in self._routed.deployments.group(self._routed.aliases.get(model_name, model_name))}
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
        routed = self._routed
        group = routed.group_for({"model": model, **(request_kwargs or {})})
        chosen = choose(group, routed.routing.strategy, monotonic(), random())
        if chosen is None:
            raise e.RouterRateLimitError(model, round(wait(group, monotonic()), 1))
        return cast(Entry, self._found(chosen.id)).written

    async def async_get_available_deployment(
        self, model: str, request_kwargs: Mapping[str, Any] | None = None, messages: Any = None, input: Any = None
    ) -> Json:
        return self.get_available_deployment(model, messages, input, request_kwargs)

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
        """Forget what is known of the deployments: who rests, how quick each was, what was used. Not who is busy."""
        self._health.forget()

    def flush_cache(self) -> None:
        """The same: what is known of deployments is all that a Router keeps."""
        self.reset()

    def _found(self, id: str) -> Entry | None:
        return next((one for one in self._entries if one.deployment.id == id), None)

    def _serve(self, entries: tuple[Entry, ...]) -> None:
        for one in entries:
            deployment = one.deployment
            deployment.state = self._health.of(deployment.id)
            deployment.state.limit(one.parallel, deployment.rpm, deployment.tpm)
        self._routed = routed(self._given, [one.deployment for one in entries])
        self._entries = entries
        self._health.keep({one.deployment.id for one in entries})


def _shown(entry: Entry) -> types.Deployment:
    return types.Deployment.model_validate(entry.written)


def _is_hidden(alias: Any) -> bool:
    return not isinstance(alias, str) and bool(alias.get("hidden"))
