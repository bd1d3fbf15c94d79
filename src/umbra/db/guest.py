"""Umbra's tables in somebody else's schema, and its statements in their words.

Statements are written once, against the tables that ``db.base`` declares. In a host's database those may have a prefix,
an account another kind of key, and in the place of ``users`` stands the host's own table. ``Guest`` holds what stands
for what, and gives a dialect whose compiler writes the one where a statement says the other
(docs/decisions/0022-guest.md).
"""

import copy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    ForeignKeyConstraint,
    FromClause,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    column,
    false,
    func,
    literal_column,
    table,
)
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeEngine

from umbra.db.base import METADATA, PasswordVersion, UserKey, UtcDateTime
from umbra.db.revision import VERSION_TABLE, VERSIONS
from umbra.db.shape import Shape

ACCOUNTS = "users"
STAND_ALONE = frozenset({"email_proofs", "mail_links", "mail_outbox", "removed_authenticators"})
"""What the server has for its mail; a host hears of events and mails what it likes, and no statement of ours that runs
there names it."""

NEVER: ColumnElement[Any] = literal_column("NULL")


@dataclass(frozen=True)
class Accounts:
    """The host's table of accounts: its key, the name to sign in with, and the rest where the host has it.

    ``login_key`` is what a folded name is looked for in, and ``disabled`` true of an account that is kept out.
    """

    table: Table
    key: Column[Any]
    login: Column[Any]
    login_key: ColumnElement[str] | None = None
    email: Column[Any] | None = None
    password: Column[Any] | None = None
    disabled: ColumnElement[bool] | None = None

    def in_place_of_ours(self) -> dict[str, ColumnElement[Any]]:
        """Return what stands for each column of our own table of accounts."""
        unset = NEVER if self.disabled is None else func.nullif(self.disabled, false())
        password = NEVER if self.password is None else self.password
        version = literal_column("0") if self.password is None else self.password
        return {
            "id": self.key,
            "username": self.login,
            "username_key": self.login if self.login_key is None else self.login_key,
            "email": NEVER if self.email is None else self.email,
            "password_hash": password,
            "password_version": version,
            "is_operator": false(),
            "created_at": NEVER,
            "disabled_at": unset,
            "factors_changed_at": NEVER,
        }


