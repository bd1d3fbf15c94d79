"""What a thief of the database has."""

import base64
import hashlib
from functools import partial
from typing import Any

import httpx
from sqlalchemy import select

from support.mail import PostOffice, free_port, mailed_code, mailing
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db import migrate
from umbra.mail import flows


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


async def test_no_mail_and_nothing_that_waits_to_be_one_holds_anything_usable(auth: Auth, clock: FixedClock) -> None:
    office = PostOffice(free_port())
    told = mailing(auth, office)
    transport = httpx.ASGITransport(app=application(told))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        alice = Person("alice", client, clock, email="alice@example.com", mailed_code=partial(mailed_code, told))
        await alice.register()
        await alice.sign_in()
        await alice.enrol()
        used = alice.fresh_code()
        opened = await alice.challenge()
        secrets = [alice.password, alice.secret, opened, used, *alice.backup_codes]
        for proof in ({"code": used}, {"code": used}, {"backup_code": alice.backup_codes[0]}):
            secrets += client.cookies.values()
            client.cookies.clear()
            await alice.verify(**proof)
        body = {"password": alice.password, "code": alice.fresh_code()}
        fresh = (await alice.post("/totp/backup-codes/regenerate", body)).json()["backup_codes"]
        new = {"current_password": alice.password, "new_password": "another horse battery staple 7"}
        await alice.post("/password", new | {"code": alice.fresh_code()})
        secrets += [*client.cookies.values(), *fresh, body["code"], new["new_password"]]
        await alice.post("/email/proof")
        mailed = await mailed_code(told)
        dumped = await dump(told)
        with office.is_open():
            await flows.send_due(told)
    kinds = {one.kind for one in await flows.queue(told, 100)}
    assert {"code_replayed", "new_browser", "backup_code_used", "backup_codes_made", "password_changed"} <= kinds
    mails = "\n".join(part for one in office.deliveries for part in (one.text(), one.html(), str(one.message)))
    for secret in secrets:
        assert set() == {spelling for spelling in spellings(secret) if spelling in mails.lower()}
    assert mailed in mails
    secrets += [mailed, mailed.replace("-", "")]
    unusable = {used, body["code"]}  # the ledger keeps spent digits, which open nothing
    for secret in set(secrets) - unusable:
        assert set() == {spelling for spelling in spellings(secret) if spelling in dumped}


async def test_hashes_are_argon2id_each_with_its_own_salt(enrolled: Person, auth: Auth) -> None:
    async with auth.db.read() as tx:
        tables = migrate.metadata().tables
        hashes = [text for (text,) in await tx.execute(select(tables["backup_codes"].c.code_hash))]
        hashes += [text for (text,) in await tx.execute(select(tables["users"].c.password_hash))]
    assert all(one.startswith("$argon2id$v=19$m=") for one in hashes)
    assert 11 == len({one.split("$")[4] for one in hashes})
