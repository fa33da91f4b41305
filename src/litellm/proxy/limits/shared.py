"""Limits of the workers of one host: `base.Limiter` over a mapped file under flock (hostfile.py), exact without Redis.

Nothing here waits but for the lock, which is held for microseconds and which the kernel takes from a killed worker.
What a dead worker's calls had reserved counts as spent: they may have cost that.

A row is in one of two buckets of sixteen, chosen by its scope's hash; a new one takes the place of one that is idle.
What a forgotten scope has spent is loaded again when it is next seen.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from struct import unpack
from typing import Final

from litellm.proxy.limits.base import Crowded, Refused, Scope, Standing, Ticket, Unloaded
from litellm.proxy.limits.hostfile import ACCOUNT, BUCKET, CELL, COUNTER, HEAD, HOLD, PAIR, Head, HostFile, Pair, Sizes
from litellm.router.windows import REQUESTS, SECONDS, TOKENS
from litellm.types.accounts import Millis, Nano

IDLE_SECONDS: Final = 60
"""An account is not forgotten sooner: by then every worker's journal has been moved into the store."""
LOOK_SECONDS: Final = 1
"""How often a refusal may look for dead workers first, who hold what it is refused for."""
KNOWN: Final = 100_000
"""Scopes whose place a worker remembers."""
MOST: Final = 1 << 53
"""Nano-dollars and tokens of one call: some $9 million. More cannot be reserved, and is settled as this."""
MOST_SCOPES: Final = 500
"""Of one call."""

