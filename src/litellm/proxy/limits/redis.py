"""Limits over several hosts: `base.Limiter` in a Redis, one script a reservation (lua.py).

`reserve` and `load` give something to wait for. Settlements of one turn of the loop are one script; those that find no
Redis are kept and tried again. A worker shows every second that it lives; what one that no longer does had reserved
counts as spent. Scripts do nothing twice: each carries the call's own number.

A Redis that was restarted empty has another epoch. Whoever notices registers its calls in flight again and moves what
has been spent to the store, from which money is loaded; until every living worker has had the time to do so, it is as
if Redis were still away. What calls spend that end before their scope's money is loaded stands beside it until it is
in the store, and is added to what is loaded: so it counts once, or, if the money is read in the moment between, twice,
and never less. (What the window of rpm and tpm held is lost with Redis.)

Without Redis calls are counted in this process's memory, and Redis is told of the money when it is back; those with
a limit of a kind that fails closed (strict budgets always do) are not admitted.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from litellm.kv.redis import NotSent, Redis, RedisDown, RedisError
from litellm.proxy.limits import lua, memory
from litellm.proxy.limits.base import LIMITS, Crowded, Limit, Refused, Scope, Standing, Ticket, Unloaded
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.router.windows import SECONDS
from litellm.store.base import StoreDown
from litellm.types.accounts import Millis, Nano

LEASE: Final = 15_000
GRACE: Final = 6_000
"""Milliseconds: how long a worker counts as alive without a sign; and in which every living one has noticed a new epoch
(the longest pause between attempts to connect, a renewal, and the move)."""
RENEW_SECONDS: Final = 1.0
KNOWN_SECONDS: Final = 2.0
"""For how long the money that Redis told of holds without asking again."""
KNOWN: Final = 10_000
MOST: Final = 1 << 53

_log: Final = logging.getLogger("litellm.proxy")


async def _nothing() -> None:
    pass


class RedisLimiter:
    """`clock` gives seconds, monotonic, for what is counted here; `time` Redis's milliseconds, for simulations only.
    `closed`: kinds of limits whose calls are not admitted while Redis is away.

    `told` is called for each call that was admitted without Redis.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Callable[[], float],
        closed: Collection[Limit] = (),
        told: Callable[[], None] = lambda: None,
        time: Callable[[], Millis] | None = None,
        grace: Millis = GRACE,
    ) -> None:
        self.redis = redis
        self._clock = clock
        self._closed = frozenset(closed)
        self._told = told
        self.moved: Callable[[], Awaitable[None]] = _nothing
        """Puts what was spent here into the store."""
        self._time = time
        self._grace = grace
        self._local: MemoryLimiter | None = None  # while Redis is away
        self._name = secrets.token_hex(8)
        self._count = 0
        self._epoch = ""
        self._live: dict[str, str] = {}  # call -> what Redis holds of it
        self._pending: list[tuple[str, int, int]] = []  # call, nano, tokens
        self._given_up: list[str] = []  # calls whose reservation had no answer
        self._owed: dict[tuple[str, Millis], Nano] = {}  # spent by calls that Redis does not know of
        self._late: list[bytes] = []  # money key, nano, ...: spent where no money is loaded, and maybe not in the store
        self._storing: asyncio.Task[None] | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._spent: dict[tuple[str, Millis], tuple[Nano, float]] = {}
        self._why: str | None = None  # limits are not counted in Redis
        self._stopping = asyncio.Event()

    async def begin(self) -> None:
        """Waits until money can be loaded; where there is no Redis, it begins all the same."""
        try:
            wait = await self.renew()
        except (RedisDown, RedisError) as error:
            self._lost(str(error))
            return
        if wait > 0:
            await asyncio.sleep(wait / 1000)

    async def run(self) -> None:
        """Until `aclose`."""
        while True:
            try:
                await asyncio.wait_for(self._stopping.wait(), RENEW_SECONDS)
                return
            except TimeoutError:
                pass
            try:
                await self.renew()
            except (RedisDown, RedisError) as error:
                self._lost(str(error))
            except Exception:  # a background job's loop: it must go on
                _log.exception("the lease in Redis")

    def stop(self) -> None:
        """`run` ends soon."""
        self._stopping.set()

    async def aclose(self) -> None:
        """Calls that are still in flight are settled at what they have reserved."""
        self._stopping.set()
        if self._moving is not None:
            await self._moving
        try:
            await self.settled()
            if self._storing is not None:
                await self._storing
            await self.redis.run(lua.LEAVE, (_STATE,), self._name)
        except (RedisDown, RedisError) as error:
            _log.warning("the lease in Redis ends by itself: %s", error)
        await self.redis.aclose()

    async def settled(self) -> None:
        """Returns when what was settled so far is in Redis, or it cannot be reached."""
        while self._flushing is not None:
            await self._flushing

    def reserve(
        self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool = False
    ) -> Awaitable[Ticket]:
        return self._reserve(call_id, scopes, tokens, nano, strict)

    async def _reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool) -> Ticket:
        if nano > MOST or tokens > MOST:
            raise Crowded("the call is too large to be counted")
        for _ in range(3):
            try:
                reply = await self._ask(scopes, tokens, nano, strict)
            except (RedisDown, RedisError) as error:
                return self._without(str(error), call_id, scopes, tokens, nano, strict)
            if reply[0] == b"grace":
                return self._without("it has been emptied", call_id, scopes, tokens, nano, strict)
            if reply[0] == b"epoch":
                continue
            self._found()
            ticket = _read(reply, Ticket(call_id, scopes, 0, tokens, nano))
            self._note(scopes, reply[6:-1])
            ticket.held = reply[-1]
            return ticket
        raise Crowded("the limits are being loaded again")

    async def _ask(self, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool) -> Any:
        """The script's reply, the call's number behind it."""
        self._count += 1
        call = f"{self._count}"
        money = [_money(scope.id, scope.period) for scope in scopes]
        counters = [_counter(scope) for scope in scopes]
        held = json.dumps([str(nano), str(tokens), money, [key for key in counters if key]], separators=(",", ":"))
        args: list[str | int] = []
        for scope, account, counter in zip(scopes, money, counters, strict=True):
            args += [account, _text(scope.budget), counter, _text(scope.rpm), _text(scope.tpm), _text(scope.parallel)]
        first = (self._now(), self._epoch, self._name, call, tokens, nano, int(strict), held, self._grace)
        try:
            reply = await self.redis.run(lua.RESERVE, (_STATE,), *first, *args)
        except NotSent:
            raise
        except BaseException:  # cut off, or cancelled: it may have been taken, or be taken yet
            self._given_up.append(call)
            self._flush_soon()
            raise
        if reply[0] == b"ok":
            self._live[call] = f"{reply[1]}:{held}"
        elif reply[0] == b"epoch":
            await self.renew()
        return [*reply, call]

    def _without(
        self, why: str, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool
    ) -> Ticket:
        self._lost(why)
        closed = self._closed | {"budget"} if strict else self._closed
        if any(_limits(scope) & closed for scope in scopes):
            raise Crowded("limits cannot be counted without Redis") from None
        if self._local is None:
            self._local = MemoryLimiter(self._clock)
        ticket = self._local.reserve(call_id, scopes, tokens, nano)
        self._told()
        return ticket

    def settle(self, ticket: Ticket, tokens: int, nano: Nano) -> None:
        if not ticket.open:
            return
        if not isinstance(ticket.held, str):
            memory.settle(ticket, tokens, nano)
            self._owe(((scope.id, scope.period) for scope in ticket.scopes), nano)
            return
        ticket.open = False
        self._live.pop(ticket.held, None)
        for scope in ticket.scopes[:1]:
            known = self._spent.get((scope.id, scope.period))
            if known is not None:
                self._spent[scope.id, scope.period] = known[0] + nano, known[1]
        self._pending.append((ticket.held, min(nano, MOST), min(tokens, MOST)))
        self._flush_soon()

    def load(self, spent: Mapping[tuple[str, Millis], Nano]) -> Awaitable[None]:
        if self._local is not None:
            self._local.load(spent)
        return self._load(spent)

    async def _load(self, spent: Mapping[tuple[str, Millis], Nano]) -> None:
        args = [part for charge, nano in spent.items() for part in (_money(*charge), nano)]
        with contextlib.suppress(RedisDown, RedisError):  # the reservation that follows will tell
            await self.redis.run(lua.LOAD, (_STATE,), self._now(), self._epoch, self._grace, *args)

    def charge(self, charges: Sequence[tuple[str, Millis]], nano: Nano) -> None:
        if self._local is not None:
            self._local.charge(charges, nano)
        self._owe(charges, nano)

    def _owe(self, charges: Iterable[tuple[str, Millis]], nano: Nano) -> None:
        for charge in charges:
            self._owed[charge] = self._owed.get(charge, 0) + nano
        self._flush_soon()

    def spent(self, scope: str, period: Millis) -> Nano | None:
        """As Redis told of it within the last seconds."""
        known = self._spent.get((scope, period))
        return known[0] if known is not None and self._clock() - known[1] < KNOWN_SECONDS else None

    def _note(self, scopes: Sequence[Scope], spents: Sequence[Any]) -> None:
        if len(self._spent) >= KNOWN:
            self._spent.clear()
        now = self._clock()
        for scope, spent in zip(scopes, spents, strict=True):
            self._spent[scope.id, scope.period] = int(spent), now

    def _flush_soon(self) -> None:
        if (self._pending or self._given_up or self._owed) and self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        """What finds no Redis waits for the next renewal. (The store has all of it already.)"""
        try:
            while self._pending:
                some, self._pending = self._pending, []
                args = [part for call, nano, tokens in some for part in (self._name, call, nano, tokens)]
                try:
                    self._store_soon(await self.redis.run(lua.SETTLE, (_STATE,), *args))
                except BaseException:
                    self._pending = some + self._pending
                    raise
            if self._given_up:
                calls, self._given_up = self._given_up, []
                try:
                    await self.redis.run(lua.GIVE_UP, (_STATE,), self._name, *calls)
                except BaseException:
                    self._given_up = calls + self._given_up
                    raise
            if self._owed:
                owed, self._owed = self._owed, {}
                args = [part for charge, nano in owed.items() for part in (_money(*charge), nano)]
                try:
                    self._store_soon(await self.redis.run(lua.CHARGE, (_STATE,), self._epoch, *args))
                except BaseException:
                    self._owed = _sums(owed, self._owed)
                    raise
        except (RedisDown, RedisError) as error:
            self._lost(str(error))
        finally:
            self._flushing = None

    def _store_soon(self, late: list[bytes]) -> None:
        self._late += late
        if self._late and self._storing is None:
            self._storing = asyncio.create_task(self._store())

    async def _store(self) -> None:
        """What was spent where no money is loaded goes into the store, and then Redis need not remember it."""
        try:
            while self._late:
                late, self._late, epoch = self._late, [], self._epoch
                try:
                    await self.moved()
                    await self.redis.run(lua.STORED, (_STATE,), epoch, *late)
                except (StoreDown, NotSent):  # nothing can be loaded either: the next renewal tries again
                    if epoch == self._epoch:
                        self._late += late
                    return
        except (RedisDown, RedisError) as error:  # told perhaps: rather twice than never
            _log.warning("some spend may count twice: %s", error)
        finally:
            self._storing = None

    async def renew(self) -> Millis:
        """A sign of life; what waits for Redis goes out. How long nobody is admitted from now on, in milliseconds."""
        epoch, since, now = await self._alive()
        if epoch.decode() != self._epoch:
            live = [part for call, held in self._live.items() for part in (call, held)]
            epoch, since, now = await self._alive(*live)
            self._epoch = epoch.decode()
            self._owed.clear()  # the move brings it
            self._late = []
            self._moving = asyncio.create_task(self._move())
        wait = since + self._grace - now
        if wait <= 0:
            self._found()
        self._flush_soon()
        self._store_soon([])
        return wait

    async def _alive(self, *live: str) -> Any:
        """Redis's epoch, its beginning, and the time; to another epoch than the known one, `live` calls are told."""
        fresh = secrets.token_hex(8)
        return await self.redis.run(lua.RENEW, (_STATE,), self._now(), self._epoch, self._name, fresh, LEASE, *live)

    async def _move(self) -> None:
        try:
            await self.moved()
        except StoreDown as error:  # then nothing can be loaded from it
            _log.warning("what was spent is not in the store yet: %s", error)

    def _lost(self, why: str) -> None:
        if self._why is None:
            self._why = why
            closed = ", ".join(sorted(self._closed)) or "none"
            _log.error("limits are not counted in Redis (those that fail closed: %s): %s", closed, why)

    def _found(self) -> None:
        if self._why is not None:
            self._why = self._local = None
            _log.warning("limits are counted in Redis again")

    def _now(self) -> Millis | str:
        return "" if self._time is None else self._time()


