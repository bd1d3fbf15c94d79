from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UserKey, UtcDateTime


class AuthenticatorRow(Base):
    """An enrolled app, or, while ``confirmed_at`` is null, one whose set-up a session has begun."""

    __tablename__ = "totp_authenticators"
    __table_args__ = (
        UniqueConstraint("user_id", "name_key"),
        UniqueConstraint("setup_session_id"),
        Index("ix_totp_authenticators_user_id", "user_id"),
        Index("ix_totp_authenticators_setup_expires_at", "setup_expires_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str | None] = mapped_column(String(128))  # folded, and set when confirmed: only then is it taken
    secret: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_step: Mapped[int | None] = mapped_column(Integer)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    setup_session_id: Mapped[int | None] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"))
    setup_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UsageRow(Base):
    """A code that has been accepted; the seed's replay ledger."""

    __tablename__ = "totp_usage"
    __table_args__ = (
        UniqueConstraint("user_id", "code", "window", name="uq_totp_user_code_window"),
        Index("ix_totp_usage_user_id", "user_id"),
        Index("ix_totp_usage_window", "window"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(UserKey, ForeignKey("users.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(6))
    window: Mapped[int] = mapped_column(Integer)  # the step that the code matched, not the step in which it came
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    authenticator_id: Mapped[int | None] = mapped_column(Integer)
    purpose: Mapped[str | None] = mapped_column(String(32))
