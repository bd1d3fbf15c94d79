"""What stands in other applications' columns, as what it means. Pure."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from umbra.core.errors import Misconfigured
from umbra.core.secret import Secret
from umbra.imports.record import CannotCome, Why

AUTHENTICATOR = "authenticator"
BACKUP_CODE = "backup code"
BACKUP_CODES = "backup codes"

_SPACING = str.maketrans("", "", " -=\t\r\n")


def base32_secret(text: str) -> bytes:
    """Return the bytes of a secret in base32, in any case and grouping, padded or not.

    Raises:
        CannotCome: It is no base32.
    """
    plain = text.translate(_SPACING).upper()
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError):
        raise CannotCome(Why.MALFORMED) from None


def hex_secret(text: str) -> bytes:
    """Return the bytes of a secret in hexadecimal digits.

    Raises:
        CannotCome: They are none.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise CannotCome(Why.MALFORMED) from None


def fernets(keys: Sequence[Secret[str]]) -> list[Fernet]:
    """Return what opens the source's Fernet tokens.

    Raises:
        Misconfigured: A key is no Fernet key.
    """
    try:
        return [Fernet(key.reveal()) for key in keys]
    except ValueError:
        raise Misconfigured("a key of the source is not a Fernet key (44 characters of URL-safe base64)") from None


def opened(text: str, by: Sequence[Fernet]) -> str:
    """Return what a Fernet token holds; without keys a text is what it is.

    Raises:
        CannotCome: None of the keys opens it.
    """
    if not by:
        return text
    for fernet in by:
        try:
            return fernet.decrypt(text).decode("ascii")
        except (InvalidToken, ValueError):  # what is not of ASCII, before and after
            continue
    raise CannotCome(Why.UNREADABLE)


def text_of(value: Any) -> str:
    """Return text, which a column of bytes may hold too.

    Raises:
        CannotCome: It is none.
    """
    if isinstance(value, (bytes, memoryview)):
        try:
            return bytes(value).decode("ascii")
        except UnicodeError:
            raise CannotCome(Why.MALFORMED) from None
    if not isinstance(value, str):
        raise CannotCome(Why.MALFORMED)
    return value


def object_of(value: Any) -> dict[str, Any]:
    """Return the object that a JSON column holds, whether the driver has read it or not.

    Raises:
        CannotCome: It is none.
    """
    try:
        found = json.loads(value) if isinstance(value, (str, bytes)) else value
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CannotCome(Why.MALFORMED)
    return found


def texts_of(value: Any) -> list[str]:
    """Return the texts of a list that was JSON.

    Raises:
        CannotCome: It is none.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise CannotCome(Why.MALFORMED)
    return value


def moment(value: Any) -> datetime | None:
    """Return a moment in UTC; what is without a zone is taken for UTC, and what is no moment for none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(found, datetime):
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:  # the first or last hours that there are, in another zone
        return None


def is_set(value: Any) -> bool:
    """Say whether a column that should hold a boolean says yes; some databases have none, and some ORMs write text."""
    return value not in (None, False, 0, "", "0", "f", "false", "False")
