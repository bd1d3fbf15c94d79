"""A backup of a database, and the way back: as operators do it, with SQLite's own copy or PostgreSQL's."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg

from umbra.db.database import Database


class Backup:
    """A copy of a database that a test may put back."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url
        self._copy = f"umbra_backup_{uuid.uuid4().hex}"

    async def take(self) -> None:
        """Copy the database as it is."""
        if self._database.is_sqlite:
            _copy(self._file, self._file.with_name(self._copy))
        else:
            await self._database.close()  # PostgreSQL copies a database that nobody is connected to
            await self._sql(f"CREATE DATABASE {self._copy} TEMPLATE {self._name}")

    async def restore(self) -> None:
        """Put the copy in the place of the database."""
        await self._database.close()
        if self._database.is_sqlite:
            for one in self._file.parent.glob(f"{self._file.name}*"):
                one.unlink()
            _copy(self._file.with_name(self._copy), self._file)
        else:
            await self._sql(f"DROP DATABASE {self._name} WITH (FORCE)")
            await self._sql(f"CREATE DATABASE {self._name} TEMPLATE {self._copy}")

    async def discard(self) -> None:
        """Drop the copy."""
        if not self._database.is_sqlite:
            await self._sql(f"DROP DATABASE IF EXISTS {self._copy} WITH (FORCE)")

    @property
    def _file(self) -> Path:
        return Path(self._url.removeprefix("sqlite:///"))

    @property
    def _name(self) -> str:
        return self._url.rpartition("/")[2]

    async def _sql(self, statement: str) -> None:
        connection = await asyncpg.connect(f"{self._url.rpartition('/')[0]}/postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def backup_of(database: Database, url: str) -> AsyncIterator[Backup]:
    """Take a backup, and drop it when the block ends."""
    backup = Backup(database, url)
    try:
        await backup.take()
        yield backup
    finally:
        await backup.discard()


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
