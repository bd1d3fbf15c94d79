from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, literal, or_, select, true, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.browsers.tables import BROWSERS
from umbra.core.ids import UserId
from umbra.db.statements import delete_some, insert_given
from umbra.db.transaction import Transaction
from umbra.users.tables import USERS

KNOWN_FOR = timedelta(days=400)
"""No browser keeps a cookie for longer (draft-ietf-httpbis-rfc6265bis, 5.5)."""


def met(given: ColumnElement[bool]) -> UpdateBase:
    """Make a browser known to an account that does not know it; of many sign-ins at once, one does."""
    return (
        insert_given(
            BROWSERS,
            given,
            user_id="user_id",
            token_hash="browser_hash",  # noqa: S106 - the name of a value
            created_at="now",
            known_until="known_until",
            proved_at="proved_at",
        )
        .on_conflict_do_update(
            index_elements=[BROWSERS.c.user_id, BROWSERS.c.token_hash],
            set_={"known_until": bindparam("known_until"), "proved_at": bindparam("proved_at")},
            where=BROWSERS.c.known_until <= bindparam("now"),
        )
        .returning(BROWSERS.c.id)
    )


def familiar(given: ColumnElement[bool]) -> Select[int]:
    """Ask for an account that has signed in before, elsewhere or in a browser that was forgotten since."""
    before = or_(BROWSERS.c.token_hash != bindparam("browser_hash"), BROWSERS.c.created_at < bindparam("now"))
    return select(literal(1).label("familiar")).where(
        exists().where(BROWSERS.c.user_id == bindparam("user_id"), before), given
    )


def unfamiliar(given: ColumnElement[bool]) -> Select[int]:
    """Ask for a browser that the account does not know."""
    knows = exists().where(
        BROWSERS.c.user_id == bindparam("user_id"),
        BROWSERS.c.token_hash == bindparam("browser_hash"),
        BROWSERS.c.known_until > bindparam("now"),
    )
    return select(literal(1).label("unfamiliar")).where(~knows, given)


_PROVED = and_(
    BROWSERS.c.token_hash == bindparam("browser_hash"),
    BROWSERS.c.known_until > bindparam("now"),
    BROWSERS.c.proved_at.is_not(None),
)


def proved(given: ColumnElement[bool]) -> Select[int]:
    """Ask for a browser from which a second factor of this very account was accepted."""
    return select(BROWSERS.c.id).where(BROWSERS.c.user_id == bindparam("user_id"), _PROVED, given)


def proved_to_name(given: ColumnElement[bool]) -> Select[int]:
    """Ask for the same of the account of a folded name."""
    return (
        select(BROWSERS.c.id)
        .join(USERS, USERS.c.id == BROWSERS.c.user_id)
        .where(USERS.c.username_key == bindparam("username_key"), _PROVED, given)
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
        update(BROWSERS)
        .where(
            BROWSERS.c.user_id == user_id,
            BROWSERS.c.token_hash == browser_hash,
            BROWSERS.c.known_until > now,
            BROWSERS.c.proved_at.is_(None),
        )
        .values(proved_at=now)
    )


async def forget_proofs(tx: Transaction, user_id: UserId, *, besides: str | None = None) -> None:
    """Take their own budgets of guesses from the account's browsers, save one; its owner is told of none as new."""
    others = BROWSERS.c.token_hash != besides if besides is not None else true()
    await tx.execute(
        update(BROWSERS)
        .where(BROWSERS.c.user_id == user_id, BROWSERS.c.proved_at.is_not(None), others)
        .values(proved_at=None)
    )


async def forget_all(tx: Transaction, user_id: UserId, now: datetime) -> None:
    """Know none of the account's browsers any more; that it has signed in before stays known.

    Their proofs go as well: a clock that is set back, or another server's behind ours, would find them known again.
    """
    await forget_proofs(tx, user_id)
    await tx.execute(
        update(BROWSERS).where(BROWSERS.c.user_id == user_id, BROWSERS.c.known_until > now).values(known_until=now)
    )


async def delete_forgotten(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` browsers that are not known any more, and return how many.

    An account's newest stays: without it the next sign-in would look like the first one.
    """
    newer = BROWSERS.alias().c
    has_newer = exists().where(newer.user_id == BROWSERS.c.user_id, newer.id > BROWSERS.c.id)
    return await delete_some(tx, BROWSERS.c.id, and_(BROWSERS.c.known_until <= now, has_newer), limit)
