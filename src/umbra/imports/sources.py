"""Where accounts may come from, and how each is read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from umbra.auth import Auth
from umbra.core.errors import Misconfigured
from umbra.db import source
from umbra.db.source import Tables
from umbra.imports import allauth, base32, better_auth, django_otp, otpauth_csv, seed
from umbra.imports.asked import Asked
from umbra.imports.record import Found

OTPAUTH_CSV = "otpauth-csv"

DATABASES: dict[str, Callable[[Tables, Asked], list[Found]]] = {
    "base32": base32.read,
    "seed": seed.read,
    "django-otp": django_otp.read,
    "allauth": allauth.read,
    "better-auth": better_auth.read,
}


async def read(auth: Auth, kind: str, address: str | None, asked: Asked) -> list[Found]:
    """Return what the source holds: a database, a file, or, without an address, the host's own database.

    Raises:
        Misconfigured: It cannot be read, or is not what it should be.
    """
    if kind == OTPAUTH_CSV:
        if address is None:
            raise Misconfigured("name the file, with --source")
        return otpauth_csv.read(Path(address))
    if address is not None:
        return await source.read(address, lambda tables: DATABASES[kind](tables, asked))
    if auth.db.shape.owns_accounts:
        raise Misconfigured("name the source's database, with --source or UMBRA_IMPORT_URL")
    beside = replace(asked, accounts=auth.db.shape.accounts_table)
    return await auth.db.migrating(lambda connection: DATABASES[kind](Tables(connection), beside))
