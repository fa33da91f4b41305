"""Who may run beside whom when the tests run in several processes.

Tests marked `alone` measure: while one of them runs, no other process of the run has a test or its fixtures under way
(what those have started and left open is idle). The others take turns freely. A conftest imports the hooks.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

_FOLDER: Final = pytest.StashKey[tempfile.TemporaryDirectory[str]]()
_TURNS: Final = pytest.StashKey["Turns"]()
_MOST: Final = 4  # a test file is never split, so that more processes would only wait for the longest


class Turns:
    """Locks that die with their process. Who waits to be alone keeps the door, so that nobody overtakes him."""

    def __init__(self, folder: Path) -> None:
        self._door = os.open(folder / "door", os.O_CREAT | os.O_RDWR, 0o600)
        self._room = os.open(folder / "room", os.O_CREAT | os.O_RDWR, 0o600)

    def enter(self, alone: bool) -> None:
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)

    def leave(self) -> None:
        fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._door)
        os.close(self._room)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a process for each core that this one may use."""
    return min(len(os.sched_getaffinity(0)), _MOST)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the process that hands out the tests: where they find the locks."""
    stash = node.config.stash
    if _FOLDER not in stash:
        stash[_FOLDER] = tempfile.TemporaryDirectory(prefix="turns")
        node.config.add_cleanup(stash[_FOLDER].cleanup)
    node.workerinput["turns"] = stash[_FOLDER].name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """In each process that runs tests. With one process there are no turns to take."""
    told = getattr(item.config, "workerinput", None)
    if told is None:
        return (yield)
    stash = item.config.stash
    if _TURNS not in stash:
        stash[_TURNS] = Turns(Path(told["turns"]))
        item.config.add_cleanup(stash[_TURNS].close)
    stash[_TURNS].enter(alone=item.get_closest_marker("alone") is not None)
    try:
        return (yield)
    finally:
        stash[_TURNS].leave()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick files first, then those with a slow test, last those with one that wants to be alone; no file is torn."""
    rank = {item.path: 0 for item in items}
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        rank[item.path] = max(rank[item.path], 2 if "alone" in marks else "slow" in marks)
    items.sort(key=lambda item: rank[item.path])
