"""The calls of `litellm.Router`: a public function's arguments, through the router, to a public function.

Each attempt is a call of `litellm.acompletion` (and its kin) as the caller's own would be: with its callbacks, its
exceptions, and whatever an instrumentor has put in its place. Synchronous calls are the same coroutine over functions
that block, so that it never waits and is driven in the caller's thread, without an event loop.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import random
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from litellm import exceptions as e
from litellm.catalog import params as names
from litellm.engine.engine import Engine, Reply
from litellm.engine.streams import EventStream
from litellm.router import mocking, prechecks
from litellm.router.affinity import Bond
from litellm.router.deployments import Deployment, Deployments
from litellm.router.fallbacks import Fallbacks
from litellm.router.plan import RetryPolicy, Routing, choose
from litellm.router.router import Router, Served
from litellm.router.rules import fallback_lists, fallbacks_of
from litellm.router.spending import Spending, reached
from litellm.router.tags import tagged
from litellm.sdk import public
from litellm.sdk import spending as costs
from litellm.sdk.deployments import Asked
from litellm.sdk.group_caches import Caching, GroupCaches
from litellm.sdk.lines import Lines
from litellm.sdk.picking import Picked, Picking, Sticking
from litellm.sdk.prechecks import tokens_of
from litellm.settings import settings
from litellm.types.calls import Call, Json, Op, as_list, as_object

T = TypeVar("T")

Group = tuple[Deployment, ...]

_FUNCTIONS: Final[dict[Op, str]] = {"chat": "completion", "completion": "text_completion", "embedding": "embedding"}

_TABLES: Final = ("context_window_fallbacks", "content_policy_fallbacks")

_OURS: Final = frozenset(
    {
        "model", "fallbacks", "disable_fallbacks", "num_retries", "max_retries", "priority", *_TABLES,
        *mocking.FAILURES,
    }
)  # fmt: skip
"""Arguments that end here; all others are the public function's."""


class Answered(Reply):
    """What a public function returned."""

    __slots__ = ("made",)

    def __init__(self, made: Any) -> None:
        super().__init__({}, [], 0.0)
        self.made = made


class Opened(EventStream):
    """A stream that a public function returned."""

    __slots__ = ("made",)

    def __init__(self, made: Any) -> None:
        # Not the parent's: the stream is within what was made.
        self.made = made

    @property
    def on_close(self) -> Callable[[], None] | None:
        return self.made.on_close

    @on_close.setter
    def on_close(  # pyright: ignore[reportIncompatibleVariableOverride]  # kept by the stream within
        self, called: Callable[[], None] | None
    ) -> None:
        if hasattr(self.made, "on_close"):
            self.made.on_close = called
        elif called is not None:  # another's wrapper around ours: nobody will say when it has ended
            called()

    @property
    def on_broke(self) -> Callable[[e.LiteLLMError], None] | None:
        return self.made.on_broke

    @on_broke.setter
    def on_broke(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, called: Callable[[e.LiteLLMError], None] | None
    ) -> None:
        if hasattr(self.made, "on_broke"):
            self.made.on_broke = called

    def close(self) -> None:
        self.made.close()


class PublicCalls(Engine):
    """Carries calls by the public functions. `asynchronous`: by those that are awaited."""

    __slots__ = ("_asynchronous",)

    def __init__(self, asynchronous: bool) -> None:
        # Not the parent's: connections are those of the functions.
        self._asynchronous = asynchronous

    async def send(self, call: Call) -> Reply:
        return Answered(await self._made(call))

    async def stream(self, call: Call, commit_seconds: float | None = None) -> EventStream:
        return Opened(await self._made(call))

    async def _made(self, call: Call) -> Any:
        name = _FUNCTIONS[call.op]
        if self._asynchronous:
            return await public.function(f"a{name}")(**call.params)
        return public.function(name)(**call.params)


async def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251  # a synchronous caller's own thread


