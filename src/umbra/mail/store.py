from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from umbra.core.entropy import Entropy
from umbra.core.events import Client, JsonValue
from umbra.core.ids import UserId
from umbra.db.base import UtcDateTime
from umbra.db.statements import count_rows, delete_some
from umbra.db.transaction import Chain, Statement, Transaction
from umbra.mail.kinds import Kind, limit_of
from umbra.mail.tables import OUTBOX
from umbra.users.tables import USERS

KEPT_FOR = timedelta(days=7)
"""How long a mail can be looked at in the queue, sent or not."""

RESTORED = "restored"
"""What stands for an error where a mail comes from a backup, and may have been sent since."""

LEASE = timedelta(minutes=10)
"""How long a mail is one server's own: longer than handing it in takes, with every wait at its longest."""

_queued_lately = (
    select(func.count())
    .where(
        OUTBOX.c.user_id == bindparam("user_id"),
        OUTBOX.c.kind == bindparam("mail_kind"),
        OUTBOX.c.created_at > bindparam("mails_since"),
    )
    .scalar_subquery()
)


def queued(given: ColumnElement[bool]) -> UpdateBase:
    """Put a mail to the account into the queue, if there is an address: the one that is given, or the account's."""
    now = bindparam("now", type_=UtcDateTime)
    recipient = func.coalesce(bindparam("mail_to", type_=String), USERS.c.email)
    mail: dict[str, ColumnElement[Any]] = {
        "user_id": USERS.c.id,
        "recipient": recipient,
        "kind": bindparam("mail_kind", type_=String),
        "message_id": bindparam("message_id", type_=String),
        "detail": bindparam("mail_detail", type_=JSON),
        "created_at": now,
        "next_attempt_at": now,
        "attempts": literal(0),
    }
    wanted = select(*mail.values()).where(
        USERS.c.id == bindparam("user_id"),
        recipient.is_not(None),
        _queued_lately < bindparam("most_mails", type_=Integer),
        given,
    )
    return insert(OUTBOX).from_select(list(mail), wanted).returning(OUTBOX.c.id)


_QUEUE = Chain(queued)


def queueing(
    kind: Kind, client: Client, now: datetime, entropy: Entropy, *, method: JsonValue = None
) -> dict[str, Any]:
    """Return the values for ``queued``, besides the account's. Nothing among them is secret."""
    limit = limit_of(kind)
    return {
        "mail_to": None,
        "mail_kind": kind.value,
        "message_id": entropy.token_bytes(16).hex(),
        "mail_detail": {
            "ip": client.ip,
            "user_agent": client.user_agent,
            "method": method,
            "language": client.language,
        },
        "now": now,
        "mails_since": now - limit.within,
        "most_mails": limit.most,
    }


async def queue_code(tx: Transaction, user_id: UserId, to: str, sealed: str, values: dict[str, Any]) -> bool:
    """Queue a mail to ``to`` with a code that is sealed for the account, and say whether there may be one more.

    The caller holds the account: mails are counted, and queued, one after the other.
    """
    detail = values["mail_detail"] | {"code": sealed}
    _, row = await tx.follow(_QUEUE, user_id=user_id, **values | {"mail_to": to, "mail_detail": detail})
    return row is not None


async def full_until(tx: Transaction, user_id: UserId, kind: Kind, now: datetime) -> datetime | None:
    """Return when there may be another mail of that kind to the account, or ``None`` if there may be one now."""
    limit = limit_of(kind)
    mails = await tx.execute(
        select(OUTBOX.c.created_at)
        .where(OUTBOX.c.user_id == user_id, OUTBOX.c.kind == kind.value, OUTBOX.c.created_at > now - limit.within)
        .order_by(OUTBOX.c.created_at.desc())
        .limit(1)
        .offset(limit.most - 1)
    )
    oldest: datetime | None = mails.scalar_one_or_none()
    return None if oldest is None else oldest + limit.within


@dataclass(frozen=True, slots=True)
class Mail:
    """What there is to say, to whom, and how often that was tried."""

    kind: str
    recipient: str
    username: str
    message_id: str
    created_at: datetime
    detail: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    user_id: UserId | None = None
    attempts: int = 0


_due = OUTBOX.alias().c
_DUE = select(_due.id).where(_due.next_attempt_at <= bindparam("now")).order_by(_due.id).limit(1)
_IS_DUE = Statement(_DUE)

_CLAIM = Statement(
    update(OUTBOX)
    .where(OUTBOX.c.id == _DUE.scalar_subquery(), OUTBOX.c.next_attempt_at <= bindparam("now"))
    .values(attempts=OUTBOX.c.attempts + 1, next_attempt_at=bindparam("lease_ends"))
    .returning(
        OUTBOX.c.kind,
        OUTBOX.c.recipient,
        select(USERS.c.username).where(USERS.c.id == OUTBOX.c.user_id).correlate(OUTBOX).scalar_subquery(),
        OUTBOX.c.message_id,
        OUTBOX.c.created_at,
        OUTBOX.c.detail,
        OUTBOX.c.id,
        OUTBOX.c.user_id,
        OUTBOX.c.attempts,
    )
)


