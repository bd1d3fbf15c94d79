"""The example applications, installed as their developers would: on a database of their own, through their commands."""

import contextlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
import asyncpg

from support.servers import UMBRA, environment_of
from umbra.crypto.keyring import new_key

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextlib.contextmanager
def fresh_postgres(server: str) -> Iterator[str]:
    """Make a database on ``server``, yield its address, and drop it."""
    name = f"example_{uuid.uuid4().hex}"
    anyio.run(_sql, server, f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    anyio.run(_sql, server, f"DROP DATABASE {name} WITH (FORCE)")


def copy_of(name: str, folder: Path) -> Path:
    """Return a copy of an example in ``folder``, for commands that write into it."""
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")))


def environment(database_url: str) -> dict[str, str]:
    """Return what a developer would have exported."""
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    return {"DATABASE_URL": url, "ENCRYPTION_KEYS": new_key().reveal(), "JWT_KEY": uuid.uuid4().hex * 2}


def alembic(home: Path, given: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """Run ``alembic`` beside an example's folder, and return what it says."""
    return _run(home, given, [sys.executable, "-m", "alembic", "-c", f"{home.name}/alembic.ini", *arguments], code)


def umbra(home: Path, given: Mapping[str, str], *arguments: str) -> str:
    """Run ``umbra`` on an example, and return what it says."""
    return _run(home, given, [*UMBRA, "--app", f"{home.name}.main:umbra", *arguments], 0)


def _run(home: Path, given: Mapping[str, str], command: list[str], code: int) -> str:
    settings = {**environment_of({}), **given}
    done = subprocess.run(
        command, cwd=home.parent, env=settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


def with_tables_like_its_own(home: Path, given: Mapping[str, str]) -> None:
    """Make Acme's tables, and Umbra's, as its README says."""
    alembic(home, given, "upgrade", "head")
    alembic(home, given, "revision", "--autogenerate", "-m", "second factor")
    alembic(home, given, "upgrade", "head")


def with_tables_apart(home: Path, given: Mapping[str, str]) -> None:
    """Make Ledger's tables, and Umbra's, as its README says."""
    alembic(home, given, "upgrade", "head")
    umbra(home, given, "db", "upgrade")


async def _sql(server: str, statement: str) -> None:
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
