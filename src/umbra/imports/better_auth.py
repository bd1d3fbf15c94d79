"""better-auth's two-factor table. Read in its 1.7.25: text under XChaCha20-Poly1305, with SHA-256 of its secret."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from umbra.core.errors import Misconfigured
from umbra.core.secret import Secret
from umbra.db.source import Row, Tables
from umbra.imports import columns, xchacha
from umbra.imports.asked import Asked
from umbra.imports.record import Authenticator, BackupCode, CannotCome, Found, LeftOut, Why, authenticator, sifted

LOGINS = ("email",)
_ENVELOPE = "$ba$"
_BASE32 = "base32:"


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what better-auth holds. It keeps no used codes; of backup codes it keeps the unused ones.

    Raises:
        Misconfigured: A table is not as better-auth's, or its secret is not given.
    """
    if not asked.keys:
        raise Misconfigured("what better-auth keeps is encrypted: give BETTER_AUTH_SECRET, with --key-file")
    accounts, table = tables.named("user", "users"), tables.named("twoFactor", "twoFactors")
    if accounts is None or table is None:
        raise Misconfigured("the source has no tables 'user' and 'twoFactor'")
    owners = asked.owners_in(tables, accounts, "id", LOGINS)
    keys = [hashlib.sha256(key.reveal().encode()).digest() for key in asked.keys]
    wanted = ["userId", "secret", "backupCodes"]
    wanted += ["verified"] if "verified" in tables.columns(table) else []
    rows = {row["userId"]: row for row in tables.rows(table, *wanted)}
    return [
        owners.found(user["id"], **_parts(user, rows.get(user["id"]), keys))
        for user in tables.rows(accounts, "id", "twoFactorEnabled")
        if user["id"] in rows or columns.is_set(user["twoFactorEnabled"])
    ]


def _parts(user: Row, row: Row | None, keys: Sequence[bytes]) -> dict[str, Any]:
    if row is None:
        return {"left_out": (LeftOut("codes by mail", Why.OTHER_METHOD),)}
    if not columns.is_set(user["twoFactorEnabled"]) or not columns.is_set(row.get("verified", True)):
        return {"left_out": (LeftOut(columns.AUTHENTICATOR, Why.NOT_CONFIRMED),)}
    came, no_secret = sifted(columns.AUTHENTICATOR, [partial(_authenticator, row["secret"], keys)])
    sets, no_codes = sifted(columns.BACKUP_CODES, [partial(_codes, row["backupCodes"], keys)])
    codes = tuple(code for one in sets for code in one)
    return {"authenticators": came, "backup_codes": codes, "left_out": no_secret + no_codes}


def _authenticator(sealed: Any, keys: Sequence[bytes]) -> Authenticator:
    """Return the authenticator: its key is the text's own bytes, unless it was brought from elsewhere in base32."""
    text = _opened(columns.text_of(sealed), keys)
    if text.startswith(_BASE32):
        return authenticator(columns.base32_secret(text.removeprefix(_BASE32)))
    return authenticator(text.encode())


def _codes(kept: Any, keys: Sequence[bytes]) -> list[BackupCode]:
    text = columns.text_of(kept)
    try:
        found = json.loads(text if text.startswith("[") else _opened(text, keys))
    except ValueError:
        raise CannotCome(Why.MALFORMED) from None
    return [BackupCode(Secret(one), is_hash=False) for one in columns.texts_of(found)]


def _opened(sealed: str, keys: Sequence[bytes]) -> str:
    """Return what a text holds; the tag says which key is the right one, so the envelope's number is not asked."""
    text = sealed.rpartition("$")[2] if sealed.startswith(_ENVELOPE) else sealed
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise CannotCome(Why.MALFORMED) from None
    for key in keys:
        try:
            return xchacha.decrypt(key, octets).decode()
        except (xchacha.NotOpened, UnicodeError):
            continue
    raise CannotCome(Why.UNREADABLE)
