"""Guessing keys, bounded: those that nobody knows are slowed by the address they come from, and cost the store little.

A key that is known never comes here. One that is not is looked for once more, in a feed that was read after it was
shown: another worker may have made it a moment ago. While the database is down nobody can say that a key is wrong, and
the answer is 503. What is wrong is remembered for a minute, unless the feed tells of it.

Only failures are counted, in a minute's time. A caller's address is its connection's; what a header says counts only
where the connection comes from one of `general_settings.trusted_proxies`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from time import monotonic
from typing import TYPE_CHECKING, Final

from litellm.proxy.auth import UnknownKey
from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.identity import Identity
from litellm.store.base import StoreDown

if TYPE_CHECKING:  # there are keys only if there is a store
    from litellm.proxy.keys.book import KeyBook

Network = IPv4Network | IPv6Network

FREE: Final = 10
"""Failures of an address in a minute that are answered at once: people mistype."""
SLOWED: Final = 1.0
"""Seconds that each further one waits."""
MOST_WAITING: Final = 20
"""Of an address, at the same time; 429 above."""
MINUTE: Final = 60.0
MAX_ADDRESSES: Final = 10_000
_OF_IPV6: Final = 64  # a household has so many addresses as the other 64 bits can say


class _Failures:
    __slots__ = ("begun", "count", "waiting")

    def __init__(self, begun: float) -> None:
        self.begun, self.count, self.waiting = begun, 0, 0


class Guard:
    """Of one worker. `clock` gives seconds."""

    def __init__(
        self, trusted: Sequence[str] = (), clock: Callable[[], float] = monotonic, slowed: float = SLOWED
    ) -> None:
        self._clock = clock
        self._slowed = slowed
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self.trust(trusted)

    def trust(self, networks: Sequence[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ip_network(network) for network in networks)

    async def unknown(
        self, shown: UnknownKey, client: tuple[str, int] | None, headers: Mapping[bytes, bytes], keys: "KeyBook | None"
    ) -> Identity:
        """Whose key it is after all. Raises ProxyError: 401, later and later; 429 for too many at once; 503."""
        failures = self._of(self._address(client, headers))
        if keys is not None:
            try:
                found = await keys.look_again(shown.digest)
            except StoreDown:
                raise ProxyError(503, "The database cannot be reached", "no_db_connection") from None
            if found is not None:
                if found.refusal is not None:
                    raise ProxyError(*found.refusal)
                return found
        await self._slow(failures)
        raise shown

    async def _slow(self, failures: _Failures) -> None:
        failures.count += 1
        if failures.count <= FREE:
            return
        if failures.waiting >= MOST_WAITING:
            wait = str(round(failures.begun + MINUTE - self._clock()) or 1)
            raise ProxyError(429, "Too many keys that nobody knows", "throttling_error", headers={"retry-after": wait})
        failures.waiting += 1
        try:
            await asyncio.sleep(self._slowed)
        finally:
            failures.waiting -= 1

    def _of(self, address: str) -> _Failures:
        now = self._clock()
        known = self._failures.get(address)
        if known is None:
            known = self._failures[address] = _Failures(now)
            if len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)
        elif now - known.begun >= MINUTE:
            known.begun, known.count = now, 0
        self._failures.move_to_end(address)
        return known

    def _address(self, client: tuple[str, int] | None, headers: Mapping[bytes, bytes]) -> str:
        """The last one on the way that is no proxy of ours; of IPv6 its network."""
        said = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",") if self._trusted else []
        way = [*(part.strip() for part in said if part.strip()), client[0] if client else ""]
        address = way.pop()
        while way and self._is_ours(address):
            address = way.pop()
        return _network(address)

    def _is_ours(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, _OF_IPV6), strict=False))
    return str(parsed)
