"""What providers and deployments have cost in the current periods of their budgets, and who has reached one.

Such a deployment, and every one of such a provider, takes no calls until the period is over, as if it rested: choosing
looks at the one number that it looks at anyway (`State.open_at`). A cost counts once it is known, so that a budget is
overshot by what was under way.

Owned by the process, for any of its threads: after a reload a sum goes on as long as its period has the same start.
What others have spent they tell through Redis (`pool.py`), or the books do.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, tzinfo
from math import ceil, inf
from threading import RLock
from time import monotonic, time_ns
from typing import TYPE_CHECKING, NamedTuple

from litellm.exceptions import RateLimitError
from litellm.types.periods import parse, period
from litellm.types.units import NANO, Millis, Nano

if TYPE_CHECKING:
    from litellm.router.deployments import Deployment
    from litellm.router.health import State


class Allowance(NamedTuple):
    """What a budget says. `duration` is a period of `types.periods`; None: it is for ever."""

    limit: Nano
    duration: str | None = None

    @classmethod
    def of(cls, dollars: object, duration: object) -> "Allowance":
        """As users write them. Rounded up: what is more than nothing lets a first call through. Raises ValueError."""
        from litellm.catalog import cost  # with decimals, which most programs do without

        pico = cost.pico(dollars)
        if pico is None:
            raise ValueError(f"expected a budget in dollars, not {dollars!r}")
        if duration is None:
            return cls(-(-pico // 1000))
        parse(str(duration))
        return cls(-(-pico // 1000), str(duration))


def of_provider(name: str) -> str:
    """A budget's id."""
    return f"provider:{name}"


def of_deployment(deployment_id: str) -> str:
    return f"deployment:{deployment_id}"


class Budget:
    """One provider's, or one deployment's. Read by anybody, written by Spending."""

    __slots__ = ("allowance", "elsewhere", "end", "id", "own", "start", "states", "until")

    def __init__(self, id: str) -> None:
        self.id = id
        self.allowance = Allowance(0)
        self.start: Millis = -1
        self.end: Millis | None = 0
        """Of the period; None: it never ends."""
        self.own: Nano = 0
        """What this process has spent in it."""
        self.elsewhere: Nano = 0
        """What others have, as far as is known: it never becomes less."""
        self.until = 0.0
        """Seconds of the router's clock: no calls are taken until then."""
        self.states: list[State] = []
        """Of the deployments that it holds back."""

    @property
    def spent(self) -> Nano:
        return self.own + self.elsewhere

    @property
    def owner(self) -> str:
        """`provider openai`"""
        return " ".join(self.id.split(":", 1))

    @property
    def dollars(self) -> tuple[float, float]:
        """What was spent, and what may be."""
        return self.spent / NANO, self.allowance.limit / NANO

    def __str__(self) -> str:
        spent, limit = self.dollars
        return f"Exceeded budget for {self.owner}: {spent} >= {limit}"


class Part(NamedTuple):
    """What this process has spent of a budget in a period."""

    id: str
    start: Millis
    end: Millis | None
    own: Nano


class Standing(NamedTuple):
    """How a budget stands now."""

    id: str
    allowance: Allowance
    spent: Nano
    end: Millis | None


