"""Codes that were mailed, and what they have proved: of one account, one session and one address."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, select, update

from umbra.core.ids import SessionId, UserId
from umbra.core.proof import CodeRefused
from umbra.db.statements import delete_some, insert
from umbra.db.transaction import Transaction
from umbra.email_proofs.tables import EMAIL_PROOFS
from umbra.users.tables import USERS

LIFETIME = timedelta(minutes=10)
"""Of a code, and then of what it proved: NIST SP 800-63B-4, 3.1.3.2, has a code sent over a network live so long."""

MOST_GUESSES = 5


@dataclass(frozen=True, slots=True)
class Mailed:
    """A code that waits to be typed, and has been charged with a guess."""

    id: int
    address: str
    code_hash: str = field(repr=False)


async def begin(
    tx: Transaction, user_id: UserId, session_id: SessionId, address: str, code_hash: str, now: datetime
) -> None:
    """Have a code wait for this session, in the place of any other and of what that had proved."""
    code = {
        "address": address,
        "code_hash": code_hash,
        "guesses": 0,
        "expires_at": now + LIFETIME,
        "proved_at": None,
    }
    await tx.execute(
        insert(EMAIL_PROOFS)
        .values(user_id=user_id, session_id=session_id, **code)
        .on_conflict_do_update(index_elements=[EMAIL_PROOFS.c.session_id], set_=code)
    )


async def charge(tx: Transaction, session_id: SessionId, now: datetime) -> Mailed:
    """Count one guess at the code that waits for this session; the caller commits before it looks.

    Raises:
        CodeRefused: None waits: no code was sent, or it is used, or over, or was guessed at five times.
    """
    charged = await tx.execute(
        update(EMAIL_PROOFS)
        .where(
            EMAIL_PROOFS.c.session_id == session_id,
            EMAIL_PROOFS.c.guesses < MOST_GUESSES,
            _waits(now),
        )
        .values(guesses=EMAIL_PROOFS.c.guesses + 1)
        .returning(EMAIL_PROOFS.c.id, EMAIL_PROOFS.c.address, EMAIL_PROOFS.c.code_hash)
    )
    row = charged.one_or_none()
    if row is None:
        raise CodeRefused("no_code")
    return Mailed(row.id, row.address, row.code_hash)


async def spend(tx: Transaction, mailed: Mailed, now: datetime) -> None:
    """Use a code up: from now on its session has proved the address. The only function that does.

    The hash is compared because a new code takes the place of an old one, in the same row.

    Raises:
        CodeRefused: Another request got there first, or the code is over.
    """
    spent = await tx.execute(
        update(EMAIL_PROOFS)
        .where(EMAIL_PROOFS.c.id == mailed.id, EMAIL_PROOFS.c.code_hash == mailed.code_hash, _waits(now))
        .values(proved_at=now, expires_at=now + LIFETIME)
        .returning(EMAIL_PROOFS.c.id)
    )
    if spent.first() is None:
        raise CodeRefused("replayed")


async def is_owed(tx: Transaction, user_id: UserId, session_id: SessionId, now: datetime) -> bool:
    """Say whether the account has an address that this session has not proved within ten minutes."""
    proved = exists().where(
        EMAIL_PROOFS.c.session_id == session_id,
        EMAIL_PROOFS.c.user_id == user_id,
        EMAIL_PROOFS.c.address == USERS.c.email,
        EMAIL_PROOFS.c.proved_at.is_not(None),
        EMAIL_PROOFS.c.expires_at > now,
    )
    owed = await tx.execute(
        select(USERS.c.id).where(USERS.c.id == user_id, USERS.c.email.is_not(None), ~proved.correlate(USERS))
    )
    return owed.first() is not None


async def waiting_for(tx: Transaction, session_id: SessionId, now: datetime) -> str | None:
    """Return the address whose code waits for this session."""
    found = await tx.execute(
        select(EMAIL_PROOFS.c.address).where(
            EMAIL_PROOFS.c.session_id == session_id, EMAIL_PROOFS.c.guesses < MOST_GUESSES, _waits(now)
        )
    )
    return found.scalar_one_or_none()


async def void(tx: Transaction, user_id: UserId, *, besides: str | None) -> None:
    """Forget all that was mailed to the account and proved, save at one address: the one that it has now."""
    others = EMAIL_PROOFS.c.user_id == user_id
    if besides is not None:
        others = and_(others, EMAIL_PROOFS.c.address != besides)
    await tx.execute(delete(EMAIL_PROOFS).where(others))


async def delete_expired(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` codes and proofs that are over, and return how many."""
    return await delete_some(tx, EMAIL_PROOFS.c.id, EMAIL_PROOFS.c.expires_at <= now, limit)


def _waits(now: datetime) -> ColumnElement[bool]:
    return and_(EMAIL_PROOFS.c.proved_at.is_(None), EMAIL_PROOFS.c.expires_at > now)
