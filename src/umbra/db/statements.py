"""Statements that every store would otherwise write again."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from umbra.db.transaction import Transaction

__all__ = ["delete_some", "insert"]  # PostgreSQL's INSERT knows ON CONFLICT, and is the same in SQLite's words


async def delete_some(tx: Transaction, key: InstrumentedAttribute[Any], dead: ColumnElement[bool], limit: int) -> int:
    """Delete up to ``limit`` rows that are ``dead``, and return how many.

    A row that somebody else holds is passed over: a clean-up never waits, and two of them never wait for each other.
    """
    some = select(key).where(dead).limit(limit).with_for_update(skip_locked=True)
    deleted = await tx.execute(delete(key.class_).where(key.in_(some), dead).returning(key))
    return len(deleted.all())
