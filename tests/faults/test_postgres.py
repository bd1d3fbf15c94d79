"""PostgreSQL behind a wire that breaks at every moment of a proof, and a PostgreSQL that sends its callers away."""

from contextlib import AsyncExitStack

import asyncpg
import pytest

from faults.cases import AWAY, BUSY, CUT, TERMINATED, Case
from faults.conftest import Unlucky
from faults.moments import Moment, Watch
from umbra.db import postgres


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """PostgreSQL; SQLite has no wire."""
    return postgresql_url


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """Try each case, under its name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@each(CUT)
async def test_a_connection_that_breaks_does_what_is_declared(case: Case, wired: Unlucky) -> None:
    proof = await wired.world.prepare(case.door)
    wired.wire.watch, wired.wire.stays_down = Watch(case.moment), case.stays

    answer = await wired.world.send(case.door, proof)

    assert wired.wire.watch.has_come
    wired.wire.is_down = False
    assert case.declared == await wired.world.outcome(case.door, proof, answer)


@each(TERMINATED)
async def test_a_connection_that_an_administrator_ends_does_what_is_declared(
    case: Case, wired: Unlucky, postgresql_url: str
) -> None:
    proof = await wired.world.prepare(case.door)
    administrator = await asyncpg.connect(postgresql_url)

    async def end_them() -> None:
        await administrator.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    wired.wire.watch, wired.wire.act = Watch(case.moment), end_them

    answer = await wired.world.send(case.door, proof)

    await administrator.close()
    assert wired.wire.watch.has_come
    assert case.declared == await wired.world.outcome(case.door, proof, answer)


@each(AWAY)
async def test_a_database_that_is_away_does_what_is_declared(case: Case, wired: Unlucky) -> None:
    proof = await wired.world.prepare(case.door)
    wired.wire.go_down()

    answer = await wired.world.send(case.door, proof)

    wired.wire.is_down = False
    assert case.declared == await wired.world.outcome(case.door, proof, answer)


@each(BUSY)
async def test_a_pool_without_a_connection_does_what_is_declared(
    case: Case, wired: Unlucky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "POOL_WAIT_SECONDS", 0.05)
    proof = await wired.world.prepare(case.door)
    async with AsyncExitStack() as stack:
        for _ in range(postgres.POOL_SIZE):
            await stack.enter_async_context(wired.service.db.read())

        answer = await wired.world.send(case.door, proof)

    assert case.declared == await wired.world.outcome(case.door, proof, answer)


@pytest.mark.parametrize("is_done", [False, True])
async def test_whoever_guessed_wrong_is_told_nothing_that_is_not_written_down(wired: Unlucky, is_done: bool) -> None:
    token, code = await wired.world.person.challenge(), wired.world.person.wrong_code()
    wired.wire.watch, wired.wire.stays_down = Watch(Moment(("INSERT INTO audit_events",), is_done=is_done)), True

    answer = await wired.world.person.verify(token, code=code)

    assert wired.wire.watch.has_come
    assert (503, "unavailable") == (answer.status_code, answer.json()["reason"])
    wired.wire.is_down = False
    assert 1 == await wired.world.failures()
