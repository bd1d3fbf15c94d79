"""Argon2id, in a bounded number of threads beside the event loop."""

import asyncio
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from umbra.core.errors import Busy
from umbra.core.load import Load
from umbra.core.secret import Secret
from umbra.core.turns import Turns

T = TypeVar("T")

PROFILES: dict[str, argon2.Parameters] = {
    name: argon2.Parameters(
        type=argon2.Type.ID,
        version=19,
        salt_len=16,
        hash_len=32,
        time_cost=time_cost,
        memory_cost=memory_kib,
        parallelism=parallelism,
    )
    for name, memory_kib, time_cost, parallelism in (
        ("owasp", 19_456, 2, 1),  # OWASP Password Storage; ASVS 5.0, appendix C: the floor
        ("owasp-47", 47_104, 1, 1),  # the same cost, more memory
        ("rfc9106", 65_536, 3, 4),  # RFC 9106, section 4, second recommendation
    )
}

QUEUE_PER_THREAD = 16
"""At some 25 ms a hash, the last in the queue waits less than half a second, or four while the loop is busy."""

BUSY_SHARE = 0.5
"""Of one processor: an event loop that takes more is busy."""

LOOKS_EVERY_SECONDS = 0.05
"""So often at most is looked how busy the event loop is, and does a thread that rests ask whether it still has to."""

SEEN_OVER_SECONDS = 0.15
"""Over so long at least that is seen: a crowd that comes at once makes the loop busy for less than half of it."""

SEEN_FOR_SECONDS = 0.2
"""So long it counts: only who comes for a place looks, and when nobody comes there is no flood."""

REST_PER_WORK = 8
"""While the event loop is busy, a thread rests so many times as long as it has hashed.

A hash goes through 19 MiB and more, which everybody else's caches pay for, however low its priority is.
"""

REFUSALS_PER_SECOND = 100
"""A refusal costs the event loop about two session checks; a crowd that is refused gets no more of it."""

NICENESS = 10
"""A tenth of what a thread gets that wants the processor as much; all of it when none does."""

_NOTHING = "A" * 64
"""Zeros in base64: a hash of them costs as much to refuse as any other, and nothing to make."""


class Slot(AbstractAsyncContextManager["Slot"]):
    """A reserved place in the pool; hashing through it cannot be refused any more."""

    def __init__(self, pool: "HashingPool") -> None:
        self._pool = pool
        self._running: Future[object] | None = None

    async def __aenter__(self) -> Self:
        """Take the place.

        Raises:
            Busy: All places are taken.
        """
        await self._pool.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the place back, once its hash has ended."""
        if self._running is None or self._running.done():
            self._pool.give_back()
        else:  # the caller went away; the thread has not
            loop = asyncio.get_running_loop()
            self._running.add_done_callback(lambda _: loop.call_soon_threadsafe(self._pool.give_back))

    async def hash(self, *texts: Secret[str]) -> list[str]:
        """Return the Argon2id hash of each text, with a salt of its own."""
        hasher = self._pool.hasher
        return await self.run(lambda: [hasher.hash(_octets(text)) for text in texts])

    async def matches(self, hashed: str | None, text: Secret[str]) -> bool:
        """Say whether ``text`` has the hash ``hashed``; ``None`` costs the same and never matches."""
        hasher = self._pool.hasher
        return await self.run(partial(_matches, hasher, hashed or self._pool.decoy, text, is_real=hashed is not None))

    async def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` in one of the pool's threads."""
        future = self._pool.threads.submit(self._pool.pace.keeping, work)
        self._running = future  # type: ignore[assignment]  # whatever it returns, only its end matters here
        return await asyncio.wrap_future(future)


