"""What a host's engine is used for, and left in."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, create_engine

from umbra.core.errors import Unavailable
from umbra.db.guest import Accounts, Guest
from umbra.db.hosted import Hosted
from umbra.db.transaction import DatabaseFault

MEMBERS = Table("members", MetaData(), Column("id", Integer, primary_key=True))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/host.db")


def hosted(engine: Engine) -> Hosted:
    return Hosted(engine, Guest(Accounts(MEMBERS, key=MEMBERS.c.id, login=MEMBERS.c.id)))


async def test_a_statement_that_nobody_waits_for_ends_before_its_connection_goes_back(engine: Engine) -> None:
    began, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def work(_: Connection) -> None:
        began.set()
        gate.wait()
        ended.set()

    doing = asyncio.ensure_future(hosted(engine).migrating(work))
    await asyncio.to_thread(began.wait)
    doing.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (False, 1) == (doing.done(), engine.pool.checkedout())  # type: ignore[attr-defined]  # a QueuePool's
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert (True, 0) == (ended.is_set(), engine.pool.checkedout())  # type: ignore[attr-defined]
    engine.dispose()


async def test_what_is_not_committed_is_rolled_back_and_another_writer_is_told_to_come_again(engine: Engine) -> None:
    database = hosted(engine)

    def make(connection: Connection) -> None:
        MEMBERS.create(connection)

    await database.migrating(make)

    def wrong(connection: Connection) -> None:
        connection.execute(MEMBERS.insert().values(id=1))
        raise ValueError("the host thinks better of it")

    with pytest.raises(ValueError, match="better"):
        await database.migrating(wrong)
    assert [] == await database.migrating(lambda connection: connection.execute(MEMBERS.select()).all())

    with engine.begin() as other:
        other.execute(MEMBERS.insert().values(id=2))
        impatient = create_engine(engine.url, connect_args={"timeout": 0})
        with pytest.raises(Unavailable):
            async with hosted(impatient).begin():
                pass
        impatient.dispose()
    engine.dispose()


async def test_the_databases_own_words_about_a_fault_stay_inside(engine: Engine) -> None:
    def break_it(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT * FROM nothing WHERE secret = ?", ("hush",))

    with pytest.raises(DatabaseFault) as fault:
        await hosted(engine).migrating(break_it)
    assert "OperationalError" == str(fault.value)
    assert fault.value.__suppress_context__
    engine.dispose()
