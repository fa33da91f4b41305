"""One admitted call's cost: an estimate while it is under way, then what its end says, in rows for the store."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from litellm import exceptions as e
from litellm.catalog import cost
from litellm.proxy import prices
from litellm.proxy.errors import DISCONNECTED, said
from litellm.proxy.limits.base import Standing, Ticket
from litellm.router.deployments import Deployment
from litellm.types.accounts import ATTEMPT, Nano, SpendRow, UsageSource
from litellm.types.calls import Json, as_object

if TYPE_CHECKING:  # which makes charges
    from litellm.proxy.meter import Meter

MOST: Final = 2**53
"""Nano-dollars, or tokens, of one call (9 million dollars): so that sums of them, too, stay within 64 bits."""
OVERTAKEN: Final = "499 Overtaken"
"""An attempt that was cancelled because another was quicker."""

# Failures after which the provider may have worked for nothing: its bill is estimated.
_BILLED: Final = (e.Timeout, e.APIResponseValidationError)

Settling = Awaitable[None] | None
"""What to wait for before the last byte goes to the caller, if for anything."""


class Charge:
    """One admitted call. `row` is the estimate until it ends, and then what the store gets.

    What ends it may return something to wait for before the last byte goes to the caller.
    """

    __slots__ = ("_meter", "further", "row", "ticket", "waiting")

    def __init__(self, meter: "Meter", ticket: Ticket, row: SpendRow) -> None:
        self._meter = meter
        self.ticket = ticket
        self.row = row
        self.further: list[SpendRow] = []
        """What did not serve the call and may be billed: attempts, and the cache's embedding of its question. Each
        is a row of its own, in the call's reservation."""
        self.waiting = False

    def attempted(self, deployment: Deployment, error: BaseException | None) -> None:
        """As `types.calls.Account` says. The estimate of the prompt is what it has cost."""
        if error is None or isinstance(error, _BILLED):
            self.broke_off(deployment, OVERTAKEN if error is None else said(error), None, 0)

    def broke_off(self, deployment: Deployment, failure: str, usage: Json | None, events: int) -> None:
        """An attempt that does not serve the call any more costs its `usage`, or the estimate of its prompt and of as
        many tokens as `events` have come."""
        attempt = self._beside(deployment, events)
        attempt.status, attempt.error = "failure", failure
        if usage is not None:
            _report(attempt, usage, prices.of_answer(deployment, {}, usage, 0.0))
            attempt.usage_source = "reported"

    def embedded(self, deployment: Deployment, usage: Json | None, made: cost.Cost | None) -> None:
        """The call's question was embedded for the cache. Without usage the estimate of the whole prompt stands."""
        row = self._beside(deployment)
        row.status, row.model_group = "success", deployment.model_name
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
        self.tries(deployment)
        self.row.retries = retries

    def tries(self, deployment: Deployment) -> None:
        """It is asked now: if nobody answers, the row names who was asked last."""
        row, target = self.row, deployment.target
        row.model_id, row.provider, row.provider_model = deployment.id, target.provider, target.model
        row.api_base = deployment.address

    def answered(self, usage: Json | None, made: cost.Cost | None) -> Settling:
        """The answer is complete. Without usage the estimate of its prompt stands, but for one from the cache."""
        if usage is None:
            if self.row.cache_hit:
                self.row.spend = 0
            return self._end("success", None, self.row.completion_tokens)
        _report(self.row, usage, made)
        return self._close("success", None, "reported")

    def streamed(
        self, failure: str | None, usage: Json | None, made: cost.Cost | None, events: int, estimate: Nano | None
    ) -> Settling:
        """A stream's end, or what it broke off with. `estimate` is the cost of its prompt and of `events` tokens: it
        holds where the endpoint has told no usage."""
        status = "success" if failure is None else "failure"
        if usage is None:
            self.row.spend = bounded(estimate)
            return self._end(status, failure, events)
        _report(self.row, usage, made)
        return self._close(status, failure, "reported")

    def failed(self, error: BaseException) -> Settling:
        """The call failed before its answer: what the provider refused, it does not bill."""
        failure = said(error)
        if not isinstance(error, _BILLED):
            return self._unbilled(failure)
        told = next((attempt for attempt in reversed(self.further) if attempt.error == failure), None)
        if told is not None:  # the call's own row is that attempt's
            self.further.remove(told)
        return self._end("failure", failure, 0)

    def abandoned(self) -> Settling:
        """The caller hung up before there was an answer: the prompt has been read, unless it was not sent yet."""
        return self._unbilled(DISCONNECTED) if self.waiting else self._end("failure", DISCONNECTED, 0)

    def _unbilled(self, failure: str) -> Settling:
        row = self.row
        row.prompt_tokens = row.completion_tokens = 0
        row.spend = 0
        return self._close("failure", failure, "none")

    def _end(self, status: Any, error: str | None, completion: int) -> Settling:
        self.row.completion_tokens = completion
        return self._close(status, error, "estimated")

    def _close(self, status: Any, error: str | None, source: UsageSource) -> Settling:
        if not self.ticket.open:
            return None
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
                lines += [b"x-litellm-key-spend: %a\r\n" % cost.dollars(spent or 0)]
        for name, standing in (
            (b"requests", self.ticket.requests_standing),
            (b"tokens", self.ticket.tokens_standing),
        ):
            if standing is not None:
                lines.append(_standing(name, standing))
        return b"".join(lines)


def _report(row: SpendRow, usage: Json, made: cost.Cost | None) -> None:
    row.prompt_tokens, row.completion_tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    row.cached_tokens = _count(as_object(usage.get("prompt_tokens_details")), "cached_tokens")
    row.reasoning_tokens = _count(as_object(usage.get("completion_tokens_details")), "reasoning_tokens")
    row.spend = None if made is None else bounded(made.total)


def _standing(name: bytes, standing: Standing) -> bytes:
    return (
        b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %ds\r\n"
        % (name, standing.limit, name, standing.remaining, name, standing.reset)
    )  # fmt: skip


def _count(values: Json | None, name: str) -> int:
    value = (values or {}).get(name)
    return min(value, MOST) if type(value) is int and value > 0 else 0


def bounded(nano: Nano | None) -> Nano | None:
    """A price, or an endpoint's usage, may be absurd; a row that no column takes would hold up all behind it."""
    return None if nano is None else min(nano, MOST)
