from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from imports.old import Seed
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.imports import flows, sources
from umbra.imports.asked import Asked
from umbra.imports.flows import Import, Report

Bring = Callable[..., Awaitable[Report]]
Meet = Callable[..., Awaitable[Person]]


@pytest.fixture
def bring(auth: Auth) -> Bring:
    """Move accounts over, or rehearse it."""

    async def brought(kind: str, address: str, asked: Asked, *, is_rehearsal: bool = False) -> Report:
        found = await sources.read(auth, kind, address, asked)
        return await flows.bring(auth, Import(kind, is_rehearsal=is_rehearsal), found)

    return brought


@pytest.fixture
async def meet(auth: Auth, clock: FixedClock) -> AsyncIterator[Meet]:
    """Give people accounts here, each with a browser of their own."""
    clients = []

    async def met(name: str, secret: str = "", backup_codes: list[str] | None = None) -> Person:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=application(auth)), base_url=BASE_URL)
        clients.append(client)
        person = Person(name, client, clock, secret=secret, backup_codes=backup_codes or [])
        await person.register()
        return person

    yield met
    for client in clients:
        await client.aclose()


@pytest.fixture(params=["sqlite", "postgresql"])
def seed_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database for the seed."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/seed.db"
    else:
        yield request.getfixturevalue("empty_postgresql_url")


@pytest.fixture
async def seed(seed_url: str, tmp_path: Path, clock: FixedClock) -> Seed:
    """The seed at revision 024."""
    made = Seed(seed_url, tmp_path, clock)
    await made.migrate()
    return made
