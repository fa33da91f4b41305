"""What is known of each deployment: who is busy, who is full, who rests and until when.

Owned by the process and keyed by deployment id, so that it outlives a reload (hard-parts 4). A deployment is *closed*
(calls flow), *resting* (none go there), or *half-open*: its rest is over and it has not answered since, so that one
call at a time tries it while others can serve.

Whose fault a failure is decides what rests. 401, 403, 404 and 429 rest the deployment at once, a 429 for as long as
the provider asks; failures of the connection, timeouts and 5xx rest it when 5 in a row failed, or more than half of at
least 5 calls of this minute; any other 4xx is the caller's own. The only deployment of a group never rests.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import ceil, inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.router.hedge import HedgePolicy
from litellm.router.hedging import Hedging
from litellm.router.queue import QueuePolicy
from litellm.router.waiting import Queues
from litellm.router.windows import REQUESTS, TOKENS, Window

if TYPE_CHECKING:
    from litellm.router.spending import Budget

LEAST_CALLS: Final = 5
"""Calls in a minute before the share of failures says anything; and failures in a row that need no share."""
FAILING_SHARE: Final = 0.5
LONGEST_REST: Final = 60.0
"""Seconds: a deployment that fails its probe rests twice as long as before, up to this."""
_AT_ONCE: Final = frozenset({401, 403, 404, 429})
_UNGUARDED: Final = nullcontext()  # one event loop does one thing at a time
_SMOOTHING: Final = 0.3  # how much the newest latency counts
_DECAY: Final = 30.0  # seconds after which a latency that nothing has confirmed counts half
_UNKNOWN: Final = 1e6  # seconds: more than any latency that was seen

FAILS: Final[tuple[tuple[type[e.LiteLLMError], str], ...]] = (
    (e.ContentPolicyViolationError, "ContentPolicyViolationError"),
    (e.AuthenticationError, "AuthenticationError"),
    (e.Timeout, "TimeoutError"),
    (e.RateLimitError, "RateLimitError"),
    (e.BadRequestError, "BadRequestError"),
    (e.InternalServerError, "InternalServerError"),
)
"""The kinds of failure that a retry policy and an allowed-fails policy tell apart, the narrower first."""


def kind_of(error: e.LiteLLMError) -> str | None:
    return next((name for kind, name in FAILS if isinstance(error, kind)), None)


class Unrest:
    """Counts how often a deployment of this process began to rest, or to be full: whoever has seen that all of a group
    take calls need not look again until there are more. (Of two threads that count at once under the interpreter's
    lock, neither is lost.)"""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


UNREST: Final = Unrest()


class State:
    """One deployment's. Times are seconds of the router's clock."""

    __slots__ = (
        "budgets",
        "failed",
        "failures",
        "guard",
        "hedging",
        "inflight",
        "latency",
        "minute_ends",
        "open_at",
        "parallel",
        "probes",
        "probing",
        "queues",
        "requests",
        "resting_until",
        "rpm",
        "second",
        "seen_at",
        "streak",
        "strikes",
        "tell",
        "tokens",
        "tpm",
        "wants_tokens",
        "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.guard: AbstractContextManager[Any] = _UNGUARDED
        """Held while a failure is counted."""
        self.parallel: int | None = None
        self.rpm: float | None = None
        self.tpm: float | None = None
        self.budgets: tuple[Budget, ...] = ()
        """Its own and its provider's, if there are any."""
        self.inflight = 0
        self.open_at = 0.0
        """When it takes calls again: it does if this is past. Infinite while all its parallel calls are in use, if a
        budget without an end is used up, or if it takes none."""
        self.resting_until = 0.0
        self.strikes = 0
        """Rests in a row without an answer since. More than none, and not resting: half-open."""
        self.probes = 0  # so many calls have tried it
        self.probing = 0
        """The number of the one that does; 0: none does. Only its own end, or an answer, sets that back."""
        self.latency: float | None = None
        """Seconds to an answer, or to a stream's first event: an average that follows a peak at once. Where chance
        alone decides nobody asks for it, and nothing is noted."""
        self.seen_at = 0.0
        self.minute_ends = 0.0
        """When what is counted of a minute begins anew, with the first call after it."""
        self.requests = self.tokens = self.failed = 0  # of this minute, to judge and compare by
        self.failures: dict[str, int] = {}  # of this minute, by kind
        self.streak = 0
        """Failures since the last answer: a minute that began well must not hide that nothing works any more."""
        self.window: Window | None = None
        """What its `rpm` and `tpm` are held against, if it has any."""
        self.wants_tokens = True
        """It is held to them, or its strategy compares them."""
        self.second = 0  # of the last call that began
        self.tell: Callable[[float], None] | None = None
        """Told of each rest that begins here, and its seconds; of one that ends before its time, 0."""
        self.queues: Queues | None = None
        """Its group's, if calls wait there for a deployment that takes them."""
        self.hedging: Hedging | None = None
        """Its group's, if a second deployment is asked where the first is slow."""

    def limit(
        self, parallel: int | None, rpm: float | None, tpm: float | None, budgets: "tuple[Budget, ...]" = ()
    ) -> None:
        """What it takes at once, in any minute, and for which budgets. What has been counted stays."""
        self.parallel, self.rpm, self.tpm, self.budgets = parallel, rpm, tpm, budgets
        limited = rpm is not None or tpm is not None
        self.window = (self.window or Window()) if limited else None
        self._weigh()
        self._freed()

    def begin(self, now: float) -> int:
        """The call's number if it is the one that tries it after a rest, else 0: for `ended`."""
        if now >= self.minute_ends:
            self._turn(now)
        self.inflight += 1
        self.requests += 1
        probe = 0
        if self.strikes and not self.probing:
            probe = self.probing = self.probes = self.probes + 1
        if self.window is not None:
            self.second = int(now)
            self.window.move(self.second)
            self.window.add(self.second, 0)
            self._weigh()
            if self.queues is not None and self.open_at > now:
                self.queues.filled()
        elif self.parallel is not None:
            self._weigh()
        return probe

    def ended(self, probe: int = 0) -> None:
        if probe and probe == self.probing:
            self.probing = 0
        self.inflight -= 1
        if self.parallel is not None:
            self._weigh()
        if self.queues is not None:
            self.queues.freed()

    def used(self, tokens: int) -> None:
        """Tokens of a call that began here; they count for the second in which the last one did."""
        self.tokens += tokens
        if self.window is not None:
            self.window.correct(self.second, tokens)
            self._weigh()

    def took(self, now: float, seconds: float) -> None:
        """A call has had to wait so long for its answer, or for a stream's first event."""
        if self.latency is None or seconds > self.latency:
            self.latency = seconds
        else:
            self.latency += _SMOOTHING * (seconds - self.latency)
        self.seen_at = now

    def answered(self) -> None:
        self.streak = 0
        if self.strikes:
            self.strikes = self.probing = 0
            self._freed()

    def expected(self, now: float) -> float:
        """Seconds that another call would take here: the recent latency, forgotten with time, times the queue. Of one
        that has not answered yet, a single call finds out."""
        if self.latency is None:
            return _UNKNOWN * self.inflight
        return self.latency * _DECAY / (_DECAY + now - self.seen_at) * (self.inflight + 1)

    def takes(self, now: float) -> bool:
        """Whether it takes another call now; one at a time while it is tried."""
        return self.open_at <= now and not (self.strikes and self.probing)

    @property
    def closed(self) -> bool:
        """It is never to be called."""
        return (self.rpm is not None and self.rpm <= 0) or (self.tpm is not None and self.tpm <= 0)

    def reweigh(self) -> None:
        """One of its budgets is used up, or is not any more."""
        with self.guard:
            self._weigh()
        self._freed()

    def _freed(self) -> None:
        if self.queues is not None:
            self.queues.freed()

    def rest(self, now: float, seconds: float) -> None:
        self.strikes += 1
        self.resting_until = max(self.resting_until, now + seconds)
        self._weigh()
        if self.tell is not None:
            self.tell(seconds)

    def rests_elsewhere(self, now: float, seconds: float) -> None:
        """Another worker has found it at fault."""
        self.strikes = self.strikes or 1
        self.resting_until = max(self.resting_until, now + seconds)
        self._weigh()

    def recovered(self) -> None:
        """It is known to answer: a rest ends."""
        if self.strikes:
            self.strikes = self.streak = self.probing = 0
            self.resting_until = 0.0
            self._weigh()
            self._freed()
            if self.tell is not None:
                self.tell(0.0)

    def forget(self) -> None:
        """All but its limits and the calls in flight."""
        self.resting_until = 0.0
        self.strikes = self.streak = self.probing = 0
        self.latency = None
        self.requests = self.tokens = self.failed = 0
        self.failures.clear()
        if self.window is not None:
            self.window = Window()
        self._weigh()

    def _turn(self, now: float) -> None:
        """Another minute has begun."""
        self.minute_ends = (now // 60 + 1) * 60
        self.requests = self.tokens = self.failed = 0
        self.failures.clear()

    def _weigh(self) -> None:
        """What keeps calls away, in one number: choosing among a thousand looks at nothing else."""
        at = self.resting_until
        for budget in self.budgets:
            at = max(at, budget.until)
        if self.window is not None:
            for kind, limit in ((REQUESTS, self.rpm), (TOKENS, self.tpm)):
                if limit is not None:
                    free_in = self.window.free_in(kind, ceil(limit) - 1, self.second)
                    at = max(at, float(self.second + free_in) if free_in else 0.0)
        if (self.parallel is not None and self.inflight >= self.parallel) or self.closed:
            at = inf
        begins = at > self.open_at or self.strikes
        self.open_at = at
        if begins:
            UNREST.count += 1


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """When a deployment rests, and for how long (seconds)."""

    seconds: float = 5.0
    disabled: bool = False
    allowed_fails: int | None = None
    """Failures of a minute that do not rest it yet, in the place of the share."""
    allowed_by_kind: dict[str, int] = field(default_factory=dict[str, int])


class Health:
    """The states of all deployments of this process."""

    def __init__(self, make: Callable[[], State] = State, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._states: dict[str, State] = {}
        self._make = make
        self._tell: Callable[[str, float], None] | None = None
        self._queues: dict[str, Queues] = {}
        self._hedging: dict[str, Hedging] = {}

    def of(self, deployment_id: str) -> State:
        state = self._states.get(deployment_id)
        if state is None:
            state = self._states[deployment_id] = self._make()
            state.tell = self._tell and partial(self._tell, deployment_id)
        return state

    def forget(self) -> None:
        for state in self._states.values():
            state.forget()

    def share(self, tell: Callable[[str, float], None]) -> None:
        """`tell` hears of each rest from now on: deployment, seconds; 0 for one that ends before its time."""
        self._tell = tell
        for id, state in self._states.items():
            state.tell = partial(tell, id)

    def hear(self, deployment_id: str, now: float, seconds: float) -> None:
        """Another worker lets a deployment rest."""
        state = self._states.get(deployment_id)
        if state is not None and now + seconds > state.resting_until:
            state.rests_elsewhere(now, seconds)

    def queues(self, group: str, policy: QueuePolicy | None) -> Queues | None:
        """A group's, with this policy; None if its calls do not wait and none does."""
        queues = self._queues.get(group)
        if queues is None:
            if policy is None:
                return None
            queues = self._queues[group] = Queues(self._clock)
        queues.policy = policy
        return queues if policy is not None or queues else None

    def hedging(self, group: str, policy: HedgePolicy | None, states: list[State]) -> Hedging | None:
        """A group's, with this policy and these deployments; None if it does not hedge."""
        if policy is None:
            self._hedging.pop(group, None)
            return None
        hedging = self._hedging.setdefault(group, Hedging(policy, self._clock))
        hedging.follow(policy)
        hedging.states = states
        return hedging

    def waiting(self) -> int:
        """How many calls wait for a deployment."""
        return sum(map(len, self._queues.values()))

    def keep(self, ids: set[str]) -> None:
        """Forgets the deployments that a reload has taken away; their calls end on the states that they hold."""
        for gone in self._states.keys() - ids:
            del self._states[gone]
        used = {state.queues for state in self._states.values()}
        self._queues = {group: queues for group, queues in self._queues.items() if queues in used}
        hedging = {state.hedging for state in self._states.values()}
        self._hedging = {group: one for group, one in self._hedging.items() if one in hedging}

    def resting(self, now: float) -> dict[str, float]:
        """Who rests, and for how many seconds more."""
        return {id: s.resting_until - now for id, s in self._states.items() if s.resting_until > now}


def attributable(status: int) -> bool:
    """Is a failure with this status the deployment's, and not the request's?"""
    return not 400 <= status < 500 or status in _AT_ONCE or status == 408


def failed(state: State, error: e.LiteLLMError, now: float, rules: Cooldowns, alone: bool, pattern: bool) -> None:
    """Counts a failure and lets the deployment rest if it is its fault.

    `alone`: it is the only one of its group. `pattern`: a wildcard's, whose 404 is about the name that was asked for.
    """
    with state.guard:
        _failed(state, error, now, rules, alone, pattern)


def _failed(state: State, error: e.LiteLLMError, now: float, rules: Cooldowns, alone: bool, pattern: bool) -> None:
    status = error.status_code
    if status == 404 and pattern:
        return
    kind = kind_of(error)
    if not attributable(status) and kind not in rules.allowed_by_kind:
        return
    state.failed += 1
    state.streak += 1
    if kind is not None:
        state.failures[kind] = state.failures.get(kind, 0) + 1
    if alone or rules.disabled or state.resting_until > now or not _rests(state, status, kind, rules):
        return  # of the calls that were under way when its rest began, many fail: that is one failure, not many
    asked = error.retry_after
    seconds = asked if asked is not None and 0 < asked <= LONGEST_REST else rules.seconds
    state.rest(now, min(seconds * 2 ** min(state.strikes, 6), max(LONGEST_REST, seconds)))


def _rests(state: State, status: int, kind: str | None, rules: Cooldowns) -> bool:
    if kind is not None and kind in rules.allowed_by_kind:
        return state.failures[kind] > rules.allowed_by_kind[kind]
    if status in _AT_ONCE or state.strikes:  # it failed its probe
        return True
    if rules.allowed_fails is not None:
        return state.failed > rules.allowed_fails
    if state.streak >= LEAST_CALLS:
        return True
    return state.requests >= LEAST_CALLS and state.failed > FAILING_SHARE * state.requests
