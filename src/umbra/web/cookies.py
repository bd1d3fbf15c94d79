"""Our cookies (draft-ietf-httpbis-rfc6265bis, 4.1.3.2, for the prefix)."""

from datetime import timedelta

from starlette.responses import Response

from umbra.browsers.store import KNOWN_FOR
from umbra.core.secret import Secret
from umbra.settings import Settings

SESSION = "umbra_session"
CHALLENGE = "umbra_challenge"
"""The ``mfa_token`` of a browser that is between password and code: it stands in no address and on no page."""
FIRST_RUN = "umbra_first_run"
LINK = "umbra_link"
"""The token of a mail's link, for as long as its page is open: it leaves the address at once."""
BROWSER = "umbra_browser"
"""By which a browser is recognised; it opens nothing."""


def named(settings: Settings, name: str) -> str:
    """Return the full name of a cookie: browsers keep the ``__Host-`` prefix only over https."""
    return f"__Host-{name}" if settings.is_https else name


def set_session(response: Response, settings: Settings, token: Secret[str]) -> None:
    """Give the browser a session token, until it is closed; our own limits end the session."""
    _append(response, settings, f"{named(settings, SESSION)}={token.reveal()}")


def set_browser(response: Response, settings: Settings, token: Secret[str] | None) -> None:
    """Give the browser what it is recognised by at later sign-ins, if it has been given nothing yet."""
    if token is not None:
        set_for(response, settings, BROWSER, token, KNOWN_FOR)


def clear_session(response: Response, settings: Settings) -> None:
    """Take the session token from the browser."""
    clear(response, settings, SESSION)


def set_for(response: Response, settings: Settings, name: str, token: Secret[str], lifetime: timedelta) -> None:
    """Give the browser a token that it keeps for a short while."""
    _append(response, settings, f"{named(settings, name)}={token.reveal()}; Max-Age={int(lifetime.total_seconds())}")


def clear(response: Response, settings: Settings, name: str) -> None:
    """Take a cookie from the browser; without the same attributes it would not listen."""
    _append(response, settings, f"{named(settings, name)}=; Max-Age=0")


def _append(response: Response, settings: Settings, cookie: str) -> None:
    secure = "Secure; " if settings.is_https else ""
    response.headers.append("Set-Cookie", f"{cookie}; HttpOnly; {secure}SameSite=Lax; Path=/")
