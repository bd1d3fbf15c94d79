"""Statements that every store would otherwise write again."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Label, Table, bindparam, delete, func, literal, select
from sqlalchemy.dialects.postgresql import Insert, insert

from umbra.db.transaction import Transaction

__all__ = [
    "count_rows",
    "delete_some",
    "insert",
    "insert_given",
    "labelled",
]  # PostgreSQL's INSERT knows ON CONFLICT, and is the same in SQLite's words


def labelled(*columns: Column[Any]) -> list[Label[Any]]:
    """Return columns under their own names, which in a host's table they do not have."""
    return [column.label(column.key) for column in columns]


def insert_given(table: Table, given: ColumnElement[bool], **values: str | int) -> Insert:
    """Return an INSERT of one row that happens if ``given``; a text names a value, a number is one."""
    one = [
        bindparam(value, type_=table.c[name].type) if isinstance(value, str) else literal(value)
        for name, value in values.items()
    ]
    return insert(table).from_select(list(values), select(*one).where(given))


async def count_rows(tx: Transaction, key: Column[Any], *wanted: ColumnElement[bool]) -> int:
    """Return how many rows of a table are ``wanted``."""
    return (await tx.execute(select(func.count(key)).where(*wanted))).scalar_one()


async def delete_some(tx: Transaction, key: Column[Any], dead: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` rows that are ``dead``, and return how many.

    A row that somebody else holds is passed over: a clean-up never waits, and two of them never wait for each other.
    """
    some = select(key).where(dead).limit(limit).with_for_update(skip_locked=True)
    deleted = await tx.execute(delete(key.table).where(key.in_(some), dead).returning(key))
    return len(deleted.all())
