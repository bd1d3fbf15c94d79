"""A CSV file of otpauth URIs, one to a line: the name to sign in with beside it, or in its label."""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from umbra.core.errors import Misconfigured
from umbra.core.typed import CODE_DIGITS
from umbra.imports import columns
from umbra.imports.record import Authenticator, CannotCome, Found, LeftOut, Why, authenticator, sifted
from umbra.totp.algorithm import PERIOD_SECONDS

SCHEME = "otpauth://"
MIGRATION = "otpauth-migration://"


def read(path: Path) -> list[Found]:
    """Return what the file holds; a first line without a URI is its heading. It says nothing of used codes.

    Raises:
        Misconfigured: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [cells for cells in csv.reader(file) if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"the source cannot be read ({type(error).__name__})") from None
    found = [_found(number, [cell.strip() for cell in cells]) for number, cells in enumerate(lines, start=1)]
    return [one for one in found if one is not None]


def _found(number: int, cells: Sequence[str]) -> Found | None:
    uri = next((cell for cell in cells if cell.lower().startswith((SCHEME, MIGRATION))), None)
    if uri is None and number == 1:
        return None
    login = next((cell for cell in cells if cell and cell != uri), None)
    if uri is None:
        return Found(login or f"line {number}", left_out=(LeftOut(columns.AUTHENTICATOR, Why.MALFORMED),))
    came, left_out = sifted(columns.AUTHENTICATOR, [partial(authenticator_of, uri)])
    return Found(login or _account(uri) or f"line {number}", authenticators=came, left_out=left_out)


def authenticator_of(uri: str) -> Authenticator:
    """Return the authenticator that a URI describes (Google's Key Uri Format).

    Raises:
        CannotCome: It is no otpauth URI, of another kind, or asks for what apps rarely do.
    """
    if uri.lower().startswith(MIGRATION):
        raise CannotCome(Why.OTHER_METHOD)
    try:
        parts = urlsplit(uri)
        given = {name.lower(): values[-1] for name, values in parse_qs(parts.query, max_num_fields=16).items()}
    except ValueError:
        raise CannotCome(Why.MALFORMED) from None
    if parts.netloc.lower() != "totp":
        raise CannotCome(Why.OTHER_METHOD)
    usual = {"algorithm": "SHA1", "digits": str(CODE_DIGITS), "period": str(PERIOD_SECONDS)}
    if any(given.get(name, value).upper().replace("-", "") != value for name, value in usual.items()):
        raise CannotCome(Why.OTHER_PARAMETERS)
    return authenticator(columns.base32_secret(given.get("secret", "")))


def _account(uri: str) -> str:
    """Return the account in a URI's label, without the issuer before it."""
    try:
        label = unquote(urlsplit(uri).path.removeprefix("/"))
    except ValueError:
        return ""
    _, colon, account = label.partition(":")
    return (account if colon else label).strip()
