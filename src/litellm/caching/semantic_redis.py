"""A semantic cache in a Redis or Valkey: beside the answers a list of embeddings for each bucket, the newest first.

A look-up loads the whole list, which is why it is short: 1.3 MB for 200 embeddings of 1,536 numbers.
"""

import struct
import time
from array import array
from typing import Any, Final

from litellm.caching.base import Unreachable
from litellm.caching.redis import RedisStore
from litellm.caching.semantic import Near, Vector, nearest
from litellm.kv.connection import RedisError
from litellm.kv.redis import RedisDown, Script

MAX_VECTORS: Final = 200
"""In a bucket. The oldest go first."""

_HEAD: Final = struct.Struct("<dI32s")
"""Until when it holds (seconds since 1970), how many numbers, the answer's key. Then the signs, then the numbers."""

_PLACE: Final = Script("""
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
""")


class SemanticRedisStore(RedisStore):
    """Keys are SHA-256 in hex. `near` and `place` are one command each."""

    async def place(self, bucket: str, key: str, vector: Vector, ttl: float) -> None:
        milliseconds = max(1, round(ttl * 1000))
        try:
            packed = _packed(key, vector, time.time() + ttl)
            await self.redis.run(_PLACE, (self._list(bucket),), packed, MAX_VECTORS - 1, milliseconds)
        except (RedisDown, RedisError) as error:
            raise Unreachable(str(error)) from None

    async def near(self, bucket: str, asked: Vector, least: float) -> list[Near]:
        rows: Any = await self._ask("LRANGE", self._list(bucket), 0, MAX_VECTORS - 1)
        now = time.time()
        found = (_unpacked(row, now) for row in reversed(rows))  # of one key's the newest counts
        return nearest(asked, dict(pair for pair in found if pair is not None), least)

    def _list(self, bucket: str) -> str:
        return f"{self._prefix}near:{bucket}"


def _packed(key: str, vector: Vector, until: float) -> bytes:
    count = len(vector.numbers)
    head = _HEAD.pack(until, count, bytes.fromhex(key))
    return head + vector.signs.to_bytes((count + 7) // 8) + vector.numbers.tobytes()


def _unpacked(row: bytes, now: float) -> tuple[str, Vector] | None:
    """None for one that holds no longer, and for what somebody else has written."""
    if len(row) < _HEAD.size:
        return None
    until, count, key = _HEAD.unpack_from(row)
    start = _HEAD.size + (count + 7) // 8
    numbers = array("f")
    if until <= now or len(row) != start + count * numbers.itemsize:
        return None
    numbers.frombytes(row[start:])
    return key.hex(), Vector(numbers, int.from_bytes(row[_HEAD.size : start]))
