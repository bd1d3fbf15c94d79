from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns, UniqueConstraint

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _EmailProof(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Named[int] = Column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    address: Named[str] = Column(String(254))  # where the code went, which is the only thing that it proves
    code_hash: Named[str] = Column(String(255))
    guesses: Named[int] = Column(Integer)
    expires_at: Named[datetime] = Column(UtcDateTime)  # of the code, and then of what it proved
    proved_at: Named[datetime | None] = Column(UtcDateTime)


EMAIL_PROOFS = Table(
    "email_proofs",
    METADATA,
    _EmailProof,
    UniqueConstraint("session_id"),
    Index("ix_email_proofs_user_id", "user_id"),
    Index("ix_email_proofs_expires_at", "expires_at"),
    sqlite_autoincrement=True,
)
"""A code that a session has had mailed; once ``proved_at`` is set, that the session reads what is sent there."""
