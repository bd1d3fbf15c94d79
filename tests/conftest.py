"""Two databases, a clock that stands still, hashing that costs nothing."""

import contextlib
import gc
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import asyncpg
import httpx
import pytest

from support import postgres
from support.people import BASE_URL, Person
from umbra import settings, upkeep
from umbra.app import application
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.entropy import SystemEntropy
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import migrate
from umbra.db.opening import open_database
from umbra.db.sqlite import Sqlite
from umbra.testing import CHEAP

POSTGRES = "UMBRA_TEST_POSTGRES"
"""A PostgreSQL to use instead of our own: ``postgresql://user@host:port``, of a user who may create databases."""

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

_server = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    if POSTGRES not in os.environ and not hasattr(config, "workerinput"):
        os.environ[POSTGRES] = _server.enter_context(postgres.running())  # xdist's workers inherit it


def pytest_unconfigure() -> None:
    _server.close()


def pytest_collection_finish() -> None:
    """Take thousands of tests out of what is looked over for garbage, which took a tenth of their time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The command that checks types as strictly as it can; all tests of a run share what it has learnt of libraries."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return (sys.executable, "-m", "mypy", "--strict", "--python-version=3.11", f"--cache-dir={shared / 'mypy'}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "umbra.db"
    anyio.run(_migrate, f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    name = f"umbra_template_{uuid.uuid4().hex}"
    anyio.run(_sql, f"CREATE DATABASE {name}")
    anyio.run(_migrate, f"{os.environ[POSTGRES]}/{name}")
    yield name
    anyio.run(_sql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own with the newest schema, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "umbra.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_database(postgres_template: str) -> Iterator[str]:
    """One database that the tests of this process use in turn: to empty it takes a tenth of making one."""
    name = f"umbra_{uuid.uuid4().hex}"
    anyio.run(_sql, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield name
    anyio.run(_sql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgres_database: str, postgres_template: str) -> Iterator[str]:
    yield f"{os.environ[POSTGRES]}/{postgres_database}"
    try:
        anyio.run(_empty, postgres_database)
    except asyncpg.UndefinedTableError:  # the test was about the schema
        anyio.run(_sql, f"DROP DATABASE {postgres_database} WITH (FORCE)")
        anyio.run(_sql, f"CREATE DATABASE {postgres_database} TEMPLATE {postgres_template}")


@pytest.fixture
def empty_postgresql_url() -> Iterator[str]:
    name = f"umbra_{uuid.uuid4().hex}"
    anyio.run(_sql, f"CREATE DATABASE {name}")
    yield f"{os.environ[POSTGRES]}/{name}"
    anyio.run(_sql, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
async def auth(database_url: str, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Auth]:
    database = open_database(database_url)
    if isinstance(database, Sqlite):
        database.synchronous = "OFF"  # nothing here has to survive a power cut
    made = Auth(
        db=database,
        clock=clock,
        entropy=SystemEntropy(),
        keyring=Keyring.of(new_key().reveal()),
        hashing=HashingPool(CHEAP, threads=2),
        settings=settings.Settings(data_dir=tmp_path, registration="open"),
        sink=DatabaseSink(database, clock),
    )
    await upkeep.check_ready(made)
    yield made
    made.hashing.close()
    await database.close()


@pytest.fixture
async def client(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application, with a cookie jar."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as made:
        yield made


@pytest.fixture
async def alice(client: httpx.AsyncClient, clock: FixedClock) -> Person:
    """Somebody with an account, signed in with nothing but a password."""
    person = Person("alice", client, clock)
    await person.register()
    await person.sign_in()
    return person


@pytest.fixture
async def enrolled(alice: Person) -> Person:
    """Alice with a second factor, signed in by having confirmed it."""
    await alice.enrol()
    return alice


async def _migrate(url: str) -> None:
    database = open_database(url)
    await migrate.upgrade(database)
    await database.close()


RESTART = """DO $$ DECLARE name text; BEGIN
FOR name IN SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL
LOOP EXECUTE format('ALTER SEQUENCE %I RESTART', name); END LOOP;
END $$"""


async def _empty(database: str) -> None:
    """Delete all rows, and number new ones from 1; where there are few, TRUNCATE takes four times as long."""
    tables = reversed(migrate.metadata().sorted_tables)
    await _sql("".join(f"{table.delete()};" for table in tables) + RESTART, database)


async def _sql(statement: str, database: str = "postgres") -> None:
    connection = await asyncpg.connect(f"{os.environ[POSTGRES]}/{database}")
    try:
        await connection.execute("SET lock_timeout = '10s'")  # what a test left open is told, and not waited for
        await connection.execute(statement)
    finally:
        await connection.close()
