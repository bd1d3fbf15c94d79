from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, literal, or_, select, true, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import UpdateBase

from umbra.browsers.tables import BrowserRow
from umbra.core.ids import UserId
from umbra.db.statements import delete_some, insert_given
from umbra.db.transaction import Transaction
from umbra.users.tables import UserRow

KNOWN_FOR = timedelta(days=400)
"""No browser keeps a cookie for longer (draft-ietf-httpbis-rfc6265bis, 5.5)."""


def met(given: ColumnElement[bool]) -> UpdateBase:
    """Make a browser known to an account that does not know it; of many sign-ins at once, one does."""
    return (
        insert_given(
            BrowserRow,
            given,
            user_id="user_id",
            token_hash="browser_hash",  # noqa: S106 - the name of a value
            created_at="now",
            known_until="known_until",
            proved_at="proved_at",
        )
        .on_conflict_do_update(
            index_elements=[BrowserRow.user_id, BrowserRow.token_hash],
            set_={"known_until": bindparam("known_until"), "proved_at": bindparam("proved_at")},
            where=BrowserRow.known_until <= bindparam("now"),
        )
        .returning(BrowserRow.id)
    )


def familiar(given: ColumnElement[bool]) -> Select[int]:
    """Ask for an account that has signed in before, elsewhere or in a browser that was forgotten since."""
    before = or_(BrowserRow.token_hash != bindparam("browser_hash"), BrowserRow.created_at < bindparam("now"))
    return select(literal(1).label("familiar")).where(
        exists().where(BrowserRow.user_id == bindparam("user_id"), before), given
    )


def unfamiliar(given: ColumnElement[bool]) -> Select[int]:
    """Ask for a browser that the account does not know."""
    knows = exists().where(
        BrowserRow.user_id == bindparam("user_id"),
        BrowserRow.token_hash == bindparam("browser_hash"),
        BrowserRow.known_until > bindparam("now"),
    )
    return select(literal(1).label("unfamiliar")).where(~knows, given)


_PROVED = and_(
    BrowserRow.token_hash == bindparam("browser_hash"),
    BrowserRow.known_until > bindparam("now"),
    BrowserRow.proved_at.is_not(None),
)


def proved(given: ColumnElement[bool]) -> Select[int]:
    """Ask for a browser from which a second factor of this very account was accepted."""
    return select(BrowserRow.id).where(BrowserRow.user_id == bindparam("user_id"), _PROVED, given)


def proved_to_name(given: ColumnElement[bool]) -> Select[int]:
    """Ask for the same of the account of a folded name."""
    return (
        select(BrowserRow.id)
        .join(UserRow, UserRow.id == BrowserRow.user_id)
        .where(UserRow.username_key == bindparam("username_key"), _PROVED, given)
    )


def meeting(browser_hash: str, now: datetime, *, is_proved: bool) -> dict[str, Any]:
    """Return the values for ``met`` and ``familiar``, besides the account's."""
    return {
        "browser_hash": browser_hash,
        "now": now,
        "known_until": now + KNOWN_FOR,
        "proved_at": now if is_proved else None,
    }


async def prove(tx: Transaction, user_id: UserId, browser_hash: str, now: datetime) -> None:
    """Note that a second factor was accepted from a browser that the account knows."""
    await tx.execute(
        update(BrowserRow)
        .where(
            BrowserRow.user_id == user_id,
            BrowserRow.token_hash == browser_hash,
            BrowserRow.known_until > now,
            BrowserRow.proved_at.is_(None),
        )
        .values(proved_at=now)
    )


async def forget_proofs(tx: Transaction, user_id: UserId, *, besides: str | None = None) -> None:
    """Take their own budgets of guesses from the account's browsers, save one; its owner is told of none as new."""
    others = BrowserRow.token_hash != besides if besides is not None else true()
    await tx.execute(
        update(BrowserRow)
        .where(BrowserRow.user_id == user_id, BrowserRow.proved_at.is_not(None), others)
        .values(proved_at=None)
    )


async def forget_all(tx: Transaction, user_id: UserId, now: datetime) -> None:
    """Know none of the account's browsers any more; that it has signed in before stays known.

    Their proofs go as well: a clock that is set back, or another server's behind ours, would find them known again.
    """
    await forget_proofs(tx, user_id)
    await tx.execute(
        update(BrowserRow).where(BrowserRow.user_id == user_id, BrowserRow.known_until > now).values(known_until=now)
    )


async def delete_forgotten(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` browsers that are not known any more, and return how many.

    An account's newest stays: without it the next sign-in would look like the first one.
    """
    newer = aliased(BrowserRow)
    has_newer = exists().where(newer.user_id == BrowserRow.user_id, newer.id > BrowserRow.id)
    return await delete_some(tx, BrowserRow.id, and_(BrowserRow.known_until <= now, has_newer), limit)
