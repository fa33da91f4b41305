"""Budgets of providers and deployments, as calls of the gateway count for them. Loaded for a config that has some.

What a call has cost is worked out once, for the books (`charge.py`). Without a store there are none, and a call gets
such a charge all the same: its rows are added up and not kept.
"""

from dataclasses import dataclass, field
from time import monotonic, time_ns

from litellm.proxy.charge import Charge, count
from litellm.proxy.limits.memory import MemoryLimiter
from litellm.proxy.meter import BYTES_PER_TOKEN, expect, usual_answer
from litellm.router.deployments import Deployment
from litellm.router.spending import Spending
from litellm.types.accounts import Millis, SpendRow
from litellm.types.calls import Ask


@dataclass(frozen=True, slots=True)
class Budgeting:
    """One worker's."""

    spending: Spending
    limiter: MemoryLimiter = field(default_factory=lambda: MemoryLimiter(monotonic))
    """Nobody is counted against here: it gives the tickets."""

    def clock(self) -> Millis:
        return time_ns() // 1_000_000

    def begin(self, ask: Ask, group: tuple[Deployment, ...], size: int) -> Charge:
        """A call without books. `size` is its body's, in bytes."""
        row = SpendRow(
            call_id=ask.call_id,
            day="",
            admitted_at=0,
            call_type=ask.op,
            model_group=group[0].model_name,
            prompt_tokens=size // BYTES_PER_TOKEN,
            completion_tokens=usual_answer(ask),
            stream=ask.stream,
        )
        expect(row, group)
        charge = Charge(self, self.limiter.reserve(ask.call_id, (), 0, 0), row, group[0])
        ask.account = charge
        return charge

    def settle(self, charge: Charge) -> None:
        self.limiter.settle(charge.ticket, 0, 0)
        for row in (*charge.further, charge.row):
            count(row, self.spending)
