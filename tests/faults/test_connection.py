"""PostgreSQL behind a wire that breaks at every moment of a proof."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import pytest

from faults.cases import CUT, Case
from faults.moments import Watch
from faults.wire import Wire
from faults.world import World
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db.opening import open_database


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """PostgreSQL; SQLite has no wire."""
    return postgresql_url


@dataclass
class Wired:
    """A world whose service reaches its database by a wire."""

    world: World
    wire: Wire
    auth: Auth


@pytest.fixture
async def wired(auth: Auth, postgresql_url: str, clock: FixedClock, enrolled: Person) -> AsyncIterator[Wired]:
    there = urlsplit(postgresql_url)
    assert there.port is not None
    wire = Wire(there.hostname or "", there.port)
    async with wire.is_open():
        database = open_database(f"postgresql://{there.username}@127.0.0.1:{wire.port}{there.path}")
        service = replace(auth, db=database, sink=DatabaseSink(database, clock))
        transport = httpx.ASGITransport(app=application(service))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=enrolled.client.cookies) as client:
            person = Person("alice", client, clock, secret=enrolled.secret, backup_codes=enrolled.backup_codes)
            yield Wired(World(person, auth), wire, service)
        await database.close()


@pytest.mark.parametrize("case", CUT, ids=[case.name for case in CUT])
async def test_a_connection_that_breaks_does_what_is_declared(case: Case, wired: Wired) -> None:
    proof = await wired.world.prepare(case.door)
    wired.wire.watch, wired.wire.stays_down = Watch(case.moment), case.stays

    answer = await wired.world.send(case.door, proof)

    assert wired.wire.watch.has_come
    wired.wire.is_down = False
    assert case.declared == await wired.world.outcome(case.door, proof, answer)
