"""Into an application that has Umbra in it, from its own tables or another database, with every kind of key."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pyotp
import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from embedded import hosts
from embedded.hosts import Host
from imports import old
from support.people import API, PERIOD
from umbra.core.clock import FixedClock
from umbra.crypto.argon import HashingPool
from umbra.imports import flows, sources
from umbra.imports.flows import Import, Report
from umbra.imports.record import Why
from umbra.testing import CHEAP


@pytest.fixture(params=[("sqlite", "uuid"), ("postgresql", "uuid"), ("postgresql", "text"), ("sqlite", "integer")])
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The address of an empty database, and a kind of key."""
    database, key = request.param
    is_sqlite = database == "sqlite"
    return f"sqlite:///{tmp_path}/host.db" if is_sqlite else request.getfixturevalue("empty_postgresql_url"), key


@pytest.fixture
async def host(shape: tuple[str, str], clock: FixedClock) -> AsyncIterator[Host]:
    """An application with accounts of its own."""
    url, key = shape
    engine = hosts.engine_of(url)
    hashing = HashingPool(CHEAP, threads=2)
    yield hosts.application(engine, key, clock, hashing, prefix="umbra_")
    hashing.close()
    if isinstance(engine, AsyncEngine):
        await engine.dispose()
    else:
        engine.dispose()


async def bring(host: Host, kind: str, address: str | None, **names: str) -> Report:
    auth = host.umbra.auth
    found = await sources.read(auth, kind, address, old.asked(**names))
    return await flows.bring(auth, Import(kind), found)


async def enter(browser: httpx.AsyncClient, handle: str, code: str) -> int:
    entered = await browser.post("/enter", headers={"X-Single-Sign-On": handle})
    assert "mfa_required" == entered.json()["status"], entered.text
    body = {"mfa_token": entered.json()["mfa_token"], "code": code}
    return (await browser.post(f"{API}/totp-verify", json=body)).status_code


async def test_a_table_beside_the_hosts_accounts_comes_by_their_keys(host: Host, clock: FixedClock) -> None:
    secret = pyotp.random_base32()
    key = host.model.__table__.c.id
    apps = Table("apps", host.base.metadata, Column("user_id", key.type, primary_key=True), Column("otp", Text()))
    apps.append_constraint(old.foreign_key("user_id", key))
    async with hosts.visited(host) as browser:
        for number, handle in enumerate(("Ann", "bob"), start=1):
            await host.add(number, handle)
        rows = [{"user_id": host.key_of(1), "otp": secret}, {"user_id": host.key_of(2), "otp": "short"}]
        await host.run(lambda connection: connection.execute(insert(apps).values(rows)))

        report = await bring(host, "base32", None, table="apps", secret_column="otp", login_column="handle")

        assert [("Ann", 1)] == [(one.account, one.authenticators) for one in report.moved]
        assert [("bob", Why.TOO_SHORT)] == [(one.account, one.why) for one in report.left]
        code = pyotp.TOTP(secret).at(clock.now())
        assert [200, 400] == [await enter(browser, "Ann", code), await enter(browser, "Ann", code)]
        (event,) = [one for one in host.events if one.event == "authenticators_imported"]
        assert host.key_of(1) == event.user_id
        again = await bring(host, "base32", None, table="apps", secret_column="otp", login_column="handle")
        assert [Why.ALREADY_ENABLED] == [one.why for one in again.left if one.account == "Ann"]
        await host.run(apps.drop)


async def test_the_hosts_own_reference_says_whose_a_secret_is_and_no_other_number(
    host: Host, clock: FixedClock
) -> None:
    secret = pyotp.random_base32()
    key = host.model.__table__.c.id
    apps = Table("apps", host.base.metadata, *old.columns_beside(key))
    async with hosts.visited(host) as browser:
        for number, handle in enumerate(("ann", "bob"), start=1):
            await host.add(number, handle)
        row = {"id": 1, "user_id": host.key_of(2), "email": "ann", "otp": secret}
        await host.run(lambda connection: connection.execute(insert(apps).values(row)))
        report = await bring(host, "base32", None, table="apps", secret_column="otp", login_column="handle")
        assert ["bob"] == [one.account for one in report.moved]
        assert 200 == await enter(browser, "bob", pyotp.TOTP(secret).at(clock.now()))
        await host.run(apps.drop)


async def test_another_database_comes_by_the_names_that_people_sign_in_with(
    host: Host, clock: FixedClock, tmp_path: Path
) -> None:
    address = old.script(tmp_path / "django.db", (old.VECTORS / "django_otp.sql").read_text())
    async with hosts.visited(host) as browser:
        await host.add(1, "ann")
        report = await bring(host, "django-otp", address)
        assert [("ann", 2, 3)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]
        clock.move(PERIOD)
        code = pyotp.TOTP(old.base32(b"A" * 20)).at(clock.now())
        assert 200 == await enter(browser, "ann", code)


async def test_a_row_of_nobodys_is_listed(host: Host) -> None:
    key = host.model.__table__.c.id
    apps = Table("apps", MetaData(), Column("user_id", key.type, primary_key=True), Column("otp", Text()))
    async with hosts.visited(host):
        await host.run(apps.create)
        values = {"user_id": host.key_of(9), "otp": pyotp.random_base32()}
        await host.run(lambda connection: connection.execute(insert(apps).values(values)))
        report = await bring(host, "base32", None, table="apps", secret_column="otp", login_column="user_id")
        assert [Why.UNKNOWN_ACCOUNT] == [one.why for one in report.left]
        await host.run(apps.drop)
