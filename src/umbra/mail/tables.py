from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class OutboxRow(Base):
    """A mail that waits to be sent, or was."""

    __tablename__ = "mail_outbox"
    __table_args__ = (
        Index("ix_mail_outbox_user_id", "user_id"),
        Index("ix_mail_outbox_next_attempt_at", "next_attempt_at"),
        Index("ix_mail_outbox_created_at", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    recipient: Mapped[str] = mapped_column(String(254))  # where it goes, whatever becomes of the account's address
    message_id: Mapped[str] = mapped_column(String(64))  # the same at each attempt, so that programs show it once
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # null: there will be none
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(64))
