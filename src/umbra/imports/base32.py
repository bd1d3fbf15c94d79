"""A table with a TOTP secret for each user: base32 as pyotp has it, or that under Fernet."""

from functools import partial
from typing import Any

from cryptography.fernet import Fernet

from umbra.core.errors import Misconfigured
from umbra.db.source import Tables, plain
from umbra.imports import columns
from umbra.imports.asked import USUAL_LOGINS, Asked, Owners
from umbra.imports.record import Authenticator, Found, authenticator, sifted

REFERRING = ("userid", "accountid", "memberid")


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what the table holds. It says nothing of codes that were used.

    Raises:
        Misconfigured: It is not named, or not there.
    """
    if asked.table is None or asked.secret_column is None:
        raise Misconfigured("name the table and the column of the secrets: --table, --secret-column")
    fernets = columns.fernets(asked.keys)
    by, owners = _owners(tables, asked, asked.table)
    found = []
    for row in tables.rows(asked.table, *{by, asked.secret_column}):
        secret = row[asked.secret_column]
        if secret not in (None, "", b""):
            came, left_out = sifted(columns.AUTHENTICATOR, [partial(_authenticator, secret, fernets)])
            found.append(owners.found(row[by], authenticators=came, left_out=left_out))
    return found


def _owners(tables: Tables, asked: Asked, table: str) -> tuple[str, Owners]:
    """Return the column that says whose a row is, and the accounts by it: the table's own, or those it refers to."""
    by = _referring(tables, asked, table)
    if by is not None:
        return by, asked.owners_by(tables, table, by)
    key = tables.key_of(table) or asked.login_of(tables, table)
    return key, asked.owners_in(tables, table, key)


def _referring(tables: Tables, asked: Asked, table: str) -> str | None:
    """Return the column that refers to the accounts, to our own before all, unless the table has the names itself."""
    references = tables.references(table)
    to_ours = next((one for one, (referred, _) in references.items() if referred == asked.accounts), None)
    names = {plain(one) for one in (USUAL_LOGINS if asked.login_column is None else [asked.login_column])}
    if to_ours is not None or names & {plain(one) for one in tables.columns(table)}:
        return to_ours
    return next((one for one in references if plain(one) in REFERRING), None)


def _authenticator(secret: Any, fernets: list[Fernet]) -> Authenticator:
    return authenticator(columns.base32_secret(columns.opened(columns.text_of(secret), fernets)))
