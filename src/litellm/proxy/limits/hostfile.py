"""The file that the workers of one host count in: rows of 64-bit cells under one lock, and who of the workers is alive.

An update is written down whole (`commit`) before its first cell is changed. Whoever gets the lock after a worker was
killed in between does the update again, so that each one happened or did not. Every worker holds the lock of a slot of
its own for life; a slot that is marked as used and whose lock is free belonged to a dead worker.

The file begins empty when the first worker opens it, and is in use until the last one has gone. Open it after a fork,
not before: a child would keep the lock of its parent's slot alive. All offsets are in bytes.
"""

import fcntl
import os
from array import array
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Final

MAGIC: Final = 0x6C696D6974_0001  # the last digits are the layout's version
SLOTS: Final = 256
"""Workers on a host, at most."""
CHUNK: Final = 64
"""Holds that a worker takes for itself at once."""
LOG_CELLS: Final = 1 << 14
CELL: Final = 8

HEAD: Final = Struct("7q")
PAIR: Final = Struct("2q")
ACCOUNT: Final = 8 * CELL
"""The money of a scope in one period: a head."""
COUNTER: Final = (8 + 2 * 61) * CELL
"""A scope's calls in flight and its last minute: a head, and a pair for each second."""
HOLD: Final = 32 * CELL
"""What one call in flight has taken (a pair), and from whom."""
BUCKET: Final = 16
"""Rows among which one is looked for at once."""

_pack_head: Final = HEAD.pack_into
_pack_pair: Final = PAIR.pack_into

Head = tuple[int, int, int, int, int, int, int, int]
"""An offset and the seven cells that are to stand there."""
Pair = tuple[int, int, int]
"""An offset and two cells."""

# The header's cells: what file this is (four), the length of the log, and a mark for each slot that is used.
_LOG_AT, _SLOTS_AT = 8, 16
_HEADER: Final = 8 * (_SLOTS_AT + SLOTS)


class HostFileError(Exception):
    """The file cannot be used; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows there are, in multiples of 64; a row costs 64, 1,040 and 256 bytes of disk and of page cache."""

    accounts: int = 1 << 18
    counters: int = 1 << 15
    holds: int = 1 << 15


