from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Integer, Named, String, Table, TypedColumns

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Challenge(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Named[str] = Column(String(64), unique=True)
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)
    guesses: Named[int] = Column(Integer, server_default="0")


CHALLENGES = Table(
    "challenges",
    METADATA,
    _Challenge,
    Index("ix_challenges_user_id", "user_id"),
    Index("ix_challenges_expires_at", "expires_at"),
    postgresql_with={"fillfactor": 70},  # most are guessed at once before they go: in place, and no index is touched
    sqlite_autoincrement=True,
)
"""A right password that waits for its code; the client holds it as ``mfa_token``."""
