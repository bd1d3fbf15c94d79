import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select

from umbra.audit.tables import AuditRow
from umbra.core.clock import Clock
from umbra.core.errors import Unavailable
from umbra.core.events import Happened
from umbra.db.database import Database
from umbra.db.transaction import Statement

log = logging.getLogger("umbra.audit")


_KEEP = Statement(
    insert(AuditRow)
    .values({name: bindparam(name) for name in ("at", "event", "reason", "user_id", "ip", "user_agent", "detail")})
    .returning(AuditRow.id)
)


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


class DatabaseSink:
    """Writes events into ``audit_events``, each in a transaction of its own."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def record(self, happened: Happened) -> None:
        """Keep the event; when the database is gone the log keeps its name, and what was decided stands."""
        try:
            async with self._db.single() as tx:
                await tx.execute(
                    _KEEP,
                    at=self._clock.now(),
                    event=happened.event.value,
                    reason=happened.reason,
                    user_id=happened.user_id,
                    ip=happened.client.ip,
                    user_agent=happened.client.user_agent,
                    detail=happened.detail,
                )
        except Unavailable:
            log.warning("audit event not kept, no database: %s reason=%s", happened.event.value, happened.reason)


async def newest(db: Database, limit: int, user_id: int | None = None) -> list[AuditEvent]:
    """Return the last ``limit`` events, the newest first."""
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
    async with db.read() as tx:
        return [AuditEvent(*row) for row in await tx.execute(wanted.limit(limit))]
