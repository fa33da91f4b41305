"""Why a call went where it went: each choice with all its candidates, each attempt with its status and milliseconds.

Whom a strategy may choose from is asked of the plan itself (`plan.candidates`), and what a strategy goes by is read
where it reads it; only the words for it are made here. A call that nobody wants explained has no Trace.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from math import isfinite
from typing import Any, Final, TypeVar

from litellm.exceptions import LiteLLMError
from litellm.router.affinity import Preferring
from litellm.router.candidates import candidates
from litellm.router.deployments import Deployment
from litellm.router.spending import over
from litellm.router.strategies import STRATEGIES, Strategy
from litellm.types.calls import Json

T = TypeVar("T")
_Read = Callable[[Deployment, float], Json]

FAILED: Final = "it has failed this call"
CHOSEN: Final = "chosen"
CANDIDATE: Final = "candidate"
SKIPPED: Final = "skipped"


class Trace:
    """One call's. `admin`: may its reader see where deployments are?"""

    __slots__ = ("_filtered", "admin", "steps")

    def __init__(self, admin: bool = False) -> None:
        self.admin = admin
        self.steps: list[Json] = []
        """{model_group, strategy, candidates: [...], affinity, pause_ms, attempt: {model_id, status, ms, error}}, the
        last three if there was one. `affinity` is the id of whom the call's session or prompt would go to."""
        self._filtered: list[Json] = []

    def filtered(self, group: Sequence[Deployment], fitting: Collection[Deployment], why: str) -> None:
        """Deployments that the next choice is not told of; without `fitting` ones there is none."""
        left = {one.id for one in fitting}
        rows = [_row(one, SKIPPED, why) for one in group if one.id not in left]
        self._filtered = self._filtered + rows if left else []

    def unfit(self, group: Sequence[Deployment], why: str) -> None:
        """A step without a choice: none of the group's deployments is asked."""
        rows = [_row(one, SKIPPED, why) for one in group]
        self.steps.append({"model_group": group[0].model_name, "strategy": None, "candidates": rows + self._filtered})
        self._filtered = []

    def chose(
        self,
        group: Sequence[Deployment],
        strategy: Strategy,
        now: float,
        chosen: Deployment | None,
        failed: Collection[str] = (),
        pause: float = 0.0,
    ) -> None:
        """A choice among the deployments of a group that are not `failed` (ids)."""
        preferred = None
        if isinstance(strategy, Preferring):
            strategy, preferred = strategy.otherwise, strategy.id
        fresh = [one for one in group if one.id not in failed]
        rows = explain(fresh, strategy, now, chosen)
        rows += [_row(one, SKIPPED, FAILED) for one in group if one.id in failed]
        step: Json = {
            "model_group": group[0].model_name,
            "strategy": _NAMES.get(strategy),
            "candidates": rows + self._filtered,
        }
        if preferred is not None:
            step["affinity"] = preferred
        if pause:
            step["pause_ms"] = round(pause * 1000, 1)
        self.steps.append(step)
        self._filtered = []

    async def timed(self, sending: Awaitable[T], deployment: Deployment, clock: Callable[[], float]) -> T:
        """One attempt; its end becomes part of the last step. A stream's is its first event."""
        began = clock()
        attempt: Json = {"model_id": deployment.id, "status": None, "ms": None}
        self.steps[-1]["attempt"] = attempt
        try:
            result = await sending
            attempt["status"] = 200
            return result
        except LiteLLMError as error:
            attempt["status"], attempt["error"] = error.status_code, type(error).__name__
            raise
        finally:
            attempt["ms"] = round((clock() - began) * 1000, 1)

    def view(self) -> Json:
        """What may be shown: `served_by` is None if nobody did."""
        served = [attempt["model_id"] for step in self.steps if (attempt := step.get("attempt")) and _good(attempt)]
        steps = self.steps if self.admin else [_without_address(step) for step in self.steps]
        return {"steps": steps, "served_by": served[-1] if served else None}


