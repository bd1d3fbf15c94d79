"""The mark: how far a server has seen its database go, in a file that no restored backup of the database touches."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from umbra.core.errors import Misconfigured
from umbra.core.files import replace_private

FILE = "database-mark"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the audit log, and what stands there; no other history has the same there."""

    number: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which database was seen, how far, and when that was written down."""

    database: str
    position: Position
    kept_at: datetime


def read(folder: Path) -> Mark | None:
    """Return the mark of a data directory, or ``None`` before the first.

    Raises:
        Misconfigured: There is one, and it cannot be read.
    """
    file = folder / FILE
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
        position = Position(int(kept["number"]), str(kept["digest"]))
        return Mark(str(kept["database"]), position, datetime.fromisoformat(kept["kept_at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"{file} cannot be read ({type(error).__name__}). If the database was restored from a backup, run "
            "'umbra after-restore'; if not, delete the file"
        ) from None


def move(folder: Path, old: Mark | None, new: Mark) -> None:
    """Put the mark forward, unless somebody else has moved it since it was ``old``: two servers may share a folder.

    Raises:
        Misconfigured: It cannot be written.
    """
    with _alone(folder):
        if read(folder) == old:
            _write(folder, new)


def put(folder: Path, mark: Mark) -> None:
    """Set the mark, wherever it was.

    Raises:
        Misconfigured: It cannot be written.
    """
    with _alone(folder):
        _write(folder, mark)


def _write(folder: Path, mark: Mark) -> None:
    kept = {
        "database": mark.database,
        "number": mark.position.number,
        "digest": mark.position.digest,
        "kept_at": mark.kept_at.isoformat(),
    }
    replace_private(folder / FILE, json.dumps(kept) + "\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out for the moment of a look and a write, by a lock on the folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Misconfigured(f"UMBRA_DATA_DIR: {folder / FILE} cannot be written ({type(error).__name__})") from None
