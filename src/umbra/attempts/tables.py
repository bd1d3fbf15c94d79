from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base, UtcDateTime

LONG_OVER = "1970-01-01 00:00:00"
"""When the year of a budget ended that has had none."""


class AttemptsRow(Base):
    """Guesses in a row without a success, against one budget, and what they have cost of a year's chances."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_charged_at", "charged_at"),)

    budget: Mapped[str] = mapped_column(String(100), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    charged_at: Mapped[datetime] = mapped_column(UtcDateTime)
    chances: Mapped[int] = mapped_column(Integer, server_default="0")
    period_ends: Mapped[datetime] = mapped_column(UtcDateTime, server_default=LONG_OVER)
