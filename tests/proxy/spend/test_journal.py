"""The journal of spend on a real disk, and its way into a real store."""

import asyncio
import errno
import os
import resource
import signal
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm.proxy.spend import journal as spend_journal
from litellm.proxy.spend.journal import Journal, JournalError, JournalFull, read, take
from litellm.proxy.spend.mover import Mover
from litellm.store.base import LogQuery
from litellm.store.database import open_database
from litellm.store.ledger import SqlLedger
from litellm.types.accounts import SpendRow


def row(number: int, **given: Any) -> SpendRow:
    values: dict[str, Any] = {"status": "unknown", "spend": 100, "tags": ("a",), "charged": (("key:k", 0),)}
    return SpendRow(call_id=f"c{number}", day="2026-11-23", admitted_at=number, **{**values, **given})


def ended(number: int) -> SpendRow:
    return row(number, status="success", spend=number)


def test_lines_come_back_as_they_were(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.intent(row(1))
    journal.final(ended(1))
    journal.intent(row(2))
    live = read(journal.path, 0)
    assert live.finals == [ended(1)] and live.unsettled == [] and live.end == journal.path.stat().st_size
    assert read(journal.path, live.end).end == live.end
    assert read(journal.path, 0, dead=True).unsettled == [row(2)]
    assert journal.path.stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_torn_line_is_nobodys_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.final(ended(number))
    journal.close()
    data = bytearray(journal.path.read_bytes())
    data[len(data) // 2] ^= 1
    journal.path.write_bytes(bytes(data) + b"00000000 [torn")
    part = read(journal.path, 0)
    assert [found.call_id for found in part.finals] == ["c0", "c2"] and part.damaged == 1
    assert read(journal.path, 0, dead=True).end == journal.path.stat().st_size + 1


def test_a_file_is_locked_for_life(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert take(journal.path) is None
    journal.close()
    release = take(journal.path)
    assert release is not None
    release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="file"):
        Journal(tmp_path / "file" / "journal")


def test_a_full_disk_refuses_intents_and_keeps_finals(tmp_path: Path) -> None:
    """A child's files may not grow beyond 600 bytes: as on a full disk, a part of a line is written."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            journal = Journal(tmp_path)
            journal.intent(row(1))
            size = journal.path.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
            try:
                journal.intent(row(2))
            except JournalFull:
                assert journal.path.stat().st_size == size, "the part that was written is gone again"
                journal.final(ended(1))
                assert journal.is_full and journal.path.stat().st_size == size
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                journal.retry()
                assert not journal.is_full
                assert read(journal.path, 0).finals == [ended(1)]
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def lines_between(path: Path, start: int, end: int) -> list[SpendRow]:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes()[:end])
    found = read(copy, start)
    copy.unlink()
    assert found.end == end, "it ends where a line does"
    return found.finals


@given(st.lists(st.sampled_from(["call", "open", "full", "move", "interrupted"]), max_size=60))
@settings(deadline=None)
def test_what_is_remembered_is_what_is_written(steps: list[str]) -> None:
    """Through files that end, more than is remembered, a disk that is full for a while, and calls that end while the
    store is asked: as the mover goes, all of it is given once."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spend_journal, "REMEMBERED", 7)
        patch.setattr(spend_journal, "AT_ONCE", 3)
        journal = Journal(Path(folder), rotate_at=4_000)
        offsets: dict[Path, int] = {}
        moved: list[str] = []
        ended_calls: list[str] = []
        number = count(1)

        def end(call: int) -> None:
            journal.intent(row(call))
            journal.final(ended(call))
            ended_calls.append(f"c{call}")

        def move(path: Path, interrupted: bool) -> None:
            """One part."""
            start = offsets.get(path, 0)
            part = journal.fresh(path, start)
            if part is not None:
                assert part.finals == lines_between(path, start, part.end)
            else:
                part = read(path, start)
            if interrupted:
                end(next(number))
            offsets[path] = part.end
            moved.extend(one.call_id for one in part.finals)
            journal.moved(path, start, part)

        for step in steps:
            if step == "call":
                end(next(number))
            elif step == "open":
                journal.intent(row(next(number)))
            elif step == "full":
                call = next(number)
                journal.intent(row(call))
                with pytest.MonkeyPatch.context() as full:
                    full.setattr(os, "write", no_room)
                    assert not journal.final(ended(call))
                ended_calls.append(f"c{call}")
                journal.retry()
            else:
                move(journal.path, step == "interrupted")
        for path in (*(path for path, _ in journal.ended), journal.path):
            while offsets.get(path, 0) < path.stat().st_size:
                move(path, False)
        journal.close()
    assert sorted(moved) == sorted(ended_calls)


def no_room(file: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "full")


class Books:
    """A SQLite ledger and a mover over a journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recovered: list[SpendRow] = []

    async def open(self, rotate_at: int = 1 << 20) -> tuple[Journal, Mover, SqlLedger]:
        self.database = await open_database(None, self.folder)
        ledger = SqlLedger(self.database)
        journal = Journal(self.folder / "journal", rotate_at)

        def recovered(rows: Sequence[SpendRow]) -> None:
            self.recovered += rows

        return journal, Mover(journal, ledger, lambda: True, recovered), ledger


async def spends(ledger: SqlLedger) -> dict[str, tuple[str, int | None]]:
    assert await ledger.prove() == [] and ledger.duplicates == 0
    return {found.call_id: (found.status, found.spend) for found in (await ledger.log(LogQuery(size=10_000)))[0]}


def test_what_is_over_is_moved_and_what_is_not_waits(tmp_path: Path) -> None:
    async def run() -> None:
        books = Books(tmp_path)
        journal, mover, ledger = await books.open()
        for number in range(5):
            journal.intent(row(number))
        for number in range(3):
            journal.final(ended(number))
        await mover.move()
        await mover.move()
        assert await spends(ledger) == {f"c{n}": ("success", n) for n in range(3)}
        journal.final(ended(4))
        journal.final(ended(3))
        await mover.aclose()
        assert await spends(ledger) == {f"c{n}": ("success", n) for n in range(5)}
        assert list((tmp_path / "journal").iterdir()) == [], "all of it is in the store"
        await books.database.aclose()

    asyncio.run(run())


def test_calls_go_along_when_a_file_is_full(tmp_path: Path) -> None:
    async def run() -> None:
        books = Books(tmp_path)
        journal, mover, ledger = await books.open(rotate_at=2000)
        journal.intent(row(0))
        for number in range(1, 30):
            journal.intent(row(number))
            journal.final(ended(number))
        assert len(list((tmp_path / "journal").iterdir())) > 3
        await mover.move()
        assert len(list((tmp_path / "journal").iterdir())) == 1
        journal.final(ended(0))
        await mover.aclose()
        assert await spends(ledger) == {f"c{n}": ("success", n) for n in range(30)}
        await books.database.aclose()

    asyncio.run(run())


def killed_writers(folder: Path) -> set[str]:
    """The calls that ten writers said to be final before each was killed."""
    told: set[str] = set()
    for round_ in range(10):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            journal = Journal(folder, rotate_at=20_000)
            number = round_ * 1_000_000
            while True:
                number += 1
                journal.intent(row(number))
                journal.final(ended(number))
                os.write(writing, f"c{number} ".encode())
        os.close(writing)
        said = b""
        while len(said) < 200 + 50 * round_:
            said += os.read(reading, 1 << 12)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while more := os.read(reading, 1 << 16):
            said += more
        os.close(reading)
        told |= set(said.decode().split(" ")[:-1])
    return told


@pytest.mark.slow
def test_whoever_is_killed_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Ten writers, each killed at some moment; what each said to be final before it died is in the store, once."""

    told = killed_writers(tmp_path / "journal")

    async def run() -> None:
        books = Books(tmp_path)
        _, mover, ledger = await books.open()
        await mover.move()
        async with books.database.reading() as connection:
            from sqlalchemy import text

            rows = (await connection.execute(text("SELECT call_id, status FROM spend_log"))).all()
        stored = {found.call_id: found.status for found in rows}
        assert len(told) > 100 and told <= stored.keys()
        assert all(stored[call] == "success" for call in told)
        assert len(stored) - len(told) <= 10, "at most one call per writer was under way"
        assert len(books.recovered) <= 10 and await ledger.prove() == [] and ledger.duplicates == 0
        await mover.aclose()
        await books.database.aclose()

    asyncio.run(run())