class HostFile:
    """Raises HostFileError when it cannot be opened."""

    def __init__(self, path: Path, sizes: Sizes) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostFileError(f"limits cannot be counted in {path}: {error.strerror}") from None
        self._slot_file = -1
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._open(sizes)
        except OSError as error:
            self._close()
            raise HostFileError(f"limits cannot be counted in {path}: {error.strerror}") from None
        except BaseException:
            self._close()
            raise
        self.unlock()

    def _open(self, sizes: Sizes) -> None:
        """Under the lock, which keeps two workers from being the first."""
        self.slot, self._slot_file = self._take_a_slot()
        begins = os.fstat(self._file).st_size < _HEADER or not self._others_live()
        self._chunks = _SLOTS_AT + SLOTS
        self._log = self._chunks + sizes.holds // CHUNK
        self._holds = (self._log + LOG_CELLS) * CELL
        self.accounts = self._holds + sizes.holds * HOLD
        self.counters = self.accounts + sizes.accounts * ACCOUNT
        self.sizes = sizes
        length = self.counters + sizes.counters * COUNTER
        if begins:
            os.ftruncate(self._file, 0)
            os.ftruncate(self._file, length)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file, 0, length)  # else a full disk would kill the writer with SIGBUS
        identity = array("q", [MAGIC, sizes.accounts, sizes.counters, sizes.holds])
        if not begins and (os.fstat(self._file).st_size, os.pread(self._file, 32, 0)) != (length, identity.tobytes()):
            raise HostFileError(f"{self.path} is in use by workers of another version")
        self.map = mmap(self._file, length)
        self.cells = memoryview(self.map).cast("q")
        self.cells[0:4] = identity
        self._repair()
        self.left_behind = bool(self.cells[_SLOTS_AT + self.slot])
        """A dead worker had this slot, and what it held is still there."""
        self.cells[_SLOTS_AT + self.slot] = 1

    def _take_a_slot(self) -> tuple[int, int]:
        for slot in range(SLOTS):
            file = _try_lock(self._slot_path(slot))
            if file is None:
                continue
            again = _try_lock(self._slot_path(slot))
            if again is not None:
                os.close(again)
                os.close(file)
                raise HostFileError(f"the file system of {self.path} does not keep locks: put it on a local disk")
            return slot, file
        raise HostFileError(f"more than {SLOTS} workers share {self.path}")

    def _others_live(self) -> bool:
        marks = array("q", os.pread(self._file, 8 * SLOTS, 8 * _SLOTS_AT))
        for slot, used in enumerate(marks):
            if used and slot != self.slot:
                file = _try_lock(self._slot_path(slot))
                if file is None:
                    return True
                os.close(file)
        return False

    def _slot_path(self, slot: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{slot}")

    def lock(self) -> None:
        """Waits for the other workers: microseconds."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        if self.cells[_LOG_AT]:
            self._repair()

    def unlock(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    @contextmanager
    def locked(self) -> Generator[None]:
        self.lock()
        try:
            yield
        finally:
            self.unlock()

    def commit(self, heads: list[Head], pairs: list[Pair]) -> None:
        """Change rows, all or none. Under the lock.

        Raises OverflowError, and changes nothing, if there are too many or a value has more than 64 bits.
        """
        log: list[int] = []
        for head in heads:
            log += head
        for pair in pairs:
            log += pair
        if len(log) > LOG_CELLS:
            raise OverflowError("too many scopes for one update")
        cells, rows, start = self.cells, self.map, self._log
        cells[start : start + len(log)] = array("q", log)
        cells[_LOG_AT] = len(heads) << 32 | len(pairs)
        for head in heads:
            _pack_head(rows, *head)
        for pair in pairs:
            _pack_pair(rows, *pair)
        cells[_LOG_AT] = 0

    def _repair(self) -> None:
        """Do again what a worker had committed to when it was killed."""
        heads, pairs = self.cells[_LOG_AT] >> 32, self.cells[_LOG_AT] & 0xFFFFFFFF
        log = self.cells[self._log : self._log + 8 * heads + 3 * pairs].tolist()
        for n in range(0, 8 * heads, 8):
            HEAD.pack_into(self.map, *log[n : n + 8])
        for n in range(8 * heads, len(log), 3):
            PAIR.pack_into(self.map, *log[n : n + 3])
        self.cells[_LOG_AT] = 0

    def take_chunk(self) -> range | None:
        """Holds of this worker's own; None if all are taken. Under the lock."""
        for chunk, owner in enumerate(self.cells[self._chunks : self._log].tolist()):
            if not owner:
                self.cells[self._chunks + chunk] = self.slot + 1
                return self._holds_of(chunk)
        return None

    def _holds_of(self, chunk: int) -> range:
        first = self._holds + chunk * CHUNK * HOLD
        return range(first, first + CHUNK * HOLD, HOLD)

    def clear(self, slot: int, settle: Callable[[int], None]) -> None:
        """Give back what a worker that has gone held: each of its holds is handed to `settle`. Under the lock.

        Killed in the middle, it is done again by the next: `settle` does nothing twice.
        """
        for chunk, owner in enumerate(self.cells[self._chunks : self._log].tolist()):
            if owner == slot + 1:
                for hold in self._holds_of(chunk):
                    settle(hold)
                self.cells[self._chunks + chunk] = 0

    def clear_dead(self, settle: Callable[[int], None]) -> bool:
        """`clear` for every worker that was killed; whether there was one. Not under the lock."""
        found = False
        for slot, used in enumerate(self.cells[_SLOTS_AT : _SLOTS_AT + SLOTS].tolist()):
            if not used or slot == self.slot:
                continue
            file = _try_lock(self._slot_path(slot))
            if file is None:
                continue
            try:
                with self.locked():
                    self.clear(slot, settle)
                    self.cells[_SLOTS_AT + slot] = 0
            finally:
                os.close(file)
            found = True
        return found

    def leave(self, settle: Callable[[int], None]) -> None:
        """This worker's end: what it still holds is handed to `settle`."""
        with self.locked():
            self.clear(self.slot, settle)
            self.cells[_SLOTS_AT + self.slot] = 0
        self._close()

    def _close(self) -> None:
        self.unlock()  # by itself: the mapping has a descriptor, too
        for file in (self._file, self._slot_file):
            if file >= 0:
                os.close(file)
        self._file = self._slot_file = -1


def _try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock of the file, or None if somebody else does."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
