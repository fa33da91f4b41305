"""A cache in a Redis or Valkey, shared by all that say the same prefix. The server bounds its memory and expires."""

import re
from typing import Any, Final

from litellm.caching.base import Unreachable
from litellm.kv.connection import Argument, RedisError, Reply
from litellm.kv.redis import Redis, RedisDown

_SOME: Final = 500
_GLOB: Final = re.compile(r"([*?\[\]\\])")


class RedisStore:
    """For one event loop, as its connection is. Owns the connection."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis = redis
        self._prefix = prefix

    def here(self, key: str) -> bytes | None:
        return None

    async def get(self, key: str) -> bytes | None:
        found = await self._ask("GET", self._prefix + key)
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self._ask("SET", self._prefix + key, value, "PX", max(1, round(ttl * 1000)))

    async def delete(self, key: str) -> None:
        await self._ask("UNLINK", self._prefix + key)

    async def flush(self) -> None:
        pattern = _GLOB.sub(r"\\\1", self._prefix) + "*"
        cursor: Argument = b"0"
        while True:
            page: Any = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", _SOME)
            cursor, keys = page
            if keys:
                await self._ask("UNLINK", *keys)
            if cursor == b"0":
                return

    async def info(self) -> dict[str, str]:
        """The server's own sections, as one."""
        return dict(line.split(":", 1) for line in (await self._text("INFO")).splitlines() if ":" in line)

    async def clients(self) -> list[dict[str, str]]:
        """Everybody who is connected to the server."""
        lines = (await self._text("CLIENT", "LIST")).splitlines()
        return [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines]

    async def _text(self, *args: Argument) -> str:
        reply = await self._ask(*args)
        return reply.decode(errors="replace") if isinstance(reply, bytes) else ""

    async def aclose(self) -> None:
        await self.redis.aclose()

    async def _ask(self, *args: Argument) -> Reply:
        try:
            return await self.redis.command(*args)
        except (RedisDown, RedisError) as error:
            raise Unreachable(str(error)) from None
