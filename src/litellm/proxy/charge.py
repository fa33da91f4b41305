"""One admitted call's cost: an estimate while it is under way, then what its end says, in rows for the store."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Final, Protocol

import orjson

from litellm import exceptions as e
from litellm.catalog import cost
from litellm.proxy import prices
from litellm.proxy.errors import DISCONNECTED, said
from litellm.proxy.limits.base import Limiter, Ticket
from litellm.router.deployments import Deployment
from litellm.router.spending import Spending
from litellm.types.accounts import ATTEMPT, Millis, Nano, SpendRow, UsageSource
from litellm.types.calls import Json, as_object

MOST: Final = 2**53
"""Nano-dollars, or tokens, of one call (9 million dollars): so that sums of them, too, stay within 64 bits."""
OVERTAKEN: Final = "499 Overtaken"
"""An attempt that was cancelled because another was quicker."""

TIMED_OUT: Final = "408 Timeout"

# Failures after which the provider may have worked for nothing, where they do not say whether it got the request: its
# bill is estimated.
_BILLED: Final = (e.Timeout, e.APIResponseValidationError)
_OF_AN_ATTEMPT: Final = (
    "model_id", "provider", "provider_model", "api_base", "prompt_tokens", "completion_tokens", "spend",
)  # fmt: skip

Settling = Awaitable[None] | None
"""What to wait for before the last byte goes to the caller, if for anything."""


class Settles(Protocol):
    """Who makes charges, and is told of their ends: the meter, or `budgeting.py` where there is none."""

    @property
    def limiter(self) -> Limiter: ...

    def clock(self) -> Millis: ...

    def settle(self, charge: "Charge") -> Settling: ...


class Charge:
    """One admitted call. `row` is the estimate until it ends, and then what the store gets. `deployment` is whom it
    is about: who was asked last.

    It ends once, and its row may be on its way into the store then: whatever else seems to end it changes nothing. What
    ends it may return something to wait for before the last byte goes to the caller.
    """

    __slots__ = ("_asked", "_deployment", "_meter", "further", "row", "ticket", "waiting")

    def __init__(self, meter: Settles, ticket: Ticket, row: SpendRow, deployment: Deployment) -> None:
        self._meter = meter
        self.ticket = ticket
        self.row = row
        self._deployment = deployment
        self._asked: list[Deployment] | None = None
        """Who is at it and has no row of its own. None: whom the call's own row is about, who may have answered."""
        self.further: list[SpendRow] = []
        """What did not serve the call and may be billed: attempts, and the cache's embedding of its question. Each
        is a row of its own, in the call's reservation."""
        self.waiting = False

    def attempted(self, deployment: Deployment, error: BaseException | None) -> None:
        """As `types.calls.Account` says. The estimate of the prompt is what it has cost."""
        if self._asked is None:  # there is no other, and it was not told of
            self._asked = []
        elif deployment in self._asked:
            self._asked.remove(deployment)
        else:
            return
        if error is None or _may_be_billed(error):
            self.broke_off(deployment, OVERTAKEN if error is None else said(error), None, 0)

    def broke_off(self, deployment: Deployment, failure: str, usage: Json | None, events: int) -> None:
        """An attempt that does not serve the call any more costs its `usage`, or the estimate of its prompt and of as
        many tokens as `events` have come."""
        attempt = self._beside(deployment, events)
        attempt.status, attempt.error = "failure", failure
        if usage is not None:
            _report(attempt, usage, prices.of_answer(deployment, {}, usage, 0.0))
            attempt.usage_source = "reported"

    def embedded(
        self, deployment: Deployment, usage: Json | None, made: cost.Cost | None, failure: str | None = None
    ) -> None:
        """The call's question was embedded for the cache. Without usage the estimate of the whole prompt stands."""
        row = self._beside(deployment)
        row.status, row.error = "success" if failure is None else "failure", failure
        row.model_group = deployment.model_name
        if usage is not None:
            _report(row, usage, made)
            row.usage_source = "reported"

    def _beside(self, deployment: Deployment, events: int = 0) -> SpendRow:
        """A row for what was asked and did not serve the call, at the price of the prompt and of `events` tokens."""
        row, target = self.row, deployment.target
        beside = replace(
            row, call_id=f"{row.call_id}#{len(self.further) + 1}", call_type=ATTEMPT, completion_tokens=events,
            model_id=deployment.id, provider=target.provider, provider_model=target.model, api_base=deployment.address,
            ended_at=self._meter.clock(), spend=bounded(prices.estimate(deployment, row.prompt_tokens, events)),
        )  # fmt: skip
        self.further.append(beside)
        return beside

    def served_by(self, deployment: Deployment, retries: int) -> None:
        self.goes_on(deployment)
        self.row.retries = retries

    def goes_on(self, deployment: Deployment) -> None:
        """It answers, and the call's own row is about that."""
        self._asked = None
        self._is_about(deployment)

    def returns_to(self, deployment: Deployment, failure: str) -> None:
        """Nobody has gone on with its answer, and the call's own row is about it again. Whoever was still at that has
        broken off."""
        for one in self._asked or ():
            self.broke_off(one, failure, None, 0)
        self.goes_on(deployment)

    def tries(self, deployment: Deployment) -> None:
        """As `types.calls.Account` says: if nobody answers, the row names who was asked last. Once written it stays."""
        if not self.ticket.open:
            return
        self.waiting = False
        if self._asked is None:
            self._asked = [deployment]
        elif deployment not in self._asked:
            self._asked.append(deployment)
        self._is_about(deployment)

    def _is_about(self, deployment: Deployment) -> None:
        self._deployment = deployment
        row, target = self.row, deployment.target
        row.model_id, row.provider, row.provider_model = deployment.id, target.provider, target.model
        row.api_base = deployment.address

    def answered(self, usage: Json | None, made: cost.Cost | None) -> Settling:
        """The answer is complete. Without usage it costs what was estimated; one from the cache has no price."""
        if not self.ticket.open:
            return None
        if usage is None:
            return self._estimated("success", None, self.row.completion_tokens)
        _report(self.row, usage, made)
        return self._close("success", None, "reported")

    def streamed(
        self, failure: str | None, usage: Json | None, made: cost.Cost | None, events: int, estimate: Nano | None
    ) -> Settling:
        """A stream's end, or what it broke off with. `estimate` is the cost of its prompt and of `events` tokens: it
        holds where the endpoint has told no usage."""
        if not self.ticket.open:
            return None
        status = "success" if failure is None else "failure"
        if usage is None:
            self.row.spend, self.row.completion_tokens = bounded(estimate), events
            return self._close(status, failure, "estimated")
        _report(self.row, usage, made)
        return self._close(status, failure, "reported")

    def failed(self, error: BaseException) -> Settling:
        """The call failed before its answer: what the provider refused, it does not bill."""
        if not self.ticket.open:
            return None
        failure = said(error)
        if self._asked:  # a defect of ours, while it was under way
            return self.abandoned(failure)
        group = self.row.model_group  # an embedding's is another
        told = next((one for one in reversed(self.further) if (one.error, one.model_group) == (failure, group)), None)
        if told is None:
            return self._unbilled(failure)
        self.further.remove(told)  # the call's own row is that attempt's
        for name in _OF_AN_ATTEMPT:
            setattr(self.row, name, getattr(told, name))
        return self._close("failure", failure, told.usage_source)

    def abandoned(self, failure: str = DISCONNECTED, sent: bool = True) -> Settling:
        """The call ends before there is an answer, by its caller's will: whoever is at it has read the prompt, but for
        the last if nothing was sent to it."""
        if not self.ticket.open:
            return None
        asked = self._asked
        if not sent:
            asked = (asked or [])[:-1]
        if self.waiting or asked == []:
            return self._unbilled(failure)
        if asked:
            *others, last = asked
            for one in others:
                self.broke_off(one, failure, None, 0)
            self._is_about(last)
        return self._estimated("failure", failure, 0)

    def _unbilled(self, failure: str) -> Settling:
        row = self.row
        row.prompt_tokens = row.completion_tokens = 0
        row.spend = 0
        return self._close("failure", failure, "none")

    def _estimated(self, status: Any, error: str | None, completion: int) -> Settling:
        row = self.row
        row.completion_tokens = completion
        row.spend = bounded(prices.estimate(self._deployment, row.prompt_tokens, completion))
        return self._close(status, error, "estimated")

    def _close(self, status: Any, error: str | None, source: UsageSource) -> Settling:
        row = self.row
        row.status, row.error, row.usage_source = status, error, source
        row.ended_at = self._meter.clock()
        return self._meter.settle(self)

    def lines(self) -> bytes:
        """Headers that say how the key and its limits stand."""
        lines: list[bytes] = []
        for scope in self.ticket.scopes[:1]:
            if scope.id.startswith("key:"):
                spent = self._meter.limiter.spent(scope.id, scope.period)
                lines += (b"x-litellm-key-spend: ", orjson.dumps(cost.dollars(spent or 0)), b"\r\n")
        if (one := self.ticket.requests_standing) is not None:
            lines.append(_REQUESTS % (one.limit, one.remaining, one.reset))
        if (one := self.ticket.tokens_standing) is not None:
            lines.append(_TOKENS % (one.limit, one.remaining, one.reset))
        return b"".join(lines)


