"""What a walk goes through: a server, its database, the mail that it sends, and the clock that it goes by."""

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx

from support import mail, postgres, servers
from support.mail import PostOffice
from umbra.crypto.keyring import new_key

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<circle cx="16" cy="16" r="15" fill="#8a2be2"/><path d="M9 23 16 8l7 15" fill="none" stroke="#fff" stroke-width="3"/>
</svg>"""
START_LINES = 20
START_SECONDS = 30


class Database(Protocol):
    settings: Mapping[str, str]

    def away(self) -> contextlib.AbstractContextManager[None]:
        """Be out of reach for as long as the block lasts, and perhaps for good."""
        ...


@dataclass
class OnSqlite:
    """A file; somebody else may hold it."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.folder / "umbra.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


@dataclass
class OnPostgres:
    """A server of its own, which does not come back, and a brand."""

    running: contextlib.ExitStack
    settings: Mapping[str, str]

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self.running.close()
        yield


@dataclass
class Service:
    address: str
    first_run: str
    database: Database
    office: PostOffice
    clock: Path

    def later(self, **by: float) -> None:
        """Let time go by."""
        ahead = int(self.clock.read_text()) + int(timedelta(**by).total_seconds())
        written = self.clock.with_suffix(".new")
        written.write_text(str(ahead))
        written.replace(self.clock)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=int(self.clock.read_text()))


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    if kind == "sqlite":
        yield OnSqlite(folder)
        return
    logo = folder / "logo.svg"
    logo.write_text(LOGO)
    with contextlib.ExitStack() as running:
        url = f"{running.enter_context(postgres.running())}/postgres"
        settings = {"database_url": url, "encryption_keys": new_key().reveal()}
        brand = {"brand_name": "Acme", "brand_accent": "#8a2be2", "brand_logo": str(logo)}
        yield OnPostgres(running, settings | brand)


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Service]:
    """Run the service on a database of a kind, with open registration and a mail server."""
    folder.chmod(0o700)
    office, clock = PostOffice(mail.free_port()), folder / "ahead"
    clock.write_text("0")
    with office.is_open(), database(kind, folder) as kept:
        settings = {"data_dir": str(folder), "registration": "open", "smtp_url": office.url, "mail_from": mail.FROM}
        environment = servers.environment_of(settings | dict(kept.settings)) | {"WALK_AHEAD": str(clock)}
        command = [sys.executable, "-m", "walk.serve", "serve", "--migrate", "--port", str(mail.free_port())]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                first_run = _first_run_address(server, Path(log.name))
                yield Service(first_run.partition("/first-run")[0], first_run, kept, office, clock)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(20)


def _first_run_address(server: "subprocess.Popen[str]", log: Path) -> str:
    assert server.stdout is not None
    for _, line in zip(range(START_LINES), server.stdout, strict=False):
        if found := re.search(r"http://\S+/first-run\?token=\S+", line):
            _await(found[0].partition("/first-run")[0])
            return found[0]
    raise RuntimeError(log.read_text())


def _await(address: str) -> None:
    """Wait until the server listens; it prints the address before it does."""
    transport = httpx.HTTPTransport(retries=10)  # of connections, with longer and longer pauses
    with httpx.Client(transport=transport, timeout=START_SECONDS, trust_env=False) as client:
        assert client.get(f"{address}/readyz").is_success
