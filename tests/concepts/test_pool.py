"""The pool of connections to PostgreSQL: who gets one, and in which order."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Integer, literal, select

from umbra.core.errors import Unavailable
from umbra.db import postgres
from umbra.db.opening import open_database
from umbra.db.postgres import Pool
from umbra.db.transaction import DatabaseFault, Statement


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    async def close(self, timeout: float) -> None:  # noqa: ARG002, ASYNC109 - asyncpg's signature
        self.closed = True


class Opening:
    """Opens connections, and counts them."""

    def __init__(self) -> None:
        self.opened = 0
        self.is_broken = False

    async def __call__(self) -> Any:
        if self.is_broken:
            raise OSError
        self.opened += 1
        return Connection()


@pytest.fixture
def opening() -> Opening:
    return Opening()


async def waiting(pool: Pool) -> "asyncio.Task[Any]":
    task = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    return task


async def test_a_connection_that_was_given_back_is_used_again(opening: Opening) -> None:
    pool = Pool(opening, 2)
    first = await pool.take()
    pool.give(first)
    assert first is await pool.take()
    assert 1 == opening.opened


async def test_whoever_waits_longest_is_next_and_nobody_overtakes(opening: Opening) -> None:
    pool = Pool(opening, 1)
    only = await pool.take()
    first, second = await waiting(pool), await waiting(pool)
    pool.give(only)
    late = await waiting(pool)
    assert only is await first
    pool.give(only)
    assert only is await second
    assert not late.done()
    pool.give(only)
    assert only is await late
    assert 1 == opening.opened


async def test_a_closed_connection_makes_room_for_another(opening: Opening) -> None:
    pool = Pool(opening, 1)
    only = await pool.take()
    next_one = await waiting(pool)
    only.closed = True
    pool.give(only)
    assert only is not await next_one
    pool.give(await next_one)
    (await next_one).closed = True
    assert not (await pool.take()).closed
    assert 3 == opening.opened


async def test_who_goes_away_while_waiting_keeps_nothing(opening: Opening) -> None:
    pool = Pool(opening, 1)
    only = await pool.take()
    gone, unlucky = await waiting(pool), await waiting(pool)
    gone.cancel()
    await asyncio.wait([gone])
    pool.give(only)
    unlucky.cancel()  # it has been handed over already, and nobody takes it
    await asyncio.wait([unlucky])
    assert only is await pool.take()


async def test_who_waits_too_long_is_told_and_keeps_nothing(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "POOL_WAIT_SECONDS", 0)
    pool = Pool(opening, 1)
    only = await pool.take()
    with pytest.raises(Unavailable):
        await pool.take()
    pool.give(only)
    assert only is await pool.take()


async def test_a_place_is_not_lost_when_the_server_cannot_be_reached(opening: Opening) -> None:
    pool = Pool(opening, 1)
    opening.is_broken = True
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 - whatever the operating system said
            await pool.take()
    opening.is_broken = False
    assert not (await pool.take()).is_closed()
    await pool.close()


async def test_a_value_that_the_driver_will_not_send_is_a_fault_of_ours_and_not_told(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    too_large = Statement(select(literal(987654321987654321, Integer)))
    with pytest.raises(DatabaseFault) as fault:
        async with database.read() as tx:
            await tx.execute(too_large)
    await database.close()
    assert "987654321" not in str(fault.value)
