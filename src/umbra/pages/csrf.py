"""The second lock of a page's form, behind the check of origins (ASVS 5.0, 3.5.1)."""

import hashlib
import hmac

from umbra.web.errors import OriginRefused

FIELD = "csrf"
_PURPOSE = b"umbra.csrf:"


def of(session_token: str) -> str:
    """Return what a form within this session carries; it tells nothing of the token, and dies with it."""
    return hashlib.sha256(_PURPOSE + session_token.encode()).hexdigest()


def check(sent: str | None, session_token: str) -> None:
    """Accept a form that one of this session's pages held.

    Raises:
        OriginRefused: It carries nothing, or what belongs to another session or an older token.
    """
    if not hmac.compare_digest((sent or "").encode(), of(session_token).encode()):
        raise OriginRefused
