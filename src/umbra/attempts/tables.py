from datetime import datetime

from sqlalchemy import Column, Index, Integer, Named, String, Table, TypedColumns

from umbra.db.base import METADATA, UtcDateTime

LONG_OVER = "1970-01-01 00:00:00"
"""When the year of a budget ended that has had none."""


class _Attempts(TypedColumns):
    budget: Named[str] = Column(String(100), primary_key=True)
    failures: Named[int] = Column(Integer)
    next_at: Named[datetime] = Column(UtcDateTime)
    charged_at: Named[datetime] = Column(UtcDateTime)
    chances: Named[int] = Column(Integer, server_default="0")
    period_ends: Named[datetime] = Column(UtcDateTime, server_default=LONG_OVER)


ATTEMPTS = Table(
    "attempts",
    METADATA,
    _Attempts,
    Index("ix_attempts_charged_at", "charged_at"),
)
"""Guesses in a row without a success, against one budget, and what they have cost of a year's chances."""
