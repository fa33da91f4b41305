"""All keys in memory, packed, and the rows they refer to; a feed of the store's keeps them current.

100,000 keys as objects are 122 MB and a garbage collection of 113 ms, packed they are a third and cost the collector
nothing (hard-parts 7). So a key's row is JSON until somebody shows the key; then its Identity is kept.

Above `most` keys those that nobody has shown for the longest time are given up, and looked up together, in the store,
when somebody does. The feed tells of changes to keys that are here; of the others it has nothing to invalidate.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, tzinfo
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Final, Protocol

import orjson

from litellm.proxy.errors import ProxyError
from litellm.proxy.keys.access import Access, Groups, rule
from litellm.proxy.keys.identity import Clock, Identity, Rows, identity, scope_of
from litellm.proxy.limits.base import Scope
from litellm.store.base import Records, StoreDown
from litellm.types.accounts import (
    KIND_OF,
    KINDS,
    Budget,
    EndUser,
    Key,
    Limited,
    Member,
    Millis,
    Organization,
    Row,
    Tag,
    Team,
    User,
)

MAX_CACHED: Final = 300_000
"""Keys; their packed rows are 100 MB."""
MOST_LOOKED_UP: Final = 500
"""At once, and so 10,000 a second; 503 above. Four of them fit into the smallest `max_cached_keys`: half is for keys
that are decoded, so that what a look brings is there until those who waited have seen it."""
MAX_DECODED: Final = 10_000
POLL_SECONDS: Final = 0.5
LONGEST_PAUSE: Final = 5.0
LOOK_SECONDS: Final = 0.05
"""How long keys that nobody knows are gathered, to be looked for together."""
BELIEVED: Final = 60_000
MAX_UNKNOWN: Final = 100_000
_KINDS: Final[tuple[type[Row], ...]] = (User, Team, Organization, Member, Budget, EndUser, Tag)
_DEFAULTS: Final[Mapping[str, Any]] = {one.name: getattr(Key(id=""), one.name) for one in fields(Key)}
_NAMES: Final = tuple(_DEFAULTS)
_PLAIN: Final = tuple(_DEFAULTS.values())
_VALUES: Final[Callable[[Key], tuple[Any, ...]]] = attrgetter(*_NAMES)
_TUPLES: Final = frozenset(name for name, value in _DEFAULTS.items() if isinstance(value, tuple))

_log: Final = logging.getLogger("litellm.proxy")


def pack(key: Key) -> bytes:
    """What differs from a plain key, as JSON."""
    said = orjson.dumps(
        {name: value for name, value, plain in zip(_NAMES, _VALUES(key), _PLAIN, strict=True) if value != plain}
    )
    return bytes(bytearray(said))  # a copy: what orjson returns keeps its working space, 4 KB


def unpack(packed: bytes) -> Key:
    said: dict[str, Any] = orjson.loads(packed)
    for name in _TUPLES & said.keys():
        said[name] = tuple(said[name])
    return Key(**said)


class Follower(Protocol):
    """Who keeps rows of other kinds, told of by the same feed."""

    kinds: ClassVar[tuple[type[Row], ...]]

    def put(self, row: Row) -> None: ...

    def remove(self, kind: str, id: str) -> None: ...

    def settle(self) -> None:
        """All that has changed has been told."""
        ...


class KeyBook:
    """`find` is what a request asks: a dict's lookup. `clock` gives milliseconds since 1970, `groups` the config's
    access groups."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        groups: Groups,
        zone: tzinfo = UTC,
        followers: Sequence[Follower] = (),
        most: int = MAX_CACHED,
    ) -> None:
        self._records = records
        self._clock = clock
        self.groups = groups
        self._zone = zone
        self._packed: dict[bytes, bytes] = {}  # once there are too many: those shown last come last
        self._most = most
        self._partial = False  # there are keys in the store that are not here
        self._asked: set[bytes] = set()  # by those who wait for the next look
        self._decoded: OrderedDict[bytes, Identity] = OrderedDict()
        self._rows: dict[str, dict[str, Any]] = {KIND_OF[kind]: {} for kind in _KINDS}
        self._followers = {KIND_OF[kind]: follower for follower in followers for kind in follower.kinds}
        self._memberships: dict[str, dict[str, Member]] = {}
        """User's id -> their memberships by id."""
        self._version = 0
        self.current_at = 0
        """When the feed was last heard of, in milliseconds."""
        self._hint = asyncio.Event()
        self._catching = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None  # the look that is about to be taken
        self._unknown: OrderedDict[bytes, Millis] = OrderedDict()  # who is nobody, and until when that is believed
        self._stopping = False

    def __len__(self) -> int:
        return len(self._packed)

    async def load(self) -> None:
        """Every row, and the version they are of. Raises StoreDown."""
        version = await self._records.version()  # what changes meanwhile comes once more, in the feed
        for kind in _KINDS:
            async for page in self._records.scan(kind):
                for row in page:
                    self._keep(row)
        async for page in self._records.scan(Key):
            for key in page[: self._most - len(self._packed)]:
                self._packed[bytes.fromhex(key.id)] = pack(key)
            if len(self._packed) >= self._most:
                self._bound()
                break
        for name, follower in self._followers.items():
            async for page in self._records.scan(KINDS[name]):
                for row in page:
                    follower.put(row)
        self._settle(self._followers)
        self._version, self.current_at = version, self._clock()

    def find(self, digest: bytes) -> Identity | None:
        """The bearer of the key whose SHA-256 this is; None if it is nobody's."""
        known = self._decoded.get(digest)
        if known is not None and known.until > self._clock():
            return known
        return self._decode(digest)

    def end_user(self, name: str) -> tuple[Scope, EndUser | None]:
        """Whom the `user` field names: everybody is counted, those with a row have limits."""
        row: EndUser | None = self._rows["end_user"].get(name)
        return self._scope(f"end_user:{name}", row), row

    def customer(self, name: str | None) -> EndUser | None:
        """An end user's row, if there is one."""
        return None if name is None else self._rows["end_user"].get(name)

    def tag(self, name: str, model: str) -> Scope:
        """Raises ProxyError 403 for a model that is not among those of the tag."""
        row: Tag | None = self._rows["tag"].get(name)
        listed = rule("tag", row.models, self.groups) if row is not None else None
        if listed is not None:
            Access((listed,)).check(model)
        return self._scope(f"tag:{name}", row)

    def regroup(self, groups: Groups) -> None:
        """A reload has brought other access groups."""
        self.groups = groups
        self._decoded.clear()

    def _scope(self, id: str, row: Limited | None) -> Scope:
        return Scope(id) if row is None else scope_of(id, row, self._rows["budget"], self._clock(), self._zone)

    def _decode(self, digest: bytes) -> Identity | None:
        packed = self._packed.get(digest)
        if packed is None:
            return None
        if self._partial:
            self._packed[digest] = self._packed.pop(digest)
        rows = self._rows
        key = unpack(packed)
        mine = {key.user_id or "": self._memberships.get(key.user_id or "", {}).values()}
        referred = Rows(rows["user"], rows["team"], rows["organization"], rows["member"], rows["budget"], mine)
        made = self._decoded[digest] = identity(key, referred, self.groups, self._clock(), self._zone)
        if len(self._decoded) > min(MAX_DECODED, self._most // 2):
            self._decoded.popitem(last=False)
        return made

    # The feed

    def hint(self) -> None:
        """Something has changed: ask now."""
        self._hint.set()

    def stop(self) -> None:
        """`follow` ends. (Cancelled in the middle of a question, it would leave a connection behind.)"""
        self._stopping = True
        self._hint.set()

    async def catch_up(self, asked: Collection[bytes] = ()) -> None:
        """Take over what has changed since last time, and these keys. Raises StoreDown."""
        async with self._catching:  # of two, the earlier one must not overwrite what the later one knows
            complete = False
            while not complete:
                feed = await self._records.feed(self._version)
                for row in feed.rows:
                    self._put(row)
                for kind, id in feed.gone:
                    self._remove(kind, id)
                self._version, complete = feed.version, feed.complete
                self._settle({*(KIND_OF[type(row)] for row in feed.rows), *(kind for kind, _ in feed.gone)})
            if asked:  # what changes from here on is in the next feed
                for key in (await self._records.get_many(Key, [digest.hex() for digest in asked])).values():
                    self._cache(bytes.fromhex(key.id), key)
            self.current_at = self._clock()

    async def look_again(self, digest: bytes) -> Identity | None:
        """`find`, by a feed that is read after this call. Raises StoreDown, and ProxyError 503 for too many at once.

        All who ask meanwhile share one look, and there are at most 20 a second, however many ask.
        """
        believed = self._unknown.get(digest)
        if believed is not None and believed > self._clock():
            return None
        if self._partial:
            if len(self._asked) >= MOST_LOOKED_UP:
                raise ProxyError(503, "Too many keys are being looked up", headers={"retry-after": "1"})
            self._asked.add(digest)
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        await asyncio.shield(self._next)
        found = self.find(digest)
        if found is None:
            self._unknown[digest] = self._clock() + BELIEVED
            if len(self._unknown) > MAX_UNKNOWN:
                self._unknown.popitem(last=False)
        return found

    async def _look(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        self._next = None  # who comes from here on needs another
        asked, self._asked = self._asked, set()
        await self.catch_up(asked)

    def _settle(self, kinds: Collection[str]) -> None:
        told = {id(follower): follower for kind, follower in self._followers.items() if kind in kinds}
        for follower in told.values():
            follower.settle()

    async def follow(self) -> None:
        """Until `stop`: within half a second, or at once after `hint`. Known keys go on while the store is down."""
        pause = POLL_SECONDS
        while True:
            try:
                await asyncio.wait_for(self._hint.wait(), pause)
            except TimeoutError:
                pass
            self._hint.clear()
            if self._stopping:
                return
            try:
                await self.catch_up()
                pause = POLL_SECONDS
            except StoreDown as error:
                if pause == POLL_SECONDS:
                    _log.warning("keys are as they were; changes wait until the database is back: %s", error)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception:  # a background job's loop: a feed that ended would leave revoked keys at work
                _log.exception("the feed of keys")

    def _put(self, row: Row) -> None:
        if isinstance(row, Key):
            digest = bytes.fromhex(row.id)
            self._unknown.pop(digest, None)
            if digest in self._packed or not self._partial:
                self._cache(digest, row)
        elif KIND_OF[type(row)] in self._rows:
            self._keep(row)
            self._decoded.clear()  # which keys refer to it is found out when they are next shown
        elif KIND_OF[type(row)] in self._followers:
            self._followers[KIND_OF[type(row)]].put(row)

    def _cache(self, digest: bytes, key: Key) -> None:
        self._packed[digest] = pack(key)
        self._decoded.pop(digest, None)
        if len(self._packed) > self._most:
            self._bound()
            idle = (one for one in self._packed if one not in self._decoded)
            for one in list(islice(idle, max(1, self._most // 16))):  # many at once: each search begins at the front
                del self._packed[one]

    def _bound(self) -> None:
        if not self._partial:
            _log.warning("there are more than %d keys: the others are looked up when they are shown", self._most)
        self._partial = True

    def _keep(self, row: Row) -> None:
        self._rows[KIND_OF[type(row)]][row.id] = row
        if isinstance(row, Member):
            self._memberships.setdefault(row.user_id, {})[row.id] = row

    def _remove(self, kind: str, id: str) -> None:
        if kind == "key":
            digest = bytes.fromhex(id)
            self._packed.pop(digest, None)
            self._decoded.pop(digest, None)
        elif kind in self._rows:
            gone = self._rows[kind].pop(id, None)
            if isinstance(gone, Member):
                self._memberships[gone.user_id].pop(id, None)
            self._decoded.clear()
        elif kind in self._followers:
            self._followers[kind].remove(kind, id)
