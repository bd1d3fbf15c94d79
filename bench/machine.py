"""The machine: its cores, what a process takes of it, and what it is made of."""

import contextlib
import importlib.metadata
import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = (
    *("asyncpg", "sqlalchemy", "fastapi", "starlette", "pydantic"),
    *("uvicorn", "uvloop", "httptools", "argon2-cffi", "cryptography"),
)
KIB_PER_MB = 1024


def cores() -> tuple[int, int]:
    """Return the core of the server, and the core of the database and the load."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:  # noqa: PLR2004
        raise SystemExit("the bench needs two cores: one for the server, one for the database and the load")
    return allowed[0], allowed[1]


def pin(pid: int, core: int) -> None:
    """Keep a process, and the children that it has or will have, on one core."""
    os.sched_setaffinity(pid, {core})
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(int(child), {core})


def resident_mb(pid: int) -> float:
    """Return how much memory a process has resident."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / KIB_PER_MB


def facts(postgres_version: str) -> dict[str, str]:
    """Return what somebody else needs to know to compare figures."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": postgres_version,
        "SQLite": sqlite3.sqlite_version,
        "wrk": _first_words("wrk", "-v"),
        "pgbench": _first_words("pgbench", "--version"),
    } | {name: importlib.metadata.version(name) for name in LIBRARIES}


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _first_words(*command: str) -> str:
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return re.sub(r"^(wrk|pgbench \(PostgreSQL\)) ", "", said.partition("\n")[0]).partition(" ")[0]
