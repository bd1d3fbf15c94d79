"""What there is to beat: a bare ASGI endpoint with Umbra's statements on the raw driver, and the same answer."""

import asyncio
import base64
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from umbra.attempts.bound import WAITS
from umbra.challenge import store as challenges
from umbra.core.entropy import SystemEntropy
from umbra.crypto import tokens
from umbra.crypto.keyring import Keyring
from umbra.db import postgres, sqlite
from umbra.db.transaction import Chain, Compiled
from umbra.sessions import store as sessions
from umbra.settings import Settings
from umbra.signin import store as signin
from umbra.totp import algorithm
from umbra.totp import store as totp
from umbra.web.middleware import Guard

URL = os.environ["UMBRA_DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite:")
DIALECT = sqlite.DIALECT if IS_SQLITE else postgres.DIALECT
KEYS = Keyring.of(os.environ["UMBRA_ENCRYPTION_KEYS"])
ENTROPY = SystemEntropy()

SESSION_COLUMNS = 8
HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    *Guard(Settings()).headers,
    (b"x-request-id", b"0123456789abcdef"),
]

Given = dict[str, Any]


class Raw:
    """A statement's text, and its values in the driver's order."""

    def __init__(self, compiled: Compiled) -> None:
        self.text = compiled.text
        self._fixed = compiled._values
        self._wanted = [(place, name) for place, name, _ in compiled._wanted]

    def __call__(self, given: Given) -> list[Any]:
        values = self._fixed.copy()
        for place, name in self._wanted:
            values[place] = given[name]
        return values


def raws(*chains: Chain, is_flushed: bool = True) -> tuple[Raw, ...]:
    """Return the statements of chains, as one database gets them."""
    if IS_SQLITE:
        return tuple(Raw(compiled) for chain in chains for compiled, _ in chain.one_by_one(DIALECT))
    return tuple(Raw(chain.at_once(DIALECT, is_flushed=is_flushed)) for chain in chains)


SESSION = Raw(sessions._FIND.compiled(DIALECT))
CHALLENGE = Raw(challenges._FIND.compiled(DIALECT))
ENROLLED = Raw(totp._ENROLLED.compiled(DIALECT))
CHARGES = raws(signin._CHARGE_BOTH, is_flushed=False)
"""A transaction of its own; on PostgreSQL one statement, without BEGIN and COMMIT."""
SPENDS = raws(signin._SPEND_CHALLENGE_AND_MOVE, signin.RECORD_AND_CREATE)
"""One transaction."""


class OnPostgres:
    def __init__(self) -> None:
        self.pool: Any = None

    async def open(self) -> None:
        async def as_it_is(_connection: object) -> None:
            """Keep the pool from asking the server to forget, which is a round trip."""

        self.pool = await asyncpg.create_pool(URL, min_size=20, max_size=20, reset=as_it_is)

    async def read(self, raw: Raw, given: Given) -> list[Any]:
        async with self.pool.acquire() as connection:
            rows: list[Any] = await connection.fetch(raw.text, *raw(given))
            return rows

    async def write(self, raws: tuple[Raw, ...], given: Given) -> list[Any]:
        if len(raws) == 1:
            return await self.read(raws[0], given)
        rows: list[Any] = []
        async with self.pool.acquire() as connection, connection.transaction():
            for raw in raws:
                rows = await connection.fetch(raw.text, *raw(given))
        return rows


class OnSqlite:
    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.reader: Any = None
        self.writer: Any = None

    async def open(self) -> None:
        self.reader, self.writer = self._connect(), self._connect()

    async def read(self, raw: Raw, given: Given) -> list[Any]:
        rows: list[Any] = self.reader.execute(raw.text, raw(given)).fetchall()
        return rows

    async def write(self, raws: tuple[Raw, ...], given: Given) -> list[Any]:
        return await self._in_thread(lambda: self._write(raws, given))

    def _write(self, raws: tuple[Raw, ...], given: Given) -> list[Any]:
        rows: list[Any] = []
        with self.writer:
            self.writer.execute("BEGIN IMMEDIATE")
            for raw in raws:
                rows = self.writer.execute(raw.text, raw(given)).fetchall()
                assert rows
        return rows

    async def _in_thread(self, work: Callable[[], list[Any]]) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    def _connect(self) -> sqlite3.Connection:
        path = URL.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection


