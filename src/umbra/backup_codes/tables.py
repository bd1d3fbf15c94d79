from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns, UniqueConstraint, func

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _BackupCode(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Named[str] = Column(String(255))
    used_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime, server_default=func.now())
    selector: Named[str] = Column(String(8))  # says which row to look at, and tells nothing about the rest
    renewal_due_at: Named[datetime | None] = Column(UtcDateTime)  # since a restored backup may have revived it


BACKUP_CODES = Table(
    "backup_codes",
    METADATA,
    _BackupCode,
    UniqueConstraint("user_id", "selector"),
    Index("ix_backup_codes_user_id", "user_id"),
)
"""One single-use recovery code."""