async def is_due(tx: Transaction, now: datetime) -> bool:
    """Say whether a mail waits to be sent now; a look that makes no other writer wait."""
    return (await tx.execute(_IS_DUE, now=now)).first() is not None


async def claim(tx: Transaction, now: datetime) -> Mail | None:
    """Take the mail that has waited longest, for as long as a lease lasts, or ``None`` when there is none.

    One UPDATE compares and writes: of many servers that want the same mail the database gives it to one. Whoever
    dies with it leaves it to the others when the lease ends; it may then have been sent, and is sent again.
    """
    row = (await tx.execute(_CLAIM, now=now, lease_ends=now + LEASE)).one_or_none()
    return None if row is None else Mail(*row)


async def settle_sent(tx: Transaction, mail: Mail, now: datetime) -> None:
    """Note that a mail was taken by the mail server."""
    await _settle(tx, mail, sent_at=now, next_attempt_at=None, last_error=None)


async def settle_failed(tx: Transaction, mail: Mail, error: str, next_attempt_at: datetime | None) -> bool:
    """Note that an attempt failed, and when there will be another, if ever; say whether the mail was still ours."""
    return await _settle(tx, mail, next_attempt_at=next_attempt_at, last_error=error[:64])


async def _settle(tx: Transaction, mail: Mail, **values: Any) -> bool:
    """Change a mail, unless somebody has claimed it anew since our lease ended."""
    mine = (OUTBOX.c.id == mail.id, OUTBOX.c.attempts == mail.attempts, OUTBOX.c.sent_at.is_(None))
    settled = await tx.execute(update(OUTBOX).where(*mine).values(**values).returning(OUTBOX.c.id))
    return settled.first() is not None


@dataclass(frozen=True, slots=True)
class Queued:
    """One mail of the queue, as an operator sees it."""

    id: int
    created_at: datetime
    kind: str
    user_id: int
    recipient: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    last_error: str | None

    @property
    def state(self) -> str:
        """What has become of it."""
        if self.sent_at is not None:
            return "sent"
        return "waiting" if self.next_attempt_at is not None else "given_up"


async def newest(tx: Transaction, limit: int) -> list[Queued]:
    """Return the last ``limit`` mails, the newest first."""
    rows = await tx.execute(
        select(
            OUTBOX.c.id,
            OUTBOX.c.created_at,
            OUTBOX.c.kind,
            OUTBOX.c.user_id,
            OUTBOX.c.recipient,
            OUTBOX.c.attempts,
            OUTBOX.c.next_attempt_at,
            OUTBOX.c.sent_at,
            OUTBOX.c.last_error,
        )
        .order_by(OUTBOX.c.id.desc())
        .limit(limit)
    )
    return [Queued(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not been sent."""

    waiting: int
    given_up: int
    oldest: datetime | None


async def backlog(tx: Transaction) -> Backlog:
    """Return how many mails wait, since when, and how many will not be tried again."""
    row = (
        await tx.execute(
            select(
                func.count(OUTBOX.c.next_attempt_at).label("waiting"),
                (func.count() - func.count(OUTBOX.c.next_attempt_at)).label("given_up"),
                func.min(OUTBOX.c.created_at).filter(OUTBOX.c.next_attempt_at.is_not(None)).label("oldest"),
            ).where(OUTBOX.c.sent_at.is_(None))
        )
    ).one()
    return Backlog(row.waiting, row.given_up, row.oldest)


async def queue_for(tx: Transaction, accounts: Select[Any], told: dict[str, Any]) -> None:
    """Put a mail with the values of ``queueing`` to each of many accounts into the queue, if it has an address."""
    now = literal(told["now"], UtcDateTime)
    mail: dict[str, ColumnElement[Any]] = {
        "user_id": USERS.c.id,
        "recipient": USERS.c.email,
        "kind": literal(told["mail_kind"], String),
        "message_id": literal(f"{told['message_id']}.", String).concat(cast(USERS.c.id, String)),
        "detail": literal(told["mail_detail"], JSON),
        "created_at": now,
        "next_attempt_at": now,
        "attempts": literal(0),
    }
    wanted = select(*mail.values()).where(USERS.c.id.in_(accounts), USERS.c.email.is_not(None))
    await tx.execute(insert(OUTBOX).from_select(list(mail), wanted))


async def give_up_every(tx: Transaction, *, besides: Kind) -> int:
    """Give up every mail that waits, save those of one kind, and return how many."""
    waiting = and_(OUTBOX.c.next_attempt_at.is_not(None), OUTBOX.c.kind != besides)
    count = await count_rows(tx, OUTBOX.c.id, waiting)
    await tx.execute(update(OUTBOX).where(waiting).values(next_attempt_at=None, last_error=RESTORED))
    return count


async def delete_old(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` mails that nobody looks at any more, and return how many."""
    return await delete_some(tx, OUTBOX.c.id, OUTBOX.c.created_at <= now - KEPT_FOR, limit)
