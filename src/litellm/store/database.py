"""Opening the store's database: SQLite in a folder, or Postgres by its URL."""

import asyncio
import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from litellm.store.base import StoreDown, StoreError
from litellm.store.tables import SCHEMA

FILE: Final = "litellm.db"
BUSY_SECONDS: Final = 30.0
"""How long a writer of SQLite waits for another one."""
ANSWER_SECONDS: Final = 30.0
"""How long Postgres may take to connect, or to answer a statement."""
# The cache (KiB) holds the pages of the spend log's indexes that a batch touches; a checkpoint waits for 8,000 pages.
_PRAGMAS: Final = (
    "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16384", "wal_autocheckpoint=8000",
)  # fmt: skip
_LOCK: Final = 0x6C6974656C6C6D  # the advisory lock of migrations: "litellm"
_THEIRS: Final = "LiteLLM_VerificationToken"

# What LiteLLM's users have in DATABASE_URL, and asyncpg does not know: Prisma's own parameters.
_NOT_PASSED: Final = frozenset(
    {"schema", "connection_limit", "pool_timeout", "pgbouncer", "sslmode", "connect_timeout", "socket_timeout"}
)
_NO_TLS: Final = frozenset({"disable", "allow", "prefer"})


class Database:
    """An open database with the current schema. `reading` and `writing` give a connection within a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.is_postgres = engine.dialect.name == "postgresql"
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """Raises StoreDown."""
        with _named():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncConnection]:
        """All that is read is of one moment. (A transaction of SQLite is that by itself.) Raises StoreDown."""
        async with self.reading() as connection:
            if self.is_postgres:
                await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """Committed at its end. Raises StoreDown, and then nothing is written."""
        with _named():
            async with self._writer.begin() as connection:
                yield connection

    async def aclose(self) -> None:
        await self.engine.dispose()


async def open_database(url: str | None, data_dir: Path, beside_theirs: bool = False) -> Database:
    """Connected, migrated. `url` is Postgres's; None: a file in `data_dir`. Raises StoreDown, StoreError.

    A database that holds LiteLLM's tables and none of ours is an error, unless `beside_theirs`.
    """
    database = Database(_sqlite(data_dir) if url is None else _postgres(url))
    try:
        await _migrate(database, data_dir, beside_theirs)
    except BaseException:
        await database.aclose()
        raise
    return database


def exists(data_dir: Path) -> bool:
    """Whether there is a SQLite store already."""
    return (data_dir / FILE).is_file()


def _sqlite(data_dir: Path) -> AsyncEngine:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{data_dir / FILE}",
        connect_args={"timeout": BUSY_SECONDS},
        json_serializer=_json,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # transactions begin where we say so, below
        cursor = connection.cursor()
        # A commit is in the kernel's hands before it returns; a power cut may cost the last ones, never the file.
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begins(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        # A transaction that will write takes its lock at the start: to take it later may be refused at once.
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _postgres(url: str) -> AsyncEngine:
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise StoreError(f"database_url: {parts.scheme or 'it'} is not one of postgresql, postgres")
    asked = dict(parse_qsl(parts.query))
    kept = {name: value for name, value in asked.items() if name not in _NOT_PASSED}
    plain = urlunsplit(("postgresql+asyncpg", parts.netloc, parts.path, urlencode(kept), ""))
    arguments: dict[str, Any] = {"timeout": ANSWER_SECONDS, "command_timeout": ANSWER_SECONDS}
    mode = asked.get("sslmode")
    if mode is not None:
        arguments["ssl"] = False if mode in _NO_TLS else mode
    return create_async_engine(
        plain,
        connect_args=arguments,
        json_serializer=_json,
        json_deserializer=orjson.loads,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=5,
        pool_timeout=ANSWER_SECONDS,
        execution_options={"schema_translate_map": {None: SCHEMA}},
    )


def _json(value: Any) -> str:
    """A row holds a dozen of them: with the standard library's JSON, reading 100,000 keys takes twice as long."""
    return orjson.dumps(value).decode()


@contextmanager
def _named() -> Any:
    """The driver's failures to reach the database, as StoreDown. Messages of the drivers name no password."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreDown(f"the database cannot be used: {_words(error)}") from error
    except DBAPIError as error:
        if type(error) is DatabaseError:  # a file that is damaged, or none of SQLite's
            raise StoreDown(f"the database cannot be used: {_words(error)}") from error
        if error.connection_invalidated:
            raise StoreDown(f"the connection to the database was lost: {_words(error)}") from error
        raise
    except (OSError, TimeoutError) as error:
        raise StoreDown(f"the database cannot be reached: {error or type(error).__name__}") from error


def _words(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]


def foreign_database(url: str) -> Database:
    """Somebody else's Postgres, for reading: nothing is looked for, nothing is made. Raises StoreError."""
    return Database(_postgres(url))


async def _migrate(database: Database, data_dir: Path, beside_theirs: bool) -> None:
    """Bring the schema up to date, one process at a time."""
    with _named():
        if not database.is_postgres:
            with _locked(data_dir / "migrate.lock") as taken:
                await asyncio.to_thread(taken)
                async with database.engine.begin() as connection:
                    await connection.run_sync(_upgrade)
            return
        async with database.engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_prepare_postgres, beside_theirs)
            await connection.run_sync(_upgrade)


@contextmanager
def _locked(file: Path) -> Any:
    with file.open("w") as handle:
        yield lambda: fcntl.flock(handle, fcntl.LOCK_EX)


def _prepare_postgres(connection: Connection, beside_theirs: bool) -> None:
    found = inspect(connection)
    if SCHEMA not in found.get_schema_names():
        if found.has_table(_THEIRS) and not beside_theirs:
            raise StoreError(
                "this database holds LiteLLM's tables and none of this gateway's. To take its keys, users, teams and "
                "spend over, run: litellm db import URL. To start with an empty store beside them, create the schema "
                f"`{SCHEMA}` in it first: CREATE SCHEMA {SCHEMA}"
            )
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))


def _upgrade(connection: Connection) -> None:
    from litellm.store.migrations import upgrade

    upgrade(connection)
