"""What the store needs done now and then: old rows retired, room made for the days to come, prompts written.

Every worker writes the prompts it has kept. The rest is done by one worker, elected, once a day: `elected` is asked
before each step, and two that both believe it (on two hosts) do no harm.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from litellm.proxy.spend.prompts import Prompts
from litellm.store.base import Ledger, StoreDown
from litellm.store.ledger import day_of
from litellm.types.accounts import Millis
from litellm.types.periods import seconds_of

EVERY_SECONDS: Final = 1.0
DAYS_AHEAD: Final = 3
_DAY: Final = 86_400_000

_log: Final = logging.getLogger("litellm.proxy")


class Upkeep:
    """`retention` is how long rows stay in the log, as `30d`; None: for ever."""

    def __init__(
        self,
        ledger: Ledger,
        prompts: Prompts,
        elected: Callable[[], bool],
        clock: Callable[[], Millis],
        retention: str | None = None,
        each_second: Callable[[], None] = lambda: None,
    ) -> None:
        self.prompts = prompts
        self.retention = retention
        self._ledger = ledger
        self._elected = elected
        self._clock = clock
        self._each_second = each_second
        self._stopping = asyncio.Event()
        self._done: tuple[str, str | None] | None = None  # the day, and the retention, of the last daily work

    async def run(self) -> None:
        """Until `aclose`."""
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            except TimeoutError:
                pass
            self._each_second()
            try:
                await self.prompts.write()
                await self._daily()
            except StoreDown:  # the mover says so
                continue
            except Exception:  # a background job's loop: it must go on
                _log.exception("upkeep of the store")

    async def aclose(self) -> None:
        self._stopping.set()
        try:
            await self.prompts.write()
        except StoreDown as error:
            _log.warning("prompts are lost: %s", error)

    async def _daily(self) -> None:
        now = self._clock()
        today = day_of(now), self.retention
        if self._done == today or not self._elected():
            return
        await self._ledger.prepare([day_of(now + ahead * _DAY) for ahead in range(DAYS_AHEAD)])
        if self.retention is not None:
            await self.retire(day_of(now - seconds_of(self.retention) * 1000))
        self._done = today

    async def retire(self, before_day: str) -> int:
        """Everything of the days before; a transaction for each few thousand rows."""
        retired = 0
        while not self._stopping.is_set() and self._elected():
            some = await self._ledger.retire(before_day)
            retired += some
            if some == 0:
                break
        if retired:
            _log.info(
                "%d calls before %s have left the spend log: their sums are in the closing balances",
                retired,
                before_day,
            )
        return retired
