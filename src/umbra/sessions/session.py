from dataclasses import field
from datetime import datetime, timedelta

from umbra.core.ids import SessionId
from umbra.core.record import record
from umbra.users.user import User


@record
class Session:
    """Somebody being signed in, as everybody above the store sees it."""

    id: SessionId
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    second_factor_at: datetime | None
    ip: str | None
    user_agent: str | None

    def is_over(self, now: datetime, idle: timedelta) -> bool:
        """Say whether its time is up, by its age or by how long nobody has used it (ASVS 7.3.1, 7.3.2)."""
        return self.expires_at <= now or self.last_seen_at <= now - idle

    @property
    def amr(self) -> list[str]:
        """How they proved who they are (RFC 8176)."""
        return ["pwd"] if self.second_factor_at is None else ["pwd", "otp"]


@record
class Current:
    """The session that a request came with, and whose it is."""

    user: User
    session: Session
    token_hash: str = field(repr=False)
