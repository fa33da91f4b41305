"""Limits of one process: `base.Limiter` over plain objects. Nothing here waits, so a reservation is one step.

What is idle is dropped a little at a time: each account that is made looks at two others.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from litellm.proxy.limits.base import Refused, Scope, Standing, Ticket, Unloaded
from litellm.router.windows import REQUESTS, SECONDS, TOKENS, Window
from litellm.types.accounts import Millis, Nano

IDLE_SECONDS: Final = 3600
"""A scope without a call for so long is forgotten: what it has spent is loaded again when it is next seen."""
LOOKS: Final = 2


class _Counter(Window):
    """A scope's last minute and its calls in flight, while it has limits on them."""

    __slots__ = ("parallel",)

    def __init__(self) -> None:
        super().__init__()
        self.parallel = 0

    def is_idle(self, now: int) -> bool:
        self.move(now)
        return not self.parallel and not self.requests


class _Account:
    """What a scope has spent in a period, and what its `calls` in flight have reserved.

    `before` is the period before it, as long as calls of that are in flight.
    """

    __slots__ = ("before", "calls", "counter", "period", "reserved", "spent", "touched")

    def __init__(self, period: Millis, spent: Nano, now: int) -> None:
        self.period = period
        self.spent = spent
        self.reserved = 0
        self.calls = 0
        self.touched = now
        self.counter: _Counter | None = None
        self.before: _Account | None = None

    def of(self, period: Millis) -> "_Account | None":
        account: _Account | None = self
        while account is not None and account.period != period:
            account = account.before
        return account

    def drop_ended(self) -> None:
        """Forget the earlier periods whose calls have all been settled."""
        account = self
        while account.before is not None:
            if account.before.calls:
                account = account.before
            else:
                account.before = account.before.before


class MemoryLimiter:
    """base.Limiter. `clock` gives seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}  # the latest period's, by scope
        self._round: deque[str] = deque()  # their names: whom to look at next

    def reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool = False) -> Ticket:
        now = int(self._clock())
        accounts = self._accounts_of(scopes)
        ticket = Ticket(call_id, scopes, now, tokens, nano)
        counters: list[_Counter] = []
        for scope, account in zip(scopes, accounts, strict=True):
            if scope.budget is not None:
                taken = account.spent + account.reserved
                if taken + nano > scope.budget if strict else taken >= scope.budget:
                    raise Refused(scope, "budget", scope.budget, account.spent, 0)
            if scope.rpm is not None or scope.tpm is not None or scope.parallel is not None:
                counter = self._accounts[scope.id].counter or self._count(scope.id)
                _check(scope, counter, ticket)
                counters.append(counter)
        for account in accounts:
            account.reserved += nano
            account.calls += 1
            account.touched = now
        for counter in counters:
            counter.parallel += 1
            counter.add(now, tokens)
        ticket.held = accounts, counters
        return ticket

    def _accounts_of(self, scopes: Sequence[Scope]) -> list[_Account]:
        found: list[_Account] = []
        known = self._accounts
        for scope in scopes:
            account = known.get(scope.id)
            if account is not None and account.period != scope.period:
                account = account.of(scope.period)
            if account is None:
                raise Unloaded([scope for scope in scopes if self.spent(scope.id, scope.period) is None])
            found.append(account)
        return found

    def settle(self, ticket: Ticket, tokens: int, nano: Nano) -> None:
        if ticket.open:
            settle(ticket, tokens, nano)

    def load(self, spent: Mapping[tuple[str, Millis], Nano]) -> None:
        for (scope, period), nano in spent.items():
            latest = self._accounts.get(scope)
            if latest is None or latest.of(period) is None:
                self._open(scope, latest, _Account(period, nano, int(self._clock())))

    def _open(self, scope: str, latest: _Account | None, made: _Account) -> None:
        if latest is None:
            self._accounts[scope] = made
            self._look()
            self._round.append(scope)
        elif made.period < latest.period:
            latest.before, made.before = made, latest.before
        else:
            made.counter, latest.counter = latest.counter, None
            made.before = latest
            made.drop_ended()
            self._accounts[scope] = made

    def charge(self, charges: Sequence[tuple[str, Millis]], nano: Nano) -> None:
        for scope, period in charges:
            latest = self._accounts.get(scope)
            account = None if latest is None else latest.of(period)
            if account is not None:
                account.spent += nano

    def spent(self, scope: str, period: Millis) -> Nano | None:
        latest = self._accounts.get(scope)
        account = None if latest is None else latest.of(period)
        return None if account is None else account.spent

    def _count(self, scope: str) -> _Counter:
        made = self._accounts[scope].counter = _Counter()
        return made

    def _look(self) -> None:
        """Drop what is idle of the next accounts in the round."""
        now = int(self._clock())
        for _ in range(min(LOOKS, len(self._round))):
            name = self._round.popleft()
            account = self._accounts[name]
            account.drop_ended()
            if account.counter is not None and account.counter.is_idle(now):
                account.counter = None
            if account.calls or account.before or account.counter or account.touched > now - IDLE_SECONDS:
                self._round.append(name)
            else:
                del self._accounts[name]


def settle(ticket: Ticket, tokens: int, nano: Nano) -> None:
    """Ends an open ticket of a MemoryLimiter, which may itself be gone."""
    ticket.open = False
    accounts: list[_Account]
    counters: list[_Counter]
    accounts, counters = ticket.held
    for account in accounts:
        account.reserved -= ticket.nano
        account.spent += nano
        account.calls -= 1
    for counter in counters:
        counter.parallel -= 1
        counter.correct(ticket.second, tokens - ticket.tokens)


def _check(scope: Scope, counter: _Counter, ticket: Ticket) -> None:
    """Raises Refused; else notes on the ticket how the tightest limits will stand once it is taken."""
    counter.move(ticket.second)
    if scope.parallel is not None and counter.parallel >= scope.parallel:
        raise Refused(scope, "max_parallel_requests", scope.parallel, counter.parallel, 0)
    if scope.rpm is not None:
        left = scope.rpm - counter.requests - 1
        if left < 0:
            reset = counter.free_in(REQUESTS, scope.rpm - 1, ticket.second)
            raise Refused(scope, "requests", scope.rpm, counter.requests, reset)
        known = ticket.requests_standing
        if known is None or left < known.remaining:
            ticket.requests_standing = Standing(scope.rpm, left, SECONDS)
    if scope.tpm is not None:
        left = scope.tpm - counter.tokens - ticket.tokens
        if left < 0:
            reset = counter.free_in(TOKENS, scope.tpm - ticket.tokens, ticket.second)
            raise Refused(scope, "tokens", scope.tpm, counter.tokens, reset)
        known = ticket.tokens_standing
        if known is None or left < known.remaining:
            ticket.tokens_standing = Standing(scope.tpm, left, SECONDS)
