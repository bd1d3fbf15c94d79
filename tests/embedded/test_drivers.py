"""The same journey through each driver that an application may have."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from embedded import hosts
from embedded.hosts import Host, visited
from support.people import API
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.argon import HashingPool
from umbra.testing import CHEAP, Kit

ANN = {"X-Single-Sign-On": "ann"}


def _psycopg(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def _psycopg_async(url: str) -> AsyncEngine:
    return create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def _aiosqlite(url: str) -> AsyncEngine:
    engine = create_async_engine(url.replace("sqlite:///", "sqlite+aiosqlite:///"))
    event.listen(engine.sync_engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    return engine


@pytest.fixture(params=[_psycopg, _psycopg_async, _aiosqlite], ids=lambda make: make.__name__.lstrip("_"))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine | AsyncEngine:
    """An engine of a driver that Umbra's own servers do not use, on an empty database."""
    is_sqlite = request.param is _aiosqlite
    url = f"sqlite:///{tmp_path}/host.db" if is_sqlite else request.getfixturevalue("empty_postgresql_url")
    made: Engine | AsyncEngine = request.param(url)
    return made


@pytest.fixture
async def host(engine: Engine | AsyncEngine, clock: FixedClock) -> AsyncIterator[Host]:
    hashing = HashingPool(CHEAP, threads=2)
    made = hosts.application(engine, "uuid", clock, hashing)
    yield made
    hashing.close()
    await made.umbra.dispose()


async def test_somebody_enrols_and_signs_in_and_a_code_is_good_once(host: Host, browser: httpx.AsyncClient) -> None:
    kit = Kit(host.umbra)
    ann = host.model(id=host.key_of(1), handle="ann", is_blocked=False)
    codes = await kit.enrol(ann)
    tokens = [(await browser.post("/enter", headers=ANN)).json()["mfa_token"] for _ in range(12)]
    code = await kit.code_for(ann)
    answers = await asyncio.gather(*(
        browser.post(f"{API}/totp-verify", json={"mfa_token": token, "code": code}) for token in tokens[:10]
    ))  # fmt: skip
    assert 1 == [answer.status_code for answer in answers].count(200)
    answers = await asyncio.gather(*(
        browser.post(f"{API}/totp-verify", json={"mfa_token": token, "backup_code": codes[0]}) for token in tokens[10:]
    ))  # fmt: skip
    assert [200, 400] == sorted(answer.status_code for answer in answers)
    assert 200 == (await browser.post("/payout")).status_code


async def test_an_application_without_tables_is_told_so_whatever_the_driver_says(host: Host) -> None:
    with pytest.raises(Misconfigured, match="run the migration"):
        async with host.umbra.lifespan(host.app):
            pass
    async with visited(host):
        pass
