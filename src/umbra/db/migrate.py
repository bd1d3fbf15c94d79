"""The schema's history: Alembic's scripts inside the package, run on our own connections."""

from pathlib import Path
from typing import Any

from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text

from umbra.attempts import tables as attempts
from umbra.audit import tables as audit
from umbra.backup_codes import tables as backup_codes
from umbra.browsers import tables as browsers
from umbra.challenge import tables as challenge
from umbra.core.errors import Misconfigured
from umbra.db import state
from umbra.db.base import METADATA
from umbra.db.database import Database
from umbra.db.revision import VERSION_TABLE
from umbra.db.shape import Shape
from umbra.email_proofs import tables as email_proofs
from umbra.links import tables as links
from umbra.mail import tables as mail
from umbra.removals import tables as removals
from umbra.sessions import tables as sessions
from umbra.totp import tables as totp
from umbra.users import tables as users

POSTGRES_MIGRATION_LOCK = 0x756D627261  # "umbra"; two servers that start at once migrate one after the other

_DECLARED = (
    attempts, audit, backup_codes, browsers, challenge, email_proofs, links, mail, removals,
    sessions, state, totp, users,
)  # fmt: skip
"""The modules that declare tables; importing them is what fills the metadata."""


def metadata() -> MetaData:
    """Return every table that Umbra declares."""
    return METADATA


def here() -> Shape:
    """Return what a migration must know of the database that it runs on."""
    shape: Shape = op.get_context().opts["shape"]
    return shape


async def upgrade(database: Database, target: str = "head") -> None:
    """Bring the schema up to ``target``.

    Raises:
        Misconfigured: There is no such revision.
    """
    await database.migrating(lambda connection: _run(connection, database.shape, "upgrade", target))


async def downgrade(database: Database, target: str) -> None:
    """Take the schema back to ``target``; ``base`` is an empty database.

    Raises:
        Misconfigured: There is no such revision.
    """
    await database.migrating(lambda connection: _run(connection, database.shape, "downgrade", target))


async def differences(database: Database) -> list[str]:
    """Return what the database's schema lacks or has too much, a line each; none is what ``alembic check`` wants."""
    return await database.migrating(lambda connection: _differences(connection, database))


def head() -> str | None:
    """Return the newest revision among the migrations."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _run(connection: Connection, shape: Shape, direction: str, target: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_MIGRATION_LOCK})
    config = _config()
    config.attributes.update(connection=connection, shape=shape)
    try:
        getattr(command, direction)(config, target)
    except CommandError as error:
        raise Misconfigured(f"the schema cannot go to {target!r}: {error}") from None


def _differences(connection: Connection, database: Database) -> list[str]:
    version_table, declared = database.shape.name(VERSION_TABLE), database.declared()
    options = {"version_table": version_table, "compare_type": True, "compare_server_default": False}
    if not database.shape.owns_accounts:  # the other tables are a host's
        options["include_name"] = lambda name, kind, _: kind != "table" or name in declared.tables
    context = MigrationContext.configure(connection, opts=options)
    at = context.get_current_revision()
    is_hosts_history = at is None and not database.shape.owns_accounts  # the tables are in the host's own migrations
    found = [] if at == head() or is_hosts_history else ["migrations have not all run"]
    return found + [_in_words(difference) for difference in compare_metadata(context, declared)]


def _in_words(difference: Any) -> str:
    """Say what Alembic found: what would be done, and to what; changes of one column come in a list."""
    if isinstance(difference, list):
        return ", ".join(_in_words(one) for one in difference)
    action, *parts = difference
    names = (part if isinstance(part, str) else getattr(part, "name", None) for part in parts)
    return " ".join([action.replace("_", " "), *(str(name) for name in names if name)])
