"""Statements that every store would otherwise write again."""

from typing import Any

from sqlalchemy import ColumnElement, Label, bindparam, delete, func, literal, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import InstrumentedAttribute

from umbra.db.base import Base
from umbra.db.transaction import Transaction

__all__ = [
    "count_of",
    "delete_some",
    "insert",
    "insert_given",
    "labelled",
]  # PostgreSQL's INSERT knows ON CONFLICT, and is the same in SQLite's words


def labelled(*columns: InstrumentedAttribute[Any]) -> list[Label[Any]]:
    """Return columns under their own names, which in a host's table they do not have."""
    return [column.label(column.key) for column in columns]


def insert_given(row: type[Base], given: ColumnElement[bool], **values: str | int) -> Insert:
    """Return an INSERT of one row that happens if ``given``; a text names a value, a number is one."""
    columns = row.__table__.c
    one = [
        bindparam(value, type_=columns[name].type) if isinstance(value, str) else literal(value)
        for name, value in values.items()
    ]
    return insert(row).from_select(list(values), select(*one).where(given))


async def count_of(tx: Transaction, key: InstrumentedAttribute[Any], dead: ColumnElement[bool]) -> int:
    """Return how many rows are ``dead``."""
    found: int = (await tx.execute(select(func.count(key)).where(dead))).scalar_one()
    return found


async def delete_some(tx: Transaction, key: InstrumentedAttribute[Any], dead: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` rows that are ``dead``, and return how many.

    A row that somebody else holds is passed over: a clean-up never waits, and two of them never wait for each other.
    """
    some = select(key).where(dead).limit(limit).with_for_update(skip_locked=True)
    deleted = await tx.execute(delete(key.class_).where(key.in_(some), dead).returning(key))
    return len(deleted.all())
