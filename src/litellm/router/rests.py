"""Processes tell each other, through Redis, which deployments rest: the first to fail speaks for all.

A set of deployments by when their rest ends, in Redis's own time. It is asked once a second, and at once by who has
something to tell. A rest that a check has ended is taken out of it. Without Redis each finds out for itself, and tells
of what still holds once Redis is back.
"""

import asyncio
import contextlib
import logging
from math import ceil
from threading import Lock
from time import monotonic
from typing import Final

from litellm.kv.redis import Redis, RedisDown, RedisError, Script
from litellm.router.health import Health

EVERY_SECONDS: Final = 1.0
SLACK: Final = 0.1
"""Seconds: a rest that ends so soon is not worth hearing of; nor is one's own, told back."""
_KEY: Final = "{litellm}:rests"

_SHARE: Final = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for at = 1, #ARGV, 2 do
  local left = tonumber(ARGV[at + 1])
  local known = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[at]) or '0')
  if left == 0 then redis.call('ZREM', KEYS[1], ARGV[at])
  elseif now + left > known then redis.call('ZADD', KEYS[1], string.format('%.0f', now + left), ARGV[at]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local found = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for at = 2, #found, 2 do found[at] = tonumber(found[at]) - now end
return found
""")
"""ARGV: deployment, milliseconds (0: its rest has ended), and so on. All that rest now: deployment, milliseconds that
are left."""

_log: Final = logging.getLogger("litellm")


class Rests:
    """Of one process, in the running loop, until `aclose`, which closes `redis`, too. Any thread may let a deployment
    rest."""

    def __init__(self, redis: Redis, health: Health) -> None:
        self._redis = redis
        self._health = health
        self._new: dict[str, float] = {}  # until when it rests; 0: no longer
        self._lock = Lock()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        health.share(self._tell)
        self._running = asyncio.create_task(self._run())

    def _tell(self, deployment_id: str, seconds: float) -> None:
        with self._lock:
            self._new[deployment_id] = monotonic() + seconds if seconds else 0.0
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is told any more
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self.exchange()
            except (RedisDown, RedisError) as error:
                _log.debug("rests are not shared: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), EVERY_SECONDS)
            self._wake.clear()

    async def exchange(self) -> None:
        """Tells what is new here and hears of the rest. Raises RedisDown, RedisError."""
        with self._lock:
            new, self._new = self._new, {}
        now = monotonic()
        told = {id: until for id, until in new.items() if not until or until > now}
        args = [part for id, until in told.items() for part in (id, ceil(max(0.0, until - now) * 1000))]
        try:
            found = await self._redis.run(_SHARE, (_KEY,), *args)
        except BaseException:
            with self._lock:
                self._new = told | self._new
            raise
        now = monotonic()
        for id, left in zip(found[::2], found[1::2], strict=True):
            name = id.decode()
            if left > SLACK * 1000 and name not in self._new:  # what was told here meanwhile is newer
                self._health.hear(name, now, left / 1000 - SLACK)

    async def aclose(self) -> None:
        self._stopping = True
        self._wake.set()
        await self._running
        await self._redis.aclose()
