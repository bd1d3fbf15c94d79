"""Two servers on one database, one of whose clocks is five minutes off."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from faults.cases import CLOCKS, Shift
from faults.conftest import on_another_connection, serving
from faults.world import said
from support.people import PERIOD, Person
from umbra.auth import Auth
from umbra.core.clock import FixedClock

OFF = timedelta(minutes=5)
STEPS_OFF = OFF // PERIOD


@dataclass
class Two:
    """Alice in front of a server that is right, and of one that is ``off`` steps away."""

    here: Person
    there: Person
    there_clock: FixedClock
    off: int

    def code_of_there(self) -> str:
        """Return what an app shows when it is as late as that server takes it to be."""
        return self.here.code(self.off)


@pytest.fixture(params=["ahead", "behind"])
async def two(
    request: pytest.FixtureRequest, auth: Auth, database_url: str, clock: FixedClock, enrolled: Person
) -> AsyncIterator[Two]:
    steps = STEPS_OFF if request.param == "ahead" else -STEPS_OFF
    clock.move(2 * OFF)
    there_clock = FixedClock(clock.now() + steps * PERIOD)
    async with AsyncExitStack() as stack:
        service = on_another_connection(auth, database_url, there_clock)
        stack.push_async_callback(service.db.close)
        world = await serving(stack, service, enrolled, auth)
        yield Two(enrolled, world.person, there_clock, steps)


async def _now(two: Two) -> httpx.Response:
    return await two.there.verify(code=two.here.code())


async def _replayed(two: Two) -> httpx.Response:
    code = two.here.code()
    assert (await two.here.verify(code=code)).is_success
    two.there_clock.set(two.here.clock.now())
    return await two.there.verify(code=code)


async def _session(two: Two) -> httpx.Response:
    return await two.there.get("/session")


async def _challenge(two: Two) -> httpx.Response:
    return await two.there.verify(await two.here.challenge(), code=two.code_of_there())


async def _sixth(two: Two) -> httpx.Response:
    for _ in range(5):
        assert "code_refused" == (await two.here.verify(code=two.here.wrong_code())).json()["reason"]
    return await two.there.verify(code=two.here.wrong_code())


TRIED: dict[str, Callable[[Two], Awaitable[httpx.Response]]] = dict(
    zip((shift.what for shift in CLOCKS), (_now, _replayed, _session, _challenge, _sixth), strict=True)
)


@pytest.mark.parametrize("shift", CLOCKS, ids=[shift.what for shift in CLOCKS])
async def test_a_clock_that_is_off_does_what_is_declared(shift: Shift, two: Two) -> None:
    declared = shift.ahead if two.off > 0 else shift.behind
    assert declared == said(await TRIED[shift.what](two))


async def test_a_code_is_accepted_once_by_servers_whose_clocks_differ(two: Two) -> None:
    """
    Whichever server a code is right for first, the other one refuses it when its own time has come.
    """
    code = two.code_of_there()
    assert (await two.there.verify(code=code)).is_success
    two.here.clock.set(two.there_clock.now())
    assert "code_refused" == (await two.here.verify(code=code)).json()["reason"]


async def test_a_clock_that_steps_back_gives_no_code_a_second_time(enrolled: Person, clock: FixedClock) -> None:
    code = enrolled.fresh_code()
    assert (await enrolled.verify(code=code)).is_success
    for step in (OFF, -OFF, -OFF, OFF):
        clock.move(step)
        assert "code_refused" == (await enrolled.verify(code=code)).json()["reason"]