class Spending:
    """`clock` is the router's; `wall` is in milliseconds since 1970."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, wall: Callable[[], Millis] = lambda: time_ns() // 1_000_000
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._zone: tzinfo = UTC
        self._budgets: dict[str, Budget] = {}
        self._left: dict[tuple[str, Millis], tuple[Nano, Nano, Millis | None]] = {}
        """Of budgets that are gone, or have another period, by id and start: should they come back before the end."""
        self._changed: list[Budget] = []
        self._lock = RLock()  # the collector may end a stream, and count it, in whatever is done here

    def __bool__(self) -> bool:
        """Are there any budgets?"""
        return bool(self._budgets)

    def follow(self, allowances: Mapping[str, Allowance], zone: tzinfo = UTC) -> None:
        """There are these budgets, by id, from now on. Whom each holds back is to be said anew (`holding`)."""
        with self._lock:
            now = self._wall()
            for allowance in allowances.values():
                period(allowance.duration, now, zone)  # whatever this raises, nothing has changed
            self._zone = zone
            self._left = {key: left for key, left in self._left.items() if left[2] is None or left[2] > now}
            known, self._budgets = self._budgets, {}
            for id, allowance in allowances.items():
                budget = self._budgets[id] = known.pop(id, None) or Budget(id)
                budget.allowance, budget.states = allowance, []
                self._turn(budget, again=True)
                self._judge(budget)
            for budget in known.values():
                self._put_by(budget)

    def holding(self, state: "State", provider: str, deployment_id: str) -> tuple[Budget, ...]:
        """The budgets that hold back a deployment with this state."""
        with self._lock:
            found = self._of(provider, deployment_id)
            for budget in found:
                budget.states.append(state)
            return found

    def concerns(self, provider: str, deployment_id: str) -> bool:
        return bool(self._of(provider, deployment_id))

    def count(self, provider: str, deployment_id: str, nano: Nano) -> tuple[tuple[str, Millis], ...]:
        """Something there has cost so much. The budgets that it counts for, each with its period's start."""
        if nano <= 0:
            return ()
        with self._lock:
            found = self._of(provider, deployment_id)
            for budget in found:
                self._turn(budget)
                budget.own += nano
                self._judge(budget)
            counted = tuple((budget.id, budget.start) for budget in found)
        self._tell()
        return counted

    def hear(self, id: str, start: Millis, total: Nano, own: Nano | None = None) -> None:
        """All have spent `total` of a budget since `start`, this process `own` of it (None: at most all of its own).
        Who tells may know of a part only: what was heard before stays."""
        with self._lock:
            budget = self._budgets.get(id)
            if budget is not None and budget.start == start:
                others = total - (budget.own if own is None else own)
                if others > budget.elsewhere:
                    budget.elsewhere = others
                    self._judge(budget)
        self._tell()

    def parts(self) -> list[Part]:
        """For those who tell others."""
        with self._lock:
            for budget in self._budgets.values():
                self._turn(budget)
            parts = [Part(one.id, one.start, one.end, one.own) for one in self._budgets.values()]
        self._tell()
        return parts

    def standings(self) -> list[Standing]:
        with self._lock:
            for budget in self._budgets.values():
                self._turn(budget)
            standings = [Standing(one.id, one.allowance, one.spent, one.end) for one in self._budgets.values()]
        self._tell()
        return standings

    def forked(self) -> None:
        """This process is another's child: what it knows to be its own is its parent's, who tells of it."""
        with self._lock:
            for budget in self._budgets.values():
                budget.own, budget.elsewhere = 0, budget.spent
            self._left = {key: (0, own + elsewhere, end) for key, (own, elsewhere, end) in self._left.items()}

    def _of(self, provider: str, deployment_id: str) -> tuple[Budget, ...]:
        ids = (of_provider(provider), of_deployment(deployment_id))
        return tuple(budget for id in ids if (budget := self._budgets.get(id)) is not None)

    def _turn(self, budget: Budget, again: bool = False) -> None:
        """Begins another period if this one is over; `again`: or if it has another start by now."""
        now = self._wall()
        if again or (budget.end is not None and now >= budget.end):
            start, end = period(budget.allowance.duration, now, self._zone)
            if start == budget.start:
                budget.end = end
                return
            if again:
                self._put_by(budget)
            budget.start, budget.end = start, end
            budget.own, budget.elsewhere, _ = self._left.pop((budget.id, start), (0, 0, None))
            self._judge(budget)

    def _put_by(self, budget: Budget) -> None:
        """What was told to others is not to become less within a period: they keep the latest they have heard."""
        if budget.spent:
            self._left[budget.id, budget.start] = budget.own, budget.elsewhere, budget.end

    def _judge(self, budget: Budget) -> None:
        """Holds back whom it must, and nobody else."""
        until = 0.0
        if budget.spent >= budget.allowance.limit:
            end = budget.end if budget.allowance.limit else None
            until = inf if end is None else self._clock() + (end - self._wall()) / 1000
        if until != budget.until:
            budget.until = until
            self._changed.append(budget)

    def _tell(self) -> None:
        """The states, once nothing is locked here: each has a lock of its own, which a thread may hold in which the
        collector ends a stream, and counts it."""
        while self._changed:
            with suppress(IndexError):  # another thread has told it
                for state in tuple(self._changed.pop().states):
                    state.reweigh()


class BudgetReached(RateLimitError):
    """Every deployment of a model group has reached a budget. `seconds`: until the first of their periods is over."""

    retryable = False  # no attempt would be made

    def __init__(self, model: str, budgets: Sequence[Budget], seconds: float) -> None:
        said = "; ".join(dict.fromkeys(map(str, budgets)))
        kind = budgets[0].id.partition(":")[0]
        wait = {} if seconds == inf else {"retry-after": str(max(1, ceil(seconds)))}
        super().__init__(
            f"No deployments available - crossed budget for {kind}: {said}",
            model=model,
            headers={**wait, "rate_limit_type": "budget", "x-should-retry": "false"},
            category="litellm_rate_limit",
            rate_limit_type="budget",
        )


def over(state: "State | None", now: float) -> Budget | None:
    """The budget that keeps calls away from a deployment the longest, if any does."""
    if state is None or not state.budgets:
        return None
    longest = max(state.budgets, key=lambda budget: budget.until)
    return longest if longest.until > now else None


def reached(group: "Sequence[Deployment]", now: float) -> BudgetReached | None:
    """Why nobody of a group is to be asked, if it is for the money alone."""
    found: list[Budget] = []
    for one in group:
        budget = over(one.state, now)
        if budget is None:
            return None
        found.append(budget)
    return BudgetReached(group[0].model_name, found, min(budget.until for budget in found) - now)