DB: Any = OnSqlite() if IS_SQLITE else OnPostgres()


def at(moment: datetime) -> Any:
    return moment.isoformat(" ") if IS_SQLITE else moment


def read(moment: Any) -> datetime:
    found: datetime = datetime.fromisoformat(moment) if IS_SQLITE else moment
    return found


async def session_check(headers: dict[bytes, bytes]) -> dict[str, Any]:
    token_hash = tokens.SESSION.hash_of(headers[b"authorization"].removeprefix(b"Bearer ").decode())
    now = datetime.now(UTC).replace(tzinfo=None)
    (row,) = await DB.read(SESSION, {"token_hash": token_hash})
    _, _, seen, expires, *_ = row
    assert read(expires) > now
    assert read(seen) > now - timedelta(hours=1)
    return answer(row)


async def verify(body: bytes) -> dict[str, Any]:
    sent = json.loads(body)
    now = datetime.now(UTC).replace(tzinfo=None)
    given: Given = {"token_hash": tokens.CHALLENGE.hash_of(sent["mfa_token"]), "now": at(now)}
    ((given["challenge_id"], user_id, username, email, is_operator),) = await DB.read(CHALLENGE, given)
    given["user_id"] = user_id
    ((given["authenticator_id"], _, sealed),) = await DB.read(ENROLLED, given)
    given |= {"budget": f"totp:{user_id}", "most_failures": 100}
    given |= {"chances": 3, "most_chances": 4998, "year_ends": at(now + timedelta(days=365))}
    given |= {f"wait_{count}": at(now) for count in WAITS} | {"longest_wait": at(now)}
    await DB.write(CHARGES, given)
    plaintext, _ = KEYS.open(sealed)
    secret = base64.b64decode(json.loads(plaintext)[-1])
    now_step = int(datetime.now(UTC).timestamp()) // 30
    around = [algorithm.Step(now_step + skew) for skew in (-1, 0, 1)]
    (step,) = (each for each in around if algorithm.code_for(secret, each) == sent["code"])
    token = tokens.SESSION.new(ENTROPY)
    given |= {
        "step": step,
        "code": sent["code"],
        "purpose": "sign_in",
        "dead_since": now_step - 2,
        "token_hash": tokens.SESSION.hash_of_new(token),
        "expires_at": at(now + timedelta(days=1)),
        "second_factor_at": at(now),
        "ip": "127.0.0.1",
        "user_agent": None,
        "at": at(now),
        "event": "sign_in_code",
        "reason": None,
        "detail": '{"method": "totp"}',
    }
    (row,) = await DB.write(SPENDS, given)
    owner = (user_id, username, email, is_operator)
    return answer((*row[-SESSION_COLUMNS:], *owner)) | {"status": "signed_in", "token": token.reveal()}


def answer(row: Any) -> dict[str, Any]:
    number, created, seen, expires, proven, second, ip, agent, owner, username, email, _ = row
    return {
        "user": {"id": owner, "username": username, "email": email},
        "session": {
            "id": number,
            "created_at": text(created),
            "last_seen_at": text(seen),
            "expires_at": text(expires),
            "authenticated_at": text(proven),
            "amr": ["pwd", "otp"] if second else ["pwd"],
            "ip": ip,
            "user_agent": agent,
            "current": True,
        },
    }


def text(moment: Any) -> str:
    return f"{moment}Z" if IS_SQLITE else f"{moment.isoformat()}Z"


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await DB.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["method"] == "GET":
        found = await session_check(dict(scope["headers"]))
    else:
        found = await verify((await receive())["body"])
    body = json.dumps(found).encode()
    headers = [(b"content-length", str(len(body)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
