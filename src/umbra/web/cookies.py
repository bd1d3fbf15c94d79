"""Our two cookies (draft-ietf-httpbis-rfc6265bis, 4.1.3.2, for the prefix)."""

from starlette.responses import Response

from umbra.browsers.store import KNOWN_FOR
from umbra.core.secret import Secret
from umbra.settings import Settings


def session_cookie_name(settings: Settings) -> str:
    """Return the cookie's name: browsers keep the ``__Host-`` prefix only over https."""
    return _name("umbra_session", settings)


def browser_cookie_name(settings: Settings) -> str:
    """Return the name of the cookie by which a browser is recognised; it opens nothing."""
    return _name("umbra_browser", settings)


def set_session(response: Response, settings: Settings, token: Secret[str]) -> None:
    """Give the browser a session token, until it is closed; our own limits end the session."""
    response.headers.append("Set-Cookie", f"{session_cookie_name(settings)}={token.reveal()}; {_attributes(settings)}")


def set_browser(response: Response, settings: Settings, token: Secret[str] | None) -> None:
    """Give the browser what it is recognised by at later sign-ins, if it has been given nothing yet."""
    if token is not None:
        age = int(KNOWN_FOR.total_seconds())
        cookie = f"{browser_cookie_name(settings)}={token.reveal()}; Max-Age={age}; {_attributes(settings)}"
        response.headers.append("Set-Cookie", cookie)


def clear_session(response: Response, settings: Settings) -> None:
    """Take the session token from the browser; without the same attributes it would not listen."""
    response.headers.append("Set-Cookie", f"{session_cookie_name(settings)}=; Max-Age=0; {_attributes(settings)}")


def _name(name: str, settings: Settings) -> str:
    return f"__Host-{name}" if settings.is_https else name


def _attributes(settings: Settings) -> str:
    return f"HttpOnly; {'Secure; ' if settings.is_https else ''}SameSite=Lax; Path=/"
