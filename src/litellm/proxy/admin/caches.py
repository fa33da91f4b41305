"""`/cache/*`: whether the response cache answers, and forgetting what it holds. For a `proxy_admin` only."""

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from litellm.caching.base import Unreachable
from litellm.caching.redis import RedisStore
from litellm.proxy.admin import answers, schemas
from litellm.proxy.errors import ProxyError
from litellm.types.calls import Json

if TYPE_CHECKING:
    from litellm.proxy.app import Gateway
    from litellm.proxy.cached import Cache

PROBE: Final = "litellm-cache-ping"
PROBE_SECONDS: Final = 10.0

router = APIRouter(tags=["cache"], responses=schemas.INVALID)


class Keys(BaseModel):
    keys: list[str] = Field(min_length=1, max_length=1000, description="As hits say them: x-litellm-cache-key.")


class Status(BaseModel):
    status: str


class Ping(Status):
    cache_type: str
    ping_response: bool
    set_cache_response: str


class RedisInfo(BaseModel):
    num_clients: int
    clients: list[dict[str, str]] = Field(description="As CLIENT LIST has them.")
    info: dict[str, str] = Field(description="As INFO has them.")


@router.get("/cache/ping", summary="Does the cache answer?", **answers.of(Ping))
async def ping(request: Request) -> Json:
    """Writes an entry and reads it again. 503 if that fails, and if there is no cache."""
    cache = _cache(request, 503)
    try:
        await cache.store.set(PROBE, b"1", PROBE_SECONDS)
        found = await cache.store.get(PROBE)
        await cache.store.delete(PROBE)
    except Unreachable as error:
        raise _away(error) from None
    if found != b"1":
        raise _away("it has not kept an entry")
    return {"status": "healthy", "cache_type": _kind(cache), "ping_response": True, "set_cache_response": "success"}


@router.post("/cache/delete", summary="Forget answers by their keys", **answers.of(Status))
async def delete(request: Request, asked: Keys) -> Json:
    """A key that is not there is no error. Of a cache in memory: the answering worker's."""
    cache = _cache(request)
    try:
        for key in asked.keys:
            await cache.store.delete(key)
    except Unreachable as error:
        raise _away(error) from None
    cache.count()
    return {"status": "success"}


@router.post("/cache/flushall", summary="Forget all answers", **answers.of(Status))
async def flushall(request: Request) -> Json:
    """This cache's, and nothing else that the Redis holds. Of a cache in memory: the answering worker's."""
    cache = _cache(request)
    try:
        await cache.store.flush()
    except Unreachable as error:
        raise _away(error) from None
    cache.count()
    return {"status": "success"}


@router.get("/cache/redis/info", summary="What the cache's Redis says of itself", **answers.of(RedisInfo))
async def redis_info(request: Request) -> Json:
    store = _cache(request).store
    if not isinstance(store, RedisStore):
        raise ProxyError(400, "The cache is not in Redis")
    try:
        clients, info = await store.clients(), await store.info()
    except Unreachable as error:
        raise _away(error) from None
    return {"num_clients": len(clients), "clients": clients, "info": info}


def _cache(request: Request, absent: int = 400) -> "Cache":
    """`absent`: the status if there is none. Only a probe asks whether there is one; to ask again would not help."""
    gateway: Gateway = request.app.state.gateway
    cache = gateway.snapshot.cache
    if cache is None:
        raise ProxyError(absent, "There is no cache: litellm_settings.cache is not true", "cache_ping_error")
    return cache


def _kind(cache: "Cache") -> str:
    return cache.settings.type or "local"


def _away(why: Any) -> ProxyError:
    return ProxyError(503, f"The cache cannot be asked: {why}", "cache_ping_error")
