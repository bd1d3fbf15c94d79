"""A database through the engine of the application that Umbra is part of: the host's pool, and our own transactions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Engine, func, select
from sqlalchemy import exc as errors
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session  # noqa: TID251 - the host's objects are its ORM's

from umbra.core.errors import Unavailable
from umbra.db.database import Database
from umbra.db.guest import Guest
from umbra.db.transaction import AtOnce, Compiled, DatabaseFault, OneByOne, Statement, Transaction

T = TypeVar("T")

_NOW = Statement(select(func.current_timestamp()))

_LOST_RACES = {"40001", "40P01", "55P03"}
_NOT_THERE = {"08", "53", "57"}
_SQLITE_BUSY = 5


class Doing(Protocol):
    """Runs something on the host's connection where that may block: in a greenlet, or in a thread."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]:
        """Run ``work``."""
        ...


class _Statements(Transaction):
    """Statements on one of the host's connections."""

    def __init__(self, dialect: Dialect, do: Doing) -> None:
        super().__init__(dialect)
        self._do = do

    async def _run(self, compiled: Compiled, values: list[Any]) -> Sequence[Sequence[Any]]:
        given = tuple(values) if compiled.is_positional else dict(zip(compiled.names, values, strict=True))

        def run(connection: Connection) -> Sequence[Sequence[Any]]:
            result = connection.exec_driver_sql(compiled.text, given)
            return result.fetchall() if result.returns_rows else []

        return await self._do(run)


class _OnPostgres(_Statements, AtOnce):
    pass


class _OnSqlite(_Statements, OneByOne):
    pass


class Hosted(Database):
    """The host's database. Its engine, and the tables in it, stay the host's."""

    owns_accounts = False

    def __init__(self, engine: Engine | AsyncEngine, guest: Guest) -> None:
        self._engine = engine
        self.hosts_accounts = guest.accounts
        self._dialect = guest.dialect((engine.sync_engine if isinstance(engine, AsyncEngine) else engine).dialect)

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""
        return self._dialect.name == "sqlite"

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that writes."""
        return self._transaction(writes=True)

    single = begin

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Read; each statement sees what was committed when it began."""
        return self._transaction(writes=False)

    async def clock(self) -> datetime:
        """Return what the database takes for now."""
        async with self.read() as tx:
            now: datetime = (await tx.execute(_NOW)).scalar_one()
            return now

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` on a connection, in one transaction."""
        async with self._connection() as do:
            done = await do(work)
            await do(Connection.commit)
            return done

    async def close(self) -> None:
        """Close nothing: the engine is the host's."""

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[Transaction]:
        async with self._connection() as do:
            if self.is_sqlite and writes:
                await do(_begin_immediate)
            kind = _OnSqlite if self.is_sqlite else _OnPostgres
            yield kind(self._dialect, do)
            if writes:
                await do(Connection.commit)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Doing]:
        """Take a connection; whatever is not committed when it goes back is rolled back."""
        try:
            async with _taken(self._engine) as do:
                if not self.is_sqlite:
                    await do(_see_what_is_committed)
                yield do
        except errors.DBAPIError as error:
            raise _translation(error) from None
        except errors.TimeoutError:
            raise Unavailable from None


async def loaded(engine: Engine | AsyncEngine, model: type[T], key: Any) -> T | None:
    """Return the host's own object, on its own and complete as columns go."""
    if isinstance(engine, AsyncEngine):
        async with AsyncSession(engine, expire_on_commit=False) as session:
            return await session.get(model, key)

    def here() -> T | None:
        with Session(engine, expire_on_commit=False) as session:
            return session.get(model, key)

    return await asyncio.to_thread(here)


@asynccontextmanager
async def _taken(engine: Engine | AsyncEngine) -> AsyncIterator[Doing]:
    if isinstance(engine, AsyncEngine):
        async with engine.connect() as connection:
            yield connection.run_sync
    else:
        held = await _to_the_end(engine.connect, undo=Connection.close)
        try:
            yield partial(_in_a_thread, held)
        finally:
            await _to_the_end(held.close)


def _see_what_is_committed(connection: Connection) -> None:
    """Have each statement see what was committed when it began, whatever the engine has as a habit."""
    connection.execution_options(isolation_level="READ COMMITTED")


async def _in_a_thread(connection: Connection, work: Callable[[Connection], T], /) -> T:
    return await _to_the_end(partial(work, connection))


async def _to_the_end(work: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> T:
    """Do ``work`` in a thread, and wait for it even when nobody waits for us: it has the connection."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if undo is not None and running.exception() is None:
            await asyncio.to_thread(undo, running.result())
        raise


def _begin_immediate(connection: Connection) -> None:
    """Take the lock to write at once: one that begins by reading could not be given it later."""
    if not getattr(connection.connection.driver_connection, "in_transaction", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _translation(error: errors.DBAPIError) -> Exception:
    cause = error.orig
    state = str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")
    if error.connection_invalidated or state[:2] in _NOT_THERE or state in _LOST_RACES:
        return Unavailable()
    is_busy = getattr(cause, "sqlite_errorcode", 0) & 0xFF == _SQLITE_BUSY
    if is_busy or (not state and isinstance(error, errors.InterfaceError)):
        return Unavailable()
    return DatabaseFault(f"{type(cause).__name__} {state}".strip())
