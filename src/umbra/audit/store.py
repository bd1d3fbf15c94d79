import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, literal, select
from sqlalchemy.sql.dml import UpdateBase

from umbra.audit.tables import AuditRow
from umbra.core.clock import Clock
from umbra.core.errors import Unavailable
from umbra.core.events import Happened, signal_of
from umbra.core.ids import UserId
from umbra.core.mark import Position
from umbra.db.database import Database
from umbra.db.statements import insert_given
from umbra.db.transaction import Chain, Transaction

log = logging.getLogger("umbra.audit")


DONE = "done"
"""What stands for the reason of what was not refused."""

_COLUMNS = ("at", "event", "reason", "user_id", "ip", "user_agent", "detail")
_TYPES = {column.name: column.type for column in AuditRow.__table__.columns}


def kept(given: ColumnElement[bool]) -> UpdateBase:
    """Keep an event in the transaction that makes it happen."""
    return insert_given(AuditRow, given, **{name: name for name in _COLUMNS}).returning(AuditRow.id)


def signalled(given: ColumnElement[bool]) -> UpdateBase:
    """Keep the event that a refusal is besides."""
    own = {name: f"signal_{name}" if name in {"event", "reason", "detail"} else name for name in _COLUMNS}
    return insert_given(AuditRow, given, **own).returning(AuditRow.id)


_KEEP = Chain(kept)
_KEEP_AND_SIGNAL = Chain(kept, signalled)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line, as an operator reads it."""

    id: int
    at: datetime
    event: str
    reason: str | None
    user_id: int | None
    ip: str | None
    user_agent: str | None
    detail: dict[str, Any] | None

    @property
    def by(self) -> int | None:
        """The operator who made it happen; ``None`` of what others did, and of the command line."""
        by: int | None = (self.detail or {}).get("by")
        return by

    @property
    def is_operators(self) -> bool:
        """Say whether an operator made it happen, on the pages or by the command line."""
        return "by" in (self.detail or {})


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
    await tx.execute(insert(AuditRow).from_select(list(_COLUMNS), select(*values)))
    return (await tx.execute(select(func.count()).select_from(of_each))).scalar_one()


async def position(tx: Transaction) -> Position:
    """Return how far the log has come."""
    newest = select(AuditRow.id, AuditRow.at).order_by(AuditRow.id.desc()).limit(1)
    row = (await tx.execute(newest)).one_or_none()
    return Position() if row is None else Position(row.id, row.at.isoformat())


async def contains(tx: Transaction, position: Position) -> bool:
    """Say whether the log has been at a position."""
    at = (await tx.execute(select(AuditRow.at).where(AuditRow.id == position.number))).scalar_one_or_none()
    return position == Position() or (at is not None and at.isoformat() == position.digest)


class DatabaseSink:
    """Writes events into ``audit_events``, each in a transaction of its own."""

    def __init__(self, db: Database, clock: Clock, keep: Keep = keep) -> None:
        self._db = db
        self._clock = clock
        self._keep = keep

    async def record(self, happened: Happened) -> None:
        """Keep the event; when the database is gone the log keeps its name, and what was decided stands."""
        try:
            async with self._db.single() as tx:
                await self._keep(tx, happened, self._clock.now())
        except Unavailable:
            log.warning("audit event not kept, no database: %s reason=%s", happened.event.value, happened.reason)

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
    wanted = select(
        AuditRow.id,
        AuditRow.at,
        AuditRow.event,
        AuditRow.reason,
        AuditRow.user_id,
        AuditRow.ip,
        AuditRow.user_agent,
        AuditRow.detail,
    ).order_by(AuditRow.id.desc())
    if user_id is not None:
        wanted = wanted.where(AuditRow.user_id == user_id)
    if before is not None:
        wanted = wanted.where(AuditRow.id < before)
    if event is not None:
        wanted = wanted.where(AuditRow.event == event)
    if reason is not None:
        wanted = wanted.where(AuditRow.reason.is_(None) if reason == DONE else AuditRow.reason == reason)
    async with db.read() as tx:
        return [AuditEvent(*row) for row in await tx.execute(wanted.limit(limit))]
