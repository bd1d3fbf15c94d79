"""SQLite on a full disk, and a file that another process does not let go of."""

import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import trap
from faults.cases import FULL, LOCKED, Case
from faults.conftest import Unlucky
from faults.moments import Watch
from umbra.db import sqlite


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite; PostgreSQL has a disk of its own."""
    return sqlite_url


@pytest.fixture
def disk() -> Iterator[None]:
    """Whatever happens, let this process write again."""
    yield
    let_write()


def write_nothing() -> None:
    """Refuse every write of this process to a file: a small file system of its own would want root."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))


def let_write() -> None:
    """Let this process write to files again."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@pytest.mark.parametrize("case", FULL, ids=[case.name for case in FULL])
@pytest.mark.usefixtures("disk")
async def test_a_full_disk_does_what_is_declared(case: Case, trapped: Unlucky) -> None:
    proof = await trapped.world.prepare(case.door)
    watch = Watch(case.moment)
    trap.set_trap(watch, write_nothing, trap.nothing if case.stays else let_write)

    answer = await trapped.world.send(case.door, proof)

    let_write()
    assert watch.has_come
    assert case.declared == await trapped.world.outcome(case.door, proof, answer)


@pytest.mark.parametrize("case", LOCKED, ids=[case.name for case in LOCKED])
async def test_a_file_that_stays_locked_does_what_is_declared(
    case: Case, trapped: Unlucky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    other = sqlite3.Connection(tmp_path / "umbra.db", isolation_level=None, check_same_thread=False)
    proof = await trapped.world.prepare(case.door)
    watch = Watch(case.moment)

    def lock() -> None:
        other.execute("BEGIN IMMEDIATE")

    trap.set_trap(watch, lock)

    answer = await trapped.world.send(case.door, proof)

    other.close()
    assert watch.has_come
    assert case.declared == await trapped.world.outcome(case.door, proof, answer)
