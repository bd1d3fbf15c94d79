"""Keys, hashing and a database that come and go while people sign in."""

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import replace

import argon2
import httpx
import pytest
from sqlalchemy import select

from support.people import BASE_URL, Person
from umbra import upkeep
from umbra.app import application
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.core.errors import Misconfigured
from umbra.crypto.argon import QUEUE_PER_THREAD, HashingPool
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import state
from umbra.db.opening import open_database
from umbra.totp import store as totp
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


def interrupt(_rows: int) -> None:
    raise Interrupted


async def test_an_interrupted_rotation_is_taken_up_and_ends_with_the_canary(
    auth: Auth, enrolled: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ROTATION_BATCH_ROWS", 1)
    await enrolled.enrol("Tablet")
    await enrolled.enrol("Laptop")
    old, new = auth.keyring, new_key().reveal()
    both = replace(auth, keyring=_with(old, new))
    old_id, new_id = both.keyring.key_ids[1], both.keyring.key_ids[0]

    with pytest.raises(Interrupted):
        await upkeep.rotate(both, interrupt)
    assert {new_id: 1, old_id: 2} == (await upkeep.key_use(both)).rows
    with pytest.raises(Misconfigured):
        await upkeep.check_canary(replace(auth, keyring=Keyring.of(new)))  # too early to retire the old key

    batches: list[int] = []
    assert 2 == (await upkeep.rotate(both, batches.append)).resealed
    assert [1, 1, 1] == batches
    assert {new_id: 3, old_id: 0} == (await upkeep.key_use(both)).rows
    only_new = replace(auth, keyring=Keyring.of(new))
    await upkeep.check_canary(only_new)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(only_new)), base_url=BASE_URL) as client:
        person = Person("alice", client, enrolled.clock, secret=enrolled.secret)
        assert 200 == (await person.verify()).status_code


def _with(keyring: Keyring, newest: str) -> Keyring:
    return Keyring(lambda: [newest, *keyring._read()])


async def test_rotation_changes_no_row_that_changed_meanwhile(auth: Auth, enrolled: Person) -> None:
    both = replace(auth, keyring=_with(auth.keyring, new_key().reveal()))
    async with auth.db.begin() as tx:
        (row,) = await totp.sealed_after(tx, 0, 10)
        assert await totp.reseal(tx, row, both.keyring.seal(b"x"))
        assert not await totp.reseal(tx, row, both.keyring.seal(b"y"))


async def test_a_database_with_secrets_and_no_canary_is_not_taken_over_by_a_new_key(
    auth: Auth, enrolled: Person
) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.CANARY)
    with pytest.raises(Misconfigured, match="UMBRA_ENCRYPTION_KEYS"):
        await upkeep.check_canary(auth)


async def test_a_hash_of_an_old_profile_is_renewed_by_signing_in(auth: Auth, alice: Person) -> None:
    async def hashed() -> str:
        async with auth.db.read() as tx:
            return (await tx.execute(select(USERS.c.password_hash))).scalar_one()

    before = await hashed()
    stronger = replace(auth, hashing=HashingPool(_stronger(), threads=1))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(stronger)), base_url=BASE_URL) as client:
        person = Person("alice", client, alice.clock)
        await person.sign_in()
        renewed = await hashed()
        await person.sign_in()
        new = {"current_password": person.password, "new_password": "another horse battery staple 7"}
        assert 204 == (await person.post("/password", new)).status_code
    assert ("m=8,t=1" in before, "m=16,t=1" in renewed) == (True, True)
    stronger.hashing.close()


def _stronger() -> argon2.Parameters:
    return argon2.Parameters(
        type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=16, parallelism=1
    )


async def test_a_full_pool_refuses_passwords_at_once_charges_nothing_and_leaves_sessions_alone(
    auth: Auth, enrolled: Person
) -> None:
    token = await enrolled.challenge()
    gate = threading.Event()
    async with AsyncExitStack() as holders:
        slots = [await holders.enter_async_context(auth.hashing.slot()) for _ in range(2 * (1 + QUEUE_PER_THREAD))]
        running = [asyncio.ensure_future(slot.run(gate.wait)) for slot in slots]
        try:
            for answer in (
                await enrolled.login(),
                await enrolled.post("/login", {"username": "nobody", "password": "wrong"}),
                await enrolled.verify(token, backup_code=enrolled.backup_codes[0]),
                await enrolled.post("/totp/disable", {"password": enrolled.password, "code": enrolled.fresh_code()}),
            ):
                assert (503, "busy", "1") == (
                    answer.status_code, answer.json()["reason"], answer.headers["Retry-After"],
                )  # fmt: skip
            assert 200 == (await enrolled.get("/session")).status_code
            assert 200 == (await enrolled.verify(token, code=enrolled.fresh_code())).status_code
        finally:
            gate.set()
            await asyncio.gather(*running)
    async with auth.db.read() as tx:
        charged = await tx.execute(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.failures > 0))
    assert [] == charged.all()
    assert 200 == (await enrolled.verify()).status_code


async def test_without_a_database_everything_is_unavailable_and_the_process_lives(auth: Auth) -> None:
    gone = replace(auth, db=open_database("postgresql://umbra@127.0.0.1:1/nothing"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(gone)), base_url=BASE_URL) as client:
        answer = await client.post("/api/auth/login", json={"username": "alice", "password": "x"})
        assert (503, "unavailable") == (answer.status_code, answer.json()["reason"])
        bearer = {"Authorization": "Bearer ums_" + "A" * 43}
        assert 503 == (await client.get("/api/auth/session", headers=bearer)).status_code
        assert (503, 200) == ((await client.get("/readyz")).status_code, (await client.get("/healthz")).status_code)
    await gone.db.close()


async def test_a_secret_is_sealed_for_its_row_and_under_the_newest_key(auth: Auth, enrolled: Person) -> None:
    async with auth.db.read() as tx:
        sealed = (await tx.execute(select(AUTHENTICATORS.c.secret))).scalar_one()
    assert sealed.startswith("gAAAAA")
    assert auth.keyring.key_ids[0] == auth.keyring.open(sealed)[1]
