"""Umbra beside a bare endpoint with the same statements, in one run: ``make bench``, or ``make bench QUICK=1``.

Figures are medians over alternating rounds; what counts is their ratio. The server has one core, the database and the
load the other.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete, insert, update

from support import postgres
from support.servers import UMBRA, environment_of
from umbra import upkeep, wiring
from umbra.attempts.tables import AttemptsRow
from umbra.audit.tables import AuditRow
from umbra.challenge.tables import ChallengeRow
from umbra.core.entropy import SystemEntropy
from umbra.core.secret import Secret
from umbra.crypto import envelope, tokens
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import migrate
from umbra.db.database import Database
from umbra.sessions.tables import SessionRow
from umbra.settings import Settings
from umbra.totp import algorithm
from umbra.totp.tables import AuthenticatorRow, UsageRow
from umbra.users.tables import UserRow

ROOT = Path(__file__).parent.parent
FLOOR = {"full": 0.75, "quick": 0.5}
"""The least ratio: the goal, and what a quick run on a busy machine must reach."""

CONNECTIONS = 32
ACCOUNTS_PER_SECOND = 2_500
BATCH_ROWS = 1_000
PORTS = {"bare": 8901, "umbra": 8902}
ADDRESS = "http://127.0.0.1:{port}/api/auth"
REAL_DISK = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

SESSION_LUA = """
local tokens, n = {}, 0
for line in io.lines("%s") do tokens[#tokens + 1] = line end
request = function()
  n = n %% #tokens + 1
  return wrk.format("GET", nil, {["Authorization"] = "Bearer " .. tokens[n]})
end
"""
VERIFY_LUA = """
local bodies, n = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
request = function()
  n = n + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[n] or "{}")
end
"""


@dataclass
class Round:
    """What wrk saw."""

    rate: float
    p50: float
    p99: float
    refused: int


@dataclass
class World:
    """A database with accounts, and what their owners hold."""

    db: Database
    keyring: Keyring
    folder: Path
    secrets: list[bytes] = field(default_factory=list)
    entropy: SystemEntropy = field(default_factory=SystemEntropy)

    async def fill(self, accounts: int) -> None:
        """Make accounts with an authenticator and a session each."""
        now = datetime.now(UTC)
        held = []
        self.secrets = [self.entropy.token_bytes(algorithm.SECRET_BYTES) for _ in range(accounts)]
        for first in range(1, accounts + 1, BATCH_ROWS):
            ids = range(first, min(first + BATCH_ROWS, accounts + 1))
            fresh = {number: tokens.SESSION.new(self.entropy) for number in ids}
            held += [token.reveal() for token in fresh.values()]
            async with self.db.begin() as tx:
                await tx.execute(insert(UserRow).values([self._user(number, now) for number in ids]))
                await tx.execute(insert(AuthenticatorRow).values([self._authenticator(n, now) for n in ids]))
                await tx.execute(insert(SessionRow).values([self._session(n, fresh[n], now) for n in ids]))
        (self.folder / "sessions").write_text("\n".join(held) + "\n")

    async def challenge_everybody(self) -> None:
        """Give everybody a fresh challenge, and write down the request that answers it right now."""
        now = datetime.now(UTC)
        async with self.db.begin() as tx:
            for table in (ChallengeRow, UsageRow, AttemptsRow, AuditRow):
                await tx.execute(delete(table))
            await tx.execute(delete(SessionRow).where(SessionRow.id > len(self.secrets)))
            await tx.execute(update(AuthenticatorRow).values(last_step=None))
        requests = []
        step = algorithm.step_at(now)
        for first in range(1, len(self.secrets) + 1, BATCH_ROWS):
            ids = range(first, min(first + BATCH_ROWS, len(self.secrets) + 1))
            fresh = {number: tokens.CHALLENGE.new(self.entropy) for number in ids}
            rows = [
                {
                    "user_id": number,
                    "token_hash": tokens.CHALLENGE.hash_of_new(token),
                    "created_at": now,
                    "expires_at": now + timedelta(minutes=5),
                    "guesses": 0,
                }
                for number, token in fresh.items()
            ]
            async with self.db.begin() as tx:
                await tx.execute(insert(ChallengeRow).values(rows))
            requests += [
                json.dumps(
                    {
                        "mfa_token": token.reveal(),
                        "code": algorithm.code_for(self.secrets[number - 1], step),
                        "delivery": "token",
                    }
                )
                for number, token in fresh.items()
            ]
        (self.folder / "verifications").write_text("\n".join(requests) + "\n")

    def _user(self, number: int, now: datetime) -> dict[str, Any]:
        name = f"user{number}"
        return {"username": name, "username_key": name, "password_hash": "-", "created_at": now, "is_operator": False}

    def _authenticator(self, number: int, now: datetime) -> dict[str, Any]:
        place = envelope.Place("totp", number, number)
        return {
            "user_id": number,
            "name": "App",
            "name_key": "app",
            "secret": envelope.seal(self.keyring, Secret(self.secrets[number - 1]), place),
            "created_at": now,
            "confirmed_at": now,
        }

    def _session(self, number: int, token: Secret[str], now: datetime) -> dict[str, Any]:
        return {
            "user_id": number,
            "token_hash": tokens.SESSION.hash_of_new(token),
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + timedelta(days=1),
            "authenticated_at": now,
            "second_factor_at": now,
            "ip": "127.0.0.1",
        }


@contextlib.contextmanager
def serving(environment: dict[str, str], folder: Path) -> Iterator[None]:
    """Run both servers on the first core."""
    flags = "--host 127.0.0.1 --no-access-log --no-server-header --no-proxy-headers --lifespan on --log-level warning"
    bare = [sys.executable, "-m", "uvicorn", "bench.bare:app", *flags.split(), "--port", str(PORTS["bare"])]
    umbra = [*UMBRA, "serve", "--port", str(PORTS["umbra"])]
    running = []
    with (folder / "log").open("wb") as log:
        try:
            running += [
                subprocess.Popen(["taskset", "-c", "0", *command], env=environment, cwd=ROOT, stdout=log, stderr=log)
                for command in (bare, umbra)
            ]
            for port in PORTS.values():
                _await(port, folder / "log")
            yield
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(10)


def _await(port: int, log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


def load(name: str, what: str, script: str, seconds: int, folder: Path) -> Round:
    """Let wrk loose on one server from the other core, and return what it saw."""
    lua = folder / "script.lua"
    lua.write_text(script)
    url = f"{ADDRESS.format(port=PORTS[name])}/{what}"
    command = [
        "taskset",
        "-c",
        "1",
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(lua),
        url,
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Round(
        float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        _milliseconds(_found(r"\n +50%\s+(\S+)", said)),
        _milliseconds(_found(r"\n +99%\s+(\S+)", said)),
        int(refused[1]) if refused else 0,
    )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(text)
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


async def compare(url: str, folder: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure both calls on one database."""
    folder.mkdir()
    key = new_key().reveal()
    settings = Settings(database_url=SecretStr(url), encryption_keys=SecretStr(key), data_dir=folder / "data")
    auth = wiring.build(settings)
    world = World(auth.db, auth.keyring, folder)
    await migrate.upgrade(auth.db)
    await upkeep.check_canary(auth)
    await world.fill(ACCOUNTS_PER_SECOND * seconds)
    environment = environment_of({"database_url": url, "encryption_keys": key, "data_dir": str(folder / "data")})
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    seen: dict[str, dict[str, list[Round]]] = {
        what: {name: [] for name in PORTS} for what in ("session", "totp-verify")
    }
    with serving(environment, folder):
        for number in range(rounds):
            for name in sorted(PORTS, reverse=number % 2 == 1):
                seen["session"][name].append(
                    load(name, "session", SESSION_LUA % (folder / "sessions"), seconds, folder)
                )
                await world.challenge_everybody()
                seen["totp-verify"][name].append(
                    load(name, "totp-verify", VERIFY_LUA % (folder / "verifications"), seconds, folder)
                )
    auth.hashing.close()
    await auth.db.close()
    return {what: _summary(by_name) for what, by_name in seen.items()}


