from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, Integer, MetaData
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def json_text(value: object) -> str:
    """Return what a JSON column holds; everything that is typed is free of what UTF-8 cannot say."""
    return orjson.dumps(value).decode()


METADATA = MetaData(naming_convention=NAMES)
"""The tables."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored as UTC without a zone, as the seed's columns are; naive values are refused.

    A session has five of them, so each database gets them by the shortest way.
    """

    impl = DateTime
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Return what puts a moment into the database's form."""
        return _sqlite_text if dialect.name == "sqlite" else _without_zone

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        """Return what makes the database's form a moment in UTC again."""
        return _from_sqlite_text if dialect.name == "sqlite" else _with_zone


class _AsTheHostHasIt(TypeDecorator[Any]):
    """An integer of ours; in a database that somebody else has shaped, whatever stands in its place there.

    The dialect of such a database says what that is (``db.guest``).
    """

    impl = Integer
    cache_ok = True
    member: str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that this database has for it."""
        theirs: TypeEngine[Any] | None = getattr(dialect, self.member, None)
        return self.impl_instance if theirs is None else dialect.type_descriptor(theirs)


class UserKey(_AsTheHostHasIt):
    """The key of an account."""

    member = "umbra_user_key"


class PasswordVersion(_AsTheHostHasIt):
    """What changes with an account's password."""

    member = "umbra_password_version"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WITHOUT_ZONE = datetime(1970, 1, 1)  # noqa: DTZ001 - as the columns are
_WITHOUT_ZONE = len("1970-01-01 00:00:00.000000")


def _without_zone(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is no moment")
    return _EPOCH_WITHOUT_ZONE + (moment - _EPOCH)


def _with_zone(stored: datetime | None) -> datetime | None:
    return None if stored is None else _EPOCH + (stored - _EPOCH_WITHOUT_ZONE)


def _sqlite_text(moment: datetime | None) -> str | None:
    if moment is None or moment.tzinfo is not UTC:
        moment = _without_zone(moment)
    return None if moment is None else moment.isoformat(" ", "microseconds")[:_WITHOUT_ZONE]


def _from_sqlite_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


@compiles(CreateColumn, "sqlite")
def _name_autoincrement_keys(element: CreateColumn, compiler: Any, **options: Any) -> str:
    """Give a key that is never handed out twice its name; SQLAlchemy writes AUTOINCREMENT without one."""
    key = element.element.table.primary_key.name
    column: str = compiler.visit_create_column(element, **options)
    return column.replace(" PRIMARY KEY AUTOINCREMENT", f" CONSTRAINT {key} PRIMARY KEY AUTOINCREMENT")
