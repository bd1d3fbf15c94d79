"""What the operator has said of the source, and whose the rows of a table are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from umbra.core.errors import Misconfigured
from umbra.core.secret import Secret
from umbra.db.source import Tables, plain

USUAL_LOGINS = ("username", "email", "login")


@dataclass(frozen=True, slots=True)
class Asked:
    """Names in the source, where they are not the usual ones, and the keys of what is encrypted there."""

    table: str | None = None
    secret_column: str | None = None
    login_column: str | None = None
    keys: tuple[Secret[str], ...] = ()

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

    def logins(
        self, tables: Tables, name: str, by: str, *, accounts: str | None = None, usual: Sequence[str] = USUAL_LOGINS
    ) -> dict[Any, str]:
        """Return the names to sign in with, by what the column ``by`` of a table holds.

        Raises:
            Misconfigured: Nothing says which table has the accounts, or which column the names.
        """
        referred = tables.referred(name, by)
        if referred is None:
            if accounts is None or (key := tables.key_of(accounts)) is None:
                raise Misconfigured(f"nothing says whose the rows of {name!r} are: {by!r} refers to no table")
            referred = accounts, key
        there, key = referred
        login = self.login_of(tables, there, usual)
        return {row[key]: row[login] for row in tables.rows(there, *{key, login})}
