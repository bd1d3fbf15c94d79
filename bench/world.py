"""A database with accounts, and what their owners hold."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete, insert, select, update

from bench import filler
from support.servers import environment_of
from umbra import upkeep, wiring
from umbra.attempts.tables import ATTEMPTS
from umbra.audit import flows as audit
from umbra.audit.tables import AUDIT
from umbra.auth import Auth
from umbra.backup_codes import codes
from umbra.challenge.tables import CHALLENGES
from umbra.core.entropy import SystemEntropy
from umbra.core.secret import Secret
from umbra.crypto import envelope, tokens
from umbra.crypto.keyring import new_key
from umbra.db import migrate
from umbra.sessions.tables import SESSIONS
from umbra.settings import Settings
from umbra.totp import algorithm
from umbra.totp.tables import AUTHENTICATORS, USED_CODES
from umbra.users.tables import USERS

ACCOUNTS_PER_SECOND = 2_500
"""More than anybody verifies in a second: each account can be signed in to once in a round."""

BATCH_ROWS = 1_000
SEEN_LATER = timedelta(hours=1)
"""Sessions are last seen in the future, so that a check only reads: Umbra notes a use at most once a minute."""

PASSWORD = "a password for the bench"  # noqa: S105 - nobody's


@dataclass
class World:
    """Accounts ``1`` to some number, each with an authenticator and a session."""

    auth: Auth
    environment: dict[str, str]
    folder: Path
    secrets: dict[int, bytes] = field(default_factory=dict)
    entropy: SystemEntropy = field(default_factory=SystemEntropy)
    last_session: int = 0

    @property
    def sessions(self) -> Path:
        """The file of session tokens, one a line."""
        return self.folder / "sessions"

    @property
    def verifications(self) -> Path:
        """The file of requests that finish a sign-in, one a line."""
        return self.folder / "verifications"

    async def fill(self, accounts: int) -> None:
        """Make accounts with an authenticator and a session each."""
        now = datetime.now(UTC)
        held = []
        for ids in _batches(range(1, accounts + 1)):
            self.secrets |= {number: self.entropy.token_bytes(algorithm.SECRET_BYTES) for number in ids}
            fresh = {number: tokens.SESSION.new(self.entropy) for number in ids}
            held += [token.reveal() for token in fresh.values()]
            async with self.auth.db.begin() as tx:
                await tx.execute(insert(USERS).values([user_row(number, now) for number in ids]))
                await tx.execute(insert(AUTHENTICATORS).values([self.authenticator_row(n, now) for n in ids]))
                await tx.execute(insert(SESSIONS).values([session_row(n, fresh[n], now) for n in ids]))
        self.sessions.write_text("\n".join(held) + "\n")
        self.last_session = accounts

    async def add_with_passwords_only(self, accounts: int) -> list[str]:
        """Add accounts without a second factor, all with the same password, and return their names."""
        now = datetime.now(UTC)
        hashed = self.auth.hashing.hasher.hash(PASSWORD)
        first = len(self.secrets) + 1
        rows = [user_row(number, now) | {"password_hash": hashed} for number in range(first, first + accounts)]
        async with self.auth.db.begin() as tx:
            await tx.execute(insert(USERS).values(rows))
        return [str(row["username"]) for row in rows]

    async def crowd(self, accounts: int, known: Sequence[int]) -> None:
        """Fill PostgreSQL with so many accounts that only the database makes them; those ``known`` can sign in."""
        fresh = {number: tokens.SESSION.new(self.entropy) for number in known}
        self.secrets = {number: self.entropy.token_bytes(algorithm.SECRET_BYTES) for number in known}
        rows = [(number, self.sealed(number), tokens.SESSION.hash_of_new(token)) for number, token in fresh.items()]
        await filler.fill(self.environment["UMBRA_DATABASE_URL"], accounts, rows)
        self.sessions.write_text("".join(f"{token.reveal()}\n" for token in fresh.values()))
        self.last_session = accounts

    async def challenge(self, accounts: Sequence[int] | None = None, *, by_backup_code: bool = False) -> None:
        """Give everybody, or some, a fresh challenge, and write down the answer to it, or a wrong backup code."""
        now = datetime.now(UTC)
        requests: list[str] = []
        for ids in _batches(accounts or list(self.secrets)):
            fresh = {number: tokens.CHALLENGE.new(self.entropy) for number in ids}
            async with self.auth.db.begin() as tx:
                await tx.execute(insert(CHALLENGES).values([challenge_row(n, fresh[n], now) for n in ids]))
            proofs = (self._wrong_backup_code() if by_backup_code else self.code(n, now) for n in ids)
            requests += [
                json.dumps({"mfa_token": token.reveal(), "delivery": "token"} | proof)
                for token, proof in zip(fresh.values(), proofs, strict=True)
            ]
        self.verifications.write_text("\n".join(requests) + "\n")

    def write_step_ups(self) -> Path:
        """Write down, for everybody, a session's token and a right code for it; return the file."""
        now = datetime.now(UTC)
        held = self.sessions.read_text().splitlines()
        lines = [f"{token} {json.dumps(self.code(n, now))}" for n, token in zip(self.secrets, held, strict=True)]
        file = self.folder / "step-ups"
        file.write_text("\n".join(lines) + "\n")
        return file

    async def seal(self) -> None:
        """Seal what the rounds before have left to be sealed, the bare endpoint's too: no session check's work."""
        await audit.seal(self.auth)

    async def forget(self) -> None:
        """Take the database back to where no code had been used."""
        used = select(USED_CODES.c.user_id)
        async with self.auth.db.begin() as tx:
            await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.user_id.in_(used)).values(last_step=None))
            for table in (CHALLENGES, USED_CODES, ATTEMPTS, AUDIT):
                await tx.execute(delete(table))
            await tx.execute(delete(SESSIONS).where(SESSIONS.c.id > self.last_session))

    def sealed(self, number: int) -> str:
        """Return an account's secret, sealed for its row."""
        return envelope.seal(self.auth.keyring, Secret(self.secrets[number]), envelope.Place("totp", number, number))

    def code(self, number: int, now: datetime) -> dict[str, str]:
        return {"code": algorithm.code_for(self.secrets[number], algorithm.step_at(now))}

    def _wrong_backup_code(self) -> dict[str, str]:
        return {"backup_code": codes.new_set(self.entropy)[0].shown()}

    def authenticator_row(self, number: int, now: datetime) -> dict[str, Any]:
        return {
            "user_id": number,
            "name": "App",
            "name_key": "app",
            "secret": self.sealed(number),
            "created_at": now,
            "confirmed_at": now,
        }


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[World]:
    """Bring a database's schema up to date, and yield an empty world on it."""
    folder.mkdir()
    key = new_key().reveal()
    data = folder / "data"
    auth = wiring.build(Settings(database_url=SecretStr(url), encryption_keys=SecretStr(key), data_dir=data))
    try:
        await migrate.upgrade(auth.db)
        await upkeep.check_canary(auth)
        environment = environment_of({"database_url": url, "encryption_keys": key, "data_dir": str(data)})
        yield World(auth, environment, folder)
    finally:
        auth.hashing.close()
        await auth.db.close()


def user_row(number: int, now: datetime) -> dict[str, Any]:
    """Return the row of an account that nobody can sign in to with a password."""
    name = f"user{number}"
    return {"username": name, "username_key": name, "password_hash": "-", "created_at": now, "is_operator": False}


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), BATCH_ROWS):
        yield numbers[first : first + BATCH_ROWS]


def session_row(number: int, token: Secret[str], now: datetime) -> dict[str, Any]:
    return {
        "user_id": number,
        "token_hash": tokens.SESSION.hash_of_new(token),
        "created_at": now,
        "last_seen_at": now + SEEN_LATER,
        "expires_at": now + timedelta(days=1),
        "authenticated_at": now,
        "second_factor_at": now,
        "ip": "127.0.0.1",
    }


def challenge_row(number: int, token: Secret[str], now: datetime) -> dict[str, Any]:
    return {
        "user_id": number,
        "token_hash": tokens.CHALLENGE.hash_of_new(token),
        "created_at": now,
        "expires_at": now + timedelta(minutes=5),
        "guesses": 0,
    }
