"""Keys that nobody knows: slowed by their address, looked for together, and never called wrong while nobody can say."""

import asyncio
import time
from typing import Any

import pytest

from litellm.proxy.auth import UnknownKey
from litellm.proxy.errors import ProxyError
from litellm.proxy.guard import FREE, MAX_ADDRESSES, MOST_WAITING, Guard
from litellm.proxy.keys.book import KeyBook
from litellm.store.base import Feed, StoreDown
from litellm.types.accounts import Key

HERE = ("203.0.113.9", 1)


async def shown(guard: Guard, keys: Any = None, client: Any = HERE, forwarded: str = "", digest: bytes = b"d") -> int:
    """The status of an unknown key's answer."""
    headers = {b"x-forwarded-for": forwarded.encode()} if forwarded else {}
    with pytest.raises(ProxyError) as caught:
        await guard.unknown(UnknownKey(digest), client, headers, keys)
    return caught.value.status_code


def test_an_address_is_slowed_by_its_failures_alone() -> None:
    async def run() -> None:
        now = [0.0]
        guard = Guard(clock=lambda: now[0], slowed=0.5)
        begun = time.perf_counter()
        assert [await shown(guard) for _ in range(FREE)] == [401] * FREE
        assert time.perf_counter() - begun < 0.4
        for client, slow in ((HERE, True), (("203.0.113.8", 1), False), (None, False), (HERE, True)):
            begun = time.perf_counter()
            assert await shown(guard, client=client) == 401
            assert (time.perf_counter() - begun >= 0.5) is slow
        answers = await asyncio.gather(*(shown(guard) for _ in range(MOST_WAITING + 5)))
        assert sorted(answers) == [401] * MOST_WAITING + [429] * 5
        now[0] = 61.0
        begun = time.perf_counter()
        assert await shown(guard) == 401
        assert time.perf_counter() - begun < 0.4, "a minute later it begins anew"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("trusted", "client", "forwarded", "counted"),
    [
        ((), "10.0.0.1", "1.2.3.4", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (("10.0.0.0/8",), "9.9.9.9", "1.2.3.4", "9.9.9.9"),
        (("10.0.0.0/8",), "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "10.0.0.2", "10.0.0.2"),
        (("10.0.0.0/8",), "10.0.0.1", "", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "nonsense\r\n", "unknown"),
        ((), "2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
    ],
)
def test_whose_address_counts(trusted: tuple[str, ...], client: str, forwarded: str, counted: str) -> None:
    guard = Guard(trusted)
    asyncio.run(shown(guard, client=(client, 1), forwarded=forwarded))
    assert list(guard._failures) == [counted]  # pyright: ignore[reportPrivateUsage]


def test_it_remembers_no_more_than_so_many_addresses() -> None:
    async def run() -> None:
        guard = Guard()
        for number in range(MAX_ADDRESSES + 50):
            await shown(guard, client=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1))
        assert len(guard._failures) == MAX_ADDRESSES  # pyright: ignore[reportPrivateUsage]

    asyncio.run(run())


class Records:
    """A feed that is asked, may bring keys, and may be down."""

    def __init__(self) -> None:
        self.asked = 0
        self.version = 0
        self.keys: list[Key] = []
        self.down = False

    async def feed(self, after: int) -> Feed:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreDown("it is down")
        keys, self.keys = tuple(self.keys), []
        return Feed(after + len(keys), keys)


def test_unknown_keys_are_looked_for_together_and_remembered() -> None:
    async def run() -> None:
        records: Any = Records()
        now = [1000]
        book = KeyBook(records, lambda: now[0], {})
        guard = Guard(slowed=0)
        digests = [bytes([n]) * 32 for n in range(50)]
        await asyncio.gather(*(shown(guard, book, (f"10.0.0.{n}", 1), digest=d) for n, d in enumerate(digests)))
        assert records.asked == 1
        await shown(guard, book, digest=digests[0])
        assert records.asked == 1, "it was nobody's a moment ago"
        records.keys = [Key(id=digests[0].hex(), user_id="u"), Key(id=digests[1].hex(), blocked=True)]
        await book.catch_up()
        assert (await guard.unknown(UnknownKey(digests[0]), HERE, {}, book)).user_id == "u"
        assert await shown(guard, book, digest=digests[1]) == 401
        records.keys = [Key(id=(b"x" * 32).hex())]
        made_elsewhere = await guard.unknown(UnknownKey(b"x" * 32), HERE, {}, book)
        assert made_elsewhere.key == (b"x" * 32).hex()
        asked = records.asked
        now[0] += 61_000
        await shown(guard, book, digest=digests[2])
        assert records.asked == asked + 1
        records.down = True
        assert await shown(guard, book, digest=b"y" * 32) == 503, "nobody can say that it is wrong"

    asyncio.run(run())
