"""What every call answers in every state of an account and at every level of session: ``make matrix`` writes it down.

Each cell has an account of its own, and a caller who knows and sends all that is right: what keeps them out is the
state or the level, and nothing else.
"""

import asyncio
import base64
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
from sqlalchemy import update

from support.people import API, BASE_URL
from umbra import settings, upkeep
from umbra.app import application
from umbra.attempts import bound
from umbra.attempts import store as attempts
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.backup_codes import codes
from umbra.backup_codes import store as backup_codes
from umbra.challenge import store as challenges
from umbra.core.clock import FixedClock
from umbra.core.entropy import SystemEntropy
from umbra.core.events import Client
from umbra.core.ids import AuthenticatorId, SessionId
from umbra.core.secret import Secret
from umbra.crypto import envelope, tokens
from umbra.crypto.argon import HashingPool
from umbra.crypto.envelope import Place
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import migrate
from umbra.db.opening import open_database
from umbra.db.sqlite import Sqlite
from umbra.db.transaction import Chain
from umbra.email_proofs import codes as mailed_codes
from umbra.email_proofs import store as email_proofs
from umbra.sessions import flows as session_flows
from umbra.sessions import store as sessions
from umbra.signin import notices, operating
from umbra.signin.policy import FRESH_FOR
from umbra.testing import CHEAP
from umbra.totp import store as totp
from umbra.totp.flows import PURPOSE
from umbra.totp.store import Imported
from umbra.users import store as users
from umbra.users.store import NewUser
from umbra.users.user import User

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "state-matrix.md"

PASSWORD, NEXT_PASSWORD = "correct horse battery staple 9", "another horse battery staple 7"
BACKUP_CODE = codes.new_set(SystemEntropy())[0]
MAILED_CODE = mailed_codes.new(SystemEntropy())
ADDRESS = "caller@example.com"
SECRET = Secret(b"a secret of 20 bytes")
STALE = FRESH_FOR + timedelta(seconds=1)
NOBODY = Client()
MAIL = {"smtp_url": "smtp://127.0.0.1", "mail_from": "Umbra <umbra@example.com>"}

STATES = {
    "no second factor": "The account has a password.",
    "address not proved": "The account has a password and a mail address, and a code waits for the caller's session.",
    "address proved": "The same, and the caller's session has typed the code just now.",
    "pending set-up": "The caller's session has begun to set an authenticator up.",
    "enrolled": "The account has one authenticator, and backup codes.",
    "waiting": "Enrolled, and the last five codes were wrong: the next one must wait.",
    "locked": "Enrolled, and the last hundred codes were wrong: no code counts until a backup code is used.",
    "disabled": "Enrolled, and the operator keeps the account out.",
}
FAILURES = {"waiting": bound.FREE_FAILURES, "locked": bound.MOST_TOTP_FAILURES}
LEVELS = {
    "nobody": "no session is shown",
    "mfa_token": "the token of an open challenge, shown as if it were a session's",
    "password": "a session that began with a password just now",
    "password, stale": "the same, more than ten minutes ago",
    "second factor": "a session that began with a second factor just now",
    "second factor, stale": "the same, more than ten minutes ago",
    "revoked": "a session that was ended",
}

WITHOUT = ("nobody", "mfa_token", "revoked")
"""Levels at which nobody is signed in."""


@dataclass(frozen=True)
class Cell:
    """An account in some state, and a caller at some level."""

    user: User
    mfa_token: str
    session_id: SessionId
    authenticator_id: AuthenticatorId | None
    code: str
    bearer: str | None


Body = Callable[[Cell], Mapping[str, Any] | None]


def _nothing(_cell: Cell) -> None:
    return None


