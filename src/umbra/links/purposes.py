"""What links in mails are for. Pure."""

from datetime import timedelta
from enum import StrEnum


class Purpose(StrEnum):
    """The stable names in ``mail_links.purpose``."""

    END_SESSIONS = "end_sessions"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, not a password
    UNDO_REMOVAL = "undo_removal"
    UNDO_SIGN_IN = "undo_sign_in"


LIFETIMES = {
    Purpose.END_SESSIONS: timedelta(hours=72),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.UNDO_REMOVAL: timedelta(hours=72),
    Purpose.UNDO_SIGN_IN: timedelta(hours=72),
}
"""How long each is good, from what the mail tells of; OWASP ASVS 5.0, 6.4.3 and 6.6.3, want a reset to be short."""

PAGES = {
    Purpose.END_SESSIONS: "/undo",
    Purpose.RESET_PASSWORD: "/password/reset",
    Purpose.UNDO_REMOVAL: "/undo",
    Purpose.UNDO_SIGN_IN: "/undo",
}
"""Where each leads to: a page that does nothing until its button is pressed, since programs follow links as well."""
