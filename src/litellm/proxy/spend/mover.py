"""From the journal into the store, in batches: a file's offset in the store says how much of it is there.

Each worker moves what it has written itself; one of them, elected, also what dead ones left. A store that is down is
tried again, more and more slowly; the journal grows meanwhile.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from litellm.proxy.spend import journal as files
from litellm.proxy.spend.journal import SUFFIX, Journal
from litellm.store.base import Ledger, StoreDown
from litellm.types.accounts import SpendRow

EVERY_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 30.0

_log: Final = logging.getLogger("litellm.proxy")


class Mover:
    """`elected` says whether this worker takes care of dead files now; `recovered` is told of their open calls."""

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        elected: Callable[[], bool],
        recovered: Callable[[Sequence[SpendRow]], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._elected = elected
        self._recovered = recovered
        self._moving = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._offsets: dict[Path, int] = {}
        self.damaged = 0

    async def run(self) -> None:
        """Until `aclose`."""
        pause = EVERY_SECONDS
        while True:
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            except TimeoutError:
                pass
            try:
                await self.move()
                pause = EVERY_SECONDS
            except StoreDown as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                _log.warning("spend waits in the journal, the next try in %.0f s: %s", pause, error)
            except Exception:  # a background job's loop: it must go on, and nothing is lost while it does not
                _log.exception("spend waits in the journal")

    async def begin(self) -> None:
        """At the start: what dead workers left is in the store when this returns, whoever moves it. Raises StoreDown.

        One worker after the other: a file that somebody else is moving looks like that of a living one.
        """
        folder = self._journal.folder
        lock = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            async with self._moving:
                await self._move_dead()
        finally:
            os.close(lock)

    async def move(self) -> None:
        """All there is now. Raises StoreDown."""
        async with self._moving:
            journal = self._journal
            journal.retry()
            for path, _ in journal.ended:
                await self._move(path)
            await self._drop_ended()
            await self._move(journal.path)
            await asyncio.to_thread(journal.sync)
            if self._elected():
                await self._move_dead()

    async def _move(self, path: Path, dead: bool = False) -> None:
        """What a file has beyond its offset."""
        offset = self._offsets.get(path)
        if offset is None:
            offset = await self._ledger.offset(path.name)
        while offset <= path.stat().st_size:  # noqa: ASYNC240 (a local file)
            part = self._journal.fresh(path, offset) or await asyncio.to_thread(files.read, path, offset, dead)
            if part.end == offset:
                break
            self.damaged += part.damaged
            if part.damaged:
                _log.error("%d lines of the journal %s are damaged and lost", part.damaged, path.name)
            rows = part.finals + part.unsettled
            if await self._ledger.move(path.name, offset, part.end, rows):
                self._recovered(part.unsettled)
                self._journal.moved(path, offset, part)
                if not dead:
                    self._journal.waiting -= part.end - offset
                offset = part.end
            else:
                offset = await self._ledger.offset(path.name)
        self._offsets[path] = offset

    async def _drop_ended(self) -> None:
        while self._journal.ended:
            path, file = self._journal.ended.pop(0)
            os.close(file)
            await self._drop(path)

    async def _drop(self, path: Path) -> None:
        """The store has all of it, and its commit is durable."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 (a local file)
        self._offsets.pop(path, None)
        await self._ledger.forget(path.name)

    async def _move_dead(self) -> None:
        own = {self._journal.path, *(path for path, _ in self._journal.ended)}
        for path in sorted(self._journal.folder.glob(f"*{SUFFIX}")):
            try:
                release = None if path in own else files.take(path)
            except FileNotFoundError:  # another worker was faster
                continue
            if release is None:
                continue
            try:
                await self._move(path, dead=True)
                await self._drop(path)
            finally:
                release()

    async def aclose(self) -> None:
        """Everything into the store, and the file away. With the store down it stays, and the next start moves it."""
        self._stopping.set()
        try:
            await self.move()
        except StoreDown as error:
            _log.warning("spend stays in the journal %s: %s", self._journal.path.name, error)
            self._journal.close()
            return
        self._journal.close()
        await self._drop(self._journal.path)
