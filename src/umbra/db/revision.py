"""Which revision of the schema a database has, asked without Alembic: a server that need not migrate never loads it."""

from sqlalchemy import String, column, select, table

from umbra.db.database import Database
from umbra.db.transaction import DatabaseFault, Statement

HEAD = "0007"
"""The newest revision that this program knows; a test compares it with the migrations."""

VERSION_TABLE = "umbra_alembic_version"
"""A name of our own: a host application has an ``alembic_version`` already."""

VERSIONS = table(VERSION_TABLE, column("version_num", String))

_REVISION = Statement(select(VERSIONS.c.version_num))


async def of(database: Database) -> str | None:
    """Return the newest revision that has run on the database, or ``None`` before the first."""
    try:
        async with database.read() as tx:
            return (await tx.execute(_REVISION)).scalar_one_or_none()
    except DatabaseFault:
        return None  # there is no such table


async def is_current(database: Database) -> bool:
    """Say whether every migration has run."""
    return await of(database) == HEAD
