"""django-allauth's table of authenticators: TOTP secrets and seeds of recovery codes. Read in its 65.21.1.

Its settings are not in the database; what is read here was made with the defaults, ``MFA_TOTP_DIGITS`` 6,
``MFA_TOTP_PERIOD`` 30, ``MFA_RECOVERY_CODE_COUNT`` 10 and ``MFA_RECOVERY_CODE_DIGITS`` 8.
"""

import hmac
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha1
from typing import Any

from cryptography.fernet import Fernet

from umbra.core.secret import Secret
from umbra.db.source import Row, Tables, grouped
from umbra.imports import columns
from umbra.imports.asked import Asked
from umbra.imports.record import Authenticator, BackupCode, CannotCome, Found, LeftOut, Why, authenticator, sifted
from umbra.totp.algorithm import SKEW_STEPS, step_at

TABLE = "mfa_authenticator"
CODES = 10
CODE_DIGITS = 8
_CODE_BYTES = CODE_DIGITS // 2


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what allauth holds. Of used codes it keeps the time only, so that moment's codes are taken for used.

    Raises:
        Misconfigured: The table is not as allauth's.
    """
    fernets = columns.fernets(asked.keys)
    rows = grouped(tables.rows(TABLE, "user_id", "type", "data", "created_at", "last_used_at"), "user_id")
    owners = asked.owners_by(tables, TABLE, "user_id")
    return [owners.found(key, **_parts(mine, fernets)) for key, mine in rows.items()]


def _parts(rows: list[Row], fernets: list[Fernet]) -> dict[str, Any]:
    kinds = grouped(rows, "type")
    came, no_secret = sifted(
        columns.AUTHENTICATOR, (partial(_authenticator, row, fernets) for row in kinds.pop("totp", []))
    )
    sets, no_codes = sifted(
        columns.BACKUP_CODES, (partial(_codes, row, fernets) for row in kinds.pop("recovery_codes", []))
    )
    others = tuple(LeftOut(str(kind), Why.OTHER_METHOD) for kind, found in kinds.items() for _ in found)
    codes = tuple(code for one in sets for code in one)
    return {"authenticators": came, "backup_codes": codes, "left_out": no_secret + no_codes + others}


def _authenticator(row: Row, fernets: list[Fernet]) -> Authenticator:
    used_at = columns.moment(row["last_used_at"])
    return authenticator(
        columns.base32_secret(columns.opened(columns.text_of(columns.object_of(row["data"]).get("secret")), fernets)),
        created_at=columns.moment(row["created_at"]),
        last_used_at=used_at,
        last_step=_latest_used(used_at),
    )


def _latest_used(used_at: datetime | None) -> int | None:
    """Return the latest step that a code used at a moment can have matched."""
    return None if used_at is None else step_at(used_at) + SKEW_STEPS


def _codes(row: Row, fernets: list[Fernet]) -> list[BackupCode]:
    data = columns.object_of(row["data"])
    created_at = columns.moment(row["created_at"])
    make: Callable[[str], Secret[str]] = Secret
    if "migrated_codes" in data:
        texts = [columns.opened(one, fernets) for one in columns.texts_of(data["migrated_codes"])]
        return [BackupCode(make(text), is_hash=False, created_at=created_at) for text in texts]
    mask = data.get("used_mask")
    if not isinstance(mask, int) or not 0 <= mask < 1 << CODES:  # a bit beyond: there are more than the usual ten
        raise CannotCome(Why.OTHER_PARAMETERS)
    texts = recovery_codes(columns.opened(columns.text_of(data.get("seed")), fernets))
    used_at = columns.moment(row["last_used_at"]) or created_at
    return [
        BackupCode(make(text), is_hash=False, used_at=used_at if mask & 1 << place else None, created_at=created_at)
        for place, text in enumerate(texts)
    ]


def recovery_codes(seed: str) -> list[str]:
    """Return the codes that allauth derives from a seed, used ones too."""
    digest = hmac.new(seed.encode("ascii"), digestmod=sha1)
    codes = []
    for number in range(CODES):
        digest.update(f"{number:3},".encode())
        value = int.from_bytes(digest.digest()[:_CODE_BYTES], "big") % 10**CODE_DIGITS
        codes.append(f"{value:0{CODE_DIGITS}}")
    return codes
