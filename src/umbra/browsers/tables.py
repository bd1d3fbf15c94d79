from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns, UniqueConstraint

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Browser(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Named[str] = Column(String(64))
    created_at: Named[datetime] = Column(UtcDateTime)
    known_until: Named[datetime] = Column(UtcDateTime)
    proved_at: Named[datetime | None] = Column(UtcDateTime)


BROWSERS = Table(
    "known_browsers",
    METADATA,
    _Browser,
    UniqueConstraint("user_id", "token_hash"),
    Index("ix_known_browsers_known_until", "known_until"),
    sqlite_autoincrement=True,
)
"""A browser in which an account has signed in, and when a second factor was first accepted from it."""
