"""A cache in a folder: one SQLite file, shared by the processes of a host and bounded in bytes.

Every call runs in a thread. Nothing is lost that matters if the machine dies, so nothing waits for the disk.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from litellm.caching.base import Unreachable

T = TypeVar("T")

MAX_BYTES: Final = 1024 * 1024 * 1024
_SECONDS: Final = 5.0
"""How long one process waits for another's write."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, until REAL NOT NULL, used REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_used ON entries (used, size);
CREATE INDEX IF NOT EXISTS entries_until ON entries (until);
"""


class DiskStore:
    """`clock` gives seconds since 1970. The oldest in use go when there are more than `size` bytes."""

    def __init__(self, folder: Path, size: int = MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most = size
        self._clock = clock
        self._lock = Lock()
        self._open: sqlite3.Connection | None = None

    def here(self, key: str) -> bytes | None:
        return None

    async def get(self, key: str) -> bytes | None:
        return await self._run(lambda db: self._get(db, key))

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self._run(lambda db: self._set(db, key, value, ttl))

    async def delete(self, key: str) -> None:
        await self._run(lambda db: db.execute("DELETE FROM entries WHERE key = ?", (key,)))

    async def flush(self) -> None:
        await self._run(lambda db: db.execute("DELETE FROM entries"))

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close)

    def _get(self, db: sqlite3.Connection, key: str) -> bytes | None:
        now = self._clock()
        row = db.execute("SELECT value FROM entries WHERE key = ? AND until > ?", (key, now)).fetchone()
        if row is None:
            return None
        db.execute("UPDATE entries SET used = ? WHERE key = ?", (now, key))
        return row[0]

    def _set(self, db: sqlite3.Connection, key: str, value: bytes, ttl: float) -> None:
        now, size = self._clock(), len(key) + len(value)
        db.execute("DELETE FROM entries WHERE until <= ? OR key = ?", (now, key))
        if size > self._most:
            return
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (key, value, size, now + ttl, now))
        total = db.execute("SELECT sum(size) FROM entries").fetchone()[0]
        while total > self._most:
            old, its = db.execute("SELECT key, size FROM entries ORDER BY used LIMIT 1").fetchone()
            db.execute("DELETE FROM entries WHERE key = ?", (old,))
            total -= its

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._locked, work)

    def _locked(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._lock:
                db = self._open = self._open or self._made()
                with db:
                    return work(db)
        except (sqlite3.Error, OSError) as error:
            raise Unreachable(f"the cache in {self._folder}: {error}") from None

    def _made(self) -> sqlite3.Connection:
        """Answers are their tenants': no other user of the host may read them. SQLite's other files take after this."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / "responses.sqlite"
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(file, timeout=_SECONDS, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        return db

    def _close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None
