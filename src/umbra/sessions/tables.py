from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Session(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Named[str] = Column(String(64), unique=True)
    created_at: Named[datetime] = Column(UtcDateTime)
    last_seen_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)  # the absolute limit; activity does not move it
    revoked_at: Named[datetime | None] = Column(UtcDateTime)
    authenticated_at: Named[datetime] = Column(UtcDateTime)
    second_factor_at: Named[datetime | None] = Column(UtcDateTime)
    ip: Named[str | None] = Column(String(64))
    user_agent: Named[str | None] = Column(String(256))


SESSIONS = Table(
    "user_sessions",
    METADATA,
    _Session,
    Index("ix_user_sessions_user_id", "user_id"),
    Index("ix_user_sessions_expires_at", "expires_at"),
    Index("ix_user_sessions_last_seen_at", "last_seen_at"),
    sqlite_autoincrement=True,
)
"""Somebody being signed in."""
