from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, select, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.challenge.errors import ChallengeRefused
from umbra.challenge.tables import CHALLENGES
from umbra.core.ids import ChallengeId, UserId
from umbra.core.record import record
from umbra.db.statements import count_rows, delete_some, insert_given, labelled
from umbra.db.transaction import Statement, Transaction
from umbra.users.tables import USERS
from umbra.users.user import User

LIFETIME = timedelta(minutes=5)
MOST_GUESSES = 5
MOST_OPEN = 100
"""Open challenges an account (contract 1.5, 6); whoever knows the password may ask for more, and ends the oldest."""


_FIND = Statement(
    select(
        CHALLENGES.c.id, USERS.c.id.label("user_id"), *labelled(USERS.c.username, USERS.c.email, USERS.c.is_operator)
    )
    .join(USERS, USERS.c.id == CHALLENGES.c.user_id)
    .where(CHALLENGES.c.token_hash == bindparam("token_hash"), USERS.c.disabled_at.is_(None))
)


_BESIDES = and_(CHALLENGES.c.user_id == bindparam("user_id"), CHALLENGES.c.token_hash != bindparam("token_hash"))
_NEWEST = select(CHALLENGES.c.id).where(_BESIDES).order_by(CHALLENGES.c.id.desc()).limit(MOST_OPEN - 1)


def opened(given: ColumnElement[bool]) -> UpdateBase:
    """Open a challenge; the only statement that does."""
    return insert_given(
        CHALLENGES,
        given,
        user_id="user_id",
        token_hash="token_hash",  # noqa: S106 - the name of a value
        created_at="now",
        expires_at="expires_at",
        guesses=0,
    ).returning(CHALLENGES.c.id)


def oldest_ended(given: ColumnElement[bool]) -> UpdateBase:
    """End the account's oldest challenges, as many as are too many beside the one that is opened."""
    return delete(CHALLENGES).where(_BESIDES, CHALLENGES.c.id.not_in(_NEWEST), given).returning(CHALLENGES.c.id)


def held_open(given: ColumnElement[bool]) -> Select[int]:
    """Lock a challenge that is still good for a guess."""
    return (
        select(CHALLENGES.c.id)
        .where(
            CHALLENGES.c.id == bindparam("challenge_id"),
            CHALLENGES.c.guesses < MOST_GUESSES,
            CHALLENGES.c.expires_at > bindparam("now"),
            given,
        )
        .with_for_update()
    )


def charged(given: ColumnElement[bool]) -> UpdateBase:
    """Count a guess against a challenge that is held."""
    return (
        update(CHALLENGES)
        .where(CHALLENGES.c.id == bindparam("challenge_id"), given)
        .values(guesses=CHALLENGES.c.guesses + 1)
        .returning(CHALLENGES.c.id)
    )


def spent(given: ColumnElement[bool]) -> UpdateBase:
    """Use a challenge up, at most once: the row that this statement deletes is the permission."""
    return (
        delete(CHALLENGES)
        .where(CHALLENGES.c.id == bindparam("challenge_id"), CHALLENGES.c.expires_at > bindparam("now"), given)
        .returning(CHALLENGES.c.id)
    )


@record
class Challenge:
    """The state between the password and the code, and whose it is."""

    id: ChallengeId
    user: User


def opening(user_id: UserId, token_hash: str, now: datetime) -> dict[str, Any]:
    """Return the values for ``opened``."""
    return {"user_id": user_id, "token_hash": token_hash, "now": now, "expires_at": now + LIFETIME}


async def find(tx: Transaction, token_hash: str) -> Challenge:
    """Return the challenge of a token, alive or not; whether it is alive is for who charges it to say.

    Raises:
        ChallengeRefused: There is none, or its owner is disabled.
    """
    row = (await tx.execute(_FIND, token_hash=token_hash)).one_or_none()
    if row is None:
        raise ChallengeRefused
    return Challenge(ChallengeId(row.id), User(UserId(row.user_id), row.username, row.email, row.is_operator))


async def hand_back(tx: Transaction, challenge: Challenge) -> None:
    """Take one charge back, because the server failed to finish what the guess had earned."""
    await tx.execute(
        update(CHALLENGES)
        .where(CHALLENGES.c.id == challenge.id, CHALLENGES.c.guesses > 0)
        .values(guesses=CHALLENGES.c.guesses - 1)
    )


async def end_all(tx: Transaction, user_id: UserId) -> None:
    """End every challenge of an account."""
    await tx.execute(delete(CHALLENGES).where(CHALLENGES.c.user_id == user_id))


async def end_every(tx: Transaction) -> int:
    """End every challenge there is, and return how many that were."""
    count = await count_rows(tx, CHALLENGES.c.id)
    await tx.execute(delete(CHALLENGES))
    return count


async def delete_expired(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` challenges that have expired, and return how many."""
    return await delete_some(tx, CHALLENGES.c.id, CHALLENGES.c.expires_at <= now, limit)


async def count_expired(tx: Transaction, now: datetime) -> int:
    """Return how many challenges had expired at a moment."""
    return await count_rows(tx, CHALLENGES.c.id, CHALLENGES.c.expires_at <= now)
