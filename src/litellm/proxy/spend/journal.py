"""The journal of spend: what a call may cost is on file before it goes out, and what it did cost before it is answered.

Each start of a worker makes one file of its own and holds a lock on it for life, so that whoever gets the lock knows
that the worker is gone. A line is `crc32 json`, the JSON a list: `"i"` or `"f"` and the fields of a SpendRow. The
intent's row is the one that holds if no final line ever follows: status `unknown`, the estimate as its cost.
A line is one `write()`: measured, that loses no call to a `kill -9`, where a timer of 10 ms lost 350 of 47,488.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from zlib import crc32

import orjson

from litellm.types.accounts import SpendRow

ROTATE_AT: Final = 64 * 1024 * 1024
SUFFIX: Final = ".log"
REMEMBERED: Final = 10_000
"""Final rows that are kept for the mover until it comes, so that it need not read what has been written."""
AT_ONCE: Final = 2_000
"""As many of them it is given at a time: a mebibyte of lines, as it would read."""
_NAMES: Final = tuple(one.name for one in fields(SpendRow))
_VALUES: Final = attrgetter(*_NAMES)
_FINAL: Final = b'["f",'
_TUPLES: Final = frozenset({"tags", "charged"})


class JournalError(Exception):
    """The journal cannot be kept here; the message is for the operator."""


class JournalFull(JournalError):
    """A line could not be written whole: the disk is full, or the file may not grow. The file is as it was."""


class Journal:
    """One worker's. `folder` is shared by all workers of a store and outlives them.

    Raises JournalError if the folder cannot be written, or if its file system does not know locks (NFS).
    """

    def __init__(self, folder: Path, rotate_at: int = ROTATE_AT) -> None:
        self.folder = folder
        self._rotate_at = rotate_at
        self._open: dict[str, SpendRow] = {}  # intents without a final line
        self._late: dict[str, bytes] = {}  # lines that the disk would not take, by call
        self._fresh: list[tuple[int, SpendRow]] = []  # the file's finals from this place on, with where each ends
        self._fresh_from: int | None = 0  # None: they have to be read
        self.waiting = 0
        """Bytes that have been written and not moved."""
        self.path, self._file = _create(folder)
        self._size = 0
        self.ended: list[tuple[Path, int]] = []
        """Files that were full, with their descriptors: still locked, until the mover has all of them."""

    @property
    def is_full(self) -> bool:
        """A final line waits for room."""
        return bool(self._late)

    def intent(self, row: SpendRow) -> None:
        """Before the call goes out. Raises JournalFull, and then the call should not."""
        self._write(_line("i", row))
        self._open[row.call_id] = row

    def final(self, row: SpendRow) -> bool:
        """Before the call's last byte goes to its caller. What the disk does not take (False) is written later."""
        self._open.pop(row.call_id, None)
        written = self._write_or_keep(row.call_id, _line("f", row))
        if written and self._fresh_from is not None:
            self._fresh.append((self._size, row))
            if len(self._fresh) > REMEMBERED:
                self._forget()
        if self._size >= self._rotate_at:
            self._rotate()
        return written

    def elsewhere(self, call_id: str) -> None:
        """The call's row has come into the store by another way: what is here of it is not to be moved."""
        begun = self._open.pop(call_id, None)
        late = self._late.pop(call_id, None)
        if begun is not None or late is not None:
            self._write_or_keep(call_id, _gone_on([call_id]))

    def retry(self) -> None:
        """Write what the disk would not take, if it does now."""
        for call_id, line in list(self._late.items()):
            try:
                self._write(line)
            except JournalFull:
                return
            self._forget()
            del self._late[call_id]

    def fresh(self, path: Path, start: int) -> "Part | None":
        """What `read` would give of the living file, without reading it; None if it has to be read."""
        if path != self.path or start != self._fresh_from:
            return None
        some = self._fresh[:AT_ONCE]
        return Part(self._size if len(some) == len(self._fresh) else some[-1][0], [row for _, row in some], [])

    def moved(self, path: Path, start: int, part: "Part") -> None:
        """The store has the file from `start` to the part's end."""
        if path == self.path:
            if self._fresh_from == start:
                del self._fresh[: len(part.finals)]
                self._fresh_from = part.end
            elif part.end == self._size:
                self._fresh, self._fresh_from = [], part.end

    def _forget(self) -> None:
        self._fresh, self._fresh_from = [], None

    def sync(self) -> None:
        """Wait until the disk has everything: what bounds the loss of a power cut. For a thread."""
        os.fdatasync(self._file)

    def close(self) -> None:
        for _, file in [*self.ended, (self.path, self._file)]:
            os.close(file)

    def _write_or_keep(self, call_id: str, line: bytes) -> bool:
        try:
            self._write(line)
        except JournalFull:
            self._late[call_id] = line
            return False
        return True

    def _write(self, line: bytes) -> None:
        if not _put(self._file, line, self._size):
            raise JournalFull(f"the journal in {self.folder} cannot grow")
        self._size += len(line)
        self.waiting += len(line)

    def _rotate(self) -> None:
        """Begin the next file. Calls under way go along: their intents are written there, and noted here as gone on.

        Where there is no room for it, this one goes on.
        """
        try:
            path, file = _create(self.folder)
        except JournalError:
            return
        intents = b"".join(_line("i", row) for row in self._open.values())
        gone = _gone_on(list(self._open))
        if not (_put(file, intents, 0) and _put(self._file, gone, self._size)):
            os.close(file)
            path.unlink()
            return
        self.ended.append((self.path, self._file))
        self.path, self._file, self._size = path, file, len(intents)
        self._fresh, self._fresh_from = [], 0
        self.waiting += len(intents) + len(gone)


