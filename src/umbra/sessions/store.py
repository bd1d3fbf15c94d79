from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.core.events import Client
from umbra.core.ids import SessionId, UserId
from umbra.core.record import record
from umbra.db.statements import count_rows, delete_some, insert_given
from umbra.db.transaction import Chain, Statement, Transaction
from umbra.sessions.errors import NotAuthenticated
from umbra.sessions.session import Current, Session
from umbra.sessions.tables import SESSIONS
from umbra.users.tables import USERS
from umbra.users.user import User

_SESSION = (
    SESSIONS.c.id,
    SESSIONS.c.created_at,
    SESSIONS.c.last_seen_at,
    SESSIONS.c.expires_at,
    SESSIONS.c.authenticated_at,
    SESSIONS.c.second_factor_at,
    SESSIONS.c.ip,
    SESSIONS.c.user_agent,
)


def created(given: ColumnElement[bool]) -> UpdateBase:
    """Begin a session; the only statement that does."""
    return insert_given(
        SESSIONS,
        given,
        user_id="user_id",
        token_hash="token_hash",  # noqa: S106 - the name of a value
        created_at="now",
        last_seen_at="now",
        expires_at="expires_at",
        authenticated_at="now",
        second_factor_at="second_factor_at",
        ip="ip",
        user_agent="user_agent",
    ).returning(*_SESSION)


def renewed(given: ColumnElement[bool]) -> UpdateBase:
    """Give a session a new token and a fresh proof, at most once for each token that it had."""
    return (
        update(SESSIONS)
        .where(
            SESSIONS.c.id == bindparam("session_id"),
            SESSIONS.c.token_hash == bindparam("old_token_hash"),
            SESSIONS.c.revoked_at.is_(None),
            given,
        )
        .values(
            token_hash=bindparam("token_hash"),
            authenticated_at=bindparam("now"),
            last_seen_at=bindparam("now"),
            second_factor_at=bindparam("second_factor_at"),
        )
        .returning(*_SESSION)
    )


_CREATE = Chain(created)
_RENEW = Chain(renewed)

_FIND = Statement(
    select(*_SESSION, USERS.c.id.label("owner_id"), USERS.c.username, USERS.c.email, USERS.c.is_operator)
    .join(USERS, USERS.c.id == SESSIONS.c.user_id)
    .where(
        SESSIONS.c.token_hash == bindparam("token_hash"),
        SESSIONS.c.revoked_at.is_(None),
        USERS.c.disabled_at.is_(None),
    )
)

_TOUCH = Statement(
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("session_id"), SESSIONS.c.last_seen_at < bindparam("now"))
    .values(last_seen_at=bindparam("now"))
    .returning(SESSIONS.c.id)
)


@record
class Limits:
    """How long a session lives: without use, and at all."""

    idle: timedelta
    lifetime: timedelta


async def create(tx: Transaction, values: dict[str, Any]) -> Session:
    """Begin a session with the values of ``creating``."""
    _, row = await tx.follow(_CREATE, **values)
    return session_of(row)


def creating(
    user_id: UserId, token_hash: str, *, client: Client, now: datetime, limits: Limits, second_factor: bool
) -> dict[str, Any]:
    """Return the values for ``created``."""
    return {
        "user_id": user_id,
        "token_hash": token_hash,
        "now": now,
        "expires_at": now + limits.lifetime,
        "second_factor_at": now if second_factor else None,
        "ip": client.ip,
        "user_agent": client.user_agent,
    }


async def find(tx: Transaction, token_hash: str, now: datetime, idle: timedelta) -> Current:
    """Return the session of a token.

    Raises:
        NotAuthenticated: There is none, it has ended, or its owner is disabled.
    """
    row = (await tx.execute(_FIND, token_hash=token_hash)).one_or_none()
    if row is None:
        raise NotAuthenticated
    found = session_of(row)
    if found.is_over(now, idle):
        raise NotAuthenticated
    return Current(User(UserId(row.owner_id), row.username, row.email, row.is_operator), found, token_hash)


async def touch(tx: Transaction, session_id: SessionId, now: datetime) -> None:
    """Note that the session was used now; only its idle limit moves."""
    await tx.execute(_TOUCH, session_id=session_id, now=now)


