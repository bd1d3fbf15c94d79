from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where "now" comes from; nothing else in Umbra may ask."""

    def now(self) -> datetime:
        """Return the present moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The server process's clock, which the contract (1.5, 8) names as the one that counts."""

    def now(self) -> datetime:
        """Return the operating system's time."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved; for tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the moment that was set last."""
        return self._at

    def move(self, by: timedelta) -> None:
        """Go forward, or back when ``by`` is negative."""
        self._at += by

    def set(self, at: datetime) -> None:
        """Stand at ``at``."""
        self._at = at