class Guest:
    """Umbra in the host's schema."""

    def __init__(self, accounts: Accounts, *, prefix: str = "") -> None:
        self._accounts = accounts
        of_account = f"{accounts.table.fullname}.{accounts.key.name}"
        self.shape = Shape(prefix, accounts.key.type, of_account, owns_accounts=False)
        self.metadata = MetaData()
        self.versions = table(self.shape.name(VERSION_TABLE), column("version_num", String))
        users = METADATA.tables[ACCOUNTS]
        theirs = accounts.in_place_of_ours()
        self.tables: dict[FromClause, FromClause] = {users: accounts.table, VERSIONS: self.versions}
        self.columns: dict[ColumnElement[Any], ColumnElement[Any]] = {one: theirs[one.key] for one in users.columns}
        self.columns[VERSIONS.c.version_num] = self.versions.c.version_num
        twins = self.declare(self.metadata)
        for name, one in _shared().items():
            self.tables[one] = twins[name]
            self.columns |= {column: twins[name].columns[column.key] for column in one.columns}

    def declare(self, metadata: MetaData) -> dict[str, Table]:
        """Declare Umbra's tables in ``metadata``, and return them by the names that they have without a prefix."""
        return {name: self._twin(one, metadata) for name, one in _shared().items()}

    def owns(self, table_name: str) -> bool:
        """Say whether a table is one of ours."""
        return table_name in self.metadata.tables or table_name == self.versions.name

    def dialect(self, engines: Dialect) -> Dialect:
        """Return the dialect of the host's engine, speaking of the host's tables where a statement says ours."""
        own = copy.copy(engines)
        vars(own).pop("_type_memos", None)  # it remembers types, and here they are others
        own.statement_compiler = type("GuestCompiler", (_GuestCompiler, engines.statement_compiler), {"guest": self})
        own.preparer = type("GuestPreparer", (_GuestPreparer, engines.preparer), {"guest": self})
        own.identifier_preparer = own.preparer(own)
        setattr(own, UserKey.member, self._accounts.key.type)
        if self._accounts.password is not None:
            setattr(own, PasswordVersion.member, self._accounts.password.type)
        return own

    def _twin(self, ours: Table, metadata: MetaData) -> Table:
        """Return a copy of a table; its constraints have names that no convention of the host's changes."""
        columns = [self._column(column) for column in ours.columns]
        named = [self._constraint(one) for one in ours.constraints]
        indexes = [self._index(one) for one in ours.indexes]
        options = {f"sqlite_{name}": value for name, value in ours.dialect_options["sqlite"].items() if value}
        return Table(self.shape.name(ours.name), metadata, *columns, *named, *indexes, **options)

    def _column(self, column: Column[Any]) -> Column[Any]:
        kind = self._kind(column.type)
        default = column.server_default.arg if column.server_default is not None else None  # type: ignore[attr-defined]
        return Column(
            column.name, kind, nullable=column.nullable, primary_key=column.primary_key, server_default=default
        )

    def _kind(self, ours: TypeEngine[Any]) -> TypeEngine[Any]:
        """Return the type of a column as a migration of the host's writes it, which has imported nothing of ours."""
        match ours:
            case UserKey():
                return self._accounts.key.type
            case UtcDateTime():
                return ours.impl_instance
            case _:
                return ours

    def _index(self, one: Index) -> Index:
        where = {f"{name}_where": one.dialect_options[name]["where"] for name in ("postgresql", "sqlite")}
        return Index(self._name(one.name), *(column.name for column in one.columns), unique=one.unique, **where)

    def _constraint(self, one: Any) -> Any:
        columns = [column.name for column in one.columns]
        match one:
            case PrimaryKeyConstraint():
                return PrimaryKeyConstraint(*columns, name=self._name(one.name))
            case UniqueConstraint():
                return UniqueConstraint(*columns, name=self._name(one.name))
            case ForeignKeyConstraint():
                (element,) = one.elements
                referred = element.column
                target = (
                    self._accounts.key
                    if referred.table.name == ACCOUNTS
                    else f"{self.shape.name(referred.table.name)}.{referred.name}"
                )
                return ForeignKeyConstraint(columns, [target], name=self._name(one.name), ondelete=one.ondelete)
        raise TypeError(f"a constraint of a kind that no table of ours has: {one!r}")

    def _name(self, name: Any) -> conv:
        return conv(self.shape.name(name))


def _shared() -> dict[str, Table]:
    """Return the tables that a host gets."""
    return {name: table for name, table in METADATA.tables.items() if name not in {ACCOUNTS, *STAND_ALONE}}


class _GuestCompiler:
    """Stands before a database's compiler, and writes the host's names in the place of ours."""

    guest: Guest

    def visit_table(self, table: Any, **options: Any) -> str:
        text: str = super().visit_table(self.guest.tables.get(table, table), **options)  # type: ignore[misc]
        return text

    def visit_column(self, column: Any, **options: Any) -> str:
        theirs = self.guest.columns.get(column)
        if theirs is None:
            text: str = super().visit_column(column, **options)  # type: ignore[misc]
        elif isinstance(theirs, Column):
            text = super().visit_column(theirs, **options)  # type: ignore[misc]
        else:
            text = self.process(theirs)  # type: ignore[attr-defined]
        return text


class _GuestPreparer:
    """Stands before what writes names: an INSERT asks for its table here."""

    guest: Guest

    def format_table(self, table: Any, *more: Any, **options: Any) -> str:
        text: str = super().format_table(self.guest.tables.get(table, table), *more, **options)  # type: ignore[misc]
        return text