CALLS: dict[str, Body] = {
    "POST /register": lambda cell: {"username": f"{cell.user.username}-too", "password": PASSWORD},
    "POST /login": lambda cell: {"username": cell.user.username, "password": PASSWORD},
    "POST /totp-verify, a code": lambda cell: {"mfa_token": cell.mfa_token, "code": cell.code},
    "POST /totp-verify, a backup code": lambda cell: {
        "mfa_token": cell.mfa_token,
        "backup_code": BACKUP_CODE.shown(),
    },
    "GET /session": _nothing,
    "GET /sessions": _nothing,
    "GET /totp/status": _nothing,
    "POST /totp/setup": _nothing,
    "POST /totp/confirm": lambda cell: {"code": cell.code},
    "POST /totp/disable": lambda cell: {"password": PASSWORD, "code": cell.code},
    "POST /totp/authenticators/{authenticator_id}/remove": lambda cell: {"code": cell.code},
    "PATCH /totp/authenticators/{authenticator_id}": lambda _cell: {"name": "Telephone"},
    "POST /totp/backup-codes/regenerate": lambda cell: {"password": PASSWORD, "code": cell.code},
    "POST /step-up, a code": lambda cell: {"code": cell.code},
    "POST /step-up, a backup code": lambda _cell: {"backup_code": BACKUP_CODE.shown()},
    "POST /step-up, the password": lambda _cell: {"password": PASSWORD},
    "POST /password": lambda _cell: {"current_password": PASSWORD, "new_password": NEXT_PASSWORD},
    "POST /password, with a code": lambda cell: {
        "current_password": PASSWORD,
        "new_password": NEXT_PASSWORD,
        "code": cell.code,
    },
    "POST /password/reset-request": lambda cell: {"username": cell.user.username},
    "POST /password/reset": lambda _cell: {"token": "uml_" + "x" * 43, "new_password": NEXT_PASSWORD},
    "POST /undo": lambda _cell: {"token": "uml_" + "x" * 43},
    "POST /email/proof": _nothing,
    "POST /email/proof/confirm": lambda _cell: {"code": MAILED_CODE.reveal()},
    "DELETE /sessions/{session_id}": _nothing,
    "POST /sessions/revoke-others": _nothing,
    "POST /logout": _nothing,
}
"""Every call, and what is sent; the ids in the addresses are of the account's own authenticator and session."""

INTRODUCTION = """# State matrix

What every call of the JSON face answers, in every state of an account and at every level of session, to a caller who
sends all that is right: password, code, backup code, code from a mail. There is a mail server. `make matrix` asks the
service and writes this page; `test_the_state_matrix_is_what_the_service_answers` fails when the two differ.
"""

OPEN_CHALLENGE = Chain(challenges.opened)
"""A challenge, whether or not its account has a second factor: it may have been turned off since."""

Matrix = dict[tuple[str, str, str], str]
"""The answer by state, call and level."""


class Surveyor:
    """Makes accounts and callers, and asks."""

    def __init__(self, auth: Auth, client: httpx.AsyncClient, hashes: tuple[str, ...]) -> None:
        self._auth = auth
        self._client = client
        self._password_hash, self._backup_code_hash, self._mailed_code_hash = hashes
        self._names = (f"caller-{number}" for number in itertools.count())

    async def survey(self) -> Matrix:
        """Fill in every cell."""
        return {
            (state, call, level): await self._ask(call, await self._cell(state, level))
            for state, call, level in itertools.product(STATES, CALLS, LEVELS)
        }

    async def _ask(self, call: str, cell: Cell) -> str:
        method, path = call.partition(",")[0].split(" ")
        url = API + path.format(authenticator_id=cell.authenticator_id or 999_999, session_id=cell.session_id)
        headers = {"Authorization": f"Bearer {cell.bearer}"} if cell.bearer else {}
        answer = await self._client.request(method, url, json=CALLS[call](cell), headers=headers)
        self._client.cookies.clear()
        said = answer.json() if answer.content else {}
        return f"{answer.status_code} {said.get('reason') or said.get('status') or ''}".strip()

    async def _cell(self, state: str, level: str) -> Cell:
        auth, now = self._auth, self._auth.clock.now()
        token, mfa_token = tokens.SESSION.new(auth.entropy), tokens.CHALLENGE.new(auth.entropy)
        async with auth.db.begin() as tx:
            address = ADDRESS if "address" in state else None
            user = await users.add(tx, NewUser(next(self._names), address, self._password_hash), now)
            values = sessions.creating(
                user.id,
                tokens.SESSION.hash_of_new(token),
                client=NOBODY,
                now=now - STALE if "stale" in level else now,
                limits=session_flows.limits(auth),
                second_factor="second factor" in level,
            )
            session = await sessions.create(tx, values)
            opening = challenges.opening(user.id, tokens.CHALLENGE.hash_of_new(mfa_token), now)
            await tx.follow(OPEN_CHALLENGE, **opening)
        authenticator_id = await self._brought_into(state, user, session.id)
        if level == "revoked":
            async with auth.db.begin() as tx:
                await sessions.end_all(tx, user.id, now, idle=auth.settings.session_idle)
        bearers = {"nobody": None, "mfa_token": mfa_token.reveal()}
        bearer = bearers.get(level, token.reveal())
        return Cell(user, mfa_token.reveal(), session.id, authenticator_id, _code(now), bearer)

    async def _brought_into(self, state: str, user: User, session_id: SessionId) -> AuthenticatorId | None:
        """Bring an account into a state, and return its authenticator, if it has one."""
        auth, now = self._auth, self._auth.clock.now()
        if state == "no second factor":
            return None
        if "address" in state:
            await self._mail(state, user, session_id)
            return None
        async with auth.db.begin() as tx:
            if state == "pending set-up":
                row = await totp.begin_setup(tx, user.id, session_id, "Phone", now)
            else:
                row = await totp.put_imported(tx, user.id, Imported("Phone", now, None, None))
                kept = [(BACKUP_CODE.selector, self._backup_code_hash)]
                await backup_codes.replace_all(tx, user.id, kept, now)
            await totp.put_secret(tx, row, envelope.seal(auth.keyring, SECRET, Place(PURPOSE, user.id, row)))
            if state in FAILURES:
                budget = attempts.totp_budget(user.id)
                await attempts.charge(tx, budget, now)
                counted = {"failures": FAILURES[state], "next_at": now + bound.FIRST_WAIT}
                await tx.execute(update(ATTEMPTS).where(ATTEMPTS.c.budget == budget.name).values(counted))
        if state == "disabled":
            await operating.disable(auth, operating.COMMAND_LINE, user.id)
        return None if state == "pending set-up" else row

    async def _mail(self, state: str, user: User, session_id: SessionId) -> None:
        now = self._auth.clock.now()
        async with self._auth.db.begin() as tx:
            await email_proofs.begin(tx, user.id, session_id, ADDRESS, self._mailed_code_hash, now)
            if state == "address proved":
                await email_proofs.spend(tx, await email_proofs.charge(tx, session_id, now), now)


