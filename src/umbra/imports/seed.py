"""The seed's tables at its revision 024: ``users``, ``totp_usage``, ``backup_codes``."""

import re
from functools import partial
from typing import Any

from cryptography.fernet import Fernet

from umbra.core.errors import InvalidRequest, Misconfigured
from umbra.core.secret import Secret
from umbra.core.typed import totp_code
from umbra.db.source import Row, Tables, grouped
from umbra.imports import columns
from umbra.imports.asked import Asked
from umbra.imports.record import (
    Authenticator,
    BackupCode,
    CannotCome,
    Found,
    LeftOut,
    UsedCode,
    Why,
    authenticator,
    sifted,
    step,
)

HASH_MAX_CHARACTERS = 255
MOST_MEMORY_KIB = 2**18
MOST_PASSES = 16
"""A hash that costs more than 256 MiB, or that many passes, was not made to be looked at in a sign-in."""

_ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$v=\d+\$m=(\d{1,8}),t=(\d{1,4}),p=\d{1,3}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what the seed holds: secrets under Fernet, used codes, and hashes of backup codes.

    Raises:
        Misconfigured: A table is not as the seed's, or no key is given.
    """
    if not asked.keys:
        raise Misconfigured("the seed's secrets are encrypted: give its Fernet key, with --key-file")
    fernets = columns.fernets(asked.keys)
    owners = asked.owners_in(tables, "users", "id")
    usage = grouped(tables.rows("totp_usage", "user_id", "code", "window", "used_at"), "user_id")
    codes = grouped(tables.rows("backup_codes", "user_id", "code_hash", "used_at", "created_at"), "user_id")
    return [
        owners.found(user["id"], **_parts(user, usage.get(user["id"], []), codes.get(user["id"], []), fernets))
        for user in tables.rows("users", "id", "totp_secret", "totp_enabled")
        if user["totp_secret"] or columns.is_set(user["totp_enabled"])
    ]


def _parts(user: Row, usage: list[Row], codes: list[Row], fernets: list[Fernet]) -> dict[str, Any]:
    if not columns.is_set(user["totp_enabled"]):
        return {"left_out": (LeftOut(columns.AUTHENTICATOR, Why.NOT_CONFIRMED),)}
    if not user["totp_secret"]:
        return {"left_out": (LeftOut(columns.AUTHENTICATOR, Why.NO_SECRET),)}
    used, no_codes = sifted("used code", (partial(_used_code, row) for row in usage))
    came, no_secret = sifted(columns.AUTHENTICATOR, [partial(_authenticator, user["totp_secret"], used, fernets)])
    backup_codes, no_hashes = sifted(columns.BACKUP_CODE, (partial(_backup_code, row) for row in codes))
    left_out = no_secret + no_codes + no_hashes
    return {"authenticators": came, "backup_codes": backup_codes, "used_codes": used, "left_out": left_out}


def _authenticator(token: object, used: tuple[UsedCode, ...], fernets: list[Fernet]) -> Authenticator:
    newest = max(used, key=lambda one: one.step, default=None)
    return authenticator(
        columns.base32_secret(columns.opened(columns.text_of(token), fernets)),
        last_step=newest.step if newest else None,
        last_used_at=newest.used_at if newest else None,
    )


def _used_code(row: Row) -> UsedCode:
    try:
        code = totp_code(columns.text_of(row["code"]))
    except InvalidRequest:
        raise CannotCome(Why.MALFORMED) from None
    return UsedCode(step(row["window"]), columns.moment(row["used_at"]), code)


def _backup_code(row: Row) -> BackupCode:
    text = columns.text_of(row["code_hash"])
    costs = _ARGON2.fullmatch(text)
    if costs is None or len(text) > HASH_MAX_CHARACTERS:
        raise CannotCome(Why.OTHER_HASH)
    if int(costs[1]) > MOST_MEMORY_KIB or int(costs[2]) > MOST_PASSES:
        raise CannotCome(Why.OTHER_HASH)
    return BackupCode(
        Secret(text),
        is_hash=True,
        used_at=columns.moment(row["used_at"]),
        created_at=columns.moment(row["created_at"]),
    )
