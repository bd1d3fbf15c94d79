"""What our tables look like in a database: in one of our own, or beside a host's."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Integer
from sqlalchemy.types import TypeEngine


@dataclass(frozen=True)
class Shape:
    """What migrations must know of the database that they run on.

    ``accounts`` names the column that rows of an account refer to, as a foreign key does.
    """

    prefix: str = ""
    key: TypeEngine[Any] = Integer()  # noqa: RUF009 - a type is a value
    accounts: str = "users.id"
    owns_accounts: bool = True

    @property
    def accounts_table(self) -> str:
        """The name of the table of accounts."""
        return self.accounts.rpartition(".")[0]

    def name(self, ours: str) -> str:
        """Return the name that a table or constraint of ours has here."""
        return self.prefix + ours

    def refers_to_account(self, name: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
        """Return the foreign key of a table whose rows belong to accounts."""
        return ForeignKeyConstraint(["user_id"], [self.accounts], name=self.name(name), ondelete=ondelete)


OURS = Shape()
