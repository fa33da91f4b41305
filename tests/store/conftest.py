"""Every back-end of the store, one after the other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.postgres import Postgres
from support.postgres import postgres as postgres

Where = tuple[str | None, Path]
"""What `open_database` takes."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    if request.param == "sqlite":
        return None, tmp_path
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh(), tmp_path


@pytest.fixture
def day() -> Callable[[int], str]:
    return lambda number: f"2026-11-{number:02}"
