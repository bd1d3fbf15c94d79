"""What links in mails are for. Pure."""

from datetime import timedelta
from enum import StrEnum


class Purpose(StrEnum):
    """The stable names in ``mail_links.purpose``."""

    END_SESSIONS = "end_sessions"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, not a password


LIFETIMES = {
    Purpose.END_SESSIONS: timedelta(hours=72),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
}
"""How long each is good, from what the mail tells of; OWASP ASVS 5.0, 6.4.3 and 6.6.3, want a reset to be short."""

PAGES = {
    Purpose.END_SESSIONS: "/undo",
    Purpose.RESET_PASSWORD: "/password/reset",
}
"""Where each leads to: a page that does nothing until its button is pressed, since programs follow links as well."""
