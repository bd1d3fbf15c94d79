"""What is known of the request under way: for the lines that it leaves in the log, and for whoever counts requests."""

from contextvars import ContextVar
from dataclasses import dataclass

OTHER = "other"
"""What stands for a method or an address that is none of ours: people may put anything there."""


@dataclass(slots=True)
class Seen:
    """A request, and what has become of it so far; ``status`` is null when nobody waited for an answer."""

    id: str
    reason: str | None = None
    status: int | None = None
    seconds: float = 0.0
    method: str = OTHER
    route: str = OTHER


UNDER_WAY: ContextVar[Seen | None] = ContextVar("umbra_request", default=None)
"""The request in which this is asked; outside the server, and beside its requests, there is none."""


def is_refused(reason: str) -> None:
    """Note why the request is refused; of several reasons the last is the one that is answered."""
    seen = UNDER_WAY.get()
    if seen is not None:
        seen.reason = reason
