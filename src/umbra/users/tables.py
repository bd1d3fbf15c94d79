from datetime import datetime

from sqlalchemy import Boolean, Column, Named, String, Table, Text, TypedColumns, false

from umbra.db.base import METADATA, PasswordVersion, UserKey, UtcDateTime


class _User(TypedColumns):
    id: Named[int] = Column(UserKey, primary_key=True)
    username: Named[str] = Column(String(128))
    username_key: Named[str] = Column(String(256), unique=True)  # folded: one name, whatever its case
    email: Named[str | None] = Column(String(254))
    password_hash: Named[str] = Column(Text)
    password_version: Named[int] = Column(PasswordVersion, server_default="0")  # another one outdates checks under way
    is_operator: Named[bool] = Column(Boolean, server_default=false())
    created_at: Named[datetime] = Column(UtcDateTime)
    disabled_at: Named[datetime | None] = Column(UtcDateTime)
    factors_changed_at: Named[datetime | None] = Column(UtcDateTime)


USERS = Table(
    "users",
    METADATA,
    _User,
    sqlite_autoincrement=True,  # an id is never given to a second person
)
"""A person who signs in."""
