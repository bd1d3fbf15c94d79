from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime

_SEALED = text("seq IS NOT NULL")
_UNSEALED = text("seq IS NULL")


class AuditRow(Base):
    """Something that happened, or was refused."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_user_id", "user_id"),
        Index("ix_audit_events_at", "at"),
        Index("uq_audit_events_seq", "seq", unique=True, sqlite_where=_SEALED, postgresql_where=_SEALED),
        Index("ix_audit_events_unsealed", "id", sqlite_where=_UNSEALED, postgresql_where=_UNSEALED),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(64))
    user_id: Mapped[int | None] = mapped_column(UserKey, ForeignKey("users.id", ondelete="SET NULL"))
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    seq: Mapped[int | None] = mapped_column(Integer)  # its place in the chain; null until it is sealed
    subject: Mapped[str | None] = mapped_column(String(64))  # stands for the account, and stays when that is gone
    digest: Mapped[str | None] = mapped_column(String(64))
    seal: Mapped[str | None] = mapped_column(String(64))
