"""The session cookie (draft-ietf-httpbis-rfc6265bis, 4.1.3.2, for the prefix)."""

from starlette.responses import Response

from umbra.core.secret import Secret
from umbra.settings import Settings


def session_cookie_name(settings: Settings) -> str:
    """Return the cookie's name: browsers keep the ``__Host-`` prefix only over https."""
    return "__Host-umbra_session" if settings.is_https else "umbra_session"


def set_session(response: Response, settings: Settings, token: Secret[str]) -> None:
    """Give the browser a session token, until it is closed; our own limits end the session."""
    response.headers.append("Set-Cookie", f"{session_cookie_name(settings)}={token.reveal()}; {_attributes(settings)}")


def clear_session(response: Response, settings: Settings) -> None:
    """Take the session token from the browser; without the same attributes it would not listen."""
    response.headers.append("Set-Cookie", f"{session_cookie_name(settings)}=; Max-Age=0; {_attributes(settings)}")


def _attributes(settings: Settings) -> str:
    return f"HttpOnly; {'Secure; ' if settings.is_https else ''}SameSite=Lax; Path=/"
