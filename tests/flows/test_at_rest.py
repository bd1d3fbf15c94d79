"""What a thief of the database has."""

import base64
import hashlib
from typing import Any

from sqlalchemy import select

from support.people import Person
from umbra.auth import Auth
from umbra.db import migrate


async def dump(auth: Auth) -> str:
    """Return every value of every row of every table, as text."""
    values: list[str] = []
    async with auth.db.read() as tx:
        for table in migrate.metadata().sorted_tables:
            values += [_text(value) for row in await tx.execute(select(table)) for value in row]
    return "\n".join(values).lower()


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def spellings(secret: str) -> set[str]:
    """Return the ways in which a secret might lie about."""
    raw = secret.encode()
    return {
        secret.lower(),
        secret.replace("-", "").lower(),
        raw.hex(),
        base64.b64encode(raw).decode().lower().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().lower().rstrip("="),
        base64.b32encode(raw).decode().lower().rstrip("="),
        hashlib.sha256(raw).hexdigest(),
        hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
        hashlib.md5(raw, usedforsecurity=False).hexdigest(),
    }


async def test_after_a_full_run_of_use_the_database_holds_nothing_usable(enrolled: Person, auth: Auth) -> None:
    bearer = (await enrolled.verify((await enrolled.challenge()), code=enrolled.fresh_code(), delivery="token")).json()
    open_challenge = await enrolled.challenge()
    await enrolled.verify(backup_code=enrolled.backup_codes[0])
    await enrolled.post("/step-up", {"code": enrolled.fresh_code()})
    pending = (await enrolled.post("/totp/setup", {"name": "Tablet"})).json()["secret"]
    await enrolled.post("/login", {"username": "alice", "password": "a wrong password"})
    body = {"password": enrolled.password, "code": enrolled.fresh_code()}
    fresh = (await enrolled.post("/totp/backup-codes/regenerate", body)).json()["backup_codes"]
    unused_code = enrolled.code(1)

    dumped = await dump(auth)

    secrets = [enrolled.password, "a wrong password", bearer["token"], open_challenge, unused_code]
    secrets += [enrolled.client.cookies["umbra_session"], *enrolled.backup_codes, *fresh]
    for seed in (enrolled.secret, pending):
        raw = base64.b32decode(seed)
        secrets += [seed, base64.b64encode(raw).decode(), raw.hex(), raw.decode("latin-1")]
    for secret in secrets:
        found = {spelling for spelling in spellings(secret) if spelling in dumped}
        assert set() == found


async def test_hashes_are_argon2id_each_with_its_own_salt(enrolled: Person, auth: Auth) -> None:
    async with auth.db.read() as tx:
        tables = migrate.metadata().tables
        hashes = [text for (text,) in await tx.execute(select(tables["backup_codes"].c.code_hash))]
        hashes += [text for (text,) in await tx.execute(select(tables["users"].c.password_hash))]
    assert all(one.startswith("$argon2id$v=19$m=") for one in hashes)
    assert 11 == len({one.split("$")[4] for one in hashes})
