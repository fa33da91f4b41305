"""The semantic cache: a chat that nobody has asked word for word may get the answer of one that means the same.

Nothing but the last message's text may differ; tenant, model and all parameters are the exact cache's. A question is
embedded by one of the gateway's own model groups. If that fails or takes long, the call goes on without.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from litellm import exceptions as e
from litellm.caching import semantic
from litellm.caching.base import Unreachable
from litellm.caching.controls import Controls
from litellm.caching.semantic import Near, SemanticStore, Vector
from litellm.caching.semantic_memory import SemanticMemoryStore
from litellm.engine.engine import Reply
from litellm.engine.streams import EventStream
from litellm.proxy import headers, prices, regions
from litellm.proxy.cached import Cache, CachedRouter, Group, redis_place
from litellm.proxy.config.cache_params import CacheParams
from litellm.proxy.exchange import Exchange
from litellm.proxy.metrics import Metrics
from litellm.router.deployments import Deployment
from litellm.router.router import Router, Served
from litellm.types.calls import Ask, Json, as_object

EMBED_SECONDS: Final = 2.0
REST_SECONDS: Final = 10.0
"""How long nothing is embedded after an embedding took too long: not every call shall wait for it."""

_log = logging.getLogger("litellm.proxy")


@dataclass(slots=True, kw_only=True)
class SemanticCache(Cache):
    """`vectors` is the store once more, by what else it can do."""

    vectors: SemanticStore
    model: str
    least: float
    """The cosine from which on two questions are the same."""
    rests_until: float = 0.0
    """In the loop's time."""
    embeds: bool = True
    """Said to the log once when it changes."""

    def around(self, router: Router, exchange: Exchange, scope: str, said: Controls) -> CachedRouter:
        return SemanticRouter(self, router, exchange, scope, said)

    def embedders(self, router: Router, ask: Ask) -> Group:
        return router.deployments.group(self.model) if ask.op == "chat" else ()

    async def embed(self, router: Router, text: str, exchange: Exchange) -> Vector | None:
        """For the call's account and in its regions; without fallbacks, which would be other models."""
        clock = asyncio.get_running_loop().time
        group = router.deployments.group(self.model)
        if exchange.bound is not None:
            group = regions.within(exchange.bound.regions, group)
        if not group or clock() < self.rests_until:
            return None
        try:
            async with asyncio.timeout(EMBED_SECONDS):
                served = await router.send(Ask("embedding", self.model, {"input": text}, fallbacks=()), group, 0)
        except TimeoutError:
            self.rests_until = clock() + REST_SECONDS
            return self._failed(f"no answer within {EMBED_SECONDS:g} s")
        except e.LiteLLMError as error:  # its text may repeat the question
            return self._failed(type(error).__name__)
        self._used(served, group, exchange)
        made = semantic.vector(served.result.wire)
        if made is None:
            return self._failed("the answer has no embedding")
        self.embeds = True
        return made

    def _used(self, served: Served[Reply], group: Group, exchange: Exchange) -> None:
        reply, deployment, made = served.result, served.deployment, None
        usage = as_object(reply.wire.get("usage"))
        if usage:
            self.metrics.used(group[0].model_name, usage)
            deployment.used(usage)
            made = prices.of_answer(deployment, reply.wire, usage, reply.seconds)
        if exchange.charge is not None:
            exchange.charge.embedded(deployment, usage, made)

    def _failed(self, why: str) -> None:
        if self.embeds:
            _log.warning("%s does not embed, the cache finds only the same words: %s", self.model, why)
        self.embeds = False

    async def near(self, bucket: str, asked: Vector) -> list[Near]:
        try:
            return await self.vectors.near(bucket, asked, self.least)
        except Unreachable as error:
            self.unreachable(error)
            return []

    async def place(self, bucket: str, key: str, vector: Vector, ttl: float) -> None:
        try:
            await self.vectors.place(bucket, key, vector, ttl)
        except Unreachable as error:
            self.unreachable(error)
        self.count()


def make(settings: CacheParams, metrics: Metrics) -> SemanticCache:
    """For settings that have passed the config's check. Raises as `cached.make` does."""
    store = _store(settings)
    model, least = settings.embeds_with or "", settings.similarity_threshold or 1.0
    return SemanticCache(settings, store, metrics, vectors=store, model=model, least=least)


def _store(settings: CacheParams) -> SemanticStore:
    if settings.is_in_redis:
        from litellm.caching.semantic_redis import SemanticRedisStore

        return SemanticRedisStore(*redis_place(settings, "semantic"))
    size = settings.max_size_in_memory
    return SemanticMemoryStore() if size is None else SemanticMemoryStore(size)


class SemanticRouter(CachedRouter):
    """For one call: the cache by its words, the cache by its meaning, then the router."""

    __slots__ = ("_asked", "_semantic")

    def __init__(self, cache: SemanticCache, router: Router, exchange: Exchange, scope: str, said: Controls) -> None:
        super().__init__(cache, router, exchange, scope, said)
        self._semantic = cache
        self._asked: tuple[str, Vector] | None = None
        """The bucket and the embedding of this call's question."""

    async def _ask(
        self, key: str, ask: Ask, group: Group, num_retries: int | None
    ) -> tuple[Served[Reply], bytes | None]:
        """Who waits for the same words looks by itself: the answer is kept under others, and may have another age."""
        found = await self._alike(ask, group)
        if found is None:
            return await super()._ask(key, ask, group, num_retries)
        return Served(Reply(found[0], [], 0.0), found[1]), None

    async def _open(self, key: str, ask: Ask, group: Group, num_retries: int | None) -> Served[EventStream]:
        found = await self._alike(ask, group)
        if found is None:
            return await super()._open(key, ask, group, num_retries)
        return await self._played(ask, *found)

    async def _alike(self, ask: Ask, group: Group) -> tuple[Json, Deployment] | None:
        """The answer to the nearest question that is near enough, and who is said to have served it."""
        said, cache = self._said, self._semantic
        asked = semantic.question(ask.params) if ask.op == "chat" and not (said.no_cache and said.no_store) else None
        if asked is None:
            return None
        text, rest = asked
        bucket = self._key_of(f"like {cache.model}", rest, ask, group)
        vector = await cache.embed(self._router, text, self._exchange)
        if bucket is None or vector is None:
            return None
        self._asked = bucket, vector
        if said.no_cache:  # the embedding is for the answer to come
            return None
        for key, similarity in await cache.near(bucket, vector):
            answer = await cache.find(key, said.max_age)
            if answer is not None:
                told = headers.line("x-litellm-semantic-similarity", f"{similarity:.4f}")
                return answer, self._hit(key, group, told)
        return None

    async def _keep(self, key: str, wire: bytes) -> None:
        await super()._keep(key, wire)
        if self._asked is not None:
            bucket, vector = self._asked
            await self._semantic.place(bucket, key, vector, self._semantic.seconds(self._said))
