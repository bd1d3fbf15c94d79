"""Statements, written once in SQLAlchemy Core and run by the driver.

SQLAlchemy says what a statement is in each database's words, and what its values look like there; its connections,
which would say so anew at every call, stay out of the way (docs/decisions/0017-statements-on-the-driver.md).
"""

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar, TypeVarTuple, overload
from weakref import WeakKeyDictionary

from sqlalchemy import (
    CTE,
    ColumnElement,
    Dialect,
    Executable,
    Integer,
    Row,
    Select,
    exists,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy import cast as in_sql
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import ReturnsRows, TypedReturnsRows

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
Processor = Callable[[Any], Any]


class DatabaseFault(Exception):
    """The database refused a statement, which is a fault of ours.

    It carries the error's class and SQLSTATE only: the database's own text holds parameters.
    """


class Rows(Generic[*Columns]):
    """What a statement returned: named tuples, which to a type checker are SQLAlchemy's rows."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows: Sequence[Row[*Columns]] = rows

    def __iter__(self) -> Iterator[Row[*Columns]]:
        """Go through the rows."""
        return iter(self._rows)

    def all(self) -> list[Row[*Columns]]:
        """Return every row."""
        return list(self._rows)

    def first(self) -> Row[*Columns] | None:
        """Return the first row, or ``None`` when there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Row[*Columns]:
        """Return the only row."""
        (row,) = self._rows
        return row

    def one_or_none(self) -> Row[*Columns] | None:
        """Return the only row, or ``None`` when there is none."""
        if not self._rows:
            return None
        (row,) = self._rows
        return row

    def scalar_one(self: "Rows[T, *tuple[Any, ...]]") -> T:
        """Return the first column of the only row."""
        (row,) = self._rows
        value: T = row[0]
        return value

    def scalar_one_or_none(self: "Rows[T, *tuple[Any, ...]]") -> T | None:
        """Return the first column of the only row, or ``None`` when there is no row."""
        return self.scalar_one() if self._rows else None


class Statement(Generic[*Columns]):
    """A statement that is run often: compiled once for each database, and given its values by name."""

    def __init__(self, executable: TypedReturnsRows[*Columns]) -> None:
        self._executable = executable
        self._compiled: WeakKeyDictionary[Dialect, Compiled] = WeakKeyDictionary()
        self._last: tuple[Dialect, Compiled] | None = None

    def compiled(self, dialect: Dialect) -> "Compiled":
        """Return the statement in the words of one database."""
        last = self._last  # asked once: another thread may have another database
        if last is not None and last[0] is dialect:
            return last[1]
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = Compiled(self._executable, dialect)
        self._last = dialect, found
        return found


Link = Callable[[ColumnElement[bool]], Select[*tuple[Any, ...]] | UpdateBase]
"""A statement that does nothing unless a condition is given, and returns a row when it has done something."""


_UNFLUSHED: ColumnElement[str] = literal_column("set_config('synchronous_commit', 'off', true)").label("unflushed")
"""Said inside a statement of PostgreSQL that is a transaction of its own, it holds for that one's commit."""


class Chain:
    """Statements in order, each only when the one before it returned a row; PostgreSQL gets them all at once.

    There they are one statement, and each of them sees the database as it was when that began: a link may rely on
    rows that an earlier one has locked or made, but must not look for what it wrote. ``shown`` is the place of the
    link whose row is returned. What is to happen ``then`` goes on in the same way, and may stop anywhere: the chain
    has held without it.
    """

    def __init__(self, *links: Link, shown: int = -1, then: Sequence[Link] = ()) -> None:
        self._links = (*links, *then)
        self._needed = len(links)
        self._shown = range(len(links))[shown]
        self._at_once: WeakKeyDictionary[Dialect, Compiled] = WeakKeyDictionary()
        self._unflushed: WeakKeyDictionary[Dialect, Compiled] = WeakKeyDictionary()
        self._one_by_one: WeakKeyDictionary[Dialect, list[tuple[Compiled, bool]]] = WeakKeyDictionary()

    def at_once(self, dialect: Dialect, *, is_flushed: bool = True) -> "Compiled":
        """Return one statement, whose row begins with how many links held.

        Unless it ``is_flushed``, the commit of the transaction that it is by itself does not wait for the disk.
        """
        known = self._at_once if is_flushed else self._unflushed
        found = known.get(dialect)
        if found is None:
            found = known[dialect] = Compiled(self._woven(*([] if is_flushed else [_UNFLUSHED])), dialect)
        return found

    def one_by_one(self, dialect: Dialect) -> "list[tuple[Compiled, bool]]":
        """Return a statement for each link, and whether its row is the one that is shown."""
        found = self._one_by_one.get(dialect)
        if found is None:
            found = self._one_by_one[dialect] = [
                (Compiled(link(true()), dialect), place == self._shown) for place, link in enumerate(self._links)
            ]
        return found

    def __len__(self) -> int:
        """Return how many links have to hold."""
        return self._needed

    def _woven(self, *also: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
        given: ColumnElement[bool] = true()
        held: ColumnElement[int] = literal(0)
        links: list[CTE] = []
        for link in self._links:
            links.append(link(given).cte(f"link_{len(links)}"))
            given = exists(select(links[-1].c[0]))
            held = held + in_sql(given, Integer)
        shown = links[self._shown]
        nothing = select(literal(1)).subquery()
        return select(held.label("held"), *shown.c, *also).select_from(nothing.outerjoin(shown, true()))


class Compiled:
    """A statement in the words of one database."""

    def __init__(self, executable: Executable, dialect: Dialect, **options: Any) -> None:
        compiler = executable.compile(dialect=dialect, compile_kwargs=options)  # type: ignore[attr-defined]
        assert isinstance(compiler, SQLCompiler)  # noqa: S101 - a narrowing: everything executable here has one
        self.text = compiler.string
        binds = {name: bind for bind, name in compiler.bind_names.items()}
        own = compiler.params
        self.names = tuple(compiler.positiontup or own)
        self.is_positional = compiler.positional
        self._values: list[Any] = []
        self._wanted: list[tuple[int, str, Processor | None]] = []
        for place, name in enumerate(self.names):
            bind = binds.get(name)
            into = bind.type.dialect_impl(dialect).bind_processor(dialect) if bind is not None else None
            self._values.append(None)
            if bind is not None and bind.required:
                self._wanted.append((place, name, into))
            else:
                value = own[name]
                self._values[place] = into(value) if into else value
        columns = list(executable.exported_columns) if isinstance(executable, ReturnsRows) else []
        self._row: Callable[[Sequence[Any]], tuple[Any, ...]] = (
            _row_of(tuple(column.key or "" for column in columns)) if columns else tuple
        )
        self._out = [
            (place, out)
            for place, column in enumerate(columns)
            if (out := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of their places, as the driver takes them."""
        values = self._values.copy()
        for place, name, into in self._wanted:
            value = given[name]
            values[place] = into(value) if into else value
        return values

    def rows(self, given: Sequence[Sequence[Any]]) -> Rows[*tuple[Any, ...]]:
        """Return what the driver gave, with names, and values in Python's form."""
        rows = []
        for row in given:
            converted = list(row)
            for place, out in self._out:
                converted[place] = out(converted[place])
            rows.append(self._row(converted))
        return Rows(rows)


@lru_cache
def _row_of(names: tuple[str, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 - its names come from a statement
    return partial(tuple.__new__, row)  # as its own _make does, which counts the values first


class Transaction(ABC):
    """A connection of the pool, for as long as one transaction lasts; it knows neither commit nor rollback."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @overload
    async def execute(self, statement: Statement[*Columns], /, **values: Any) -> Rows[*Columns]: ...
    @overload
    async def execute(self, statement: TypedReturnsRows[*Columns], /, **values: Any) -> Rows[*Columns]: ...
    @overload
    async def execute(self, statement: Executable, /, **values: Any) -> Rows[*tuple[Any, ...]]: ...

    async def execute(
        self, statement: Statement[*tuple[Any, ...]] | Executable, /, **values: Any
    ) -> Rows[*tuple[Any, ...]]:
        """Run a statement.

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused the statement.
        """
        compiled = (
            statement.compiled(self._dialect)
            if isinstance(statement, Statement)
            else Compiled(statement, self._dialect, render_postcompile=True)
        )
        return compiled.rows(await self._run(compiled, compiled.values(values)))

    @abstractmethod
    async def follow(self, chain: Chain, /, **values: Any) -> tuple[int, Row[*tuple[Any, ...]] | None]:
        """Run a chain, and return how many of its links held, and the row that it shows if all did that have to.

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused a statement.
        """

    @abstractmethod
    async def _run(self, compiled: Compiled, values: list[Any]) -> Sequence[Sequence[Any]]:
        """Give the statement to the driver and return the rows."""


class AtOnce(Transaction):
    """Where a round trip costs more than the rows it moves: PostgreSQL."""

    _is_flushed = True
    """Whether what a chain has committed is on the disk when it returns."""

    async def follow(self, chain: Chain, /, **values: Any) -> tuple[int, Row[*tuple[Any, ...]] | None]:
        """Run a chain in one round trip."""
        compiled = chain.at_once(self._dialect, is_flushed=self._is_flushed)
        row: Row[*tuple[Any, ...]] = compiled.rows(await self._run(compiled, compiled.values(values))).one()
        return row.held, row if row.held >= len(chain) else None


class OneByOne(Transaction):
    """Where no way is shorter than another: SQLite."""

    async def follow(self, chain: Chain, /, **values: Any) -> tuple[int, Row[*tuple[Any, ...]] | None]:
        """Run a chain, link after link."""
        shown = None
        held = 0
        for compiled, is_shown in chain.one_by_one(self._dialect):
            row = compiled.rows(await self._run(compiled, compiled.values(values))).first()
            if row is None:
                break
            held += 1
            shown = row if is_shown else shown
        return held, shown if held >= len(chain) else None
