"""A crowd that is told no: so many of it in a second."""

import asyncio
from collections import deque

LONGEST_WAITING_EVERY = 10
"""So often whoever has waited longest goes on; otherwise it is whoever came last."""

MOST_WAITING = 500
"""When more wait, whoever has waited longest goes on at once: what waits is memory, and its caller may have gone."""


class Turns:
    """At most ``per_second`` go on, unless too many wait. Who comes alone waits for nothing.

    Of those who wait, mostly whoever came last goes on: a crowd that comes again as soon as it has been sent away would
    otherwise always stand before whoever is new, and those who came first may long have gone.
    """

    def __init__(self, per_second: float) -> None:
        self._seconds = 1 / per_second
        self._next = 0.0
        self._calls = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Wait until one may go on."""
        loop = asyncio.get_running_loop()
        if len(self._waiting) >= MOST_WAITING:
            _let_go_on(self._waiting.popleft())  # whose call is ours now
        else:
            now = loop.time()
            at = max(now, self._next)
            self._next = at + self._seconds
            if at == now:
                return
            loop.call_at(at, self._call)
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _call(self) -> None:
        """Let one go on; as many calls come as there are that wait."""
        self._calls += 1
        is_for_the_first = self._calls % LONGEST_WAITING_EVERY == 0
        while self._waiting:
            if _let_go_on(self._waiting.popleft() if is_for_the_first else self._waiting.pop()):
                return


def _let_go_on(turn: asyncio.Future[None]) -> bool:
    """Say whether somebody was still waiting for it."""
    if turn.done():
        return False
    turn.set_result(None)
    return True
