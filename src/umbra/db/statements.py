"""Statements that every store would otherwise write again."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute


def insert(tx: AsyncConnection, table: type[Any]) -> postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT; SQLite's and PostgreSQL's have the same methods."""
    if tx.dialect.name == "sqlite":
        return sqlite.insert(table)  # type: ignore[return-value]  # same methods, no common class
    return postgresql.insert(table)


async def delete_some(
    tx: AsyncConnection, key: InstrumentedAttribute[Any], dead: ColumnElement[bool], limit: int
) -> int:
    """Delete up to ``limit`` rows that are ``dead``, and return how many.

    A row that somebody else holds is passed over: a clean-up never waits, and two of them never wait for each other.
    """
    some = select(key).where(dead).limit(limit).with_for_update(skip_locked=True)
    deleted = await tx.execute(delete(key.class_).where(key.in_(some), dead).returning(key))
    return len(deleted.all())
