from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, exists, or_, select, update

from umbra.core.ids import UserId
from umbra.db.statements import delete_some, insert
from umbra.db.transaction import Statement, Transaction
from umbra.links.errors import LinkRefused
from umbra.links.purposes import LIFETIMES, Purpose
from umbra.links.tables import LINKS
from umbra.users.tables import USERS
from umbra.users.user import User


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was good when it was looked at; ``spend`` says whether it still is."""

    id: int
    purpose: Purpose
    created_at: datetime
    user: User


_IS_UNSPENT = and_(LINKS.c.used_at.is_(None), LINKS.c.expires_at > bindparam("now"))

_MAY_USE = and_(
    USERS.c.id == LINKS.c.user_id,
    USERS.c.disabled_at.is_(None),
    or_(LINKS.c.purpose != Purpose.RESET_PASSWORD, USERS.c.email == LINKS.c.address),
)
"""A password is set anew only by whoever reads the mail of the address that the account has now; what takes a thief's
doings back is for whoever read it before the thief."""

_FIND = Statement(
    select(
        LINKS.c.id,
        LINKS.c.purpose,
        LINKS.c.created_at,
        USERS.c.id.label("user_id"),
        USERS.c.username,
        USERS.c.email,
        USERS.c.is_operator,
    )
    .join(USERS, USERS.c.id == LINKS.c.user_id)
    .where(LINKS.c.token_hash == bindparam("token_hash"), _IS_UNSPENT, _MAY_USE)
)

_SPEND = Statement(
    update(LINKS)
    .where(LINKS.c.id == bindparam("link_id"), _IS_UNSPENT, exists().where(_MAY_USE))
    .values(used_at=bindparam("now"))
    .returning(LINKS.c.id)
)


async def put(
    tx: Transaction, user_id: UserId, purpose: Purpose, token_hash: str, address: str, happened_at: datetime
) -> None:
    """Keep a link that a mail to ``address`` is about to hold; it counts from what the mail tells of."""
    await tx.execute(
        insert(LINKS)
        .values(
            user_id=user_id,
            purpose=purpose.value,
            token_hash=token_hash,
            address=address,
            created_at=happened_at,
            expires_at=happened_at + LIFETIMES[purpose],
        )
        .returning(LINKS.c.id)
    )


async def find(tx: Transaction, token_hash: str, purposes: Collection[Purpose], now: datetime) -> Link:
    """Return the link of a token, if it is for one of ``purposes``.

    Raises:
        LinkRefused: There is none that is good.
    """
    row = (await tx.execute(_FIND, token_hash=token_hash, now=now)).one_or_none()
    if row is None or row.purpose not in purposes:
        raise LinkRefused
    user = User(UserId(row.user_id), row.username, row.email, row.is_operator)
    return Link(row.id, Purpose(row.purpose), row.created_at, user)


async def spend(tx: Transaction, link: Link, now: datetime) -> None:
    """Use a link up, at most once; the caller holds the account's row.

    Raises:
        LinkRefused: Somebody used it first, or it has come to its end.
    """
    if (await tx.execute(_SPEND, link_id=link.id, now=now)).first() is None:
        raise LinkRefused


async def void(tx: Transaction, user_id: UserId, purpose: Purpose, *, since: datetime | None = None) -> None:
    """Make every link of the account for a purpose worthless, or those about what happened since.

    The caller holds the account's row.
    """
    dead = [LINKS.c.user_id == user_id, LINKS.c.purpose == purpose.value, LINKS.c.used_at.is_(None)]
    if since is not None:
        dead.append(LINKS.c.created_at >= since)
    await tx.execute(delete(LINKS).where(*dead))


async def void_every(tx: Transaction) -> None:
    """Make every link there is worthless: of a restored database nobody knows which were used."""
    await tx.execute(delete(LINKS))


async def delete_expired(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` links that are out of date, used or not, and return how many."""
    return await delete_some(tx, LINKS.c.id, LINKS.c.expires_at <= now, limit)
