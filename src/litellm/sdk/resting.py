"""What a Router and those of other processes tell each other through Redis, on the portal's loop: who rests, and what
budgets have spent."""

import asyncio
import os
from threading import Lock

from litellm.caching.places import Place
from litellm.router.health import Health
from litellm.router.pool import Pool
from litellm.router.rests import Rests
from litellm.router.spending import Spending
from litellm.sdk import portal


class Resting:
    """Begins with the Router's first call, and again in a child that was forked, which has none of its parent's
    connections."""

    def __init__(self, place: Place, health: Health, spending: Spending) -> None:
        place.redis("rests")  # whether the address is one
        self._place = place
        self._health = health
        self._spending = spending
        self._lock = Lock()
        self._process: int | None = None
        self._running: tuple[Rests, Pool, asyncio.AbstractEventLoop] | None = None

    def started(self) -> None:
        process = os.getpid()
        if process == self._process:
            return
        with self._lock:
            if process != self._process:
                if self._process is not None:
                    self._spending.forked()
                self._running = portal.run_sync(self._begun)
                self._process = process

    async def _begun(self) -> tuple[Rests, Pool, asyncio.AbstractEventLoop]:
        redis, _ = self._place.redis("rests")
        return Rests(redis, self._health), Pool(redis, self._spending), asyncio.get_running_loop()

    def stop(self) -> None:
        """Returns at once; from any thread, and from the garbage collector."""
        if self._running is not None and self._process == os.getpid():
            rests, pool, loop = self._running
            self._running = None
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_closed(rests, pool), loop)


async def _closed(rests: Rests, pool: Pool) -> None:
    await pool.aclose()
    await rests.aclose()  # with the connection