async def renew(tx: Transaction, values: dict[str, Any]) -> Session:
    """Renew a session with the values of ``renewing``.

    Raises:
        NotAuthenticated: It has ended, or was renewed by another request, since this one was let in.
    """
    _, row = await tx.follow(_RENEW, **values)
    return session_of(row)


def renewing(current: Current, token_hash: str, *, now: datetime, second_factor: bool) -> dict[str, Any]:
    """Return the values for ``renewed``."""
    return {
        "session_id": current.session.id,
        "old_token_hash": current.token_hash,
        "token_hash": token_hash,
        "now": now,
        "second_factor_at": now if second_factor else current.session.second_factor_at,
    }


async def alive(tx: Transaction, user_id: UserId, now: datetime, idle: timedelta) -> list[Session]:
    """Return the account's sessions, the one used last first."""
    rows = await tx.execute(
        select(*_SESSION)
        .where(SESSIONS.c.user_id == user_id, _is_alive(now, idle))
        .order_by(SESSIONS.c.last_seen_at.desc(), SESSIONS.c.id.desc())
    )
    return [session_of(row) for row in rows]


async def end(tx: Transaction, user_id: UserId, session_id: SessionId, now: datetime, idle: timedelta) -> bool:
    """End one session, and say whether the account had it, alive."""
    ended = await tx.execute(
        update(SESSIONS)
        .where(SESSIONS.c.id == session_id, SESSIONS.c.user_id == user_id, _is_alive(now, idle))
        .values(revoked_at=now)
        .returning(SESSIONS.c.id)
    )
    return ended.first() is not None


async def end_all(
    tx: Transaction, user_id: UserId, now: datetime, *, idle: timedelta, besides: SessionId | None = None
) -> int:
    """End the account's sessions, save one, and return how many were alive."""
    mine: list[ColumnElement[bool]] = [SESSIONS.c.user_id == user_id]
    if besides is not None:
        mine.append(SESSIONS.c.id != besides)
    ended = await tx.execute(
        update(SESSIONS).where(*mine, _is_alive(now, idle)).values(revoked_at=now).returning(SESSIONS.c.id)
    )
    count = len(ended.all())
    await tx.execute(update(SESSIONS).where(*mine, SESSIONS.c.revoked_at.is_(None)).values(revoked_at=now))
    return count


async def end_since(tx: Transaction, user_id: UserId, since: datetime, now: datetime) -> None:
    """End the account's sessions that were begun, or proven anew, at a moment or after it."""
    await tx.execute(
        update(SESSIONS)
        .where(SESSIONS.c.user_id == user_id, SESSIONS.c.authenticated_at >= since, SESSIONS.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def end_every(tx: Transaction) -> int:
    """End every session there is, and return how many that were, whoever's and in whatever state."""
    count = await count_rows(tx, SESSIONS.c.id)
    await tx.execute(delete(SESSIONS))
    return count


async def delete_expired(tx: Transaction, now: datetime, idle: timedelta, limit: int) -> int:
    """Delete up to ``limit`` sessions that are past a limit, and return how many.

    An ended session stays until it would have expired, which changes nothing: nobody can use it.
    """
    return await delete_some(tx, SESSIONS.c.id, _is_past_a_limit(now, idle), limit)


async def count_expired(tx: Transaction, now: datetime, idle: timedelta) -> int:
    """Return how many sessions were past a limit at a moment."""
    return await count_rows(tx, SESSIONS.c.id, _is_past_a_limit(now, idle))


def _is_past_a_limit(now: datetime, idle: timedelta) -> ColumnElement[bool]:
    return or_(SESSIONS.c.expires_at <= now, SESSIONS.c.last_seen_at <= now - idle)


def _is_alive(now: datetime, idle: timedelta) -> ColumnElement[bool]:
    return and_(SESSIONS.c.revoked_at.is_(None), SESSIONS.c.expires_at > now, SESSIONS.c.last_seen_at > now - idle)


def session_of(row: Row[*tuple[Any, ...]] | None) -> Session:
    """Return the session of a row.

    Raises:
        NotAuthenticated: There is no row.
    """
    if row is None:
        raise NotAuthenticated
    return Session(
        SessionId(row.id),
        row.created_at,
        row.last_seen_at,
        row.expires_at,
        row.authenticated_at,
        row.second_factor_at,
        row.ip,
        row.user_agent,
    )
