"""How a secret gets into an app: the ``otpauth://`` address and its QR code. Pure."""

import base64
import io
from urllib.parse import quote

from umbra.core.secret import Secret
from umbra.settings import LABEL_BREAKERS

_LABEL_SAFE = str.maketrans(dict.fromkeys(LABEL_BREAKERS, "_"))


LABEL_MAX_CHARACTERS = 64
"""More of an account's name fits neither an app's line nor, percent-encoded, a QR code."""


def base32(secret: bytes) -> str:
    """Return ``secret`` as people and apps read it: upper case, without padding (20 bytes need none)."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")


def otpauth_uri(secret: bytes, *, issuer: str, account: str) -> Secret[str]:
    """Return the address that apps scan, in the form that all of them read (Google's Key Uri Format).

    Algorithm, digits and period stay at their defaults and unsaid: several apps read only the defaults, and some
    show wrong codes for anything else. Everything is percent-encoded, a space as ``%20``; in the account, the three
    characters at which apps cut a label even when encoded become ``_``.
    """
    prefix = quote(issuer, safe="")
    label = quote(account[:LABEL_MAX_CHARACTERS].translate(_LABEL_SAFE), safe="")
    return Secret(f"otpauth://totp/{prefix}:{label}?secret={base32(secret)}&issuer={prefix}")


def qr_png_data_uri(uri: Secret[str]) -> str:
    """Return the QR code of ``uri`` as a PNG in a ``data:`` address, made here and nowhere else."""
    import segno  # noqa: PLC0415 - who draws no code needs none of it

    picture = io.BytesIO()
    segno.make(uri.reveal(), error="m", micro=False).save(picture, kind="png", scale=6, border=4)
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode("ascii")
