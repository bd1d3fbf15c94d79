"""Authenticators that were removed, and can be brought back for a while."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, literal, select, update

from umbra.core.ids import AuthenticatorId, UserId
from umbra.core.typed import folded
from umbra.crypto.envelope import SealedRow
from umbra.db.base import UtcDateTime
from umbra.db.statements import delete_some
from umbra.db.transaction import Transaction
from umbra.links.purposes import LIFETIMES, Purpose
from umbra.removals.tables import REMOVED
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS

KEPT_FOR = LIFETIMES[Purpose.UNDO_REMOVAL]
"""As long as the link is good that brings them back."""

_KEPT = ("id", "user_id", "name", "secret", "confirmed_at", "last_step", "last_used_at", "created_at")


@dataclass(frozen=True, slots=True)
class Removed:
    """An authenticator as it was when it was removed; ``sealed`` opens in its own row, which has this id."""

    id: AuthenticatorId
    user_id: UserId
    name: str
    confirmed_at: datetime
    last_step: int | None
    last_used_at: datetime | None
    created_at: datetime
    removed_at: datetime
    sealed: str = field(repr=False)


async def keep(tx: Transaction, user_id: UserId, now: datetime) -> None:
    """Keep what the account is about to lose, if it has an address for the link that brings it back."""
    has_address = exists().where(USERS.c.id == user_id, USERS.c.email.is_not(None))
    lost = select(*(AUTHENTICATORS.c[name] for name in _KEPT), literal(now, UtcDateTime).label("removed_at")).where(
        AUTHENTICATORS.c.user_id == user_id, AUTHENTICATORS.c.confirmed_at.is_not(None), has_address
    )
    await tx.execute(insert(REMOVED).from_select([*_KEPT, "removed_at"], lost).returning(REMOVED.c.id))


async def take(tx: Transaction, user_id: UserId, removed_at: datetime) -> list[Removed]:
    """Take out what one removal took from the account, at most once; the rows that this deletes are the permission.

    What was removed later had been enrolled since, and nothing brings it back any more.
    """
    taken = await tx.execute(
        delete(REMOVED)
        .where(REMOVED.c.user_id == user_id, REMOVED.c.removed_at >= removed_at)
        .returning(
            REMOVED.c.id,
            REMOVED.c.user_id,
            REMOVED.c.name,
            REMOVED.c.confirmed_at,
            REMOVED.c.last_step,
            REMOVED.c.last_used_at,
            REMOVED.c.created_at,
            REMOVED.c.removed_at,
            REMOVED.c.secret,
        )
    )
    rows = [Removed(AuthenticatorId(row[0]), UserId(row[1]), *row[2:]) for row in taken]
    return [one for one in rows if one.removed_at == removed_at]


async def restore(tx: Transaction, one: Removed, sealed: str) -> None:
    """Put an authenticator back as it was, with the last step that it had spent; the account has no other by now."""
    await tx.execute(
        insert(AUTHENTICATORS)
        .values(
            id=one.id,
            user_id=one.user_id,
            name=one.name,
            name_key=folded(one.name),
            secret=sealed,
            confirmed_at=one.confirmed_at,
            last_step=one.last_step,
            last_used_at=one.last_used_at,
            created_at=one.created_at,
        )
        .returning(AUTHENTICATORS.c.id)
    )


async def forget(tx: Transaction, user_id: UserId) -> None:
    """Keep nothing of the account's that could be brought back."""
    await tx.execute(delete(REMOVED).where(REMOVED.c.user_id == user_id))


async def delete_old(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` authenticators that nothing brings back any more, and return how many."""
    return await delete_some(tx, REMOVED.c.id, REMOVED.c.removed_at <= now - KEPT_FOR, limit)


async def sealed_after(tx: Transaction, after: int, limit: int) -> list[SealedRow]:
    """Return up to ``limit`` sealed secrets, in the order of their rows, behind row ``after``."""
    rows = await tx.execute(
        select(REMOVED.c.id, REMOVED.c.user_id, REMOVED.c.secret)
        .where(REMOVED.c.id > after)
        .order_by(REMOVED.c.id)
        .limit(limit)
    )
    return [SealedRow(row.id, row.user_id, row.secret) for row in rows]


async def reseal(tx: Transaction, row: SealedRow, sealed: str) -> bool:
    """Put another token of the same secret into a row, unless the row has changed meanwhile."""
    resealed = await tx.execute(
        update(REMOVED)
        .where(REMOVED.c.id == row.id, REMOVED.c.secret == row.sealed)
        .values(secret=sealed)
        .returning(REMOVED.c.id)
    )
    return resealed.first() is not None


async def count_all(tx: Transaction) -> int:
    """Return how many there are."""
    return (await tx.execute(select(func.count()).select_from(REMOVED))).scalar_one()