def count(row: SpendRow, spending: Spending) -> None:
    """Its cost counts for the budgets of whoever it is about, in the books as well."""
    row.charged += spending.count(row.provider, row.model_id, row.spend or 0)


def _report(row: SpendRow, usage: Json, made: cost.Cost | None) -> None:
    row.prompt_tokens, row.completion_tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    read, said = as_object(usage.get("prompt_tokens_details")), as_object(usage.get("completion_tokens_details"))
    row.cached_tokens = _count(read, "cached_tokens") if read else 0
    row.reasoning_tokens = _count(said, "reasoning_tokens") if said else 0
    row.spend = None if made is None else bounded(made.total)


_REQUESTS: Final = (
    b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\nx-ratelimit-reset-requests: %ds\r\n"
)
_TOKENS: Final = _REQUESTS.replace(b"requests", b"tokens")
"""How a limit, of which so many are left, stands."""


def _may_be_billed(error: BaseException) -> bool:
    sent = error.sent if isinstance(error, e.LiteLLMError) else None
    return isinstance(error, _BILLED) if sent is None else sent


def _count(values: Json, name: str) -> int:
    value = values.get(name)
    return min(value, MOST) if type(value) is int and value > 0 else 0


def bounded(nano: Nano | None) -> Nano | None:
    """A price, or an endpoint's usage, may be absurd; a row that no column takes would hold up all behind it."""
    return None if nano is None else min(nano, MOST)
