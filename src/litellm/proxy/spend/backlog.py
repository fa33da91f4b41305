"""What stands in journals and is not in the store yet."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from litellm.proxy.spend import journal as files
from litellm.proxy.spend.journal import SUFFIX
from litellm.store.base import Ledger
from litellm.types.accounts import Nano, SpendRow

_PART: Final = 1 << 24


@dataclass(slots=True)
class Waiting:
    """One journal file. `alive`: a worker holds it. `open`: calls under way, or, if it is not alive, never ended."""

    path: Path
    alive: bool
    size: int
    moved: int
    finals: list[SpendRow] = field(default_factory=list[SpendRow])
    open: list[SpendRow] = field(default_factory=list[SpendRow])
    damaged: int = 0

    @property
    def bytes(self) -> int:
        return max(0, self.size - self.moved)

    @property
    def spend(self) -> Nano:
        return sum(row.spend or 0 for row in self.finals)


def size_of(folder: Path) -> int:
    """Bytes of all journal files."""
    return sum(_size(path) for path in folder.glob(f"*{SUFFIX}"))


async def waiting(folder: Path, ledger: Ledger) -> list[Waiting]:
    """Every journal file, as it is now. Nothing is moved. Raises StoreDown."""
    found: list[Waiting] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):  # noqa: ASYNC240 (a local folder)
        moved = await ledger.offset(path.name)
        try:
            found.append(await asyncio.to_thread(_look, path, moved))
        except FileNotFoundError:  # moved and gone meanwhile
            continue
    return found


def _look(path: Path, moved: int) -> Waiting:
    release = files.take(path)
    if release is not None:
        release()
    one = Waiting(path, release is None, _size(path), moved)
    at = moved
    while at < one.size:
        part = files.read(path, at, most=_PART)
        one.finals += part.finals
        one.damaged += part.damaged
        if part.end == at:
            break
        at = part.end
    if moved <= one.size:  # behind its end, it is settled whole
        one.open = files.unsettled(path)
    return one


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
