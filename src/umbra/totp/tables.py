from datetime import datetime

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    func,
)

from umbra.db.base import METADATA, UserKey, UtcDateTime


class _Authenticator(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    name: Named[str] = Column(String(64))
    name_key: Named[str | None] = Column(String(128))  # folded, and set when confirmed: only then is it taken
    secret: Named[str] = Column(Text)
    confirmed_at: Named[datetime | None] = Column(UtcDateTime)
    last_step: Named[int | None] = Column(Integer)
    last_used_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    setup_session_id: Named[int | None] = Column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    setup_expires_at: Named[datetime | None] = Column(UtcDateTime)


AUTHENTICATORS = Table(
    "totp_authenticators",
    METADATA,
    _Authenticator,
    UniqueConstraint("user_id", "name_key"),
    UniqueConstraint("setup_session_id"),
    Index("ix_totp_authenticators_user_id", "user_id"),
    Index("ix_totp_authenticators_setup_expires_at", "setup_expires_at"),
    postgresql_with={"fillfactor": 90},  # each sign-in moves ``last_step``: in place, and no index is touched
    sqlite_autoincrement=True,
)
"""An enrolled app, or, while ``confirmed_at`` is null, one whose set-up a session has begun."""


class _Usage(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    user_id: Named[int] = Column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    code: Named[str] = Column(String(6))
    window: Named[int] = Column(Integer)  # the step that the code matched, not the step in which it came
    used_at: Named[datetime] = Column(UtcDateTime, server_default=func.now())
    authenticator_id: Named[int | None] = Column(Integer)
    purpose: Named[str | None] = Column(String(32))


USED_CODES = Table(
    "totp_usage",
    METADATA,
    _Usage,
    UniqueConstraint("user_id", "code", "window", name="uq_totp_user_code_window"),
    Index("ix_totp_usage_user_id", "user_id"),
    Index("ix_totp_usage_window", "window"),
)
"""A code that has been accepted; the seed's replay ledger."""
