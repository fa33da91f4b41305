"""What all workers and hosts have spent of the budgets of providers and deployments, by the store's books.

So a restart forgets nothing, and whoever has no Redis still hears of the others, some seconds late: as soon as their
spend has moved into the store. With the store down each counts on for itself.
"""

import asyncio
import logging
from typing import Final

from litellm.router.spending import Spending
from litellm.store.base import Ledger, StoreDown

EVERY_SECONDS: Final = 1.0

_log: Final = logging.getLogger("litellm.proxy")


class Recall:
    """One worker's. `spending` is None while there are no budgets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stopping = asyncio.Event()
        self.spending: Spending | None = None

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            except TimeoutError:
                await self.ask()

    async def ask(self) -> None:
        spending = self.spending
        if spending is None:
            return
        try:
            parts = spending.parts()
            totals = await self._ledger.totals([(one.id, one.start) for one in parts]) if parts else {}
        except StoreDown as error:
            _log.debug("what was spent is not recalled: %s", error)
            return
        except Exception:  # a background job's loop: it must go on, and nothing is lost while it does not
            _log.exception("what was spent is not recalled")
            return
        for (id, start), total in totals.items():
            spending.hear(id, start, total.spend)

    def stop(self) -> None:
        self._stopping.set()
