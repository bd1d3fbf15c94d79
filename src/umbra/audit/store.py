import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from umbra.audit.chain import BEGINNING, Sealed
from umbra.audit.event import AuditEvent
from umbra.audit.tables import AUDIT
from umbra.core.clock import Clock
from umbra.core.errors import Unavailable
from umbra.core.events import Happened, signal_of
from umbra.core.ids import UserId
from umbra.core.mark import Position
from umbra.db import state
from umbra.db.database import Database
from umbra.db.statements import insert_given
from umbra.db.transaction import Chain, Statement, Transaction

log = logging.getLogger("umbra.audit")


DONE = "done"
"""What stands for the reason of what was not refused."""

_COLUMNS = ("at", "event", "reason", "user_id", "ip", "user_agent", "detail")

SEALED_AT_ONCE = 50
"""Events that one statement seals; it is written for as many, and compiled once."""

_PUT = ("id", "seq", "subject", "digest", "seal")
_PLACES = [f"{name}_{number}" for number in range(SEALED_AT_ONCE) for name in _PUT]

_TYPES = {column.name: column.type for column in AUDIT.c}


def kept(given: ColumnElement[bool]) -> UpdateBase:
    """Keep an event in the transaction that makes it happen."""
    return insert_given(AUDIT, given, **{name: name for name in _COLUMNS}).returning(AUDIT.c.id)


def signalled(given: ColumnElement[bool]) -> UpdateBase:
    """Keep the event that a refusal is besides."""
    own = {name: f"signal_{name}" if name in {"event", "reason", "detail"} else name for name in _COLUMNS}
    return insert_given(AUDIT, given, **own).returning(AUDIT.c.id)


_KEEP = Chain(kept)
_KEEP_AND_SIGNAL = Chain(kept, signalled)


Keep = Callable[[Transaction, Happened, datetime], Awaitable[None]]
"""What keeps an event with one statement."""


async def keep(tx: Transaction, happened: Happened, at: datetime) -> None:
    """Keep an event in a transaction, if that is committed."""
    await tx.follow(_KEEP if signal_of(happened) is None else _KEEP_AND_SIGNAL, **keeping(happened, at))


async def keep_for(tx: Transaction, accounts: Select[Any], happened: Happened, at: datetime) -> int:
    """Keep the same event of each of many accounts, and return how many they are."""
    given = keeping(happened, at)
    of_each = accounts.subquery()
    values = [of_each.c.user_id if name == "user_id" else literal(given[name], _TYPES[name]) for name in _COLUMNS]
    await tx.execute(insert(AUDIT).from_select(list(_COLUMNS), select(*values)))
    return (await tx.execute(select(func.count()).select_from(of_each))).scalar_one()


_EVENT = (
    AUDIT.c.id,
    AUDIT.c.at,
    AUDIT.c.event,
    AUDIT.c.reason,
    AUDIT.c.user_id,
    AUDIT.c.ip,
    AUDIT.c.user_agent,
    AUDIT.c.detail,
)
_CHAIN = (AUDIT.c.seq, AUDIT.c.subject, AUDIT.c.digest, AUDIT.c.seal)

_UNSEALED = Statement(select(*_EVENT).where(AUDIT.c.seq.is_(None)).order_by(AUDIT.c.id).limit(SEALED_AT_ONCE))

_NEWEST = select(AUDIT.c.seq, AUDIT.c.digest).where(AUDIT.c.seq.is_not(None)).order_by(AUDIT.c.seq.desc()).limit(1)
_NEWEST_SEALED = Statement(_NEWEST)

_DIGEST_AT = Statement(select(AUDIT.c.digest).where(AUDIT.c.seq == bindparam("seq")))

_OLDEST_UNSEALED = select(AUDIT.c.at).where(AUDIT.c.seq.is_(None)).order_by(AUDIT.c.id).limit(1)

_GIVEN = union_all(
    *(
        select(
            bindparam(f"id_{number}", type_=Integer).label("id"),
            bindparam(f"seq_{number}", type_=Integer).label("seq"),
            *(bindparam(f"{name}_{number}", type_=String).label(name) for name in ("subject", "digest", "seal")),
        )
        for number in range(SEALED_AT_ONCE)
    )
).subquery("given")

_PUT_SEALS = Statement(
    update(AUDIT)
    .where(AUDIT.c.id == _GIVEN.c.id, AUDIT.c.seq.is_(None))
    .values(seq=_GIVEN.c.seq, subject=_GIVEN.c.subject, digest=_GIVEN.c.digest, seal=_GIVEN.c.seal)
    .returning(AUDIT.c.id)
)


async def unsealed(tx: Transaction) -> list[AuditEvent]:
    """Return the oldest events that have no place in the chain yet, as many as are sealed at once."""
    return [AuditEvent(*row) for row in await tx.execute(_UNSEALED)]


async def put_seals(tx: Transaction, sealed: Sequence[Sealed]) -> int:
    """Give events their places in the chain, unless they have some, and return how many got theirs."""
    values: dict[str, Any] = dict.fromkeys(_PLACES)
    for number, one in enumerate(sealed):
        places = (one.said.id, one.seq, one.subject, one.digest, one.seal)
        values |= {f"{name}_{number}": value for name, value in zip(_PUT, places, strict=True)}
    return len((await tx.execute(_PUT_SEALS, **values)).all())


