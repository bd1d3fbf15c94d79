"""A change of the second factor or the password while something goes wrong: all of it is done, or nothing."""

import pytest

from faults import changes, trap
from faults.cases import CHANGED_ON_FULL_DISK, CHANGED_WHEN_CUT, Change
from faults.conftest import Unlucky
from faults.moments import Watch
from faults.test_sqlite import disk, let_write, write_nothing

__all__ = ["disk"]


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """The database that the test's own fixture wants."""
    name = "postgresql_url" if "wired" in request.fixturenames else "sqlite_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.mark.parametrize("case", CHANGED_WHEN_CUT, ids=[case.name for case in CHANGED_WHEN_CUT])
async def test_a_change_whose_connection_breaks_does_what_is_declared(case: Change, wired: Unlucky) -> None:
    send = await changes.prepared(case.door, wired.world.person)
    before = await changes.account(wired.world.elsewhere)
    wired.wire.watch = Watch(case.moment)

    answer = await send()

    assert wired.wire.watch.has_come
    wired.wire.is_down = False
    assert case.declared == await changes.outcome(wired.world, case.door, before, answer, send)


@pytest.mark.parametrize("case", CHANGED_ON_FULL_DISK, ids=[case.name for case in CHANGED_ON_FULL_DISK])
@pytest.mark.usefixtures("disk")
async def test_a_change_on_a_full_disk_does_what_is_declared(case: Change, trapped: Unlucky) -> None:
    send = await changes.prepared(case.door, trapped.world.person)
    before = await changes.account(trapped.world.elsewhere)
    watch = Watch(case.moment)
    trap.set_trap(watch, write_nothing, let_write)

    answer = await send()

    let_write()
    assert watch.has_come
    assert case.declared == await changes.outcome(trapped.world, case.door, before, answer, send)
