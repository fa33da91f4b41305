"""What runs beside the calls, under LiteLLM's names: the worker that tells callbacks, and a pool of threads."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from litellm.engine.delivery import delivery

FLUSH_SECONDS: Final = 20.0


class LoggingWorker:
    """A handle on the delivery of news to callbacks (`engine/delivery.py`), which starts and ends by itself."""

    def start(self) -> None:
        """It starts with the first news."""

    async def flush(self) -> None:
        """Wait until the callbacks of all calls so far have been told, at most FLUSH_SECONDS."""
        await asyncio.to_thread(delivery.flush, FLUSH_SECONDS)

    async def clear_queue(self) -> None:
        await self.flush()

    async def stop(self) -> None:
        await self.flush()


GLOBAL_LOGGING_WORKER: Final = LoggingWorker()

executor: Final = ThreadPoolExecutor(max_workers=64, thread_name_prefix="litellm")
"""For packages that hand their contexts to LiteLLM's threads; it has no thread until something is submitted to it."""
