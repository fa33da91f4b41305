"""A gateway with books in one event loop and in virtual time: its own server, router, meter and journal between callers
whose sockets are lists and providers that follow a script."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Literal, cast

from litellm.engine.engine import Engine
from litellm.proxy import routing
from litellm.proxy.app import Gateway, Source
from litellm.proxy.books import JOURNAL, Books
from litellm.proxy.connection import Bounds, Hub
from litellm.proxy.continuing import Continuing
from litellm.proxy.keys.book import KeyBook
from litellm.proxy.limits.base import Limiter, Refused, Scope
from litellm.proxy.limits.shared import SharedLimiter
from litellm.proxy.meter import Meter
from litellm.proxy.server import Worker
from litellm.proxy.snapshot import build
from litellm.proxy.spend import journal as files
from litellm.proxy.spend.journal import Journal
from litellm.proxy.spend.keeper import Keeper
from litellm.router.health import Health
from litellm.router.router import Router
from litellm.store.base import Insert
from litellm.store.memory import MemoryRecords
from litellm.transport.base import ClosedEarly, ConnectFailed, TimedOut
from litellm.transport.mock import MockAnswer, MockTransport
from litellm.types.accounts import Key, SpendRow
from litellm.types.http import HttpRequest, HttpResponse
from support import bodies

Kind = Literal[
    "answer", "no usage", "400", "401", "429", "429, wait", "503", "unreachable", "reset", "reset in the body",
    "no JSON", "hang", "breaks", "stalls", "error at first", "error later", "unfinished",
]  # fmt: skip
KEY: Final = "sk-caller"
SCOPE: Final = "key:" + sha256(KEY.encode()).hexdigest()
DAY_ONE: Final = 1_800_000_000_000
COMMIT_SECONDS: Final = 2 + 1 / 32  # never when anything else happens
HANG_SECONDS: Final = 30.0
EVENTS: Final = 3
UNIQUE: Final = 2.0**-20
"""So many seconds each attempt is later than another that comes at the same time: nothing happens at once."""
_REFUSED: Final[dict[str, tuple[int, list[tuple[bytes, bytes]]]]] = {
    "400": (400, []), "401": (401, []), "429": (429, []), "503": (503, []),
    "429, wait": (429, [(b"retry-after", b"2")]),
}  # fmt: skip
_SSE: Final = [(b"content-type", b"text/event-stream")]
_BOUNDS: Final = Bounds(60, 60, 60, 1e6, 65536, 100, 1000)


@dataclass(frozen=True)
class Does:
    """What a provider does with one request. Seconds to its answer's head, and between a stream's events."""

    kind: Kind
    seconds: float = 0.0
    gap: float = 0.0


@dataclass
class Attempt:
    """One request as it came to a provider. `billed` is what the provider may ask for: nothing for what it refused or
    has never got."""

    call: str
    deployment: str
    does: Does
    billed: bool = True


@dataclass(frozen=True)
class Call:
    """`patience`: seconds after which the caller hangs up."""

    after: float
    stream: bool = True
    patience: float | None = None
    reads: bool = True
    """False: it reads nothing for a second, once its answer has begun."""
    model: str = "m"
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Wire(asyncio.Transport):
    """The server's side of a caller's connection."""

    def __init__(self, hub: Hub, reads: bool) -> None:
        super().__init__()
        self.protocol = hub.connect()
        self.said = b""
        self.closed = asyncio.Event()
        self._loop = hub.loop
        self._reads = reads
        self.protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.said += data
        if not self._reads:
            self._reads = True
            self.protocol.pause_writing()
            self._loop.call_later(1.0, self.protocol.resume_writing)

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self._loop.call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class World:
    """One gateway, which keeps its journal beside those of others. Calls are named after `folder`. `script` says of
    each deployment (its model's name) what it does with one request after another, over and over. `limiter` is to
    count by the loop's time."""

    def __init__(
        self, config: Mapping[str, Any], folder: Path, script: Mapping[str, list[Does]], limiter: Limiter, **key: Any
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.attempts: list[Attempt] = []
        self._asked: Counter[str] = Counter()
        self._script = script
        self._folder = folder
        self._key = key
        self.limiter = limiter
        self.transport = MockTransport(self._answer)
        self.gateway = self._made(config)
        self.hub = Hub(self.gateway, self.loop, _BOUNDS)
        self.journal = Journal(folder.parent / JOURNAL)

    def _made(self, config: Mapping[str, Any]) -> Gateway:
        """The gateway, with a router whose time is the loop's."""
        written = self._folder / "config.json"
        written.write_text(json.dumps(config))
        gateway = Gateway(Source(written, {}), Worker())
        made = build(gateway.snapshot.config, Engine(self.transport, self.loop.time), {})
        self.health, plain, given = Health(clock=self.loop.time), made.router, made.config
        routing.attach(given, made.entries, plain.deployments.all, self.health)
        router = Router(
            plain.deployments, Engine(self.transport, self.loop.time), plain.policy, made.commit_seconds,
            plain.routing, plain.fallbacks, self.loop.time,
        )  # fmt: skip
        everywhere, groups = routing.continued(given)
        continuing = Continuing(router, everywhere, groups) if everywhere else None
        gateway.snapshot = replace(made, router=router, continuing=continuing)
        return gateway

    async def open(self) -> None:
        records = MemoryRecords()
        await records.change([Insert(Key(id=SCOPE.partition(":")[2], **self._key))])
        keys = KeyBook(records, self._now, {})
        await keys.load()
        strict = self.gateway.snapshot.config.general_settings.budget_enforcement == "strict"
        absent = cast(Any, None)  # neither the store nor its mover is asked: what has been spent is loaded
        keeper = Keeper(self.journal, absent, "journal", 1 << 30, lambda: True, lambda _: None)
        meter = Meter(self.limiter, keeper, absent, absent, keys, self._now, strict)
        loading = self.limiter.load({(SCOPE, 0): 0})
        assert loading is None
        self.gateway.books = cast(Books, SimpleNamespace(keys=keys, meter=meter))

    def _now(self) -> int:
        return DAY_ONE + int(self.loop.time() * 1000)

    async def calls(self, coming: list[Call]) -> list[bytes]:
        """What each has been told. Each begins so long after the one before it."""
        at, tasks = 0.0, list[asyncio.Task[bytes]]()
        for number, call in enumerate(coming):
            at += call.after
            tasks.append(asyncio.ensure_future(self._call(f"{self._folder.name}-{number}", call, at)))
        return await asyncio.gather(*tasks)

    async def _call(self, name: str, call: Call, at: float) -> bytes:
        await asyncio.sleep(at)
        message = {"role": "user", "content": name}
        body = json.dumps({"model": call.model, "messages": [message], "stream": call.stream, **call.body}).encode()
        wire = Wire(self.hub, call.reads)
        wire.protocol.data_received(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer %b\r\nx-litellm-call-id: %b\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (KEY.encode(), name.encode(), len(body), body)
        )
        try:
            async with asyncio.timeout(call.patience):
                await wire.closed.wait()
        except TimeoutError:
            wire.abort()
        return wire.said

    # The providers.

    async def _answer(self, request: HttpRequest) -> MockAnswer:
        asked = json.loads(cast(bytes, request.body))
        name = asked["model"]
        does = self._script[name][self._asked[name] % len(self._script[name])]
        self._asked[name] += 1
        attempt = Attempt(asked["messages"][0]["content"], name, does)
        self.attempts.append(attempt)
        late = len(self.attempts) * UNIQUE
        await asyncio.sleep((HANG_SECONDS if does.kind == "hang" else does.seconds) + late)
        if does.kind == "hang":
            raise TimedOut("no byte came", "first_byte")
        if does.kind in _REFUSED:
            attempt.billed = False
            status, headers = _REFUSED[does.kind]
            return HttpResponse(status, headers, b"{}")
        if does.kind in ("unreachable", "reset"):
            attempt.billed = does.kind == "reset"  # it may have worked for it
            raise ClosedEarly("gone") if attempt.billed else ConnectFailed("nobody there")
        if asked.get("stream"):
            return 200, _SSE, self._events(asked, attempt, late)
        return 200, [], self._body(asked, attempt, late)

    async def _body(self, asked: dict[str, Any], attempt: Attempt, late: float) -> AsyncIterator[bytes]:
        body = bodies.answer("chat", asked)
        if attempt.does.kind == "no usage":
            del body["usage"]
        whole = b"<html>" if attempt.does.kind == "no JSON" else json.dumps(body).encode()
        yield whole[:6]
        await asyncio.sleep(attempt.does.gap + late)
        if attempt.does.kind in ("reset in the body", "breaks"):
            raise ClosedEarly("gone")
        yield whole[6:]

    async def _events(self, asked: dict[str, Any], attempt: Attempt, late: float) -> AsyncIterator[bytes]:
        kind, gap, began = attempt.does.kind, attempt.does.gap, self.loop.time()
        events = [b"data: %b\n\n" % json.dumps(one).encode() for one in bodies.events("chat", asked, tokens=EVENTS)]
        if kind == "no usage":
            del events[-1]
        await asyncio.sleep(gap)
        if kind in ("reset in the body", "error at first", "no JSON"):
            if kind == "reset in the body":
                raise ClosedEarly("gone")
            attempt.billed = self.loop.time() - began >= COMMIT_SECONDS  # else nobody had got anything of it
            yield b'data: {"error": {"message": "no", "code": 503}}\n\n'
            return
        for number, event in enumerate(events):
            yield event
            await asyncio.sleep(gap + late)
            if number == 1 and kind == "breaks":
                raise ClosedEarly("broken")
            if number == 1 and kind == "error later":
                yield b'data: {"error": {"message": "no", "code": 503}}\n\n'
                return
            if number == 1 and kind == "unfinished":
                return
            if number == 1 and kind == "stalls":
                await asyncio.sleep(HANG_SECONDS)
                raise TimedOut("no byte came", "between_bytes")
        yield b"data: [DONE]\n\n"

    # What is left.

    def rows(self) -> list[SpendRow]:
        """The finished ones of the journal. None was torn, none is still open."""
        part = files.read(self.journal.path, 0, most=1 << 30)
        assert part.damaged == 0
        assert files.unsettled(self.journal.path) == []
        return part.finals

    def is_free(self) -> bool:
        """Nothing of the key is reserved, no more and no less: it takes one call, with the last nano-dollar."""
        spent = self.limiter.spent(SCOPE, 0)
        assert spent is not None
        scope = Scope(SCOPE, parallel=1, budget=spent + 1)
        try:
            self.limiter.reserve("too much", [scope], 0, 2, strict=True)
        except Refused:
            ticket = cast(Any, self.limiter.reserve("fits", [scope], 0, 1, strict=True))
            self.limiter.settle(ticket, 0, 0)
            return True
        return False

    async def aclose(self) -> None:
        """The journal stays, as it does when a process ends."""
        self.hub.close()
        self.gateway.books = None
        await self.gateway.aclose()
        self.journal.close()
        if isinstance(self.limiter, SharedLimiter):
            self.limiter.close()
