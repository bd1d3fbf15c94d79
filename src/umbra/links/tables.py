from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Link(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Named[str] = Column(String(32))
    token_hash: Named[str] = Column(String(64), unique=True)
    address: Named[str] = Column(String(254))  # where the mail went
    created_at: Named[datetime] = Column(UtcDateTime)  # when that happened of which the mail tells
    expires_at: Named[datetime] = Column(UtcDateTime)
    used_at: Named[datetime | None] = Column(UtcDateTime)


LINKS = Table(
    "mail_links",
    METADATA,
    _Link,
    Index("ix_mail_links_user_id", "user_id"),
    Index("ix_mail_links_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)
"""A link that a mail holds: good once, for one purpose, until it is out of date."""
