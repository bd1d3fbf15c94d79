"""SQLite: one file, any number of readers, one writer at a time.

A statement takes microseconds, less than the way to another thread and back, so it runs where it is called. What may
have to wait, for another process's lock or for the disk, goes to a thread: the beginning of a transaction that finds
the file locked, and the end of one, which SQLite answers when the disk has it.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from umbra.core.errors import Misconfigured, Unavailable
from umbra.db.base import json_text
from umbra.db.database import Database
from umbra.db.transaction import Compiled, DatabaseFault, OneByOne, Statement, Transaction

BUSY_SECONDS = 10.0
"""How long another process is waited for, from when somebody asks to write: those in line wait together."""

DIALECT = SQLiteDialect_pysqlite(json_serializer=json_text)

T = TypeVar("T")

_NOW = Statement(select(func.current_timestamp()))


class SqliteTransaction(OneByOne):
    """Statements on one of ``sqlite3``'s connections."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(DIALECT)
        self._connection = connection

    async def begin(self, until: float) -> None:
        """Take the lock to write; if another process has it, wait for it until a time of the event loop's clock."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            left = until - asyncio.get_running_loop().time()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or left <= 0:
                raise
            await _patiently(self._connection, "BEGIN IMMEDIATE", [], left)

    async def _run(self, compiled: Compiled, values: list[Any]) -> Sequence[Sequence[Any]]:
        try:
            return self._connection.execute(compiled.text, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self._connection.in_transaction:
                raise
            return await _patiently(self._connection, compiled.text, values, BUSY_SECONDS)


class _Reader(SqliteTransaction, AbstractAsyncContextManager[Transaction]):
    """A connection in one reader's hands, who puts it back among those that are idle."""

    def __init__(self, connection: sqlite3.Connection, idle: "list[_Reader]") -> None:
        super().__init__(connection)
        self._idle = idle

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._idle.append(self)
        if isinstance(error, sqlite3.Error):
            raise _translation(error) from None


class _Shared:
    """A transaction of several callers, each behind a savepoint; ``lost`` says why none of it will be kept."""

    ending: asyncio.Task[None]
    lost: sqlite3.Error | None = None


class _Writer:
    """The one connection that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._shared: _Shared | None = None
        self._last: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqliteTransaction]:
        """Let one caller write, and return when the disk has it."""
        until = asyncio.get_running_loop().time() + BUSY_SECONDS
        try:
            async with self._turn:
                shared = self._shared or await self._begun(until)
                with self._savepoint(shared):
                    yield SqliteTransaction(self._connection)
            await asyncio.shield(shared.ending)
            if shared.lost is not None:
                raise shared.lost
        except sqlite3.Error as error:
            raise _translation(error) from None

    async def close(self) -> None:
        """Close the connection, once the disk has what was written; whoever was refused has not waited for that."""
        if self._last is not None:
            await self._last
        async with self._turn:
            self._connection.close()

    async def _begun(self, until: float) -> _Shared:
        await SqliteTransaction(self._connection).begin(until)
        self._shared = shared = _Shared()
        shared.ending = self._last = asyncio.create_task(self._end(shared))
        return shared

    @contextmanager
    def _savepoint(self, shared: _Shared) -> Iterator[None]:
        is_done = False
        self._connection.execute("SAVEPOINT one")
        try:
            yield
            is_done = True
        except sqlite3.Error as error:
            if not self._connection.in_transaction:  # SQLite has undone all of it, for want of disk or memory
                shared.lost = error
                self._shared = None
            raise
        finally:
            if self._connection.in_transaction:
                if not is_done:
                    self._connection.execute("ROLLBACK TO one")
                self._connection.execute("RELEASE one")

    async def _end(self, shared: _Shared) -> None:
        """Commit, when all those have written who stood in line before us."""
        async with self._turn:
            if shared.lost is not None:
                return
            self._shared = None
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._connection.execute, "COMMIT")
            except sqlite3.Error as error:
                shared.lost = error
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")


async def _patiently(connection: sqlite3.Connection, text: str, values: list[Any], seconds: float) -> list[Any]:
    """Wait for another process's lock beside the event loop, to the end, even when nobody waits for us any more."""

    def run() -> list[Any]:
        connection.execute(_patience(seconds))
        try:
            return connection.execute(text, values).fetchall()
        finally:
            connection.execute(_patience(0))

    working = asyncio.get_running_loop().run_in_executor(None, run)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        if connection.in_transaction:  # it was a beginning, and nobody will end it
            connection.execute("ROLLBACK")
        raise


def _patience(seconds: float) -> str:
    return f"PRAGMA busy_timeout = {int(seconds * 1000)}"


class Sqlite(Database):
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.synchronous = "FULL"  # a spent code stays spent through a power cut
        self._idle: list[_Reader] = []
        self._writer: _Writer | None = None
        _make_private(path)

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""
        return True

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that writes; the lock is taken at once, since who turns writer later may be refused."""
        if self._writer is None:
            with _translated():
                self._writer = _Writer(self._connect())
        return self._writer.write()

    single = begin

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Read, and wait for no writer."""
        if self._idle:
            return self._idle.pop()
        with _translated():
            return _Reader(self._connect(), self._idle)

    async def clock(self) -> datetime:
        """Return what the database takes for now."""
        async with self.read() as tx:
            return (await tx.execute(_NOW)).scalar_one().replace(tzinfo=UTC)

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` on a connection of SQLAlchemy's, in one transaction."""
        return await asyncio.to_thread(self._migrating, work)

    async def close(self) -> None:
        """Close every connection."""
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(_patience(0))  # on the event loop nobody waits
        return connection

    def _migrating(self, work: Callable[[Connection], T]) -> T:
        with _translated():
            ours = self._connect()
            ours.execute(_patience(BUSY_SECONDS))
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
