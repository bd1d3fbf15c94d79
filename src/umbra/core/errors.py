"""The two kinds of no: one for the caller, one for the operator."""

from typing import ClassVar


class Refused(Exception):
    """Something that a caller asked for will not be done.

    ``reason`` is what the caller learns; it is stable and listed in ``docs/reference/reasons.md``. ``cause`` is
    what the audit log learns, and may say more.
    """

    reason: ClassVar[str]

    @property
    def cause(self) -> str:
        """The finer reason, for the audit log only."""
        return self.reason


class InvalidRequest(Refused):
    """What was sent is not of the form; carries where and why, never the value."""

    reason = "invalid_request"

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__(self.reason)
        self.problems = problems


class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else; the caller cannot tell which."""

    reason = "not_found"


class Busy(Refused):
    """The hashing pool and its queue are full; nothing was charged."""

    reason = "busy"


class Unavailable(Refused):
    """The database cannot be reached; nothing was decided."""

    reason = "unavailable"


class Misconfigured(Exception):
    """The operator must change something before Umbra can run; the text says what."""
