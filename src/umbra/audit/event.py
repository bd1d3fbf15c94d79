from datetime import datetime
from typing import Any

from umbra.core.record import record


@record
class AuditEvent:
    """One line, as an operator reads it."""

    id: int
    at: datetime
    event: str
    reason: str | None
    user_id: int | None
    ip: str | None
    user_agent: str | None
    detail: dict[str, Any] | None

    @property
    def by(self) -> int | None:
        """The operator who made it happen; ``None`` of what others did, and of the command line."""
        by: int | None = (self.detail or {}).get("by")
        return by

    @property
    def is_operators(self) -> bool:
        """Say whether an operator made it happen, on the pages or by the command line."""
        return "by" in (self.detail or {})
