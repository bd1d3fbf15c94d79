"""Another process on the same database, which remembers nothing of the first one."""

import gc
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from support.people import BASE_URL, Person
from umbra import app
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db.opening import open_database


@pytest.fixture
async def after(auth: Auth, database_url: str, enrolled: Person, clock: FixedClock) -> AsyncIterator[Person]:
    """Alice, in front of a server that has just been started."""
    database = open_database(database_url)
    transport = httpx.ASGITransport(app=application(replace(auth, db=database)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield Person("alice", client, clock, secret=enrolled.secret, backup_codes=enrolled.backup_codes)
    await database.close()


async def test_what_was_used_stays_used_after_a_restart(enrolled: Person, after: Person) -> None:
    code, backup_code = enrolled.fresh_code(), enrolled.backup_codes[0]
    token = await enrolled.challenge()
    assert 200 == (await enrolled.verify(token, code=code)).status_code
    assert 200 == (await enrolled.verify(backup_code=backup_code)).status_code

    assert "code_refused" == (await after.verify(code=code)).json()["reason"]
    assert "code_refused" == (await after.verify(backup_code=backup_code)).json()["reason"]
    assert "challenge_refused" == (await after.verify(token)).json()["reason"]
    assert 200 == (await after.verify()).status_code


async def test_a_wait_goes_on_after_a_restart(enrolled: Person, after: Person) -> None:
    for _ in range(5):
        assert "code_refused" == (await enrolled.verify(code=enrolled.wrong_code())).json()["reason"]

    waiting = await after.verify(code=after.code())

    assert (429, 30) == (waiting.status_code, waiting.json()["retry_after"])


async def test_what_start_up_has_made_is_not_looked_over_for_garbage(auth: Auth) -> None:
    service = FastAPI()
    service.state.umbra, service.state.umbra_metrics = auth, None
    before = gc.get_freeze_count()
    gc.disable()  # as the command does
    try:
        async with app._lifespan(service):
            assert gc.get_freeze_count() > before
            assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # what was frozen when tests had been collected