# A row's head begins with the two halves of the hash of its scope's id: all zero is a free row. Then, of an account:
# its period, the second of its last call, calls in flight, reserved, spent; of a counter: calls in flight, requests and
# tokens in the window, the first second that has not been taken off them, the last one in which there was a request.
# A second's pair is `second << _STAMP | requests`, which says whose second it is now, and tokens.
_SPENT: Final = 6
_SECONDS_AT: Final = 8 * CELL
_STAMP: Final = 28
_COUNT: Final = (1 << _STAMP) - 1
# A hold: whether it holds and how much money (a pair); how many accounts, and then each with its counter or 0.
_PER_HOLD: Final = (HOLD // CELL - 3) // 2

_head: Final = HEAD.unpack_from
_pair: Final = PAIR.unpack_from


class _Place:
    """Where the rows of a scope were when they were last looked for: at 0 is none."""

    __slots__ = ("account", "counter", "high", "low")

    def __init__(self, scope: str) -> None:
        self.high, self.low = unpack("qq", blake2b(scope.encode(), digest_size=16).digest())
        self.high |= 1  # never zero
        self.account = self.counter = 0


class SharedLimiter:
    """base.Limiter. `clock` gives seconds, monotonic, the same for all workers. Made after a fork, not before.

    Raises HostFileError. `reserve` and `load` raise Crowded when the file is full of what is in use.
    """

    def __init__(self, path: Path, clock: Callable[[], float], sizes: Sizes | None = None) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._file = HostFile(path, sizes or Sizes())
        self._free: list[int] = []  # holds of this worker's that hold nothing
        self._looked = 0
        if self._file.left_behind:
            with self._file.locked():
                self._file.clear(self._file.slot, self._settle_dead)

    def close(self) -> None:
        """Calls that are still in flight are settled at what they have reserved."""
        self._file.leave(self._settle_dead)

    def reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool = False) -> Ticket:
        if nano > MOST or tokens > MOST or len(scopes) > MOST_SCOPES:
            raise Crowded("the call is too large to be counted")
        try:
            return self._reserve(call_id, scopes, tokens, nano, strict)
        except (Refused, Crowded) as no:
            if (isinstance(no, Refused) and no.kind in ("requests", "tokens")) or not self._look():
                raise
        return self._reserve(call_id, scopes, tokens, nano, strict)

    def _reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool) -> Ticket:
        file, places = self._file, self._places
        rows: list[int] = []  # an account, its counter or 0, and so on
        heads: list[Head] = []
        pairs: list[Pair] = []
        file.lock()
        try:
            now = int(self._clock())
            ticket = Ticket(call_id, scopes, now, tokens, nano)
            for scope in scopes:
                place = places.get(scope.id) or self._place(scope.id)
                high, low, period, _, calls, reserved, spent = _head(file.map, place.account)
                if high != place.high or period != scope.period:
                    if not self._find(place, scope.period):
                        raise Unloaded(self._unloaded(scopes))
                    high, low, period, _, calls, reserved, spent = _head(file.map, place.account)
                if scope.budget is not None:
                    taken = spent + reserved
                    if taken + nano > scope.budget if strict else taken >= scope.budget:
                        raise Refused(scope, "budget", scope.budget, spent, 0)
                heads.append((place.account, high, low, period, now, calls + 1, reserved + nano, spent))
                rows.append(place.account)
                if scope.rpm is None and scope.tpm is None and scope.parallel is None:
                    rows.append(0)
                else:
                    self._take(scope, place, ticket, rows, heads, pairs)
            holds = self._hold(nano, rows, pairs)
            file.commit(heads, pairs)
        finally:
            file.unlock()
        ticket.held = holds, rows
        return ticket

    def _take(
        self, scope: Scope, place: _Place, ticket: Ticket, rows: list[int], heads: list[Head], pairs: list[Pair]
    ) -> None:
        """Raises Refused; else notes on the ticket how the tightest limits will stand once it is taken."""
        cells, now = self._file.map, ticket.second
        if _head(cells, place.counter)[0] != place.high:
            self._find_counter(place, now, rows)
        counter = place.counter
        high, low, parallel, requests, tokens, first, last = _head(cells, counter)
        if first <= now - SECONDS:
            requests, tokens = self._moved(counter, requests, tokens, range(first, now - SECONDS + 1), last)
            first = now - SECONDS + 1
        if scope.parallel is not None and parallel >= scope.parallel:
            raise Refused(scope, "max_parallel_requests", scope.parallel, parallel, 0)
        if scope.rpm is not None:
            left = scope.rpm - requests - 1
            if left < 0:
                raise Refused(scope, "requests", scope.rpm, requests, self._free_in(counter, REQUESTS, -left, now))
            known = ticket.requests_standing
            if known is None or left < known.remaining:
                ticket.requests_standing = Standing(scope.rpm, left, SECONDS)
        if scope.tpm is not None:
            left = scope.tpm - tokens - ticket.tokens
            if left < 0:
                raise Refused(scope, "tokens", scope.tpm, tokens, self._free_in(counter, TOKENS, -left, now))
            known = ticket.tokens_standing
            if known is None or left < known.remaining:
                ticket.tokens_standing = Standing(scope.tpm, left, SECONDS)
        rows.append(counter)
        heads.append((counter, high, low, parallel + 1, requests + 1, tokens + ticket.tokens, first, now))
        at = counter + _SECONDS_AT + now % SECONDS * PAIR.size
        stamp, amount = _pair(cells, at)
        if stamp >> _STAMP == now:
            pairs.append((at, stamp + 1, amount + ticket.tokens))
        else:
            pairs.append((at, now << _STAMP | 1, ticket.tokens))

    def _moved(self, counter: int, requests: int, tokens: int, gone: range, last: int) -> tuple[int, int]:
        """Requests and tokens without those of the seconds that are `gone`."""
        if last < gone.stop:
            return 0, 0
        for second in gone:
            stamp, amount = _pair(self._file.map, counter + _SECONDS_AT + second % SECONDS * PAIR.size)
            if stamp >> _STAMP == second:
                requests -= stamp & _COUNT
                tokens -= amount
        return requests, tokens

    def _free_in(self, counter: int, kind: int, excess: int, now: int) -> int:
        """Seconds until `excess` requests or tokens have left the window: as windows.Window.free_in."""
        for second in range(now - SECONDS + 1, now + 1):
            stamp, amount = _pair(self._file.map, counter + _SECONDS_AT + second % SECONDS * PAIR.size)
            if stamp >> _STAMP == second:
                excess -= amount if kind == TOKENS else stamp & _COUNT
                if excess <= 0:
                    return second + SECONDS - now
        return SECONDS

    def settle(self, ticket: Ticket, tokens: int, nano: Nano) -> None:
        if not ticket.open:
            return
        ticket.open = False
        tokens, nano = min(tokens, MOST), min(nano, MOST)
        holds: list[int]
        rows: list[int]
        holds, rows = ticket.held
        file = self._file
        pairs: list[Pair] = [(hold, 0, 0) for hold in holds]
        file.lock()
        try:
            heads = self._settled(rows, ticket.nano, nano, ticket.second, tokens - ticket.tokens, pairs)
            file.commit(heads, pairs)
        finally:
            file.unlock()
        self._free += holds

    def _settled(
        self, rows: list[int], held: Nano, nano: Nano, second: int, more: int, pairs: list[Pair]
    ) -> list[Head]:
        """The heads of accounts and counters once a call has ended; its `more` tokens than reserved go to `pairs`."""
        cells = self._file.map
        heads: list[Head] = []
        of_both = iter(rows)
        for account, counter in zip(of_both, of_both, strict=True):
            high, low, period, touched, calls, reserved, spent = _head(cells, account)
            heads.append((account, high, low, period, touched, calls - 1, reserved - held, spent + nano))
            if counter:
                high, low, parallel, requests, tokens, first, last = _head(cells, counter)
                if more and second >= first:
                    tokens += more
                    at = counter + _SECONDS_AT + second % SECONDS * PAIR.size
                    stamp, amount = _pair(cells, at)
                    pairs.append((at, stamp, amount + more))
                heads.append((counter, high, low, parallel - 1, requests, tokens, first, last))
        return heads

    def _hold(self, nano: Nano, rows: list[int], pairs: list[Pair]) -> list[int]:
        """Write down what the call takes, for whoever finds this worker dead. It holds from the commit on."""
        free = self._free
        parts = range(0, len(rows), 2 * _PER_HOLD)
        while len(free) < len(parts):
            chunk = self._file.take_chunk()
            if chunk is None:
                raise Crowded("too many calls in flight on this host")
            free += chunk
        holds = [free.pop() for _ in parts]
        for hold, start in zip(holds, parts, strict=True):
            part = rows[start : start + 2 * _PER_HOLD]
            cell = hold // CELL + 2
            self._file.cells[cell : cell + 1 + len(part)] = array("q", [len(part), *part])
            pairs.append((hold, 1, nano))
        return holds

    def _settle_dead(self, hold: int) -> None:
        cells, cell = self._file.cells, hold // CELL
        holds, nano, length = cells[cell : cell + 3].tolist()
        if holds:
            rows = cells[cell + 3 : cell + 3 + length].tolist()
            pairs: list[Pair] = [(hold, 0, 0)]
            self._file.commit(self._settled(rows, nano, nano, 0, 0, pairs), pairs)

    def release_dead(self) -> bool:
        """Settle what killed workers held; whether there was one. For a timer: a refusal does it by itself."""
        return self._file.clear_dead(self._settle_dead)

    def _look(self) -> bool:
        now = int(self._clock())
        if now < self._looked + LOOK_SECONDS:
            return False
        self._looked = now
        return self.release_dead()

    def load(self, spent: Mapping[tuple[str, Millis], Nano]) -> None:
        with self._file.locked():
            now = int(self._clock())
            for (scope, period), nano in spent.items():
                place = self._place(scope)
                if not self._find(place, period):
                    place.account = self._account_row(place, now)
                    self._file.commit([(place.account, place.high, place.low, period, now, 0, 0, nano)], [])

    def charge(self, charges: Sequence[tuple[str, Millis]], nano: Nano) -> None:
        with self._file.locked():
            for scope, period in charges:
                place = self._place(scope)
                if self._find(place, period):
                    *same, spent = _head(self._file.map, place.account)
                    HEAD.pack_into(self._file.map, place.account, *same, spent + nano)

    def spent(self, scope: str, period: Millis) -> Nano | None:
        place = self._place(scope)
        high, _, known, _, _, _, spent = _head(self._file.map, place.account)
        if high == place.high and known == period:
            return spent  # one cell is always whole: no lock
        with self._file.locked():
            return _head(self._file.map, place.account)[_SPENT] if self._find(place, period) else None

    def _unloaded(self, scopes: Sequence[Scope]) -> list[Scope]:
        return [scope for scope in scopes if not self._find(self._place(scope.id), scope.period)]

    def _place(self, scope: str) -> _Place:
        place = self._places.get(scope)
        if place is None:
            if len(self._places) >= KNOWN:
                self._places.clear()
            place = self._places[scope] = _Place(scope)
        return place

    def _find(self, place: _Place, period: Millis) -> bool:
        """Whether the account is there; its place is noted."""
        for row in self._rows(place, self._file.accounts, self._file.sizes.accounts, ACCOUNT):
            if _head(self._file.map, row)[1:3] == (place.low, period):
                place.account = row
                return True
        return False

    def _find_counter(self, place: _Place, now: int, busy: list[int]) -> None:
        """Its place is noted; it is made if need be, not in the place of one that is `busy`. Raises Crowded."""
        for row in self._rows(place, self._file.counters, self._file.sizes.counters, COUNTER):
            if _head(self._file.map, row)[1] == place.low:
                place.counter = row
                return
        place.counter = self._counter_row(place, now, busy)
        self._file.commit([(place.counter, place.high, place.low, 0, 0, 0, now, now - SECONDS)], [])

    def _rows(self, place: _Place, start: int, rows: int, width: int) -> Iterator[int]:
        """The rows of the scope's two buckets that have the first half of its hash."""
        for bucket in _buckets(place, start, rows, width):
            first = bucket // CELL
            highs = self._file.cells[first : first + BUCKET * width // CELL : width // CELL].tolist()
            for n, high in enumerate(highs):
                if high == place.high:
                    yield bucket + n * width

    def _account_row(self, place: _Place, now: int) -> int:
        def idle(row: int) -> int:
            _, _, _, touched, calls, _, _ = _head(self._file.map, row)
            return 0 if calls or touched > now - IDLE_SECONDS else now - touched

        return self._room(place, self._file.accounts, self._file.sizes.accounts, ACCOUNT, idle)

    def _counter_row(self, place: _Place, now: int, busy: list[int]) -> int:
        def idle(row: int) -> int:
            _, _, parallel, _, _, _, last = _head(self._file.map, row)
            return 0 if parallel or last > now - SECONDS or row in busy else now - last

        return self._room(place, self._file.counters, self._file.sizes.counters, COUNTER, idle)

    def _room(self, place: _Place, start: int, rows: int, width: int, idle: Callable[[int], int]) -> int:
        """A free row, in the emptier bucket; else that which is `idle` longest (0: is not). Raises Crowded."""
        buckets = [range(at, at + BUCKET * width, width) for at in _buckets(place, start, rows, width)]
        free = max(([row for row in bucket if not self._file.cells[row // CELL]] for bucket in buckets), key=len)
        if free:
            return free[0]
        longest = max(chain(*buckets), key=idle)
        if not idle(longest):
            raise Crowded("too many scopes are in use on this host")
        return longest


def _buckets(place: _Place, start: int, rows: int, width: int) -> tuple[int, int]:
    count = rows // BUCKET
    span = BUCKET * width
    return start + place.high // 2 % count * span, start + place.low % count * span
