from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class RemovedRow(Base):
    """An authenticator that went when the second factor was turned off, for as long as that can be undone."""

    __tablename__ = "removed_authenticators"
    __table_args__ = (
        Index("ix_removed_authenticators_user_id", "user_id"),
        Index("ix_removed_authenticators_removed_at", "removed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # what it had, since its secret names it
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    secret: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_step: Mapped[int | None] = mapped_column(Integer)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime] = mapped_column(UtcDateTime)
