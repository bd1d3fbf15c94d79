"""PostgreSQL: asyncpg's connections, a pool of them, and transactions on them."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from umbra.core.errors import Unavailable
from umbra.core.load import Load
from umbra.db.base import json_text
from umbra.db.database import Database
from umbra.db.transaction import AtOnce, Compiled, DatabaseFault, Statement

LOCK_TIMEOUT = "10s"
CONNECT_SECONDS = 5
POOL_WAIT_SECONDS = 10
POOL_SIZE = 20

DIALECT = PGDialect_asyncpg(json_serializer=json_text)  # type: ignore[no-untyped-call]

T = TypeVar("T")

_ERRORS = (asyncpg.PostgresError, asyncpg.InternalClientError, asyncpg.InterfaceError, OSError, TimeoutError)

_NOW = Statement(select(func.clock_timestamp()))


class Pool:
    """Connections that wait for work; whoever finds none opens another one, up to a limit, and then queues.

    asyncpg's own pool asks the server to forget the last user of a connection, and starts a task, at every return.
    Here no statement leaves anything behind, and the way back is an append.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], size: int) -> None:
        self._connect = connect
        self._size = self._places = size
        self._idle: list[asyncpg.Connection] = []
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()

    async def take(self) -> asyncpg.Connection:
        """Return a connection that is the caller's own until it is given back.

        Raises:
            Unavailable: None could be had in time.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._places += 1
        if not self._places:
            return await self._handed_over() or await self._opened()
        self._places -= 1
        return await self._opened()

    def give(self, connection: asyncpg.Connection) -> None:
        """Take a connection back, and hand it, or its place, to whoever has waited longest."""
        self._pass_on(None if connection.is_closed() else connection)

    def load(self) -> Load:
        """Return how many connections are in callers' hands, and how many callers wait for one."""
        return Load(self._size - self._places - len(self._idle), len(self._waiting))

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._places += 1
            await self._idle.pop().close(timeout=CONNECT_SECONDS)

    async def _opened(self) -> asyncpg.Connection:
        connection = None
        try:
            connection = await self._connect()
        finally:
            if connection is None:
                self._pass_on(None)
        return connection

    async def _handed_over(self) -> asyncpg.Connection | None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(POOL_WAIT_SECONDS):
                return await asyncio.shield(turn)
        except (TimeoutError, asyncio.CancelledError) as gone:
            if turn.done():
                self._pass_on(turn.result())  # it came in the moment in which we went away
            else:
                self._waiting.remove(turn)
            if isinstance(gone, TimeoutError):
                raise Unavailable from None
            raise

    def _pass_on(self, connection: asyncpg.Connection | None) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(connection)
        elif connection is None:
            self._places += 1
        else:
            self._idle.append(connection)


class PostgresTransaction(AtOnce):
    """Statements on one of asyncpg's connections."""

    def __init__(self, connection: asyncpg.Connection, *, is_flushed: bool) -> None:
        super().__init__(DIALECT)
        self.connection = connection
        self._is_flushed = is_flushed

    async def _run(self, compiled: Compiled, values: list[Any]) -> Sequence[Sequence[Any]]:
        rows: list[Sequence[Any]] = await self.connection.fetch(compiled.text, *values)
        return rows


class _Use(AbstractAsyncContextManager[PostgresTransaction]):
    """A connection of the pool in one caller's hands, for one transaction or for statements that are one each."""

    __slots__ = ("_connection", "_is_block", "_is_flushed", "_pool")

    def __init__(self, pool: Pool, *, is_block: bool, is_flushed: bool = True) -> None:
        self._pool = pool
        self._is_block = is_block
        self._is_flushed = is_flushed

    async def __aenter__(self) -> PostgresTransaction:
        try:
            self._connection = await self._pool.take()
        except _ERRORS as error:
            raise _translation(error) from None
        if self._is_block:
            await self._say("BEGIN")
        return PostgresTransaction(self._connection, is_flushed=self._is_flushed)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._connection.terminate()  # who knows what it is in the middle of
        elif self._is_block and not (error and self._connection.is_closed()):
            await self._say("ROLLBACK" if error else "COMMIT")
        self._pool.give(self._connection)
        if isinstance(error, _ERRORS):
            raise _translation(error) from None

    async def _say(self, command: str) -> None:
        """Give a command of no result; where it fails nobody uses the connection again."""
        is_said = False
        try:
            await self._connection.execute(command)
            is_said = True
        except _ERRORS as error:
            raise _translation(error) from None
        finally:
            if not is_said:
                self._connection.terminate()
                self._pool.give(self._connection)


class Postgres(Database):
    """A PostgreSQL database."""

    def __init__(self, url: URL) -> None:
        self._dsn = url.render_as_string(hide_password=False)
        self._pool = Pool(self._connect, POOL_SIZE)

    @property
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""
        return False

    def begin(self) -> "_Use":
        """Open a transaction that writes."""
        return _Use(self._pool, is_block=True)

    def read(self) -> "_Use":
        """Have a connection to oneself; without a beginning, each statement is its own transaction."""
        return _Use(self._pool, is_block=False)

    single = read

    def unflushed(self) -> "_Use":
        """Open a transaction of one chain, whose commit does not wait for the disk."""
        return _Use(self._pool, is_block=False, is_flushed=False)

    def load(self) -> Load:
        """Return how many connections are in use, and how many callers wait for one."""
        return self._pool.load()

    async def clock(self) -> datetime:
        """Return what the database takes for now."""
        async with self.read() as tx:
            now: datetime = (await tx.execute(_NOW)).scalar_one()
            return now

    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` on a connection of SQLAlchemy's, in one transaction."""
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - only migrations want it

        engine = create_async_engine(
            "postgresql+asyncpg://", async_creator=self._connect, poolclass=NullPool, hide_parameters=True
        )
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        except _ERRORS as error:
            raise _translation(error) from None
        except DBAPIError as error:
            raise _translation(error.driver_exception) from None
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            server_settings={
                "application_name": "umbra",
                "timezone": "UTC",
                "lock_timeout": LOCK_TIMEOUT,
                "default_transaction_isolation": "read committed",
            },
        )
        await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=json.loads)
        return connection


def _translation(error: Exception) -> Exception:
    if isinstance(error, ValueError):
        return DatabaseFault(type(error).__name__)  # the driver would not send a value, and its text holds it
    if not isinstance(error, asyncpg.PostgresError):
        return Unavailable()  # among them: the connection broke while the driver was talking on it
    state = error.sqlstate or ""
    if state[:2] in {"08", "53", "57"} or state in {"40001", "40P01", "55P03"}:
        return Unavailable()  # connection, resources, operator; lost a race for a lock
    return DatabaseFault(f"{type(error).__name__} {state}".strip())