def explain(group: Sequence[Deployment], strategy: Strategy, now: float, chosen: Deployment | None) -> list[Json]:
    """A row for each: {model_id, model, api_base, verdict, why, score}. `verdict` is chosen, candidate or skipped."""
    found = _among(group, now, chosen)
    rows: list[Json] = []
    for one in group:
        if one in found:
            row = _row(one, CHOSEN if one is chosen else CANDIDATE, _standing(one))
            read = _SCORES.get(strategy)
            row["score"] = {name: value for name, value in read(one, now).items() if value is not None} if read else {}
        else:
            row = _row(one, SKIPPED, _why(one, now, found))
        rows.append(row)
    return rows


def _among(group: Sequence[Deployment], now: float, chosen: Deployment | None) -> Sequence[Deployment]:
    """The candidates; in a large group those that `chosen` was one of. There nobody looks for who is half-open, so that
    it was chosen beside them, or is another one of them."""
    found = candidates(group, now)
    if chosen is None or chosen in found:
        return found
    if chosen.state is not None and chosen.state.strikes:
        return [chosen]
    return candidates([one for one in group if one.state is None or not one.state.strikes], now)


def _row(one: Deployment, verdict: str, why: str) -> Json:
    target = one.target
    row: Json = {"model_id": one.id, "model": f"{target.provider}/{target.model}", "api_base": one.address}
    row["verdict"], row["why"] = verdict, why
    return row


def _standing(one: Deployment) -> str:
    if one.keyless:
        return "takes calls, but has no API key"
    if one.state is not None and one.state.strikes:
        return "half-open: its rest is over, this call tries it"
    return "takes calls"


def _why(one: Deployment, now: float, found: Sequence[Deployment]) -> str:
    """Why it is not among `found`."""
    state = one.state
    if state is not None and state.resting_until > now:
        return f"resting for another {state.resting_until - now:.1f} s"
    if (budget := over(state, now)) is not None:
        spent, limit = budget.dollars
        rest = f" for another {budget.until - now:.1f} s" if isfinite(budget.until) else ""
        return f"the budget of {budget.owner} is used up{rest}: {spent} of {limit} dollars"
    if state is not None and state.open_at > now:
        if state.closed:
            return "takes no calls: its rpm or tpm is 0"
        if not isfinite(state.open_at):
            return f"full: {state.inflight} of {state.parallel} calls in flight"
        return f"its rpm or tpm is used up for another {state.open_at - now:.1f} s"
    if state is not None and state.strikes and state.probing:
        return "half-open: another call tries it"
    least = found[0]
    if least.order != one.order:
        return f"order {one.order}: those of order {least.order} come first"
    return f"{least.id} is half-open, and this call tries it"


def _without_address(step: Json) -> Json:
    rows = [{name: value for name, value in row.items() if name != "api_base"} for row in step["candidates"]]
    return {**step, "candidates": rows}


def _good(attempt: Json) -> bool:
    return attempt["status"] == 200


def _weights(one: Deployment, now: float) -> Json:
    return {"weight": one.weight, "rpm": one.rpm, "tpm": one.tpm}


def _busy(one: Deployment, now: float) -> Json:
    return {"in_flight": one.state.inflight if one.state else 0}


def _latency(one: Deployment, now: float) -> Json:
    return {"seconds": one.state.latency if one.state else None}


def _usage(one: Deployment, now: float) -> Json:
    state = one.state
    this = state is not None and now < state.minute_ends
    return {"tokens": state.tokens, "requests": state.requests} if state and this else {"tokens": 0, "requests": 0}


def _cost(one: Deployment, now: float) -> Json:
    return {"pico_dollars": one.cost if isfinite(one.cost) else None}


def _expected(one: Deployment, now: float) -> Json:
    return {"expected_seconds": one.state.expected(now) if one.state else None}


_READ: Final[dict[str, _Read]] = {
    "simple-shuffle": _weights,
    "least-busy": _busy,
    "latency-based-routing": _latency,
    "usage-based-routing-v2": _usage,
    "cost-based-routing": _cost,
    "power-of-two": _expected,
}
"""What a strategy goes by."""
_NAMES: Final[dict[Any, str]] = {strategy: name for name, strategy in STRATEGIES.items()}
_SCORES: Final[dict[Any, _Read]] = {STRATEGIES[name]: read for name, read in _READ.items()}
