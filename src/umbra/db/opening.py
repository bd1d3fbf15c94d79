from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from umbra.core.errors import Misconfigured
from umbra.db.database import Database


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
            return _sqlite(parsed)
        case "postgresql" | "postgres":
            return _postgres(parsed.set(drivername="postgresql"))
        case _:
            raise Misconfigured("UMBRA_DATABASE_URL must start with sqlite:/// or postgresql://")


def _sqlite(url: URL) -> Database:
    from umbra.db.sqlite import Sqlite  # noqa: PLC0415 - each driver is loaded by whoever uses it

    if not url.database or url.database == ":memory:":
        raise Misconfigured("UMBRA_DATABASE_URL must name a file")
    return Sqlite(Path(url.database))


def _postgres(url: URL) -> Database:
    from umbra.db.postgres import Postgres  # noqa: PLC0415 - each driver is loaded by whoever uses it

    return Postgres(url)