def _summary(by_name: dict[str, list[Round]]) -> dict[str, Any]:
    rate = {name: statistics.median(one.rate for one in rounds) for name, rounds in by_name.items()}
    ours = by_name["umbra"]
    return {
        "bare": round(rate["bare"]),
        "umbra": round(rate["umbra"]),
        "ratio": round(rate["umbra"] / rate["bare"], 2),
        "p50_ms": round(statistics.median(one.p50 for one in ours), 2),
        "p99_ms": round(statistics.median(one.p99 for one in ours), 2),
        "refused": sum(one.refused for rounds in by_name.values() for one in rounds),
    }


def main() -> None:
    """Measure, print, and fail when a ratio is below the floor."""
    is_quick = "--quick" in sys.argv
    rounds, seconds = (2, 3) if is_quick else (5, 5)
    folder = Path(tempfile.mkdtemp(prefix="umbra-bench-"))
    try:
        with postgres.running(**REAL_DISK) as server:
            found = {
                "PostgreSQL": asyncio.run(compare(f"{server}/postgres", folder / "postgres", rounds, seconds)),
                "SQLite": asyncio.run(compare(f"sqlite:///{folder}/umbra.db", folder / "sqlite", rounds, seconds)),
            }
    finally:
        shutil.rmtree(folder)
    print(f"{'':24}{'bare':>8}{'umbra':>8}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for database, calls in found.items():
        for call, row in calls.items():
            print(
                f"{database:12}{call:12}{row['bare']:8}{row['umbra']:8}{row['ratio']:8.2f}{row['p50_ms']:9}{row['p99_ms']:9}"
            )
    floor = FLOOR["quick" if is_quick else "full"]
    rows = [row for calls in found.values() for row in calls.values()]
    if any(row["ratio"] < floor or row["refused"] for row in rows):
        print(json.dumps(found, indent=2))
        sys.exit(f"a ratio is below {floor}, or something was refused")


if __name__ == "__main__":
    main()
