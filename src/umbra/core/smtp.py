"""What the address of a mail server says, and that of a sender. Pure."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from umbra.core.secret import Secret

Security = Literal["none", "starttls", "tls"]

SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
"""How a server is spoken to, and at which port where none is named (RFC 5321; RFC 6409; RFC 8314)."""

_SENDER = re.compile(r'(?:"?(?P<name>[^"<>]*?)"?\s*<)?(?P<local>[!-;=?A-~]+)@(?P<domain>[a-zA-Z0-9.-]+)>?')


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the mail server."""

    username: str
    password: Secret[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in."""

    host: str
    port: int
    security: Security
    login: Login | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom mail comes from; without a name, from the service."""

    name: str
    local: str
    domain: str


def parse_server(url: str) -> SmtpServer:
    """Return the server at ``url``: scheme, host, and perhaps a port, a user and a password.

    Raises:
        ValueError: It is no such address; the text does not repeat it.
    """
    parts = _split(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("must be smtp://…, smtp+starttls://… or smtps://… with a host")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must hold user, password, host and port only")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("must hold a user and a password, or neither")
    security, usual_port = SCHEMES[parts.scheme]
    return SmtpServer(parts.hostname, parts.port or usual_port, security, _login(parts))


def parse_sender(text: str) -> Sender:
    """Return the sender that ``text`` names, as ``login@example.com`` or ``Name <login@example.com>``.

    Raises:
        ValueError: It names none; the text does not repeat it.
    """
    found = _SENDER.fullmatch(text.strip())
    if found is None or not text.isprintable() or (">" in text) != ("<" in text):
        raise ValueError("must be an address, or a name and an address in angle brackets")
    return Sender((found["name"] or "").strip(), found["local"], found["domain"])


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("has no valid host or port") from None  # what the library says holds a part of it
    return parts


def _login(parts: SplitResult) -> Login | None:
    if not parts.username or not parts.password:
        return None
    return Login(unquote(parts.username), Secret(unquote(parts.password)))