_STATE: Final = "{litellm}:state"


def _money(scope: str, period: Millis) -> str:
    return f"{{litellm}}:m:{scope}:{period}"


def _counter(scope: Scope) -> str:
    """Empty without limits that need one."""
    limited = scope.rpm is not None or scope.tpm is not None or scope.parallel is not None
    return f"{{litellm}}:c:{scope.id}" if limited else ""


def _limits(scope: Scope) -> set[Limit]:
    """The kinds of limits that it has."""
    values = (scope.budget, scope.rpm, scope.tpm, scope.parallel)
    return {kind for kind, value in zip(LIMITS, values, strict=True) if value is not None}


def _text(limit: int | None) -> str:
    return "" if limit is None else str(limit)


def _sums(some: dict[tuple[str, Millis], Nano], more: dict[tuple[str, Millis], Nano]) -> dict[tuple[str, Millis], Nano]:
    return {charge: some.get(charge, 0) + more.get(charge, 0) for charge in (*some, *more)}


def _read(reply: list[Any], ticket: Ticket) -> Ticket:
    """The ticket with what Redis says of it. Raises Refused, Unloaded, Crowded."""
    said: bytes = reply[0]
    match said:
        case b"ok":
            ticket.second = reply[1]
            if int(reply[3]) >= 0:
                ticket.requests_standing = Standing(int(reply[2]), int(reply[3]), SECONDS)
            if int(reply[5]) >= 0:
                ticket.tokens_standing = Standing(int(reply[4]), int(reply[5]), SECONDS)
            return ticket
        case b"refused":
            kind = reply[2].decode()
            at: int = reply[1]
            raise Refused(ticket.scopes[at], kind, int(reply[3]), int(reply[4]), reply[5])
        case b"unloaded":
            absent: list[int] = reply[1:-1]
            raise Unloaded([ticket.scopes[at] for at in absent])
        case _:
            raise Crowded("more money than can be counted")
