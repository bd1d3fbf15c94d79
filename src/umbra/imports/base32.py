"""A table with a TOTP secret for each user: base32 as pyotp has it, or that under Fernet."""

from functools import partial
from typing import Any

from cryptography.fernet import Fernet

from umbra.core.errors import Misconfigured
from umbra.db.source import Row, Tables, plain
from umbra.imports import columns
from umbra.imports.asked import Asked
from umbra.imports.record import Authenticator, Found, authenticator, sifted


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what the table holds. It says nothing of codes that were used.

    Raises:
        Misconfigured: It is not named, or not there.
    """
    if asked.table is None or asked.secret_column is None:
        raise Misconfigured("name the table and the column of the secrets: --table, --secret-column")
    fernets = columns.fernets(asked.keys)
    owners = _owners(tables, asked, asked.table)
    found = []
    for row in tables.rows(asked.table, *{owners.key, owners.by, asked.secret_column}):
        secret = row[asked.secret_column]
        if secret in (None, "", b""):
            continue
        came, left_out = sifted(columns.AUTHENTICATOR, [partial(_authenticator, secret, fernets)])
        found.append(Found(owners.login(row), row[owners.key], came, left_out=left_out))
    return found


class _Owners:
    """Whose a row is: it has the name itself, or refers to the table that has it."""

    def __init__(self, key: str, by: str, names: dict[Any, str] | None) -> None:
        self.key = key
        self.by = by
        self._names = names

    def login(self, row: Row) -> str | None:
        return row[self.by] if self._names is None else self._names.get(row[self.by])


def _owners(tables: Tables, asked: Asked, table: str) -> _Owners:
    there = {plain(one) for one in tables.columns(table)}
    if asked.login_column is not None and plain(asked.login_column) not in there:
        by = next((one for one in ("user_id", "account_id", "member_id") if plain(one) in there), None)
        if by is None:
            raise Misconfigured(f"the source's table {table!r} has no column {asked.login_column!r}")
        return _Owners(by, by, asked.logins(tables, table, by))
    login = asked.login_of(tables, table)
    return _Owners(tables.key_of(table) or login, login, None)


def _authenticator(secret: Any, fernets: list[Fernet]) -> Authenticator:
    return authenticator(columns.base32_secret(columns.opened(columns.text_of(secret), fernets)))
