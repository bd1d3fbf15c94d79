from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class LinkRow(Base):
    """A link that a mail holds: good once, for one purpose, until it is out of date."""

    __tablename__ = "mail_links"
    __table_args__ = (
        Index("ix_mail_links_user_id", "user_id"),
        Index("ix_mail_links_expires_at", "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(32))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(254))  # where the mail went
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when that happened of which the mail tells
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
