"""`CustomBatchLogger`: the base of callbacks that send what they hear in batches.

A subclass appends to `log_queue` and overrides `async_send_batch`, which sends the queue; it is called once the queue
holds `batch_size` entries (`if len(self.log_queue) >= self.batch_size: await self.flush_queue()`) and, where a task
runs `periodic_flush`, every `flush_interval` seconds.
"""

import asyncio
import logging
import time
from typing import Any

from litellm.catalog import constants
from litellm.integrations.custom_logger import CustomLogger

_log = logging.getLogger("litellm")


class CustomBatchLogger(CustomLogger):
    """Without a `flush_lock`, `flush_queue` does nothing: as in LiteLLM a subclass gives one, made on its loop."""

    def __init__(
        self,
        flush_lock: asyncio.Lock | None = None,
        batch_size: int | None = None,
        flush_interval: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.log_queue: list[Any] = []
        self.flush_lock = flush_lock
        self.batch_size = batch_size or constants.DEFAULT_BATCH_SIZE
        every = constants.DEFAULT_FLUSH_INTERVAL_SECONDS if flush_interval is None else flush_interval
        self.flush_interval = every
        self.last_flush_time = time.time()
        super().__init__(**kwargs)

    async def async_send_batch(self, *args: Any, **kwargs: Any) -> None:
        """Send `log_queue`."""

    async def flush_queue(self) -> None:
        """Send what is queued, and empty the queue. What arrives while it is sent stays for the next time."""
        if self.flush_lock is None:
            return
        async with self.flush_lock:
            queued = len(self.log_queue)
            if queued:
                await self.async_send_batch()
                del self.log_queue[:queued]
                self.last_flush_time = time.time()

    async def periodic_flush(self) -> None:
        """Run it as a task. A batch that fails is kept, logged and tried again with the next."""
        while True:
            await asyncio.sleep(self.flush_interval)
            try:
                await self.flush_queue()
            except Exception:
                _log.exception("%s could not send its batch", type(self).__name__)
