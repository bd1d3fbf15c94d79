"""Tables that another application has made, read once by whoever moves over from them, and never written.

Values come as the driver has them: what a column is declared as says little about what an application puts there.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, Label, column, create_engine, inspect, select, table, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from umbra.core.errors import Misconfigured

T = TypeVar("T")
Row = Mapping[str, Any]

CONNECT_SECONDS = 5

_POSTGRES_ERRORS = (asyncpg.PostgresError, asyncpg.InternalClientError, asyncpg.InterfaceError, OSError)


class Tables:
    """The tables of the source, on a connection for as long as they are read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inspector = inspect(connection)
        self._names = {*self._inspector.get_table_names(), *self._inspector.get_view_names()}

    def has(self, name: str) -> bool:
        """Say whether there is a table, or a view, of that name."""
        return name in self._names

    def named(self, *names: str) -> str | None:
        """Return the table whose name is one of ``names`` if case and underscores do not count."""
        return next((name for wanted in names for name in sorted(self._names) if plain(name) == plain(wanted)), None)

    def columns(self, name: str) -> list[str]:
        """Return the names of a table's columns.

        Raises:
            Misconfigured: There is no such table.
        """
        self._refuse_unknown(name)
        nothing = select(text("*")).select_from(table(name)).where(text("1 = 0"))
        return list(self._connection.execute(nothing).keys())

    def rows(self, name: str, *wanted: str) -> list[Row]:
        """Return every row, with these columns, under these names.

        Raises:
            Misconfigured: There is no such table, or it lacks one of them.
        """
        found = {plain(one): one for one in self.columns(name)}
        missing = [one for one in wanted if plain(one) not in found]
        if missing:
            raise Misconfigured(f"the source's table {name!r} has no column {missing[0]!r}")
        chosen: list[Label[Any]] = [column(found[plain(one)]).label(one) for one in wanted]
        read = self._connection.execute(select(*chosen).select_from(table(name)))
        return [dict(row) for row in read.mappings()]

    def references(self, name: str) -> dict[str, tuple[str, str]]:
        """Return the table and the column that each column of ``name`` refers to, where it says so.

        Raises:
            Misconfigured: There is no such table.
        """
        self._refuse_unknown(name)
        keys = [key for key in self._inspector.get_foreign_keys(name) if len(key["constrained_columns"]) == 1]
        return {key["constrained_columns"][0]: (key["referred_table"], key["referred_columns"][0]) for key in keys}

    def key_of(self, name: str) -> str | None:
        """Return the column that is a table's primary key, if it is one."""
        columns = self._inspector.get_pk_constraint(name)["constrained_columns"]
        return columns[0] if len(columns) == 1 else None

    def _refuse_unknown(self, name: str) -> None:
        if name not in self._names:
            raise Misconfigured(f"the source has no table {name!r}")


def plain(name: str) -> str:
    """Return a name as it is compared: one ORM writes ``userId`` where another writes ``user_id``."""
    return name.replace("_", "").lower()


async def read(url: str, work: Callable[[Tables], T]) -> T:
    """Do ``work`` on the tables at ``url``, in one transaction that sees one moment and writes nothing.

    Raises:
        Misconfigured: They cannot be read; no text repeats the address, which may hold a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured("the source is not a database address") from None
    match parsed.drivername:
        case "sqlite":
            return await asyncio.to_thread(_read_sqlite, parsed, work)
        case "postgresql" | "postgres":
            return await _read_postgres(parsed.set(drivername="postgresql"), work)
        case _:
            raise Misconfigured("the source must start with sqlite:/// or postgresql://")


def _read_sqlite(url: URL, work: Callable[[Tables], T]) -> T:
    path = Path(url.database or "")
    if not path.is_file():
        raise Misconfigured("the source is no SQLite file")
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True),
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            return work(Tables(connection))
    except SQLAlchemyError as error:
        raise _unreadable(error) from None
    finally:
        engine.dispose()


async def _read_postgres(url: URL, work: Callable[[Tables], T]) -> T:
    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url.render_as_string(hide_password=False), timeout=CONNECT_SECONDS)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        poolclass=NullPool,
        hide_parameters=True,
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(lambda it: work(Tables(it)))
    except (SQLAlchemyError, *_POSTGRES_ERRORS) as error:
        raise _unreadable(error) from None
    finally:
        await engine.dispose()


def _unreadable(error: Exception) -> Misconfigured:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return Misconfigured(f"the source cannot be read ({type(cause).__name__})")


def grouped(rows: Sequence[Row], by: str) -> dict[Any, list[Row]]:
    """Return rows by what they have in one column."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row)
    return groups