@dataclass(slots=True)
class Part:
    """What lies between two places of a journal file."""

    end: int
    finals: list[SpendRow]
    unsettled: list[SpendRow]
    """Calls that never ended, if the whole of a dead file was read."""
    damaged: int = 0
    """Lines whose checksum is wrong."""


def read(path: Path, start: int, dead: bool = False, most: int = 1 << 20) -> Part:
    """Up to `most` bytes from `start`, whole lines only. Of a `dead` file whose end is reached: its open
    calls, too, and an end that lies behind the last byte."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(most)
        size = file.seek(0, os.SEEK_END)
    end = start + data.rfind(b"\n") + 1
    part = Part(end, [], [])
    part.finals = [_row(values) for _, values in _lines(data[: end - start], part, finals_only=True)]
    if dead and (end == size or start + len(data) >= size):
        part.end = size + 1  # past a torn last line, which is nobody's; and its open calls are settled
        part.unsettled = unsettled(path)
    return part


def unsettled(path: Path) -> list[SpendRow]:
    """The intents of a file that no final line follows."""
    found: dict[str, list[Any]] = {}
    for kind, values in _lines(path.read_bytes(), Part(0, [], [])):
        if kind == "i":
            found[values[0]] = values
        elif kind == "f":
            found.pop(values[0], None)
        else:
            for call_id in values[0]:
                found.pop(call_id, None)
    return [_row(values) for values in found.values()]


def _lines(data: bytes, part: Part, finals_only: bool = False) -> Iterator[tuple[str, list[Any]]]:
    for line in data.split(b"\n")[:-1]:
        crc, _, body = line.partition(b" ")
        if crc != b"%08x" % crc32(body):
            part.damaged += 1
            continue
        if finals_only and not body.startswith(_FINAL):
            continue
        kind, *values = orjson.loads(body)
        yield kind, values


def _row(values: list[Any]) -> SpendRow:
    named = dict(zip(_NAMES, values, strict=True))
    named["tags"] = tuple(named["tags"])
    named["charged"] = tuple((scope, period) for scope, period in named["charged"])
    return SpendRow(**named)


def _line(kind: str, row: SpendRow) -> bytes:
    return _framed(orjson.dumps((kind, *_VALUES(row))))


def _gone_on(calls: list[str]) -> bytes:
    """These calls are to be found elsewhere."""
    return _framed(orjson.dumps(["r", calls]))


def _put(file: int, data: bytes, at: int) -> bool:
    """All of it, at the file's end, which is `at`; or nothing."""
    try:
        written = os.write(file, data)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO):
            raise
        written = 0
    if written != len(data):
        if written > 0:  # a disk that is full takes a part
            os.ftruncate(file, at)
        return False
    return True


def _framed(body: bytes) -> bytes:
    return b"%08x %b\n" % (crc32(body), body)


def probe(folder: Path) -> None:
    """Raises JournalError if no journal can be kept in a folder. Leaves nothing in it."""
    path, file = _create(folder, ".probe")
    os.close(file)
    path.unlink()


def _create(folder: Path, suffix: str = SUFFIX) -> tuple[Path, int]:
    path = folder / f"{uuid4()}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the journal of spend cannot be written in {folder}: {error.strerror}") from None
    if not _holds(path, file):
        os.close(file)
        path.unlink()
        raise JournalError(f"the file system of {folder} does not keep locks: put data_dir on a local disk")
    return path, file


def _holds(path: Path, file: int) -> bool:
    """Take the lock of a new file, and see whether it is kept from others."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # no locks at all (ENOLCK, ENOSYS)
        return False
    release = take(path)
    if release is not None:
        release()
    return release is None


def take(path: Path) -> Callable[[], None] | None:
    """The lock on a journal file, to be given back by the call; None while the worker that wrote it lives."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return lambda: os.close(file)
