from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Integer, Named, String, Table, Text, TypedColumns

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Removed(TypedColumns):
    id: Named[int] = Column(primary_key=True, autoincrement=False)  # what it had, since its secret names it
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    name: Named[str] = Column(String(64))
    secret: Named[str] = Column(Text)
    confirmed_at: Named[datetime] = Column(UtcDateTime)
    last_step: Named[int | None] = Column(Integer)
    last_used_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    removed_at: Named[datetime] = Column(UtcDateTime)


REMOVED = Table(
    "removed_authenticators",
    METADATA,
    _Removed,
    Index("ix_removed_authenticators_user_id", "user_id"),
    Index("ix_removed_authenticators_removed_at", "removed_at"),
)
"""An authenticator that went when the second factor was turned off, for as long as that can be undone."""
