"""Two servers on one database of each kind, kept for all tests: each test has people of its own."""

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

import umbra
from races.service import Pair, Service, pair_of, service_of
from umbra.crypto.keyring import new_key

POSTGRES = "UMBRA_TEST_POSTGRES"
SOURCE = "UMBRA_TEST_SOURCE"


@pytest.fixture(scope="session", autouse=True)
def source() -> None:
    """What ``make sabotage`` has broken is what is tested; the servers compare theirs with ours."""
    assert Path(umbra.__file__).is_relative_to(os.environ.get(SOURCE, "/")), umbra.__file__


@pytest.fixture(scope="session")
def sqlite_pair(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("sqlite")
    shutil.copy(sqlite_template, folder / "umbra.db")
    with pair_of(folder, database_url=f"sqlite:///{folder / 'umbra.db'}", encryption_keys=new_key().reveal()) as pair:
        yield pair


@pytest.fixture(scope="session")
def postgresql_pair(postgres_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    name = f"umbra_{uuid.uuid4().hex}"
    folder = tmp_path_factory.mktemp("postgresql")
    anyio.run(_sql, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    url = f"{os.environ[POSTGRES]}/{name}"
    with pair_of(folder, database_url=url, encryption_keys=new_key().reveal()) as pair:
        yield pair
    anyio.run(_sql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Two servers, once on each kind of database."""
    made: Pair = request.getfixturevalue(f"{request.param}_pair")
    return made


@pytest.fixture
async def service(pair: Pair) -> AsyncIterator[Service]:
    """Two servers and their database, by the real clock."""
    async with service_of(pair) as made:
        yield made


async def _sql(statement: str) -> None:
    connection = await asyncpg.connect(f"{os.environ[POSTGRES]}/postgres")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
