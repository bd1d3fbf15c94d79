"""SQLite's connections, which do something at a moment; a process of its own dies at it."""

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any, ClassVar

from faults.moments import Moment, Watch

PARTS, IS_DONE = "FAULTS_PARTS", "FAULTS_IS_DONE"
"""How a process is told at which moment it is to die."""

SEPARATOR = "|"


class Trapped(sqlite3.Connection):
    """A connection that acts at the moment that ``watch`` waits for."""

    watch: ClassVar[Watch | None] = None
    acts: ClassVar[tuple[Callable[[], None], ...]] = ()

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        """Execute a statement, and act before it, or after it, if this is the moment."""
        watch = Trapped.watch
        if watch is None or not watch.comes(sql):
            return super().execute(sql, *more)
        act, relent = Trapped.acts
        if watch.moment.is_done:
            done = super().execute(sql, *more)
            act()
            return done
        act()
        try:
            return super().execute(sql, *more)
        finally:
            relent()


def nothing() -> None:
    """Leave it as it is."""


def set_trap(watch: Watch | None, act: Callable[[], None] = nothing, relent: Callable[[], None] = nothing) -> None:
    """Act at a moment on every connection that is trapped, and ``relent`` when its statement has ended."""
    Trapped.watch, Trapped.acts = watch, (act, relent)


def connect(*given: Any, **more: Any) -> sqlite3.Connection:
    """Open a connection as ``sqlite3`` does, and trap it."""
    return sqlite3.dbapi2.connect(*given, factory=Trapped, **more)


def die() -> None:
    """End this process as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def told(moment: Moment) -> dict[str, str]:
    """Return the environment that tells a process at which moment to die."""
    return {PARTS: SEPARATOR.join(moment.parts), IS_DONE: "1" if moment.is_done else ""}


def main() -> None:
    """Be the command ``umbra``, and die at the moment that the environment names."""
    from umbra.cli.main import main as umbra  # noqa: PLC0415 - the trap is set before

    sqlite3.connect = connect  # type: ignore[assignment]
    moment = Moment(tuple(os.environ[PARTS].split(SEPARATOR)), bool(os.environ[IS_DONE]))
    set_trap(Watch(moment), die)
    umbra()


if __name__ == "__main__":
    main()
