"""What budgets have spent, by the books that all workers share."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from litellm.proxy.spend.recall import Recall
from litellm.router.spending import Allowance, Spending, of_deployment, of_provider
from litellm.store.base import Charge, StoreDown, Total
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.types.accounts import SpendRow

OPENAI, OWN = of_provider("openai"), of_deployment("a")


def budgeted() -> Spending:
    spending = Spending()
    spending.follow({OPENAI: Allowance(1000, "1d"), OWN: Allowance(1000)})
    return spending


def spent(spending: Spending) -> list[int]:
    return [one.spent for one in spending.standings()]


async def book(ledger: SqlLedger, call: str, nano: int, charged: Sequence[Charge]) -> None:
    await ledger.insert([SpendRow(call_id=call, day="2026-11-29", admitted_at=0, spend=nano, charged=tuple(charged))])


def test_what_others_have_spent_counts_and_ones_own_does_not_count_twice(tmp_path: Path) -> None:
    async def run() -> None:
        database = await open_database(None, tmp_path)
        ledger, spending, other = SqlLedger(database), budgeted(), budgeted()
        recall = Recall(ledger)
        recall.spending = spending
        await recall.ask()
        assert spent(spending) == [0, 0]
        await book(ledger, "theirs", 40, other.count("openai", "a", 40))
        mine = spending.count("openai", "a", 10)
        await recall.ask()
        assert spent(spending) == [40, 40], "what is here and not there yet might be part of that"
        await book(ledger, "mine", 10, mine)
        await recall.ask()
        assert spent(spending) == [50, 50]
        recall.spending = budgeted()  # as after a restart
        await recall.ask()
        assert spent(recall.spending) == [50, 50]
        await database.aclose()

    asyncio.run(run())


class Broken:
    """A ledger that answers nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = asyncio.Event()

    async def totals(self, charges: Sequence[Charge]) -> dict[Charge, Total]:
        self.asked.set()
        raise self.error


@pytest.mark.parametrize(("error", "logged"), [(StoreDown("away"), False), (KeyError("a defect"), True)])
def test_it_goes_on_whatever_the_store_says(error: Exception, logged: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        ledger = Broken(error)
        recall = Recall(ledger)  # type: ignore[arg-type]
        task = asyncio.create_task(recall.run())
        recall.spending = budgeted()
        for _ in range(2):
            await asyncio.wait_for(ledger.asked.wait(), 30)
            ledger.asked.clear()
        recall.stop()
        await asyncio.wait_for(task, 30)

    with caplog.at_level(logging.ERROR, "litellm.proxy"):
        asyncio.run(run())
    assert bool(caplog.records) is logged
