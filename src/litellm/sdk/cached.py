"""The cache for one call: a router that looks there first, and keeps what it had to ask for."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from litellm import exceptions as e
from litellm.caching.answers import MAX_ENTRY
from litellm.caching.controls import NOTHING, Controls, controls
from litellm.caching.keys import cache_key
from litellm.engine.builder import stream_chunk_builder
from litellm.engine.engine import Reply
from litellm.engine.standard import plain
from litellm.engine.streams import EventStream
from litellm.engine.tapped import Tapped
from litellm.router.deployments import Deployment
from litellm.router.router import Router, Served
from litellm.sdk import public
from litellm.sdk.cache import Cache
from litellm.sdk.group_caches import Caching, Owner, owner_of
from litellm.settings import settings
from litellm.types.calls import Ask, Json, Op

if TYPE_CHECKING:
    from litellm.caching.likeness import Likeness, Question
    from litellm.engine.events import Record


class Use:
    """The router's place is taken by this. `hit` is the entry's key, if there was one; `similarity` the cosine of the
    two questions, if another one's answer was given.

    `owner` is None where the key is the caller's own: then nothing but that key tells what is the same.
    """

    def __init__(
        self, cache: Cache, said: Controls, key: str, owner: Owner | None, caching: Caching | None, given: Json
    ) -> None:
        self._cache = cache
        self._said = said
        self._key = key
        self._owner = owner
        self._caching = caching
        self._given = given
        self._router: Router | None = None
        self._question: Question | None = None
        self.hit: str | None = None
        self.similarity: float | None = None

    def over(self, router: Router) -> "Use":
        self._router = router
        return self

    async def send(self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None) -> Served[Reply]:
        assert self._router is not None
        found = await self._found(ask)
        if found is not None:
            return Served(Reply(found, [], 0.0), group[0])
        served = await self._router.send(ask, group, num_retries)
        await self.keep(orjson.dumps(served.result.wire))
        return served

    async def stream(
        self, ask: Ask, group: tuple[Deployment, ...], num_retries: int | None = None
    ) -> Served[EventStream]:
        assert self._router is not None
        found = await self._found(ask)
        if found is not None:
            return await self._router.stream(replace(ask, mock=found), group, 0)
        served = await self._router.stream(ask, group, num_retries)
        served.result = _Kept(served.result, self)
        return served

    def mark(self, hidden: Json, record: "Record | None") -> None:
        """What is said of a hit beside its answer, and to callbacks."""
        if self.hit is not None:
            hidden.update(cache_hit=True, cache_key=self.hit, response_cost=0.0)
            if self.similarity is not None:
                hidden["semantic_similarity"] = self.similarity
        if record is not None:
            record.kwargs["cache_hit"] = self.hit is not None

    async def _found(self, ask: Ask) -> Json | None:
        if not self._said.no_cache:
            found = await self._cache.answers.find(self._key, self._said.max_age)
            if found is not None:
                self.hit = self._key
                return found
        likeness, owner = self._cache.likeness, self._owner
        if likeness is None or owner is None or ask.op != "chat":
            return None
        return await self._alike(likeness, owner, ask)

    async def _alike(self, likeness: "Likeness", owner: Owner, ask: Ask) -> Json | None:
        def bucket_of(rest: Json) -> str | None:
            return _key(self._cache, f"like {likeness.model}", owner, ask, rest, self._said)

        async def embed(text: str) -> Json | None:
            """A call of its own, with its own cost; in the same trace."""
            given: Json = {"model": likeness.model, "input": text, "caching": False, "num_retries": 0}
            given["litellm_trace_id"] = self._given.get("litellm_trace_id") or ask.call_id
            call: Callable[..., Awaitable[Any]] = public.function("aembedding")
            if self._caching is not None:
                call = self._caching.embed
            return plain(await call(**given))

        self._question, like = await likeness.look(self._said, ask.params, bucket_of, embed)
        if like is None:
            return None
        self.hit, self.similarity = like.key, like.similarity
        return like.answer

    async def keep(self, wire: bytes) -> None:
        if self._said.no_store:
            return
        answers, likeness = self._cache.answers, self._cache.likeness
        seconds = answers.seconds(self._said)
        await answers.keep(self._key, wire, seconds)
        if likeness is not None and self._question is not None:
            await likeness.place(self._question, self._key, seconds)

    async def keep_stream(self, chunks: list[bytes]) -> None:
        made = stream_chunk_builder([orjson.loads(chunk) for chunk in chunks], self._given.get("messages"))
        if made is not None:
            await self.keep(orjson.dumps(made.model_dump(exclude_none=True)))


def use(op: Op, given: Json, ask: Ask, deployment: Deployment) -> Use | None:
    """None for a call without the cache. Raises BadRequestError for controls that make no sense."""
    caching = given.get("caching")
    routed = caching if isinstance(caching, Caching) else None
    cache = settings.cache if routed is None or routed.cache is None else routed.cache
    if not isinstance(cache, Cache) or caching is False or not cache.answers.takes(op):
        return None
    said = _said(given, ask.model)
    wanted = said.use_cache or (bool(caching) if routed is None else routed.asked)
    if cache.mode == "default_off" and not wanted:
        return None
    key, owner = given.get("preset_cache_key"), None
    if not key and "get_cache_key" in vars(cache):  # the caller's own
        key = cache.get_cache_key(**given)
    elif not key:
        owner = (None if routed is None else routed.owner) or owner_of(deployment.target)
        key = _key(cache, op, owner, ask, ask.params, said)
    return None if key is None else Use(cache, said, key, owner, routed, given)


def _said(given: Json, model: str) -> Controls:
    if given.get("cache") is None and given.get("ttl") is None:
        return NOTHING
    ttl = {} if given.get("ttl") is None else {"ttl": given["ttl"]}
    try:
        return controls({**ttl, **(given.get("cache") or {})})
    except (TypeError, ValueError) as error:
        raise e.BadRequestError(message=f"cache: {error}", llm_provider="", model=model) from None


def _key(cache: Cache, op: str, owner: Owner, ask: Ask, params: Json, said: Controls) -> str | None:
    """Of an ask with these parameters in place of its own."""
    asked = params if ask.mock_tool_calls is None else {**params, "mock_tool_calls": ask.mock_tool_calls}
    namespace = said.namespace or cache.namespace or ""
    return cache_key(owner.scope, op, owner.model, asked, namespace=namespace, mock=ask.mock)


class _Kept(Tapped):
    """A stream whose chunks are kept when it has come to its end."""

    __slots__ = ("_chunks", "_size", "_use")

    def __init__(self, inner: EventStream, use: Use) -> None:
        super().__init__(inner)
        self._use = use
        self._chunks: list[bytes] = []
        self._size = 0

    def heard(self, data: bytes) -> None:
        """The SDK takes chunks, not bytes."""

    async def batch(self) -> list[Json]:
        chunks = await super().batch()
        if not chunks:
            if self._chunks and self._size <= MAX_ENTRY:
                await self._use.keep_stream(self._chunks)
            self._chunks = []
            return chunks
        for chunk in chunks:  # as they are now: the taker changes them
            written = orjson.dumps(chunk)
            self._size += len(written)
            if self._size <= MAX_ENTRY:
                self._chunks.append(written)
        return chunks
