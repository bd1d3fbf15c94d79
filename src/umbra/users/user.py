from dataclasses import dataclass
from datetime import datetime

from umbra.core.ids import UserId
from umbra.core.record import record


@record
class User:
    """A person, as everybody above the store sees one."""

    id: UserId
    username: str
    email: str | None
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A person, as the operator sees one."""

    user: User
    created_at: datetime
    disabled_at: datetime | None
