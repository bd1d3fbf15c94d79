"""Work that a server does beside its requests, for as long as it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger("umbra")


@asynccontextmanager
async def beside(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]], lost: str) -> AsyncIterator[None]:
    """Do ``work`` for as long as the block lasts; then tell it to stop, by the event, and wait until it has.

    If a fault ends it before, the log says what is ``lost``.
    """
    stopping = asyncio.Event()
    working = asyncio.create_task(work(stopping))
    working.add_done_callback(lambda ended: _say_why_it_ended(ended, lost))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait({working})


def _say_why_it_ended(working: "asyncio.Task[None]", lost: str) -> None:
    if not working.cancelled() and (error := working.exception()) is not None:
        log.error("%s until this server starts anew: %s", lost, type(error).__qualname__)
