"""The seam of the limits: reserve all or nothing, settle once.

A call is counted against several scopes at once (its key, user, team, ...). `reserve` checks all of them, then takes
from all; `settle` puts the actual amount in the reservation's place, in the second in which it was taken. Behind it:
`memory.py` (one process), `shared.py` (the workers of one host), `redis.py` (those of several). Only the last gives
something to wait for.

Requests and tokens are counted in one-second buckets, the current second and the 60 before it (hard-parts 5), for
scopes that limit them. Money is counted for every scope, per budget period; what a scope has spent already must have
been loaded before its first reservation. (Scopes that callers can make up names for, and that limit nothing, are not
brought here: a limiter's memory is no place for them.)
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

from litellm.types.accounts import Millis, Nano

Limit = Literal["budget", "rpm", "tpm", "max_parallel_requests"]
"""The kinds of limits, as they are configured; and `Kind`, as callers are told of them."""
LIMITS: Final[tuple[Limit, ...]] = get_args(Limit)
Kind = Literal["requests", "tokens", "max_parallel_requests", "budget"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a call is counted against, and their limits. None is no limit.

    `id` is `kind:name`: `key:<hash>`, `user:u1`, `team:t1`, `member:team/t1/u1`, `organization:o1`, `end_user:c1`,
    `tag:x`, `model:gpt-4o`, `key_model:<hash>/gpt-4o` (and `team_model:`, `user_model:` likewise).
    """

    id: str
    rpm: int | None = None
    tpm: int | None = None
    parallel: int | None = None
    budget: Nano | None = None
    """For the period that began at `period` (0: for ever)."""
    period: Millis = 0

    @property
    def limits(self) -> bool:
        """Anything at all."""
        return not (self.rpm is self.tpm is self.parallel is self.budget is None)


class Standing:
    """How a limit stood after a reservation: for the `x-ratelimit-*` headers.

    `reset` is the seconds until all of the limit is there again, if nobody else calls (OpenAI's meaning of the header).
    """

    __slots__ = ("limit", "remaining", "reset")

    def __init__(self, limit: int, remaining: int, reset: float) -> None:
        self.limit, self.remaining, self.reset = limit, remaining, reset


@dataclass(slots=True)
class Ticket:
    """A reservation that was granted. Every ticket is settled exactly once, whatever becomes of its call."""

    call_id: str
    scopes: Sequence[Scope]
    second: int
    """The bucket it was counted in."""
    tokens: int
    nano: Nano
    requests_standing: Standing | None = None
    """Of the scope with the fewest requests left, if any has such a limit; and of tokens."""
    tokens_standing: Standing | None = None
    open: bool = True
    """Not settled yet."""
    held: Any = None
    """What the limiter that gave it needs to settle it."""


class Refused(Exception):
    """A limit is reached. Nothing was taken.

    `current` and `limit` are in the kind's unit (nano-dollars for `budget`); `reset` is the seconds after which the
    same call would fit if nobody else came (0: nobody can say, as for money and parallel requests; for a call larger
    than the limit itself, a whole window).
    """

    def __init__(self, scope: Scope, kind: Kind, limit: int, current: int, reset: float) -> None:
        super().__init__(scope.id, kind)
        self.scope, self.kind, self.limit, self.current, self.reset = scope, kind, limit, current, reset


class Unloaded(Exception):
    """The money spent by these scopes is not known here yet: load it, and reserve again. Nothing was taken."""

    def __init__(self, scopes: Sequence[Scope]) -> None:
        super().__init__([scope.id for scope in scopes])
        self.scopes = scopes


class Crowded(Exception):
    """There is no room to count the call in: too much is in use at once. Nothing was taken."""


class Limiter(Protocol):
    def reserve(
        self, call_id: str, scopes: Sequence[Scope], tokens: int, nano: Nano, strict: bool = False
    ) -> Ticket | Awaitable[Ticket]:
        """One request, `tokens` and `nano`, taken from every scope. Raises Refused, Unloaded, Crowded.

        No scope's id may occur twice. Money fits while spent + reserved < budget; `strict`: if spent + reserved +
        `nano` <= budget. The first limit that is reached refuses: scopes in their order; in each its money, parallel
        requests, requests, tokens.
        """
        ...

    def settle(self, ticket: Ticket, tokens: int, nano: Nano) -> None:
        """Ends a reservation with what was used."""
        ...

    def load(self, spent: Mapping[tuple[str, Millis], Nano]) -> Awaitable[None] | None:
        """Money spent so far, by (scope's id, period). A pair that is known already keeps what it has."""
        ...

    def charge(self, charges: Sequence[tuple[str, Millis]], nano: Nano) -> None:
        """Money spent outside of any ticket: a correction by hand, a call recovered from a crashed process."""
        ...

    def spent(self, scope: str, period: Millis) -> Nano | None:
        """What has been spent, reservations not counted; None if it has not been loaded."""
        ...
