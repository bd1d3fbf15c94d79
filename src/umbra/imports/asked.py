"""What the operator has said of the source, and whose the rows of a table are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from umbra.core.errors import Misconfigured
from umbra.core.secret import Secret
from umbra.db.source import Tables, plain
from umbra.imports.record import Found

USUAL_LOGINS = ("username", "email", "login")


@dataclass(frozen=True, slots=True)
class Owners:
    """The accounts of the source: the names that people sign in with, by the key that other tables refer to.

    ``are_ours`` when they are the accounts of the application that Umbra is part of; then the key says who it is.
    """

    logins: Mapping[Any, Any]
    are_ours: bool

    def found(self, key: Any, **parts: Any) -> Found:
        """Return what was found for an account."""
        login = self.logins.get(key)
        return Found(str(key if login is None else login), key if self.are_ours else None, **parts)


@dataclass(frozen=True, slots=True)
class Asked:
    """Names in the source, where they are not the usual ones, and the keys of what is encrypted there.

    ``accounts`` is the table of our own accounts, if the source stands in the same database.
    """

    table: str | None = None
    secret_column: str | None = None
    login_column: str | None = None
    keys: tuple[Secret[str], ...] = ()
    accounts: str | None = None

    def login_of(self, tables: Tables, name: str, usual: Sequence[str] = USUAL_LOGINS) -> str:
        """Return the column of a table of accounts with the name to sign in with.

        Raises:
            Misconfigured: It has none that we know.
        """
        if self.login_column is not None:
            return self.login_column
        there = {plain(one) for one in tables.columns(name)}
        found = next((one for one in usual if plain(one) in there), None)
        if found is None:
            raise Misconfigured(f"name the column of {name!r} that people sign in with: --login-column")
        return found

    def owners_in(self, tables: Tables, name: str, key: str, usual: Sequence[str] = USUAL_LOGINS) -> Owners:
        """Return the accounts of a table, by one of its columns.

        Raises:
            Misconfigured: It has no column with the names that we know of.
        """
        login = self.login_of(tables, name, usual)
        return Owners({row[key]: row[login] for row in tables.rows(name, *{key, login})}, name == self.accounts)

    def owners_by(self, tables: Tables, name: str, by: str) -> Owners:
        """Return the accounts that a column of a table refers to, by what it holds.

        Raises:
            Misconfigured: It does not say what it refers to, or the names are not found there.
        """
        referred = tables.references(name).get(by)
        if referred is None:
            raise Misconfigured(f"nothing says whose the rows of {name!r} are: {by!r} refers to no table")
        return self.owners_in(tables, *referred)
