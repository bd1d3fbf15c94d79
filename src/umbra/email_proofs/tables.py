from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class EmailProofRow(Base):
    """A code that a session has had mailed; once ``proved_at`` is set, that the session reads what is sent there."""

    __tablename__ = "email_proofs"
    __table_args__ = (
        UniqueConstraint("session_id"),
        Index("ix_email_proofs_user_id", "user_id"),
        Index("ix_email_proofs_expires_at", "expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[int] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(254))  # where the code went, which is the only thing that it proves
    code_hash: Mapped[str] = mapped_column(String(255))
    guesses: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the code, and then of what it proved
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
