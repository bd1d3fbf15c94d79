"""A PostgreSQL that crashes, and what it still knows of guesses: all those whose answer somebody has heard.

One of its processes is killed, after which the server throws its memory away and begins again with what is on the
disk. Its own process that writes the log to the disk now and then sleeps, so that nothing gets there by itself.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Awaitable, Callable, Iterator

import asyncpg
import httpx
import pytest
from sqlalchemy import select

from support import postgres
from support.people import Person
from umbra.attempts import store as attempts
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db import migrate
from umbra.db.opening import open_database

TRIES = 3
"""The server's writer wakes up every ten seconds, which may be the moment."""

_GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


@pytest.fixture(scope="module")
def durable() -> Iterator[str]:
    """A PostgreSQL that waits for the disk where it is to, and nowhere else."""
    with postgres.running(postgres.DURABLE | {"wal_writer_delay": "10s", "autovacuum": "off"}) as address:
        yield address


@pytest.fixture
async def database_url(durable: str) -> str:
    """A database there."""
    name = f"umbra_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(f"{durable}/postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    database = open_database(f"{durable}/{name}")
    await migrate.upgrade(database)
    await database.close()
    return f"{durable}/{name}"


async def crash(url: str) -> None:
    """Kill a process of the server's, and wait until the others have ended as well and it is back."""
    victim, witness = await asyncpg.connect(url), await asyncpg.connect(url)
    os.kill(victim.get_server_pid(), signal.SIGKILL)
    async with asyncio.timeout(30):
        with contextlib.suppress(*_GONE):
            await witness.execute("SELECT pg_sleep(30)")
        while True:
            with contextlib.suppress(*_GONE):
                await (await asyncpg.connect(url)).close()
                return
            await asyncio.sleep(0.05)


async def counts(auth: Auth) -> dict[str, int]:
    """Return how many failures in a row each budget has."""
    async with auth.db.read() as tx:
        rows = await tx.execute(select(ATTEMPTS.c.budget, ATTEMPTS.c.failures))
    return {row.budget: row.failures for row in rows}


async def wrong_password(person: Person) -> httpx.Response:
    return await person.login(password="a wrong password of some length")


async def nobodys_password(person: Person) -> httpx.Response:
    return await person.login(username="nobody")


async def wrong_code(person: Person) -> httpx.Response:
    return await person.verify(await person.challenge(), code=person.wrong_code())


async def wrong_proof(person: Person) -> httpx.Response:
    return await person.post("/step-up", {"code": person.wrong_code()})


@pytest.mark.parametrize("guess", [wrong_password, nobodys_password, wrong_code, wrong_proof])
async def test_a_guess_that_was_answered_stays_charged_when_the_database_crashes(
    guess: Callable[[Person], Awaitable[httpx.Response]], enrolled: Person, auth: Auth, database_url: str
) -> None:
    assert (await guess(enrolled)).status_code in {400, 401}
    before = await counts(auth)

    await crash(database_url)

    assert 1 == sum(before.values())
    assert before == await counts(auth)


async def test_who_was_signed_in_stays_so_when_the_database_crashes(alice: Person, database_url: str) -> None:
    assert (await alice.login()).is_success

    await crash(database_url)

    assert (await alice.get("/session")).is_success


async def test_a_code_that_was_accepted_stays_used_when_the_database_crashes(
    enrolled: Person, database_url: str
) -> None:
    code = enrolled.fresh_code()
    assert (await enrolled.verify(code=code)).is_success

    await crash(database_url)

    assert (await enrolled.get("/session")).is_success
    assert "code_refused" == (await enrolled.verify(code=code)).json()["reason"]


async def test_a_charge_alone_does_not_wait_for_the_disk(auth: Auth, clock: FixedClock, database_url: str) -> None:
    for _ in range(TRIES):
        async with auth.db.unflushed() as tx:
            await attempts.charge(tx, attempts.reset_budget("192.0.2.1"), clock.now())
        assert 1 == sum((await counts(auth)).values())

        await crash(database_url)

        if not await counts(auth):
            return
    pytest.fail("it was on the disk each time")
