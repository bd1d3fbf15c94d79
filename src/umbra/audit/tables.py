from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns, text

from umbra.db.base import METADATA, UserKey, UtcDateTime

_SEALED = text("seq IS NOT NULL")
_UNSEALED = text("seq IS NULL")


class _Audit(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    at: Named[datetime] = Column(UtcDateTime)
    event: Named[str] = Column(String(64))
    reason: Named[str | None] = Column(String(64))
    user_id: Named[int | None] = Column(UserKey, ForeignKey("users.id", ondelete="SET NULL"))
    ip: Named[str | None] = Column(String(64))
    user_agent: Named[str | None] = Column(String(256))
    detail: Named[dict[str, Any] | None] = Column(JSON(none_as_null=True))
    seq: Named[int | None] = Column(Integer)  # its place in the chain; null until it is sealed
    subject: Named[str | None] = Column(String(64))  # stands for the account, and stays when that is gone
    digest: Named[str | None] = Column(String(64))
    seal: Named[str | None] = Column(String(64))


AUDIT = Table(
    "audit_events",
    METADATA,
    _Audit,
    Index("ix_audit_events_user_id", "user_id"),
    Index("ix_audit_events_at", "at"),
    Index("uq_audit_events_seq", "seq", unique=True, sqlite_where=_SEALED, postgresql_where=_SEALED),
    Index("ix_audit_events_unsealed", "id", sqlite_where=_UNSEALED, postgresql_where=_UNSEALED),
    sqlite_autoincrement=True,
)
"""Something that happened, or was refused."""
