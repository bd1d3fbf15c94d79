"""SQLite: one file, any number of readers, one writer at a time.

A statement takes microseconds, less than the way to another thread and back, so it runs where it is called. What may
have to wait, for another process's lock or for the disk, goes to a thread: the beginning of a transaction that finds
the file locked, and the end of one, which SQLite answers when the disk has it.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from umbra.core.errors import Misconfigured, Unavailable
from umbra.db.database import Database
from umbra.db.transaction import DatabaseFault, Statement, Transaction

BUSY_MILLISECONDS = 10_000

DIALECT = SQLiteDialect_pysqlite()

T = TypeVar("T")
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

_NOW = Statement(select(func.current_timestamp()))


class SqliteTransaction(Transaction):
    """Statements on one of ``sqlite3``'s connections."""

    def __init__(self, connection: sqlite3.Connection, in_thread: InThread) -> None:
        super().__init__(DIALECT)
        self._connection = connection
        self._in_thread = in_thread

    async def begin(self) -> None:
        """Take the lock to write, and wait for it if another process has it."""
        await self._run("BEGIN IMMEDIATE", [])

    async def commit(self) -> None:
        """Wait until the disk has it."""
        await self._in_thread(lambda: self._connection.execute("COMMIT"))

    async def _run(self, text: str, values: list[Any]) -> Sequence[Sequence[Any]]:
        try:
            return self._connection.execute(text, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self._connection.in_transaction:
                raise
            rows: Sequence[Sequence[Any]] = await self._in_thread(lambda: self._patiently(text, values))
            return rows

    def _patiently(self, text: str, values: list[Any]) -> Sequence[Sequence[Any]]:
        self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        try:
            return self._connection.execute(text, values).fetchall()
        finally:
            self._connection.execute("PRAGMA busy_timeout = 0")


class Sqlite(Database):
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.synchronous = "FULL"  # a spent code stays spent through a power cut
        self._idle: list[sqlite3.Connection] = []
        self._writing = asyncio.Lock()
        _make_private(path)

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""
        return True

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Open a transaction that writes; the lock is taken at once, since who turns writer later may be refused."""
        async with self._writing:
            connection = self._taken()
            tx = SqliteTransaction(connection, self._in_thread)
            try:
                await tx.begin()
                yield tx
                await tx.commit()
            except sqlite3.Error as error:
                raise _translation(error) from None
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._idle.append(connection)

    single = begin

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Read, and wait for no writer."""
        connection = self._taken()
        try:
            yield SqliteTransaction(connection, self._in_thread)
        except sqlite3.Error as error:
            raise _translation(error) from None
        finally:
            self._idle.append(connection)

    async def clock(self) -> datetime:
        """Return what the database takes for now."""
        async with self.read() as tx:
            return (await tx.execute(_NOW)).scalar_one().replace(tzinfo=UTC)

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` on a connection of SQLAlchemy's, in one transaction."""
        return await asyncio.to_thread(self._migrating, work)

    async def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        """Do ``work`` beside the event loop, and stay until it has ended, even when nobody waits for us any more."""
        working = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])
            raise

    def _taken(self) -> sqlite3.Connection:
        if self._idle:
            return self._idle.pop()
        with _translated():
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 0")  # on the event loop nobody waits
        return connection

    def _migrating(self, work: Callable[[Connection], T]) -> T:
        with _translated():
            ours = self._connect()
            ours.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            engine = create_engine("sqlite://", creator=lambda: ours, poolclass=StaticPool, hide_parameters=True)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            try:
                with engine.begin() as connection:
                    return work(connection)
            finally:
                engine.dispose()


def _make_private(path: Path) -> None:
    """Create the file, or narrow it, to mode 0600; SQLite gives its companions the same."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise Misconfigured(f"the SQLite file {path} cannot be opened ({type(error).__name__})") from None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _translation(error.orig) from None
    except sqlite3.Error as error:
        raise _translation(error) from None


def _translation(error: BaseException | None) -> Exception:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return Unavailable()  # locked for too long, disk full, file gone: all the server's, none decided anything
    return DatabaseFault(f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}".strip())
