from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class BackupCodeRow(Base):
    """One single-use recovery code."""

    __tablename__ = "backup_codes"
    __table_args__ = (
        UniqueConstraint("user_id", "selector"),
        Index("ix_backup_codes_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(String(255))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    selector: Mapped[str] = mapped_column(String(8))  # says which row to look at, and tells nothing about the rest
    renewal_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # since a restored backup may have revived it
