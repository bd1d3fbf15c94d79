"""Marks: how far a server has seen each of its databases go, in a file that no restored backup of theirs touches."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from umbra.core.errors import Misconfigured
from umbra.core.files import replace_private
from umbra.core.record import record

FILE = "database-mark"


@record
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


def read(folder: Path) -> dict[str, Mark]:
    """Return the marks of a data directory, one for each database that was served with it, by its name.

    Raises:
        Misconfigured: There are some, and they cannot be read.
    """
    file = folder / FILE
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
        return {name: _mark(name, **of_one) for name, of_one in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Misconfigured(
            f"{file} cannot be read ({type(error).__name__}). If the database was restored from a backup, run "
            "'umbra after-restore'; if not, delete the file"
        ) from None


def move(folder: Path, old: Mark | None, new: Mark) -> None:
    """Put a mark forward, unless somebody else has moved it since it was ``old``: two servers may share a folder.

    Raises:
        Misconfigured: It cannot be written.
    """
    with _alone(folder):
        kept = read(folder)
        if kept.get(new.database) == old:
            _write(folder, kept | {new.database: new})


def put(folder: Path, mark: Mark) -> None:
    """Set a mark, wherever it was; if the file cannot be read, it is the only one in it from now on.

    Raises:
        Misconfigured: It cannot be written.
    """
    with _alone(folder):
        try:
            kept = read(folder)
        except Misconfigured:
            kept = {}
        _write(folder, kept | {mark.database: mark})


def _mark(database: str, number: int, digest: str, kept_at: str) -> Mark:
    return Mark(database, Position(int(number), str(digest)), datetime.fromisoformat(kept_at))


def _write(folder: Path, marks: Mapping[str, Mark]) -> None:
    kept = {
        name: {"number": one.position.number, "digest": one.position.digest, "kept_at": one.kept_at.isoformat()}
        for name, one in marks.items()
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
