"""The one place that opens databases, begins transactions and commits them.

Lock order, for whoever writes a transaction: users, challenges, authenticators with their used codes, backup codes,
attempts, sessions. Transactions that keep it cannot block each other for ever; where a proof comes before what it is
for, ``hold_all`` takes the locks early.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from umbra.core.errors import Misconfigured, Unavailable

SQLITE_BUSY_MILLISECONDS = 10_000
POSTGRES_LOCK_TIMEOUT = "10s"
POSTGRES_CONNECT_SECONDS = 5
POOL_WAIT_SECONDS = 10
POOL_SIZE = 10

_READ = {"umbra_read": True}


class DatabaseFault(Exception):
    """The database refused a statement, which is a fault of ours.

    It carries the error's class and SQLSTATE only: the database's own text holds parameters.
    """


class Database:
    """An engine, and the only ways to a transaction on it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # SQLite writes one at a time; whoever waits for that holds no connection that a reader could use.
        self._writing: AbstractAsyncContextManager[None] = asyncio.Lock() if self.is_sqlite else nullcontext()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; it is committed when the block ends well, and rolled back otherwise.

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused a statement.
        """
        async with self._writing, _translated(), self.engine.begin() as tx:
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads, and so waits for no writer.

        Raises:
            Unavailable: The database cannot be reached.
            DatabaseFault: It refused a statement.
        """
        async with _translated(), self.engine.connect() as connection:
            yield await connection.execution_options(**_READ)

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    async def clock(self) -> datetime:
        """Return what the database takes for now."""
        now = "SELECT CURRENT_TIMESTAMP" if self.is_sqlite else "SELECT clock_timestamp()"
        async with self.read() as tx:
            at: datetime | str = (await tx.execute(text(now))).scalar_one()
        return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def open_database(url: str) -> Database:
    """Return the database at ``url``: ``sqlite:///path`` or ``postgresql://…``; nothing is connected yet.

    Raises:
        Misconfigured: It is neither.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured("UMBRA_DATABASE_URL is not a database address") from None
    match parsed.drivername:
        case "sqlite":
            return Database(_sqlite(parsed))
        case "postgresql" | "postgres":
            return Database(_postgres(parsed.set(drivername="postgresql")))
        case _:
            raise Misconfigured("UMBRA_DATABASE_URL must start with sqlite:/// or postgresql://")


def _sqlite(url: URL) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise Misconfigured("UMBRA_DATABASE_URL must name a file")
    _make_private(Path(url.database))
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), hide_parameters=True, pool_timeout=POOL_WAIT_SECONDS
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Create the file, or narrow it, to mode 0600; SQLite gives its companions the same."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise Misconfigured(f"the SQLite file {path} cannot be opened ({type(error).__name__})") from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a spent code must stay spent through a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """Take the write lock at once: a reader that turns writer later would be refused without waiting."""
    reads = connection.get_execution_options().get("umbra_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> AsyncEngine:
    dsn = url.render_as_string(hide_password=False)

    async def connect() -> Any:
        return await asyncpg.connect(
            dsn,
            timeout=POSTGRES_CONNECT_SECONDS,
            server_settings={
                "application_name": "umbra",
                "timezone": "UTC",
                "lock_timeout": POSTGRES_LOCK_TIMEOUT,
            },
        )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
    )


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _translation(error) from None
    except (OSError, PoolTimeout, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
        raise Unavailable from None
    except (asyncpg.InternalClientError, asyncpg.InterfaceError):
        raise Unavailable from None  # a connection that broke while the driver was talking on it


def _translation(error: DBAPIError) -> Exception:
    original = error.orig
    if error.connection_invalidated or isinstance(original, OSError):
        return Unavailable()
    if isinstance(original, sqlite3.OperationalError):
        return Unavailable()  # locked for too long, disk full, file gone: all the server's, none decided anything
    state = str(getattr(original, "sqlstate", None) or "")
    if state[:2] in {"08", "53", "57"} or state in {"40001", "40P01", "55P03"}:
        return Unavailable()  # connection, resources, operator; lost a race for a lock
    return DatabaseFault(f"{type(original).__name__} {state}".strip())