class Pace:
    """How a thread that hashes makes room for an event loop that is busy; one that is not finds it always ready."""

    def __init__(self) -> None:
        self._looks = deque([(0.0, 0.0)])
        self._is_busy = False
        self._thread = threading.local()

    def look(self, now: float, worked: float) -> None:
        """Learn, in the event loop's thread, how many seconds of processor time it has taken until ``now``."""
        if now - self._looks[-1][0] < LOOKS_EVERY_SECONDS:
            return
        while len(self._looks) > 1 and now - self._looks[1][0] >= SEEN_OVER_SECONDS:
            self._looks.popleft()
        since, worked_before = self._looks[0]
        self._is_busy = worked - worked_before > BUSY_SHARE * (now - since)
        self._looks.append((now, worked))

    def rest(self, now: float, began: float, ended: float) -> float:
        """Return for how many seconds a thread has to rest whose last work was between ``began`` and ``ended``."""
        is_busy = self._is_busy and now - self._looks[-1][0] < SEEN_FOR_SECONDS
        return max(0.0, ended + REST_PER_WORK * (ended - began) - now) if is_busy else 0.0

    def keeping(self, work: Callable[[], T]) -> T:
        """Do ``work`` in this thread, once it has rested; who waited for the work before has its result by then."""
        began, ended = getattr(self._thread, "worked", (0.0, 0.0))
        while (rest := self.rest(time.monotonic(), began, ended)) > 0:  # or not at all: even to sleep for no time
            time.sleep(min(rest, LOOKS_EVERY_SECONDS))  # would hand the interpreter to another thread
        began = time.monotonic()
        try:
            return work()
        finally:
            self._thread.worked = (began, time.monotonic())


class HashingPool:
    """Argon2id for everybody, never more than ``threads`` at once, with a short queue.

    A place is taken before a guess is charged, so that "busy" charges nothing.
    """

    def __init__(self, profile: argon2.Parameters, *, threads: int | None = None) -> None:
        count = threads or os.cpu_count() or 1
        self.hasher = argon2.PasswordHasher.from_parameters(profile)
        self.threads = ThreadPoolExecutor(count, thread_name_prefix="umbra-hash", initializer=_give_way)
        head = f"$argon2id$v={profile.version}$m={profile.memory_cost},t={profile.time_cost},p={profile.parallelism}"
        salt, digest = -(-profile.salt_len * 4 // 3), -(-profile.hash_len * 4 // 3)  # in base64, without padding
        self.decoy = f"{head}${_NOTHING[:salt]}${_NOTHING[:digest]}"
        self._is_of_today = re.compile(rf"{re.escape(head)}\$[^$]{{{salt}}}\$[^$]{{{digest}}}").fullmatch
        self.pace = Pace()
        self._count = count
        self._free = self._places = count * (1 + QUEUE_PER_THREAD)
        self._refusals = Turns(REFUSALS_PER_SECOND)

    def slot(self) -> Slot:
        """Return what reserves a place for as long as a block, and its hash, lasts."""
        return Slot(self)

    async def take(self) -> None:
        """Take a place; a crowd is refused one after the other.

        Raises:
            Busy: All places are taken.
        """
        self.pace.look(time.monotonic(), time.thread_time())
        if self._free <= 0:
            await self._refusals.mine()
            raise Busy
        self._free -= 1

    def give_back(self) -> None:
        """Give a place back that was taken."""
        self._free += 1

    def load(self) -> Load:
        """Return how many threads have work, and how many callers with a place wait for one of them."""
        taken = self._places - self._free
        return Load(min(taken, self._count), max(0, taken - self._count))

    def is_outdated(self, hashed: str) -> bool:
        """Say whether ``hashed`` was made with other parameters than today's."""
        return self._is_of_today(hashed) is None

    def close(self) -> None:
        """Let the threads end."""
        self.threads.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    """Let the event loop go first: who hashes has bought milliseconds, and everybody else waits for the loop."""
    if sys.platform == "linux":  # where each thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _matches(hasher: argon2.PasswordHasher, hashed: str, text: Secret[str], *, is_real: bool) -> bool:
    try:
        hasher.verify(hashed, _octets(text))
    except (VerificationError, InvalidHashError):
        return False
    return is_real


def _octets(text: Secret[str]) -> bytes:
    return text.reveal().encode("utf-8", "surrogatepass")
