"""What a database is to everybody above: the one way to transactions, which alone commit.

Lock order, for whoever writes a transaction: users, links of mails, challenges, authenticators, backup codes, attempts,
used codes, sessions, known browsers, mail. Transactions that keep it cannot block each other for ever; where a proof
comes before what it is for, ``hold_all`` takes the locks early, and who locks several rows of one table does so in the
order of their keys.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, MetaData

from umbra.core.load import Load
from umbra.db.base import METADATA
from umbra.db.shape import OURS, Shape
from umbra.db.transaction import Transaction

T = TypeVar("T")


class Database(ABC):
    """A database, and the only ways to a transaction on it."""

    @property
    @abstractmethod
    def is_sqlite(self) -> bool:
        """Say whether this is SQLite."""

    shape: Shape = OURS
    """How our tables look here, and whether the accounts are ours: what is a host's is not written to."""

    def declared(self) -> MetaData:
        """Return every table of ours as it is to be here; ``db.migrate`` imports the modules that declare them."""
        return METADATA

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that writes; it is committed when the block ends well, and rolled back otherwise.

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused a statement.
        """

    @abstractmethod
    def single(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction of one statement that writes; PostgreSQL begins and commits it unasked.

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused the statement.
        """

    def unflushed(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction of one chain that counts a guess, and whose commit need not wait for the disk.

        The next commit that does takes it along, and no answer leaves before one. So a crash of the database loses
        what nobody has learnt anything by (docs/decisions/0045-one-wait-for-the-disk.md).

        Raises:
            Unavailable: The database cannot be reached, or did not get to it in time.
            DatabaseFault: It refused a statement.
        """
        return self.single()

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Read, and wait for no writer; each statement sees what was committed when it began.

        Raises:
            Unavailable: The database cannot be reached.
            DatabaseFault: It refused a statement.
        """

    def load(self) -> Load | None:
        """Return how much of a limited pool of connections is in use, or ``None`` where there is no such pool."""
        return None

    @abstractmethod
    async def clock(self) -> datetime:
        """Return what the database takes for now."""

    @abstractmethod
    async def migrating(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` on a connection of SQLAlchemy's, which Alembic wants, in one transaction."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""
