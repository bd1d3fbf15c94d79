"""django-otp's tables: TOTP devices and static tokens. Read in its 1.7.5; older ones lack times only."""

from functools import partial

from umbra.core.secret import Secret
from umbra.core.typed import CODE_DIGITS
from umbra.db.source import Row, Tables, grouped
from umbra.imports import columns
from umbra.imports.asked import Asked
from umbra.imports.record import (
    Authenticator,
    BackupCode,
    CannotCome,
    Found,
    LeftOut,
    Note,
    Why,
    authenticator,
    sifted,
    step,
)
from umbra.totp.algorithm import PERIOD_SECONDS, SKEW_STEPS

TOTP = "otp_totp_totpdevice"
STATIC = "otp_static_staticdevice"
TOKENS = "otp_static_statictoken"
OTHERS = {"otp_hotp_hotpdevice": "counter-based token", "otp_email_emaildevice": "codes by mail"}

_NEVER_USED = -1


def read(tables: Tables, asked: Asked) -> list[Found]:
    """Return what django-otp holds; a token that was used is not there any more.

    Raises:
        Misconfigured: A table is not as django-otp's.
    """
    wanted = ["user_id", "name", "confirmed", "key", "step", "t0", "digits", "drift", "last_t"]
    wanted += [name for name in ("created_at", "last_used_at") if name in tables.columns(TOTP)]
    devices = grouped(tables.rows(TOTP, *wanted), "user_id")
    tokens = _tokens(tables)
    others = _others(tables)
    owners = asked.owners_by(tables, TOTP, "user_id")
    found = []
    for key in devices | others:
        came, left_out = sifted(columns.AUTHENTICATOR, (partial(_authenticator, row) for row in devices.get(key, [])))
        codes = tuple(BackupCode(Secret(token), is_hash=False) for token in tokens.get(key, []))
        left_out += others.get(key, ())
        found.append(owners.found(key, authenticators=came, backup_codes=codes, left_out=left_out))
    return found


def _authenticator(row: Row) -> Authenticator:
    if not columns.is_set(row["confirmed"]):
        raise CannotCome(Why.NOT_CONFIRMED)
    if (row["step"], row["t0"], row["digits"]) != (PERIOD_SECONDS, 0, CODE_DIGITS):
        raise CannotCome(Why.OTHER_PARAMETERS)
    return authenticator(
        columns.hex_secret(columns.text_of(row["key"])),
        name=row["name"],
        created_at=columns.moment(row.get("created_at")),
        last_used_at=columns.moment(row.get("last_used_at")),
        last_step=None if row["last_t"] == _NEVER_USED else step(row["last_t"]),
        notes=(Note.CLOCK_OFF,) if abs(row["drift"]) > SKEW_STEPS else (),
    )


def _tokens(tables: Tables) -> dict[object, list[str]]:
    if not tables.has(TOKENS):
        return {}
    owners = {
        row["id"]: row["user_id"] for row in tables.rows(STATIC, "id", "user_id", "confirmed") if row["confirmed"]
    }
    tokens: dict[object, list[str]] = {}
    for row in tables.rows(TOKENS, "device_id", "token"):
        if row["device_id"] in owners:
            tokens.setdefault(owners[row["device_id"]], []).append(row["token"])
    return tokens


def _others(tables: Tables) -> dict[object, tuple[LeftOut, ...]]:
    """Return the devices of other kinds, by whose they are."""
    others: dict[object, tuple[LeftOut, ...]] = {}
    for table, what in OTHERS.items():
        for row in tables.rows(table, "user_id", "confirmed") if tables.has(table) else ():
            if columns.is_set(row["confirmed"]):
                others[row["user_id"]] = (*others.get(row["user_id"], ()), LeftOut(what, Why.OTHER_METHOD))
    return others
