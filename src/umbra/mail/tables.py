from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Outbox(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    kind: Named[str] = Column(String(32))
    recipient: Named[str] = Column(String(254))  # where it goes, whatever becomes of the account's address
    message_id: Named[str] = Column(String(64))  # the same at each attempt, so that programs show it once
    detail: Named[dict[str, Any]] = Column(JSON)
    created_at: Named[datetime] = Column(UtcDateTime)
    attempts: Named[int] = Column(Integer, server_default="0")
    next_attempt_at: Named[datetime | None] = Column(UtcDateTime)  # null: there will be none
    sent_at: Named[datetime | None] = Column(UtcDateTime)
    last_error: Named[str | None] = Column(String(64))


OUTBOX = Table(
    "mail_outbox",
    METADATA,
    _Outbox,
    Index("ix_mail_outbox_user_id", "user_id"),
    Index("ix_mail_outbox_next_attempt_at", "next_attempt_at"),
    Index("ix_mail_outbox_created_at", "created_at"),
    sqlite_autoincrement=True,
)
"""A mail that waits to be sent, or was."""