def driven(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        call.send(None)
    except StopIteration as ended:
        return cast(T, ended.value)
    call.close()
    raise RuntimeError("a synchronous call of litellm.Router waited for an event loop")


@dataclass(frozen=True, slots=True)
class Routed:
    """What calls go by: built anew for every change, while those under way keep theirs."""

    deployments: Deployments
    policy: RetryPolicy
    routing: Routing
    fallbacks: Fallbacks
    aliases: Mapping[str, str]
    any_tag: bool | None
    """Calls with tags go to deployments with one of these tags (True), or with all (False). None: anywhere."""
    checks: bool
    """Prompts go only where they fit (`prechecks.py`)."""
    caches: GroupCaches
    lines: Lines
    picking: Picking | None
    """The caller's own strategy."""
    sticking: Sticking | None
    spending: Spending | None
    """What providers and deployments have spent, if any of them has a budget."""
    routers: tuple[Router, Router] = field(init=False)
    """For synchronous callers, and for asynchronous ones."""

    def __post_init__(self) -> None:
        given = self.deployments, PublicCalls(False), self.policy, None, self.routing, self.fallbacks
        waits = self.deployments, PublicCalls(True), self.policy, None, self.routing, self.fallbacks
        object.__setattr__(self, "routers", (Router(*given, sleep=_sleep), Router(*waits)))

    async def call(self, op: Op, asynchronous: bool, given: Json) -> Any:
        """`given` are the caller's arguments, `model` a model group, an alias or a deployment's id. Raises as the
        public functions; BadRequestError for a model that nobody serves; RouterRateLimitError if all are resting,
        BudgetReached if their budgets are used up."""
        given = {name: value for name, value in given.items() if value is not None}
        ask = self._ask(op, given)
        tags = _tags(given)
        group = self.group(ask.model, tags)
        tokens = None
        if self.checks and op == "chat":
            tokens = await tokens_of(given, group[0].target.model, asynchronous)
            roomy = prechecks.fitting(group, tokens)
            if not roomy and ask.failure is None:
                ask.failure = prechecks.too_long(ask.model, tokens)
            group = roomy or group
        if self.any_tag is not None or tokens is not None:
            ask.fit = partial(self._fit, tags, tokens)
        if self.caches.used and given.get("caching") is not False:
            ask.caching = partial(self._caching, given, tags, ask.changes)
        bound, ask.bond = await self.bound(group, given, asynchronous)
        if bound is not group:
            group, ask.model = bound, bound[0].model_name
        if "priority" in given:
            return await self._in_line(asynchronous, given, ask, group)
        return await self._sent(asynchronous, given, ask, group)

    async def _sent(self, asynchronous: bool, given: Json, ask: Asked, group: Group) -> Any:
        router, retries = self._router(asynchronous, given), _retries(given, ask.model)
        if ask.stream:
            streamed = await router.stream(ask, group, retries)
            return self._told(cast(Opened, streamed.result).made, streamed, ask)
        served = await router.send(ask, group, retries)
        return self._told(cast(Answered, served.result).made, served, ask)

    async def _in_line(self, asynchronous: bool, given: Json, ask: Asked, group: Group) -> Any:
        """Once it is this call's turn, and a deployment takes it. Raises Timeout, after the call's own timeout."""
        clock, sleep = time.monotonic, asyncio.sleep if asynchronous else _sleep
        until = clock() + _seconds(given.get("timeout"), group[0].defaults.get("timeout"))
        with self.lines.join(tuple(one.id for one in group), _whole(given, "priority")) as place:
            ask.begun = place.leave
            while await place.turn(lambda: self._has_room(group, clock()), until, sleep):
                try:
                    return await self._sent(asynchronous, given, ask, group)
                except e.RouterRateLimitError:  # somebody who does not wait has taken the slot
                    if place.left:
                        raise
        text = f"No deployment of {ask.model} took the call in time"
        raise e.Timeout(message=text, model=ask.model, llm_provider="")

    def _has_room(self, group: Group, now: float) -> bool:
        """Whether a call need not wait: somebody takes it, or nobody will before long, for want of money."""
        return choose(group, self.routing.strategy, now, random()) is not None or reached(group, now) is not None

    def _caching(self, given: Json, tags: tuple[str, ...], changes: Mapping[str, Json] | None, model: str) -> Caching:
        """For an attempt at a model group. With credentials of the caller's own an answer is not the group's; and where
        tags say which deployments may serve, other tags are another model."""
        changed = (changes or {}).get(model) or {}
        own = any(names.is_credential(name) for name in (*given, *changed))
        owner = None if own else self.caches.owner(model)
        if owner is not None and self.any_tag is not None:
            owner = replace(owner, model="\n".join((owner.model, *sorted(tags))))
        return Caching(self.caches.own, owner, bool(given.get("caching")), self._embed)

    async def _embed(self, **given: Any) -> Any:
        """By a model group of the name, if there is one."""
        if self.deployments.group(self.aliases.get(given["model"], given["model"])):
            return await self.call("embedding", True, {**given, "disable_fallbacks": True})
        return await public.function("aembedding")(**given)

    async def bound(self, group: Group, given: Json, asynchronous: bool) -> tuple[Group, Picked | Bond | None]:
        """Who may serve a call with these arguments, and who is preferred of them, if anybody is."""
        if self.picking is not None:
            group, picked = await self.picking.picked(group, self.deployments, given, asynchronous)
            if picked is not None:
                return group, picked
        return group, None if self.sticking is None else self.sticking.bond(given)

    def group(self, model: str, tags: tuple[str, ...] = ()) -> Group:
        """The deployments that may serve a call. Raises BadRequestError, AuthenticationError (by the tags: 401)."""
        name = self.aliases.get(model, model)
        group = self.deployments.group(name)
        if not group:
            one = self.deployments.by_id(model)
            if one is not None:
                return (one,)
            raise e.BadRequestError(
                message=f"You passed in model={model}. There is no 'model_name' with this string", llm_provider="",
                model=model,
            )  # fmt: skip
        if self.any_tag is None:
            return group
        fitting = tagged(group, tags, self.any_tag)
        if not fitting:
            text = f"No deployments available for model={model} with tags {list(tags)}"
            raise e.AuthenticationError(message=text, llm_provider="", model=model)
        return fitting

    def _fit(self, tags: tuple[str, ...], tokens: int | None, group: Group) -> Group:
        """Those of a fallback's deployments that may serve a call."""
        group = group if self.any_tag is None else tagged(group, tags, self.any_tag)
        return group if tokens is None else prechecks.fitting(group, tokens)

    def group_for(self, given: Json) -> Group:
        """The deployments that may serve a call with these arguments. Raises as `group`."""
        return self.group(given["model"], _tags(given))

    def _ask(self, op: Op, given: Json) -> Asked:
        asked = given.get("model")
        if not isinstance(asked, str) or not asked:
            raise e.BadRequestError(message="model must be a non-empty string", llm_provider="", model=str(asked))
        model = self.aliases.get(asked, asked)
        params = {name: value for name, value in given.items() if name not in _OURS}
        params.setdefault("litellm_trace_id", str(uuid4()))  # one for all attempts
        ask = Asked(op, model, params, bool(given.get("stream")), first=model, failure=_tested(given, model))
        ask.fallbacks, ask.changes = self._own(given, model)
        return ask

    def _own(self, given: Json, model: str) -> tuple[tuple[str, ...] | None, Mapping[str, Json]]:
        """The caller's own fallbacks, and what some of them say beside their name. Raises BadRequestError."""
        if given.get("disable_fallbacks"):
            return (), {}
        listed: list[str] = []
        changes: dict[str, Json] = {}
        for one in as_list(given.get("fallbacks")) or ():
            row = as_object(one)
            if isinstance(one, str):
                listed.append(self.aliases.get(one, one))
            elif row is not None and isinstance(row.get("model"), str):
                name = self.aliases.get(row["model"], row["model"])
                listed.append(name)
                changes[name] = {key: value for key, value in row.items() if key != "model"}
            else:
                table = _checked_lists("fallbacks", [one], model)
                others = next((table[key] for key in (given["model"], model, "*") if key in table), ())
                listed += [self.aliases.get(name, name) for name in others]
        return tuple(listed) or None, changes

    def _told(self, made: Any, served: Served[Any], ask: Asked) -> Any:
        """The answer, with what the router did; its deployment and its budgets learn what was used."""
        hidden = as_object(getattr(made, "_hidden_params", None))
        if hidden is None:  # another's function has answered
            return made
        headers = hidden.setdefault("additional_headers", {})
        headers["x-litellm-model-group"] = ask.model if not served.fallbacks else served.deployment.model_name
        headers["x-litellm-attempted-retries"] = served.retries
        headers["x-litellm-attempted-fallbacks"] = served.fallbacks
        deployment = served.deployment
        if ask.stream:
            ended = getattr(made, "on_close", None)
            if ended is not None:
                chunks = getattr(made, "chunks", ())
                made.on_close = partial(self._ended, ended, deployment, hidden, chunks, ask.params)
        elif not hidden.get("cache_hit"):
            _count(deployment, getattr(made, "usage", None))
            if self.spending is not None:
                self.spending.count(deployment.target.provider, deployment.id, costs.of_answer(hidden))
        return made

    def _ended(
        self, ended: Callable[[], None], deployment: Deployment, hidden: Json, chunks: Sequence[Any], params: Json
    ) -> None:
        """A stream has. This does not hold the stream itself: one that is dropped must end at once."""
        ended()
        if not hidden.get("cache_hit"):
            _count(deployment, hidden.get("usage"))
            if self.spending is not None:
                nano = costs.of_stream(hidden, chunks, params)
                self.spending.count(deployment.target.provider, deployment.id, nano)

    def _router(self, asynchronous: bool, given: Json) -> Router:
        """The common one, unless the call brings tables of fallbacks of its own."""
        usual = self.routers[asynchronous]
        if given.keys().isdisjoint(_TABLES):
            return usual
        window, policy = (_checked_lists(name, given.get(name) or [], given["model"]) for name in _TABLES)
        theirs = fallbacks_of(self.aliases, {}, window, policy, (), None)
        both = replace(
            self.fallbacks,
            context_window=theirs.context_window or self.fallbacks.context_window,
            content_policy=theirs.content_policy or self.fallbacks.content_policy,
        )
        return replace(self, fallbacks=both).routers[asynchronous]


def _checked_lists(name: str, value: Any, model: str) -> dict[str, tuple[Any, ...]]:
    try:
        return fallback_lists(value)
    except ValueError as error:
        raise e.BadRequestError(message=f"{name}: {error}", llm_provider="", model=model) from None


def _tested(given: Json, model: str) -> e.LiteLLMError | None:
    """What a `mock_testing_...` argument asks for. Only a rate limit is tried again."""
    for name, kind in mocking.FAILURES.items():
        if given.get(name):
            error = kind(message=f"This is a mock exception for model={model}, by {name}", llm_provider="", model=model)
            error.retryable = kind is e.RateLimitError
            return error
    return None


def _tags(given: Json) -> tuple[str, ...]:
    metadata = as_object(given.get("metadata")) or {}
    listed = [*(as_list(metadata.get("tags")) or ()), *(as_list(given.get("tags")) or ())]
    return tuple(dict.fromkeys(map(str, listed)))


def _retries(given: Json, model: str) -> int | None:
    for name in ("num_retries", "max_retries"):
        if name in given:
            return max(0, _whole(given, name))
    return None


def _whole(given: Json, name: str) -> int:
    try:
        return int(given[name])
    except (TypeError, ValueError):
        raise e.BadRequestError(
            message=f"{name} must be a number, not {given[name]!r}", llm_provider="", model=given["model"]
        ) from None


def _seconds(*given: Any) -> float:
    """The first that is a number."""
    return next((float(one) for one in given if isinstance(one, int | float)), settings.request_timeout)


def _count(deployment: Deployment, usage: Any) -> None:
    deployment.used({"total_tokens": getattr(usage, "total_tokens", None)})
