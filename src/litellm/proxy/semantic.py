"""The semantic cache: a chat that nobody has asked word for word may get the answer of one that means the same.

Nothing but the last message's text may differ; tenant, model and all parameters are the exact cache's. A question is
embedded by one of the gateway's own model groups.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import cast

from litellm import exceptions as e
from litellm.caching.answers import Answers
from litellm.caching.controls import Controls
from litellm.caching.likeness import Like, Likeness, Question
from litellm.caching.semantic import SemanticStore
from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import headers, prices, regions
from litellm.proxy.cached import Cache, CachedRouter, Group
from litellm.proxy.charge import TIMED_OUT
from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.errors import DISCONNECTED
from litellm.proxy.exchange import Exchange
from litellm.proxy.metrics import Metrics
from litellm.router.deployments import Deployment
from litellm.router.router import Router, Served
from litellm.types.calls import Ask, Json, as_object


@dataclass(slots=True, kw_only=True)
class SemanticCache(Cache):
    likeness: Likeness

    def around(self, router: Router, exchange: Exchange, scope: str, said: Controls) -> CachedRouter:
        return SemanticRouter(self, router, exchange, scope, said)

    def embedders(self, router: Router, ask: Ask) -> Group:
        return router.deployments.group(self.likeness.model) if ask.op == "chat" else ()

    async def embed(self, router: Router, exchange: Exchange, text: str) -> Json | None:
        """For the call's account and in its regions; without fallbacks, which would be other models."""
        model = self.likeness.model
        group = router.deployments.group(model)
        if exchange.bound is not None:
            group = regions.within(exchange.bound.regions, group)
        if not group:
            return None
        try:
            served = await router.send(Ask("embedding", model, {"input": text}, fallbacks=()), group, 0)
        except (asyncio.CancelledError, e.Timeout):  # nobody has got it, and it may be billed all the same
            if exchange.charge is not None:  # by the group's first, if it has several
                exchange.charge.embedded(group[0], None, None, DISCONNECTED if exchange.gone else TIMED_OUT)
            raise
        self._used(served, group, exchange)
        return served.result.wire

    def _used(self, served: Served[Reply], group: Group, exchange: Exchange) -> None:
        reply, deployment, made = served.result, served.deployment, None
        usage = as_object(reply.wire.get("usage"))
        if usage:
            self.metrics.used(group[0].model_name, usage)
            deployment.used(usage)
            made = prices.of_answer(deployment, reply.wire, usage, reply.seconds)
        if exchange.charge is not None:
            exchange.charge.embedded(deployment, usage, made)


def make(settings: CacheParams, answers: Answers, metrics: Metrics) -> SemanticCache:
    """For settings that have passed the config's check, and answers in their semantic store."""
    vectors, least = cast(SemanticStore, answers.store), settings.similarity_threshold or 1.0
    likeness = Likeness(answers, vectors, settings.embeds_with or "", least)
    return SemanticCache(settings, answers, metrics, likeness=likeness)


class SemanticRouter(CachedRouter):
    """For one call: the cache by its words, the cache by its meaning, then the router."""

    __slots__ = ("_question", "_semantic")

    def __init__(self, cache: SemanticCache, router: Router, exchange: Exchange, scope: str, said: Controls) -> None:
        super().__init__(cache, router, exchange, scope, said)
        self._semantic = cache
        self._question: Question | None = None

    async def _ask(
        self, key: str, ask: Ask, group: Group, num_retries: int | None
    ) -> tuple[Served[Reply], bytes | None]:
        """Who waits for the same words looks by itself: the answer is kept under others, and may have another age."""
        found = await self._alike(ask, group)
        if found is None:
            return await super()._ask(key, ask, group, num_retries)
        like, served_by = found
        return self._whole(like.key, ask, like.answer, served_by), None

    async def _open(self, key: str, ask: Ask, group: Group, num_retries: int | None) -> Served[EventStream]:
        found = await self._alike(ask, group)
        if found is None:
            return await super()._open(key, ask, group, num_retries)
        like, served_by = found
        return await self._played(like.key, ask, like.answer, served_by)

    async def _alike(self, ask: Ask, group: Group) -> tuple[Like, Deployment] | None:
        """The answer to the nearest question that is near enough, and who is said to have served it."""
        if ask.op != "chat":
            return None
        likeness = self._semantic.likeness

        def bucket_of(rest: Json) -> str | None:
            return self._key_of(f"like {likeness.model}", rest, ask, group)

        embed = partial(self._semantic.embed, self._router, self._exchange)
        with self._unsent():
            self._question, like = await likeness.look(self._said, ask.params, bucket_of, embed)
        if like is None:
            return None
        told = headers.line("x-litellm-semantic-similarity", f"{like.similarity:.4f}")
        return like, self._hit(like.key, group, told)

    async def _keep(self, key: str, wire: bytes) -> None:
        await super()._keep(key, wire)
        if self._question is not None:
            await self._semantic.likeness.place(self._question, key, self._semantic.answers.seconds(self._said))
            self._semantic.count()
