"""Whether the database keeps what it has committed, and can be written to: asked of a connection like any other."""

from sqlalchemy import column, func, select, table

from umbra.db.database import Database
from umbra.db.transaction import Statement, Transaction

_POSTGRES = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
    "transaction_isolation": {"read committed"},
    "transaction_read_only": {"off"},
}
"""Each setting with the values that are safe. Off, the first three lose what was committed, and a used code is good."""

_ON_POSTGRES = Statement(
    select(
        *(func.current_setting(name).label(name) for name in _POSTGRES),
        func.pg_is_in_recovery().label("is_standby"),
    )
)

_SQLITE: dict[str, set[object]] = {"synchronous": {2, 3}}
"""FULL and EXTRA: what was committed is on the disk."""

_OUR_SQLITE: dict[str, set[object]] = _SQLITE | {"journal_mode": {"wal"}, "foreign_keys": {1}}
"""A host chooses these two itself."""


async def slips(database: Database) -> list[str]:
    """Return what is not as it has to be, as ``setting=value``."""
    async with database.read() as tx:
        if not database.is_sqlite:
            return await _on_postgres(tx)
        wanted = _OUR_SQLITE if database.shape.owns_accounts else _SQLITE
        return [f"{name}={value}" for name, safe in wanted.items() if (value := await _pragma(tx, name)) not in safe]


async def _on_postgres(tx: Transaction) -> list[str]:
    row = (await tx.execute(_ON_POSTGRES)).one()
    found = [f"{name}={getattr(row, name)}" for name, safe in _POSTGRES.items() if getattr(row, name) not in safe]
    return [*found, "standby"] if row.is_standby else found


async def _pragma(tx: Transaction, name: str) -> object:
    return (await tx.execute(select(column(name)).select_from(table(f"pragma_{name}")))).scalar_one()
