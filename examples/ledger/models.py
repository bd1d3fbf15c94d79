from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What Ledger keeps. Umbra's tables are not in it."""


class Account(Base):
    """Somebody with an account, and a password in a form of Ledger's own."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    salt: Mapped[bytes]
    password_hash: Mapped[bytes]
    is_staff: Mapped[bool] = mapped_column(default=False)
    closed_at: Mapped[datetime | None]
