"""Writers on SQLite share commits, and nothing else."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from umbra.core.errors import Unavailable
from umbra.db import sqlite
from umbra.db.sqlite import Sqlite

CROWD = 20


class Wrong(Exception):
    """Something that a use case raises."""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Sqlite]:
    db = Sqlite(tmp_path / "umbra.db")
    async with db.begin() as tx:
        await tx.execute(text("CREATE TABLE things (number INTEGER PRIMARY KEY, filling BLOB)"))
    yield db
    await db.close()


def stored(db: Sqlite) -> list[int]:
    """Return what another process would find."""
    with sqlite3.connect(db._path) as other:
        return [number for (number,) in other.execute("SELECT number FROM things ORDER BY number")]


async def add(db: Sqlite, number: int, *, filling: int = 0, wrong: bool = False) -> list[int]:
    """Write a number, and return what another process found at the moment in which that was said to be done."""
    async with db.begin() as tx:
        await tx.execute(
            text("INSERT INTO things VALUES (:number, zeroblob(:filling))").bindparams(number=number, filling=filling)
        )
        if wrong:
            raise Wrong
    return stored(db)


def commits(db: Sqlite) -> list[str]:
    """Return a list that grows by each commit from now on."""
    seen: list[str] = []
    assert db._writer is not None
    db._writer._connection.set_trace_callback(lambda said: seen.append(said) if said == "COMMIT" else None)
    return seen


async def test_whoever_wrote_returns_when_the_disk_has_it(db: Sqlite) -> None:
    found = await asyncio.gather(*(add(db, number) for number in range(CROWD)))
    assert all(number in there for number, there in enumerate(found))


async def test_those_who_write_at_the_same_time_share_a_commit(db: Sqlite) -> None:
    seen = commits(db)
    await asyncio.gather(*(add(db, number) for number in range(CROWD)))
    assert 1 == len(seen)


async def test_those_who_write_one_after_another_have_a_commit_each(db: Sqlite) -> None:
    seen = commits(db)
    for number in range(3):
        await add(db, number)
    assert 3 == len(seen)


async def test_who_goes_wrong_takes_back_only_its_own(db: Sqlite) -> None:
    done = await asyncio.gather(
        *(add(db, number, wrong=number % 2 == 1) for number in range(CROWD)), return_exceptions=True
    )
    assert [number % 2 == 1 for number in range(CROWD)] == [isinstance(one, Wrong) for one in done]
    assert list(range(0, CROWD, 2)) == stored(db)


async def test_who_is_sent_away_takes_back_only_its_own(db: Sqlite) -> None:
    assert db._writer is not None
    async with db._writer._turn:
        others = [asyncio.create_task(add(db, number)) for number in range(CROWD)]
        await asyncio.sleep(0)
        others[1].cancel()  # it stands in line
    while db._writer._shared is None:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
    others[0].cancel()  # it has written, and waits for the disk
    done = await asyncio.gather(*others, return_exceptions=True)
    assert all(isinstance(done[place], asyncio.CancelledError) for place in (0, 1))
    assert [0, *range(2, CROWD)] == stored(db)
    assert CROWD in await add(db, CROWD)


async def test_a_commit_that_fails_fails_for_all_who_share_it(db: Sqlite) -> None:
    with sqlite3.connect(db._path) as other:
        other.execute("CREATE TABLE elsewhere (id INTEGER PRIMARY KEY)")
        other.execute("CREATE TABLE needy (id INTEGER REFERENCES elsewhere (id) DEFERRABLE INITIALLY DEFERRED)")

    async def leave_it_open() -> None:
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO needy VALUES (1)"))

    done = await asyncio.gather(add(db, 1), leave_it_open(), add(db, 2), return_exceptions=True)
    assert all(isinstance(one, Exception) for one in done)
    assert [] == stored(db)
    assert [3] == await add(db, 3)


async def test_a_full_disk_is_nobodys_success_and_the_next_one_starts_anew(db: Sqlite) -> None:
    assert db._writer is not None
    db._writer._connection.execute("PRAGMA max_page_count = 20")
    done = await asyncio.gather(add(db, 1), add(db, 2, filling=1_000_000), add(db, 3), return_exceptions=True)
    kept = stored(db)
    assert isinstance(done[1], Unavailable)
    assert [isinstance(one, list) for one in done] == [number in kept for number in (1, 2, 3)]
    assert 4 in await add(db, 4)


async def test_another_process_writes_between_two_groups(db: Sqlite) -> None:
    async def elsewhere() -> None:
        def write() -> None:
            with sqlite3.connect(db._path, timeout=10) as other:
                other.execute("INSERT INTO things VALUES (1000, NULL)")

        await asyncio.to_thread(write)

    await asyncio.gather(elsewhere(), *(add(db, number) for number in range(CROWD)))
    assert [*range(CROWD), 1000] == stored(db)


async def test_those_in_line_wait_for_another_process_together_and_not_one_after_the_other(
    db: Sqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    waits: list[int] = []
    assert db._writer is not None
    db._writer._connection.set_trace_callback(
        lambda said: waits.append(int(said.split("= ")[1])) if "busy_timeout" in said else None
    )
    with closing(sqlite3.connect(db._path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = await asyncio.gather(*(add(db, number) for number in range(CROWD)), return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in done)
    assert 80 < sum(waits) < 200  # milliseconds; SQLite itself gives up a little early
    assert [CROWD] == await add(db, CROWD)


async def test_a_connection_is_not_closed_under_a_commit_that_nobody_waits_for(db: Sqlite) -> None:
    began, gate = threading.Event(), threading.Event()

    def hold(said: str) -> None:
        if said == "COMMIT":
            began.set()
            gate.wait()

    assert db._writer is not None
    db._writer._connection.set_trace_callback(hold)
    with pytest.raises(Wrong):
        await add(db, 1, wrong=True)  # who is refused does not wait for the commit of nothing
    await asyncio.to_thread(began.wait)
    closing = asyncio.ensure_future(db.close())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not closing.done()
    gate.set()
    await closing
    assert [] == stored(db)
