"""One of several hosts is elected, through Redis, to do what is enough to do once, and tells the others what it found.

The lease is a key with the holder's token, which expires. Who holds it renews it each time it asks, and gives it back
when it ends; when it dies another host has it as soon as it expires. What is told is in Redis for as long as it holds.

Without a word from Redis a host believes that another one has the lease for as long as that one could have had it.
Then it goes on by itself, and so does the holder: each host once, as if there were no Redis.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from secrets import token_hex
from time import monotonic
from typing import Any, Final, cast

from litellm.kv.redis import Redis, RedisDown, RedisError, Script

SECONDS: Final = 10.0

_MEET: Final = Script("""
local holder = redis.call('GET', KEYS[1])
local mine = holder == ARGV[1]
if mine then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
  mine = true
end
local round = redis.call('HGET', KEYS[2], 'round')
if not round or round == ARGV[3] then return {mine and 1 or 0} end
return {mine and 1 or 0, round, redis.call('HGET', KEYS[2], 'told'), redis.call('PTTL', KEYS[2])}
""")
"""ARGV: token, milliseconds of the lease, the round that is known. Whether the lease is the asker's; if there is
another round: its name, what was told, milliseconds for which that holds."""

_TELL: Final = Script("""
redis.call('HSET', KEYS[1], 'round', ARGV[1], 'told', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
""")

_RELEASE: Final = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end")

_log: Final = logging.getLogger("litellm.proxy")


@dataclass(frozen=True, slots=True)
class Told:
    """By another host; it holds for so many seconds more."""

    text: bytes
    seconds: float


class Lease:
    """One worker's part in the election for `purpose`. It raises nothing: see above for a Redis that is away."""

    def __init__(
        self, redis: Redis, purpose: str, seconds: float = SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._redis = redis
        self._key = f"{{litellm}}:{purpose}:lease"
        self._told = f"{{litellm}}:{purpose}"
        self._token = token_hex(16)
        self._seconds = seconds
        self._clock = clock
        self._round = ""  # the last that was heard, or told
        self._others_until = clock() + seconds  # another host may hold the lease

    async def meet(self) -> tuple[bool, Told | None]:
        """Whether this worker is elected; and what has been told since it last asked."""
        args = self._token, round(self._seconds * 1000), self._round
        try:
            reply = cast("list[Any]", await self._redis.run(_MEET, (self._key, self._told), *args))
        except (RedisDown, RedisError) as error:
            _log.debug("nobody can be elected: %s", error)
            return self._clock() >= self._others_until, None
        mine, *news = reply
        self._others_until = -inf if mine else self._clock() + self._seconds
        if not news:
            return bool(mine), None
        self._round, text, left = news[0].decode(), news[1], news[2]
        return bool(mine), Told(text, left / 1000)

    async def tell(self, text: bytes, seconds: float) -> None:
        self._round = token_hex(8)
        try:
            await self._redis.run(_TELL, (self._told,), self._round, text, round(seconds * 1000))
        except (RedisDown, RedisError) as error:
            _log.debug("other hosts cannot be told: %s", error)

    async def release(self) -> None:
        try:
            await self._redis.run(_RELEASE, (self._key,), self._token)
        except (RedisDown, RedisError) as error:
            _log.debug("the lease will expire: %s", error)
