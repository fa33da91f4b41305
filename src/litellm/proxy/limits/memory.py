"""Limits of one process: `base.Limiter` over plain dicts. Nothing here waits, so a reservation is one step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from litellm.proxy.limits.base import Refused, Scope, Standing, Ticket, Unloaded
from litellm.proxy.limits.windows import Window
from litellm.types.accounts import Millis, Nano

SWEEP_AT: Final = 10_000
"""So many new counters, and those that count nothing any more are dropped."""


class _Counter:
    """A scope's requests and tokens of the last minute, and its calls in flight."""

    __slots__ = ("parallel", "requests", "tokens")

    def __init__(self) -> None:
        self.parallel = 0
        self.requests = Window()
        self.tokens = Window()


class _Money:
    """What a scope has spent in a period, and what its calls in flight have reserved."""

    __slots__ = ("reserved", "spent")

    def __init__(self, spent: Nano) -> None:
        self.spent = spent
        self.reserved = 0


class MemoryLimiter:
    """base.Limiter. `clock` gives seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counters: dict[str, _Counter] = {}
        self._money: dict[tuple[str, Millis], _Money] = {}
        self._periods: dict[str, Millis] = {}
        self._sweep_at = SWEEP_AT

    def reserve(self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool = False) -> Ticket:
        now = int(self._clock())
        money = [self._money.get((scope.id, scope.period)) for scope in scopes]
        if None in money:
            raise Unloaded([scope for scope, known in zip(scopes, money, strict=True) if known is None])
        ticket = Ticket(call_id, scopes, now, tokens, nano)
        for scope, known in zip(scopes, money, strict=True):
            assert known is not None
            if scope.budget is not None:
                _check_money(scope, scope.budget, known, nano, strict)
            if scope.rpm is not None or scope.tpm is not None or scope.parallel is not None:
                self._check(scope, ticket, now)
        for scope, known in zip(scopes, money, strict=True):
            assert known is not None
            known.reserved += nano
            counter = self._counters.get(scope.id)
            if counter is not None:
                counter.parallel += 1
                counter.requests.add(now, 1)
                counter.tokens.add(now, tokens)
        return ticket

    def _check(self, scope: Scope, ticket: Ticket, now: int) -> None:
        """Raises Refused; else notes on the ticket how the tightest limits will stand once it is taken."""
        counter = self._counters.get(scope.id) or self._count(scope.id)
        requests, tokens = counter.requests.total(now), counter.tokens.total(now)
        if scope.parallel is not None and counter.parallel >= scope.parallel:
            raise Refused(scope, "max_parallel_requests", scope.parallel, counter.parallel, 0)
        if scope.rpm is not None:
            if requests >= scope.rpm:
                wait = counter.requests.free_in(scope.rpm - 1)
                raise Refused(scope, "requests", scope.rpm, requests, wait)
            ticket.requests_standing = _tighter(ticket.requests_standing, scope.rpm, requests + 1, counter.requests)
        if scope.tpm is not None:
            if tokens + ticket.tokens > scope.tpm:
                wait = counter.tokens.free_in(scope.tpm - ticket.tokens)
                raise Refused(scope, "tokens", scope.tpm, tokens, wait)
            ticket.tokens_standing = _tighter(ticket.tokens_standing, scope.tpm, tokens + ticket.tokens, counter.tokens)

    def settle(self, ticket: Ticket, tokens: int, nano: Nano) -> None:
        if not ticket.open:
            return
        ticket.open = False
        for scope in ticket.scopes:
            money = self._money[scope.id, scope.period]
            money.reserved -= ticket.nano
            money.spent += nano
            counter = self._counters.get(scope.id)
            if counter is not None:
                counter.parallel = max(0, counter.parallel - 1)  # it may be younger than the ticket
                counter.tokens.add(ticket.second, tokens - ticket.tokens)

    def load(self, spent: Mapping[tuple[str, Millis], Nano]) -> None:
        for (scope, period), nano in spent.items():
            self._money.setdefault((scope, period), _Money(nano))
            before = self._periods.get(scope, period)
            if before < period:
                self._forget(scope, before)
            self._periods[scope] = max(before, period)

    def _forget(self, scope: str, period: Millis) -> None:
        """A budget period that is over, unless calls of it are under way."""
        money = self._money.get((scope, period))
        if money is not None and money.reserved == 0:
            del self._money[scope, period]

    def charge(self, charges: Sequence[tuple[str, Millis]], nano: Nano) -> None:
        for charge in charges:
            money = self._money.get(charge)
            if money is not None:
                money.spent += nano

    def spent(self, scope: str, period: Millis) -> Nano | None:
        money = self._money.get((scope, period))
        return None if money is None else money.spent

    def _count(self, scope: str) -> _Counter:
        if len(self._counters) >= self._sweep_at:
            self._sweep()
        made = self._counters[scope] = _Counter()
        return made

    def _sweep(self) -> None:
        now = int(self._clock())
        idle = [
            name
            for name, counter in self._counters.items()
            if not counter.parallel and not counter.requests.total(now) and not counter.tokens.total(now)
        ]
        for name in idle:
            del self._counters[name]
        self._sweep_at = len(self._counters) + SWEEP_AT


def _check_money(scope: Scope, budget: Nano, money: _Money, nano: Nano, strict: bool) -> None:
    taken = money.spent + money.reserved
    if taken + nano > budget if strict else taken >= budget:
        raise Refused(scope, "budget", budget, money.spent, 0)


def _tighter(known: Standing | None, limit: int, used: int, window: Window) -> Standing:
    if known is not None and known.remaining <= limit - used:
        return known
    return Standing(limit, limit - used, float(window.free_in(0)))
