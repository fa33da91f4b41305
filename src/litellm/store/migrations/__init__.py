"""The schema's history: one module per version, forward only, each brought in whole or not at all.

A released module is never edited: a later one changes what it made. The caller holds a lock, so that of several
processes that start at once one migrates.
"""

from typing import Final

from sqlalchemy import Connection, inspect, text

from litellm.store.base import StoreError

VERSIONS: Final = ("v0001_rows_and_spend", "v0002_prompts", "v0003_partial_indexes")
"""Names of modules of this package, in order."""
TABLE: Final = "schema_version"


def current(connection: Connection) -> str | None:
    """The version that a database has; None for an empty one."""
    schema = _schema(connection)
    if not inspect(connection).has_table(TABLE, schema=schema):
        return None
    name = f"{schema}.{TABLE}" if schema else TABLE
    found = connection.execute(text(f"SELECT version_num FROM {name}")).scalar()  # noqa: S608 (both are ours)
    return None if found is None else str(found)


def upgrade(connection: Connection, until: str = VERSIONS[-1]) -> None:
    """Bring in what is missing, up to `until`. Raises StoreError for a database that a newer release has made."""
    known = current(connection)
    if known == until:
        return
    if known is not None and known not in VERSIONS:
        raise StoreError(f"the database has the schema {known!r}, which is newer than this release's {VERSIONS[-1]!r}")
    from importlib import import_module  # Alembic takes 100 ms to load, and most starts do not need it

    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    schema = _schema(connection)
    context = MigrationContext.configure(connection, opts={"version_table": TABLE, "version_table_schema": schema})
    context._ensure_version_table()  # pyright: ignore[reportPrivateUsage]
    begin = VERSIONS.index(known) + 1 if known is not None else 0
    with Operations.context(context):
        for name in VERSIONS[begin : VERSIONS.index(until) + 1]:
            import_module(f"{__name__}.{name}").upgrade()
            _note(connection, schema, name)


def _schema(connection: Connection) -> str | None:
    names: dict[str | None, str] = connection.get_execution_options().get("schema_translate_map") or {}
    return names.get(None)


def _note(connection: Connection, schema: str | None, version: str) -> None:
    table = f"{schema}.{TABLE}" if schema else TABLE
    connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 (the name is ours)
    connection.execute(text(f"INSERT INTO {table} (version_num) VALUES (:version)"), {"version": version})  # noqa: S608
