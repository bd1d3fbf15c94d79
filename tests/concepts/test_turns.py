import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from umbra.core.turns import LONGEST_WAITING_EVERY, MOST_WAITING, Turns

PER_SECOND = 100
TURN = 1 / PER_SECOND

SOON = 5
"""Passes of the event loop, in which everything that can go on does."""


class Crowd:
    """Callers who wait for their turns, at moments that the test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.gone_on: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.turns = Turns(PER_SECOND)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_at", lambda at, call: self.calls.append((at, call)))

    async def come(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._wait(name))
            await self._settle()

    async def leave(self, name: str) -> None:
        self.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[name]

    async def pass_until(self, moment: float) -> None:
        self.now = moment
        due = [call for at, call in self.calls if at <= moment]
        self.calls = [(at, call) for at, call in self.calls if at > moment]
        for call in due:
            call()
            await self._settle()

    async def _wait(self, name: str) -> None:
        await self.turns.mine()
        self.gone_on.append(name)

    @staticmethod
    async def _settle() -> None:
        for _ in range(SOON):
            await asyncio.sleep(0)


@pytest.fixture
async def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(monkeypatch)


async def test_who_comes_alone_waits_for_nothing_and_a_crowd_goes_on_one_after_the_other(crowd: Crowd) -> None:
    await crowd.come("alone")
    assert ["alone"] == crowd.gone_on
    await crowd.come("second", "third")
    assert ["alone"] == crowd.gone_on
    assert pytest.approx([1000 + TURN, 1000 + 2 * TURN]) == [at for at, _ in crowd.calls]
    await crowd.pass_until(1000 + TURN * 1.5)
    assert 2 == len(crowd.gone_on)
    await crowd.pass_until(1000 + TURN * 2.5)
    assert 3 == len(crowd.gone_on)
    await crowd.come("too soon")
    assert 3 == len(crowd.gone_on)
    await crowd.pass_until(1000 + TURN * 4.5)
    await crowd.come("alone again")
    assert ["too soon", "alone again"] == crowd.gone_on[3:]


async def test_whoever_came_last_goes_on_first(crowd: Crowd) -> None:
    await crowd.come("alone", "first", "second", "third")
    await crowd.pass_until(1000 + TURN * 1.5)
    await crowd.come("last")
    await crowd.pass_until(1000 + TURN * 5)
    assert ["alone", "third", "last", "second", "first"] == crowd.gone_on


async def test_now_and_then_whoever_has_waited_longest_goes_on(crowd: Crowd) -> None:
    names = [str(number) for number in range(2 * LONGEST_WAITING_EVERY)]
    await crowd.come("alone", *names)
    await crowd.pass_until(1000 + TURN * (LONGEST_WAITING_EVERY - 0.5))
    assert "0" not in crowd.gone_on
    await crowd.pass_until(1000 + TURN * (LONGEST_WAITING_EVERY + 0.5))
    assert "0" == crowd.gone_on[-1]


async def test_of_a_crowd_that_is_too_large_whoever_has_waited_longest_goes_on_at_once(crowd: Crowd) -> None:
    names = [str(number) for number in range(MOST_WAITING)]
    await crowd.come("alone", *names)
    assert ["alone"] == crowd.gone_on
    await crowd.come("one more", "and one more")
    assert ["alone", "0", "1"] == crowd.gone_on
    assert MOST_WAITING == len(crowd.calls)  # a flood makes no more of them, nor keeps anybody waiting after its end
    await crowd.pass_until(1000 + TURN * 1.5)
    assert "and one more" == crowd.gone_on[-1]


async def test_whoever_leaves_a_crowd_keeps_nobody_waiting(crowd: Crowd) -> None:
    await crowd.come("alone", "first", "second", "third")
    await crowd.leave("third")
    await crowd.pass_until(1000 + TURN * 1.5)
    assert ["alone", "second"] == crowd.gone_on
    await crowd.leave("first")
    await crowd.pass_until(1000 + TURN * 3.5)
    assert ["alone", "second"] == crowd.gone_on
