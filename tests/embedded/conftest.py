from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from embedded import hosts
from embedded.hosts import Host
from umbra.core.clock import FixedClock

SHAPES = [
    ("postgresql", "integer", ""),
    ("postgresql", "uuid", "umbra_"),
    ("postgresql", "text", ""),
    ("sqlite", "integer", "umbra_"),
    ("sqlite", "uuid", ""),
]
"""Database, kind of key, prefix of our tables."""

ONE_OF_EACH = [("postgresql", "uuid", "umbra_"), ("sqlite", "integer", "")]
"""For what does not depend on the kind of key."""


@pytest.fixture(params=SHAPES, ids=lambda shape: "-".join(part for part in shape if part))
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, str]:
    """The address of an empty database, a kind of key, and a prefix."""
    database, key, prefix = request.param
    is_sqlite = database == "sqlite"
    url = f"sqlite:///{tmp_path}/host.db" if is_sqlite else request.getfixturevalue("empty_postgresql_url")
    return url, key, prefix


@pytest.fixture
async def host(shape: tuple[str, str, str], clock: FixedClock) -> AsyncIterator[Host]:
    """An application of each shape, on an empty database."""
    url, key, prefix = shape
    async with hosts.opened(url, key, clock, prefix=prefix) as made:
        yield made


@pytest.fixture
async def browser(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of the application, in which ``ann`` has an account."""
    async with hosts.visited(host) as client:
        await host.add(1, "ann")
        yield client