async def sealed_after(tx: Transaction, seq: int | None, limit: int) -> list[Sealed]:
    """Return up to ``limit`` events in the order of the chain, behind a place or from whichever is the first."""
    behind = AUDIT.c.seq.is_not(None) if seq is None else AUDIT.c.seq > seq
    rows = await tx.execute(select(*_EVENT, *_CHAIN).where(behind).order_by(AUDIT.c.seq).limit(limit))
    return [
        Sealed(AuditEvent(*row[: len(_EVENT)]), row.seq or 0, row.subject, row.digest or "", row.seal or "")
        for row in rows
    ]


async def first_since(tx: Transaction, at: datetime) -> int | None:
    """Return the first place of an event that is no older than ``at``, if there is one."""
    since = select(func.min(AUDIT.c.seq)).where(AUDIT.c.seq.is_not(None), AUDIT.c.at >= at)
    return (await tx.execute(since)).scalar_one()


async def position(tx: Transaction) -> Position:
    """Return how far the chain has come."""
    row = (await tx.execute(_NEWEST_SEALED)).one_or_none()
    return BEGINNING if row is None else Position(row.seq or 0, row.digest or "")


@dataclass(frozen=True, slots=True)
class End:
    """The end of the log at one moment: where it is, where the head says that it is, and since when events wait."""

    position: Position
    head: str | None
    waiting_since: datetime | None


async def end(tx: Transaction, head: str) -> End:
    """Return the end of the log, and the fact ``head`` beside it.

    It is one statement: between two, whoever seals would move both.
    """
    parts = (
        _NEWEST.with_only_columns(AUDIT.c.seq),
        _NEWEST.with_only_columns(AUDIT.c.digest),
        state.value_of(head),
        _OLDEST_UNSEALED,
    )
    seq, digest, noted, since = (await tx.execute(select(*(part.scalar_subquery() for part in parts)))).one()
    return End(BEGINNING if seq is None else Position(seq, digest or ""), noted, since)


async def digest_at(tx: Transaction, seq: int) -> str | None:
    """Return the digest in one place of the chain, if there is one."""
    return (await tx.execute(_DIGEST_AT, seq=seq)).scalar_one_or_none()


async def delete_until(tx: Transaction, seq: int) -> int:
    """Delete the events up to a place of the chain, and return how many."""
    gone = await tx.execute(delete(AUDIT).where(AUDIT.c.seq <= seq).returning(AUDIT.c.id))
    return len(gone.all())


class DatabaseSink:
    """Writes events into ``audit_events``, each in a transaction of its own."""

    def __init__(self, db: Database, clock: Clock, keep: Keep = keep) -> None:
        self._db = db
        self._clock = clock
        self._keep = keep

    async def record(self, happened: Happened) -> None:
        """Keep the event; when the database is gone the log keeps its name, and what was done stands.

        A refusal that cannot be kept is not told: what a guess was charged is on the disk when its event is, and nobody
        is to guess unseen (docs/decisions/0045-one-wait-for-the-disk.md).

        Raises:
            Unavailable: A refusal could not be kept.
        """
        try:
            async with self._db.single() as tx:
                await self._keep(tx, happened, self._clock.now())
        except Unavailable:
            log.warning("audit event not kept, no database: %s reason=%s", happened.event.value, happened.reason)
            if happened.reason is not None:
                raise

    async def was_kept(self, happened: Happened) -> None:
        """Do nothing: it is in the table."""


def keeping(happened: Happened, at: datetime) -> dict[str, Any]:
    """Return the values for ``kept``, and for ``signalled`` where there is a signal."""
    values = {
        "at": at,
        "event": happened.event.value,
        "reason": happened.reason,
        "user_id": happened.user_id,
        "ip": happened.client.ip,
        "user_agent": happened.client.user_agent,
        "detail": happened.detail,
    }
    signal = signal_of(happened)
    if signal is None:
        return values
    return values | {"signal_event": signal.event.value, "signal_reason": signal.reason, "signal_detail": signal.detail}


async def newest(
    db: Database,
    limit: int,
    user_id: UserId | None = None,
    *,
    before: int | None = None,
    event: str | None = None,
    reason: str | None = None,
) -> list[AuditEvent]:
    """Return the last ``limit`` events, of one account or of all, older than event ``before``; the newest first.

    ``event`` and ``reason`` leave the others out; the reason of what was done is ``DONE``.
    """
    wanted = select(*_EVENT).order_by(AUDIT.c.id.desc())
    if user_id is not None:
        wanted = wanted.where(AUDIT.c.user_id == user_id)
    if before is not None:
        wanted = wanted.where(AUDIT.c.id < before)
    if event is not None:
        wanted = wanted.where(AUDIT.c.event == event)
    if reason is not None:
        wanted = wanted.where(AUDIT.c.reason.is_(None) if reason == DONE else AUDIT.c.reason == reason)
    async with db.read() as tx:
        return [AuditEvent(*row) for row in await tx.execute(wanted.limit(limit))]
