from dataclasses import field
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, select, update

from umbra.core.ids import UserId
from umbra.core.record import record
from umbra.db.statements import labelled
from umbra.db.transaction import Chain, Transaction
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS
from umbra.users.user import User


@record
class StoredPassword:
    """An account with what is needed to check its password."""

    user: User
    is_disabled: bool
    has_second_factor: bool
    version: int | str
    password_hash: str = field(repr=False)


def found(given: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Look up the account of a folded name, disabled ones too."""
    return select(
        *labelled(
            USERS.c.id,
            USERS.c.username,
            USERS.c.email,
            USERS.c.is_operator,
            USERS.c.password_version,
            USERS.c.password_hash,
        ),
        USERS.c.disabled_at.is_not(None).label("is_disabled"),
        exists()
        .where(AUTHENTICATORS.c.user_id == USERS.c.id, AUTHENTICATORS.c.confirmed_at.is_not(None))
        .label("has_second_factor"),
    ).where(USERS.c.username_key == bindparam("username_key"), given)


def held_unchanged(given: ColumnElement[bool]) -> Select[int]:
    """Lock the account's row, provided that the check of its password has not been outdated.

    A sign-in holds it until its session or challenge exists; a change of password, of the second factor, or a
    disabling therefore comes wholly before it or wholly after it, and then ends what it made.
    """
    return (
        select(*labelled(USERS.c.id))
        .where(
            USERS.c.id == bindparam("user_id"),
            USERS.c.password_version == bindparam("version"),
            USERS.c.disabled_at.is_(None),
            given,
        )
        .with_for_update(key_share=True)
    )


_FIND = Chain(found)


async def find(tx: Transaction, username_key: str) -> StoredPassword | None:
    """Return the account of a folded name, disabled ones too."""
    _, row = await tx.follow(_FIND, username_key=username_key)
    return stored_password_of(row)


def stored_password_of(row: Row[*tuple[Any, ...]] | None) -> StoredPassword | None:
    """Return what ``found`` found."""
    if row is None:
        return None
    user = User(UserId(row.id), row.username, row.email, row.is_operator)
    return StoredPassword(user, row.is_disabled, row.has_second_factor, row.password_version, row.password_hash)


async def rehash(tx: Transaction, user_id: UserId, password_hash: str) -> None:
    """Store another hash of the same password; the caller holds the account's row."""
    await tx.execute(update(USERS).where(USERS.c.id == user_id).values(password_hash=password_hash))


async def change(tx: Transaction, user_id: UserId, password_hash: str) -> None:
    """Store the hash of another password, which ends every check of the old one; the caller holds the account's row."""
    await tx.execute(
        update(USERS)
        .where(USERS.c.id == user_id)
        .values(password_hash=password_hash, password_version=USERS.c.password_version + 1)
    )
