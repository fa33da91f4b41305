"""`Idempotency-Key`: a retry with the same key is the same call (IETF draft-ietf-httpapi-idempotency-key-header).

While the first is under way the retry waits for it; afterwards it gets the same bytes, headers included, and
`idempotent-replayed: true`. Only complete answers with status 200 are kept. The first call goes on when its caller
hangs up, within its own timeouts: that is when clients retry. A retry is never admitted, so it is counted and billed
nowhere. Names belong to the caller's key: nobody reaches another's answers.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import orjson

from litellm.caching.base import Store, Unreachable
from litellm.caching.disk import DiskStore
from litellm.caching.memory import MemoryStore
from litellm.proxy.asgi import CallerGone
from litellm.proxy.config.general_settings import GeneralSettings
from litellm.proxy.config.litellm_settings import LitellmSettings
from litellm.proxy.errors import HUNG_UP, ProxyError
from litellm.proxy.exchange import Exchange
from litellm.proxy.keys.identity import Identity
from litellm.proxy.server import Worker
from litellm.proxy.splice import DONE
from litellm.types.calls import Json, as_object

HEADER: Final = b"idempotency-key"
DEFAULT_TTL: Final = 3600.0
MAX_NAME: Final = 255
MAX_ANSWER: Final = 16 * 1024 * 1024
MAX_ENTRIES: Final = 100_000
MAX_BYTES: Final = 128 * 1024 * 1024

BEAT_SECONDS: Final = 2.0
MARK_SECONDS: Final = 10.0
"""Other workers wait for a call as long as its mark is there; a worker that dies leaves it for so long."""
LOOK_SECONDS: Final = 0.1


@dataclass(slots=True)
class Flight:
    """A call under way in this worker. `told` is what it asked for; `done` is its answer, None if there is none."""

    told: str
    done: asyncio.Future[bytes | None]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    beating: asyncio.Task[None] | None = None


class Once:
    """A worker's. `shared`: other workers look into the same store, and wait for this one's calls."""

    def __init__(self, store: Store, ttl: float, shared: bool) -> None:
        self.ttl = ttl
        self.store = store
        self._shared = shared
        self._flights: dict[str, Flight] = {}

    async def replayed(self, exchange: Exchange, identity: Identity, raw: bytes) -> bool:
        """Whether the answer was there and has been sent. If not, what the exchange sends from now on is recorded.

        Raises ProxyError: 400 for a name that is none, 422 for one that stood for another request.
        """
        name = exchange.fields[HEADER]
        if not name.strip() or len(name) > MAX_NAME:
            raise ProxyError(400, f"Idempotency-Key must have 1 to {MAX_NAME} characters", param="Idempotency-Key")
        key = _digest(identity.key.encode(), name)
        told = _digest(exchange.path.encode(), exchange.query_string, raw)
        while True:
            flight = self._flights.get(key)
            if flight is not None:
                _check(flight.told, told)
                await asyncio.wait((flight.done,))
                entry = flight.done.result()
            else:
                entry = await self._find(key)
                if key in self._flights:
                    continue  # another has begun meanwhile
            if entry is None and flight is None:
                await self._lead(exchange, key, told)
                return False
            if entry is not None and not self._sent(exchange, entry, told):
                await asyncio.sleep(LOOK_SECONDS)  # another worker has not finished it
            elif entry is not None:
                return True

    async def ended(self, key: str, answer: bytes | None) -> None:
        """Of a call that this worker led. Whoever waits goes on at once."""
        flight = self._flights[key]
        if answer is not None:
            flight.done.set_result(answer)
        try:
            if flight.beating is not None:
                flight.over.set()
                await flight.beating  # a mark must not come to lie on the answer
            if answer is not None:
                await self.store.set(key, answer, self.ttl)
            elif self._shared:
                await self.store.delete(key)
        except Unreachable:
            pass  # the next retry is a call of its own
        finally:
            del self._flights[key]
            if answer is None:
                flight.done.set_result(None)

    async def aclose(self) -> None:
        await self.store.aclose()

    async def _lead(self, exchange: Exchange, key: str, told: str) -> None:
        flight = self._flights[key] = Flight(told, asyncio.get_running_loop().create_future())
        recorded(exchange, Recording(self, key, told))
        if self._shared:
            await self._mark(key, told)
            flight.beating = asyncio.create_task(self._beat(key, flight))

    async def _beat(self, key: str, flight: Flight) -> None:
        while not flight.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(flight.over.wait(), BEAT_SECONDS)
                return
            await self._mark(key, flight.told)

    async def _mark(self, key: str, told: str) -> None:
        """Other workers are told that the call is under way."""
        with suppress(Unreachable):
            await self.store.set(key, orjson.dumps({"told": told}) + b"\n", MARK_SECONDS)

    async def _find(self, key: str) -> bytes | None:
        try:
            return self.store.here(key) or await self.store.get(key)
        except Unreachable:
            return None

    def _sent(self, exchange: Exchange, entry: bytes, told: str) -> bool:
        """Whether an entry is an answer, and not the mark of a call under way. Raises ProxyError 422."""
        first, _, body = entry.partition(b"\n")
        head: Json = as_object(orjson.loads(first)) or {}
        _check(head.get("told"), told)
        if "fields" not in head:
            return False
        exchange.model = head["model"]
        exchange.left = len(body) if head["whole"] else None
        exchange.begin(200, head["fields"].encode("latin-1") + b"idempotent-replayed: true\r\n")
        exchange.write(body, False)
        return True


class Recording:
    """What one exchange sends."""

    __slots__ = ("_complete", "_fields", "_key", "_once", "_parts", "_size", "_status", "_told", "_whole")

    def __init__(self, once: Once, key: str, told: str) -> None:
        self._once = once
        self._key = key
        self._told = told
        self._status = 0
        self._fields = b""
        self._whole = self._complete = False
        self._parts: list[bytes] = []
        self._size = 0

    def head(self, status: int, fields: bytes, whole: bool) -> None:
        self._status, self._fields, self._whole = status, fields, whole

    def part(self, body: bytes, more: bool) -> None:
        self._complete = not more
        self._size += len(body)
        if self._size <= MAX_ANSWER:
            self._parts.append(body)
        else:
            self._parts.clear()

    async def ended(self, model: str) -> None:
        await self._once.ended(self._key, self._answer(model))

    def _answer(self, model: str) -> bytes | None:
        """None for a failure. A stream that breaks off has another last word than [DONE]."""
        body = b"".join(self._parts)
        complete = self._complete and self._size <= MAX_ANSWER and (self._whole or body.endswith(DONE))
        if self._status != 200 or not complete:
            return None
        fields = self._fields.decode("latin-1")
        head = {"told": self._told, "model": model, "whole": self._whole, "fields": fields}
        return orjson.dumps(head) + b"\n" + body


class RecordedExchange(Exchange):
    """One whose answer is recorded, and which goes on when its caller is gone. Other requests never come by here."""

    def begin(self, status: int, fields: bytes) -> None:
        assert self.recording is not None
        self.recording.head(status, fields, self.left is not None)
        super().begin(status, fields)
        if self.gone:
            self.status = HUNG_UP

    def write(self, body: bytes, more_body: bool = True) -> bool:
        assert self.recording is not None
        self.recording.part(body, more_body)
        return super().write(body, more_body)

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        self.left = len(body)
        self.begin(status, b"%bcontent-length: %d\r\n" % (fields, len(body)))
        self.write(body, False)

    async def room(self) -> None:
        with suppress(CallerGone):
            await super().room()


def recorded(exchange: Exchange, recording: Recording) -> None:
    """From here on. The connection and the app hold on to the exchange: so it changes its class, not its identity."""
    exchange.recording = recording
    exchange.__class__ = RecordedExchange
    exchange.on_hangup(_nothing)


def make(general: GeneralSettings, settings: LitellmSettings, worker: Worker) -> Once | None:
    """None if it is switched off. Answers are in Redis if the cache is; else in a file of the host's workers, or in
    the memory of the only one."""
    ttl = DEFAULT_TTL if general.idempotency_ttl is None else general.idempotency_ttl
    params = settings.cache_params
    if ttl == 0:
        return None
    if settings.cache and params is not None and params.is_in_redis:
        from litellm.caching.redis import RedisStore

        return Once(RedisStore(*params.place.redis("idempotency")), ttl, shared=True)
    if worker.count > 1 and worker.folder is not None:
        return Once(DiskStore(worker.folder / "idempotency", MAX_BYTES), ttl, shared=True)
    return Once(MemoryStore(MAX_ENTRIES, MAX_BYTES), ttl, shared=False)


def _check(before: str | None, told: str) -> None:
    if before != told:
        raise ProxyError(422, "This Idempotency-Key stood for another request", param="Idempotency-Key")


def _digest(*parts: bytes) -> str:
    made = sha256()
    for part in parts:
        made.update(b"%d:%b" % (len(part), part))
    return made.hexdigest()


def _nothing() -> None:
    pass