@asynccontextmanager
async def surveyor(folder: Path) -> AsyncIterator[Surveyor]:
    """Run the service on a new SQLite file in ``folder``."""
    clock, entropy = FixedClock(datetime(2026, 1, 1, 12, tzinfo=UTC)), SystemEntropy()
    database = open_database(f"sqlite:///{folder / 'umbra.db'}")
    if isinstance(database, Sqlite):
        database.synchronous = "OFF"  # nothing here has to survive a power cut
    await migrate.upgrade(database)
    auth = Auth(
        db=database,
        clock=clock,
        entropy=entropy,
        keyring=Keyring.of(new_key().reveal()),
        hashing=HashingPool(CHEAP, threads=1),
        settings=settings.checked({"data_dir": folder, "registration": "open", **MAIL}),
        sink=notices.sink(database, clock, entropy),
    )
    await upkeep.check_ready(auth)
    async with auth.hashing.slot() as slot:
        hashes = await slot.hash(Secret(PASSWORD), BACKUP_CODE.text, MAILED_CODE)
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield Surveyor(auth, client, tuple(hashes))
    auth.hashing.close()
    await database.close()


def page(matrix: Matrix) -> str:
    """Return the document."""
    return "\n".join([*_head(), *(line for state in STATES for line in _section(state, matrix))])


def _head() -> Iterator[str]:
    yield INTRODUCTION
    yield "| Level | The caller shows |"
    yield "| --- | --- |"
    yield from (f"| {level} | {meaning} |" for level, meaning in LEVELS.items())


def _section(state: str, matrix: Matrix) -> Iterator[str]:
    yield from ("", f"## {state.capitalize()}", "", STATES[state], "")
    yield f"| Call | {' | '.join(LEVELS)} |"
    yield f"| --- |{' --- |' * len(LEVELS)}"
    for call in CALLS:
        yield f"| {_named(call)} | {' | '.join(_shown(matrix[state, call, level]) for level in LEVELS)} |"
    yield from [""] if state == list(STATES)[-1] else []


def _named(call: str) -> str:
    address, comma, sent = call.partition(",")
    return f"`{address}`{comma}{sent}"


def _shown(answer: str) -> str:
    status, _, reason = answer.partition(" ")
    return f"{status} `{reason}`" if reason else status


def _code(now: datetime) -> str:
    return pyotp.TOTP(base64.b32encode(SECRET.reveal()).decode()).at(now)


async def surveyed() -> Matrix:
    """Ask the service everything, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        async with surveyor(Path(folder)) as one:
            return await one.survey()


if __name__ == "__main__":
    PAGE.write_text(page(asyncio.run(surveyed())))
