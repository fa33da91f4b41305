"""Processes add up, through Redis, what they have spent of the budgets of providers and deployments.

For each budget and period there is a hash with a field for each process, which says all that this one has spent so far.
It is written over, never added to: whoever does not know whether Redis has heard it says it again, and nothing counts
twice. Who ends leaves its part in a field that all share. Without Redis each counts on for itself.
"""

import asyncio
import contextlib
import logging
from typing import Final
from uuid import uuid4

from litellm.kv.redis import Redis, RedisDown, RedisError, Script
from litellm.router.spending import Spending

EVERY_SECONDS: Final = 0.5
SLACK: Final = 86_400_000
"""Milliseconds that a period's sums are kept after its end, for hosts whose clocks are late."""

_EXCHANGE: Final = Script("""
local found = {}
for at, key in ipairs(KEYS) do
  local own, ends = ARGV[2 * at + 1], ARGV[2 * at + 2]
  if ARGV[2] == '1' then
    redis.call('HDEL', key, ARGV[1])
    if own ~= '0' then redis.call('HINCRBY', key, 'ended', own) end
  elseif own ~= '0' then
    redis.call('HSET', key, ARGV[1], own)
  end
  if ends ~= '0' then redis.call('PEXPIREAT', key, ends) end
  found[at] = redis.call('HVALS', key)
end
return found
""")
"""ARGV: the process, 1 if it ends; for each key nano-dollars, and when it is to be forgotten (0: never). What each
process has spent, by key."""

_log: Final = logging.getLogger("litellm")


class Pool:
    """Of one process, in the running loop, until `aclose`. `redis` is the caller's to close, after that."""

    def __init__(self, redis: Redis, spending: Spending) -> None:
        self._redis = redis
        self._spending = spending
        self._name = uuid4().hex
        self._stopping = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._try()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
        finally:  # also of a program whose loop is closed at its exit
            await self._try(ending=True)

    async def _try(self, ending: bool = False) -> None:
        try:
            await self.exchange(ending)
        except (RedisDown, RedisError) as error:
            _log.debug("what was spent is not shared: %s", error)

    async def exchange(self, ending: bool = False) -> None:
        """Tells what was spent here, and hears what the others have. Raises RedisDown, RedisError."""
        parts = self._spending.parts()
        if not parts:
            return
        keys = tuple(f"{{litellm}}:spent:{one.start}:{one.id}" for one in parts)
        args = [value for one in parts for value in (one.own, 0 if one.end is None else one.end + SLACK)]
        found = await self._redis.run(_EXCHANGE, keys, self._name, int(ending), *args)
        for one, spent in zip(parts, found, strict=True):
            self._spending.hear(one.id, one.start, sum(map(int, spent)), one.own)

    async def aclose(self) -> None:
        """Everything that was spent is told."""
        self._stopping.set()
        await self._running
