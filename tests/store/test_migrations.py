"""The schema's history: every release's store becomes today's, with all that is in it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from litellm.store import database as databases
from litellm.store.base import Prompt, StoreError
from litellm.store.database import Database, open_database
from litellm.store.ledger import SqlLedger
from litellm.store.migrations import TABLE, VERSIONS, current, upgrade
from litellm.store.records import SqlRecords
from litellm.store.tables import SCHEMA, TOTALS, metadata
from litellm.types.accounts import Key

Where = Any


async def older(where: Where, version: str, and_then: Callable[[Connection], None]) -> None:
    """A store as a release with that version left it."""
    url, folder = where
    database = Database(databases._sqlite(folder) if url is None else databases._postgres(url))
    async with database.writing() as connection:
        if url is not None:
            await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        await connection.run_sync(upgrade, version)
        await connection.run_sync(and_then)
    await database.aclose()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_earlier_store_becomes_todays(where: Where, version: str) -> None:
    def fill(connection: Connection) -> None:
        assert current(connection) == version
        connection.execute(
            insert(TOTALS).values(
                scope="key:k", period=0, spend=7, requests=1, failures=0, prompt_tokens=1, completion_tokens=1
            )
        )

    async def run() -> None:
        await older(where, version, fill)
        opened = await asyncio.gather(*(open_database(*where) for _ in range(3)))
        for database in opened:
            ledger = SqlLedger(database)
            assert (await ledger.totals([("key:k", 0)]))["key:k", 0].spend == 7
        await SqlRecords(opened[0]).change([])
        assert await SqlRecords(opened[1]).get(Key, "k") is None
        await SqlLedger(opened[0]).keep([Prompt("2026-11-20", "c", "{}", "{}")])
        for database in opened:
            await database.aclose()

    asyncio.run(run())


def test_the_migrations_make_what_the_tables_say(where: Where) -> None:
    """Nothing that a comparison of the two finds: a table, a column, an index, a type."""

    def differences(connection: Connection) -> list[Any]:
        schema = (connection.get_execution_options().get("schema_translate_map") or {}).get(None)

        def ours(name: str | None, kind: str, parents: Any) -> bool:
            if kind == "schema":
                return name == schema
            return not (kind == "table" and name is not None and (name == TABLE or name.startswith("spend_log_")))

        said = metadata
        if schema is not None:
            from sqlalchemy import MetaData

            said = MetaData()
            for table in metadata.sorted_tables:
                table.to_metadata(said, schema=schema)
        options = {"include_schemas": schema is not None, "include_name": ours, "compare_type": True}
        plain = connection.execution_options(schema_translate_map=None) if schema is not None else connection
        found = compare_metadata(MigrationContext.configure(plain, opts=options), said)
        # An index whose name is made up has the schema's in it, and on our tables there is none.
        return [one for one in found if not (schema and "index" in one[0] and one[1].name.startswith("ix_"))]

    async def run() -> list[Any]:
        database = await open_database(*where)
        async with database.reading() as connection:
            found = await connection.run_sync(differences)
        await database.aclose()
        return found

    assert asyncio.run(run()) == []


def test_a_store_of_a_newer_release_is_left_alone(where: Where) -> None:
    def newer(connection: Connection) -> None:
        schema = f"{SCHEMA}." if where[0] else ""
        connection.execute(text(f"UPDATE {schema}{TABLE} SET version_num = 'v9999_later'"))

    async def run() -> None:
        await older(where, VERSIONS[-1], newer)
        with pytest.raises(StoreError, match="v9999_later"):
            await open_database(*where)

    asyncio.run(run())
