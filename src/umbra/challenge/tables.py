from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class ChallengeRow(Base):
    """A right password that waits for its code; the client holds it as ``mfa_token``."""

    __tablename__ = "challenges"
    __table_args__ = (
        Index("ix_challenges_user_id", "user_id"),
        Index("ix_challenges_expires_at", "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    guesses: Mapped[int] = mapped_column(Integer, server_default="0")
