"""What people type, cleaned once, here, at the border.

Everything below this module receives text of a known form and never cleans again: two different cleanings of one
text are how Warehouse's replay guard was passed (TOB-PYPI26-9).
"""

import re
import unicodedata
from datetime import UTC, datetime
from typing import NewType

from umbra.core.errors import InvalidRequest
from umbra.core.secret import Secret

Digits = NewType("Digits", str)
"""Exactly six ASCII digits."""

CODE_DIGITS = 6
USERNAME_MAX_CHARACTERS = 128
NAME_MAX_CHARACTERS = 64
EMAIL_MAX_CHARACTERS = 254
PASSWORD_MAX_BYTES = 1024
"""Hashing is paid per byte by us and chosen by the caller, so the input is capped first (OWASP, Authentication)."""

_DOMAIN = re.compile(r"(?:[A-Za-z0-9._-]|[^\0-\x7f])+|\[(?:IPv6:)?[0-9A-Fa-f.:]+\]")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_IGNORED_IN_CODES = str.maketrans("", "", " -")


def totp_code(text: str) -> Digits:
    """Return the six digits of ``text``, spaces and hyphens left out.

    Raises:
        InvalidRequest: Anything but six ASCII digits is left. Digits of other scripts are not digits here:
            folding them would make 1,771,561 strings equal one code.
    """
    digits = text.translate(_IGNORED_IN_CODES)
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise InvalidRequest(("code", "must be six digits"))
    return Digits(digits)


def username(text: str) -> str:
    """Return ``text`` as an account name: NFC, trimmed, printable.

    Raises:
        InvalidRequest: It is empty, too long, or holds characters that do not print.
    """
    return _line("username", text, USERNAME_MAX_CHARACTERS)


def authenticator_name(text: str) -> str:
    """Return ``text`` as a name for an authenticator: NFC, trimmed, 1 to 64 characters.

    Raises:
        InvalidRequest: It is empty, too long, or holds characters that do not print.
    """
    return _line("name", text, NAME_MAX_CHARACTERS)


def email(text: str) -> str:
    """Return ``text`` as a mail address: something, one ``@``, the name of a host or its address in brackets.

    Only a mail that arrives proves an address, so the form is checked loosely.

    Raises:
        InvalidRequest: It cannot be a mail address.
    """
    address = _line("email", text, EMAIL_MAX_CHARACTERS)
    local, _, domain = address.rpartition("@")
    if not local or not is_domain(domain) or "@" in local or any(character.isspace() for character in address):
        raise InvalidRequest(("email", "must be a mail address"))
    return address


def is_domain(text: str) -> bool:
    """Say whether ``text`` may be what stands behind the ``@`` of a mail address (RFC 5321, section 4.1.3).

    Of ASCII it is what names of hosts have, or an address in brackets. Letters of other scripts are not looked at.
    """
    return _DOMAIN.fullmatch(text) is not None


def search(text: str) -> str:
    """Return ``text`` as the beginning of a name or mail address to look for: NFC, trimmed, printable.

    Raises:
        InvalidRequest: It is empty, longer than any address, or holds characters that do not print.
    """
    return _line("search", text, EMAIL_MAX_CHARACTERS)


def moment(field: str, text: str) -> datetime:
    """Return ``text`` as a moment: a date, or date and time, as ISO 8601 writes them; without a zone it is in UTC.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest((field, "must be a moment, such as 2026-01-31 or 2026-01-31T12:00:00Z")) from None


def password(text: str) -> Secret[str]:
    """Return ``text`` in the form that is hashed: NFC, otherwise exactly as typed (NIST SP 800-63B-4, 3.1.1.2).

    Text over the cap is passed on as it is, so that normalising costs no more than hashing would
    (CVE-2026-3276); whoever hashes refuses it.

    Raises:
        InvalidRequest: It holds NUL or half a surrogate pair, which no face can send again.
    """
    if _NO_TEXT.search(text):
        raise InvalidRequest(("password", "holds characters that are not text"))
    if len(text) > PASSWORD_MAX_BYTES:
        return Secret(text)
    return Secret(unicodedata.normalize("NFC", text))


def is_too_long(password: Secret[str]) -> bool:
    """Say whether ``password`` is over the cap, in bytes of UTF-8."""
    return len(password.reveal().encode("utf-8", "surrogatepass")) > PASSWORD_MAX_BYTES


def folded(name: str) -> str:
    """Return the form under which two names count as the same one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def header(text: str | None, limit: int = 256) -> str | None:
    """Return a header's text fit for a table and a page: printable, cut at ``limit`` characters."""
    if text is None:
        return None
    cut = text[:limit]
    if cut.isprintable():
        return cut
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


def _line(field: str, text: str, limit: int) -> str:
    trimmed = text.strip()
    if len(trimmed) > 4 * limit:  # before normalising, which costs time
        raise InvalidRequest((field, f"must be at most {limit} characters"))
    line = unicodedata.normalize("NFC", trimmed).strip()
    if not line:
        raise InvalidRequest((field, "must not be empty"))
    if len(line) > limit:
        raise InvalidRequest((field, f"must be at most {limit} characters"))
    if not line.isprintable():
        raise InvalidRequest((field, "must hold printable characters only"))
    if len(folded(line)) > 2 * limit:  # one character may fold to eighteen, and an index entry has a size
        raise InvalidRequest((field, f"must be at most {limit} characters"))
    return line
