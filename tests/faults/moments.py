"""The moments of a transaction at which something can go wrong, told by the statements that pass."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moment:
    """Statements by a part of their text, in order; the moment is at the last one, before it or before its answer."""

    parts: tuple[str, ...]
    is_done: bool = False
    """Whether the database has done it, and only the answer is missing."""


@dataclass
class Watch:
    """Waits for a moment that comes once."""

    moment: Moment
    seen: int = field(default=0)

    def comes(self, text: str) -> bool:
        """Look at the next statement, and say whether this is the moment."""
        parts = self.moment.parts
        if self.seen < len(parts) and parts[self.seen] in text:
            self.seen += 1
            return self.seen == len(parts)
        return False

    @property
    def has_come(self) -> bool:
        """Say whether the moment has been."""
        return self.seen == len(self.moment.parts)
