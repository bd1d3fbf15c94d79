"""A service in this process that reaches its database by a connection of its own, which something may happen to."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx
import pytest

from faults import trap
from faults.wire import Wire
from faults.world import World
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db.opening import open_database
from umbra.db.sqlite import Sqlite


@dataclass
class Unlucky:
    """Alice in front of a service with bad luck; ``wire`` is its line to PostgreSQL."""

    world: World
    service: Auth
    wire: Wire = field(default_factory=lambda: Wire("", 0))


async def serving(stack: AsyncExitStack, service: Auth, alice: Person, auth: Auth) -> World:
    """Let Alice use ``service``, and look at the database through ``auth``."""
    transport = httpx.ASGITransport(app=application(service), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=alice.client.cookies)
    await stack.enter_async_context(client)
    return World(replace(alice, client=client), auth)


def on_another_connection(auth: Auth, url: str, clock: FixedClock) -> Auth:
    """Return the same service with a database connection of its own."""
    database = open_database(url)
    if isinstance(database, Sqlite):
        database.synchronous = "OFF"
    return replace(auth, db=database, clock=clock, sink=DatabaseSink(database, clock))


@pytest.fixture
async def wired(auth: Auth, postgresql_url: str, clock: FixedClock, enrolled: Person) -> AsyncIterator[Unlucky]:
    """PostgreSQL behind a wire."""
    there = urlsplit(postgresql_url)
    wire = Wire(there.hostname or "", there.port or 0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wire.is_open())
        service = on_another_connection(auth, f"postgresql://umbra@127.0.0.1:{wire.port}{there.path}", clock)
        stack.push_async_callback(service.db.close)
        yield Unlucky(await serving(stack, service, enrolled, auth), service, wire)


@pytest.fixture
def traps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trap every connection to SQLite that is opened from here on."""
    monkeypatch.setattr(sqlite3, "connect", trap.connect)
    yield
    trap.set_trap(None)


@pytest.fixture
async def trapped(
    auth: Auth, sqlite_url: str, clock: FixedClock, enrolled: Person, traps: None
) -> AsyncIterator[Unlucky]:
    """SQLite by connections that are trapped."""
    del traps
    async with AsyncExitStack() as stack:
        service = on_another_connection(auth, sqlite_url, clock)
        stack.push_async_callback(service.db.close)
        yield Unlucky(await serving(stack, service, enrolled, auth), service)
