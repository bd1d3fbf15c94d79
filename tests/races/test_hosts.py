"""In a host's database, where no account of ours can be marked: each sign-in asks again, once it holds the account."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from embedded import hosts
from embedded.hosts import Host
from races.service import NOBODY, holding
from support.people import API
from umbra.core.clock import FixedClock
from umbra.core.ids import UserId
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.sessions import flows as session_flows
from umbra.sessions import store as sessions
from umbra.sessions.tables import SESSIONS
from umbra.signin import flows

pytestmark = pytest.mark.race

ANN = {"X-Single-Sign-On": "ann"}
PASSWORD = Secret("a password that the host finds right")

SignIn = Callable[[Host], Coroutine[Any, Any, object]]


async def is_right(member: Any, password: str) -> bool:
    """Look at a password as the host does."""
    return bool(member) and password == PASSWORD.reveal()


async def by_the_hosts_own_login(host: Host) -> object:
    return await flows.admit(host.umbra.auth, UserId(host.key_of(1)), NOBODY)


async def by_password(host: Host) -> object:
    return await flows.login(host.umbra.auth, "ann", PASSWORD, NOBODY)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    is_sqlite = request.param == "sqlite"
    return f"sqlite:///{tmp_path}/host.db" if is_sqlite else request.getfixturevalue("empty_postgresql_url")


@pytest.fixture
async def host(url: str, clock: FixedClock) -> AsyncIterator[Host]:
    """An application in whose database Umbra is a guest."""
    async with hosts.opened(url, "uuid", clock, prefix="umbra_", check_password=is_right) as made:
        yield made


@pytest.fixture
async def browser(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of the application, in which ``ann`` has an account."""
    async with hosts.visited(host) as client:
        await host.add(1, "ann")
        yield client


@pytest.mark.parametrize("sign_in", [by_the_hosts_own_login, by_password])
async def test_no_sign_in_without_a_code_outlives_the_first_authenticator(
    host: Host, browser: httpx.AsyncClient, clock: FixedClock, sign_in: SignIn
) -> None:
    auth = host.umbra.auth
    await browser.post("/enter", headers=ANN)
    setup = await browser.post(f"{API}/totp/setup", json={})
    code = {"code": hosts.code_of(setup.json()["secret"], clock)}
    async with auth.db.begin() as tx:
        left = sessions.creating(
            UserId(host.key_of(1)),
            tokens.SESSION.hash_of_new(tokens.SESSION.new(auth.entropy)),
            client=NOBODY,
            now=clock.now() - 2 * auth.settings.session_idle,
            limits=session_flows.limits(auth),
            second_factor=False,
        )
        idle = await sessions.create(tx, left)

    async with holding(auth, select(SESSIONS.c.id).where(SESSIONS.c.id == idle.id).with_for_update()) as crowd:
        await crowd.send(browser.post(f"{API}/totp/confirm", json=code))
        await crowd.send(*(sign_in(host) for _ in range(3)))

    confirmed, *_ = await crowd.answers()
    assert 200 == confirmed.status_code
    clock.move(timedelta(seconds=1))
    async with auth.db.read() as tx:
        alive = await sessions.alive(tx, UserId(host.key_of(1)), clock.now(), auth.settings.session_idle)
    assert 1 == len(alive)
