from datetime import datetime

from sqlalchemy import Boolean, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, PasswordVersion, UserKey, UtcDateTime


class UserRow(Base):
    """A person who signs in."""

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never given to a second person

    id: Mapped[int] = mapped_column(UserKey, primary_key=True)
    username: Mapped[str] = mapped_column(String(128))
    username_key: Mapped[str] = mapped_column(String(256), unique=True)  # folded: one name, whatever its case
    email: Mapped[str | None] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(Text)
    password_version: Mapped[int] = mapped_column(PasswordVersion, server_default="0")  # a rehash leaves it
    is_operator: Mapped[bool] = mapped_column(Boolean, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    factors_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
