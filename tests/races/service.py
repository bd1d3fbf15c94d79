"""Two servers on one database, the people who use them, and a way to let many requests loose at once."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import argon2
import httpx
import pyotp
from sqlalchemy import ColumnElement, Executable, Integer, Select, Table, func, select, text

from support import servers
from umbra import settings as settings_of
from umbra import wiring
from umbra.attempts import store as attempts
from umbra.attempts.store import Budget
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.browsers import store as browsers
from umbra.challenge.tables import CHALLENGES
from umbra.core.clock import FixedClock
from umbra.core.events import Client, Event, Happened
from umbra.core.ids import AuthenticatorId, SessionId
from umbra.core.secret import Secret
from umbra.core.typed import Digits
from umbra.crypto import tokens
from umbra.crypto.argon import HashingPool
from umbra.sessions import flows as session_flows
from umbra.sessions import store as session_store
from umbra.sessions.tables import SESSIONS
from umbra.settings import Settings
from umbra.signin import account, flows, secondfactor
from umbra.signin import store as signin_store
from umbra.signin.flows import SignedIn
from umbra.totp.algorithm import PERIOD_SECONDS, Step, step_at
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS
from umbra.users.user import User

T = TypeVar("T")

API = "/api/auth"
PASSWORD = "correct horse battery staple 9"
NOBODY = Client()

LONG_AGO = timedelta(minutes=30)
"""When everybody enrolled: no code of these days is spent yet, and no wait is left."""

MOST_WAITING = 30
"""A crowd that large has gathered: the servers have forty database connections together to wait with."""

GATHERING_SECONDS = 5
"""How long a crowd may take to gather; half of what the servers wait for a lock."""

CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)

WAITING = text(
    "SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
).columns(waiting=Integer)


class Crowd(Generic[T]):
    """Calls that were let loose together, in the order in which they were sent."""

    def __init__(self, auth: Auth, *, is_held: bool) -> None:
        self._auth = auth
        self._is_held = is_held
        self._calls: list[asyncio.Task[T]] = []

    async def send(self, *calls: Coroutine[Any, Any, T]) -> None:
        """Start calls; where a row is held, come back when all have ended or stand at a lock."""
        self._calls += [asyncio.create_task(call) for call in calls]
        now = asyncio.get_running_loop().time
        until = now() + GATHERING_SECONDS
        while self._is_held and now() < until and not await self._has_gathered():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)

    async def answers(self) -> list[T]:
        """Wait for all of the answers."""
        return await asyncio.gather(*self._calls)

    async def _has_gathered(self) -> bool:
        ended = sum(call.done() for call in self._calls)
        async with self._auth.db.read() as tx:
            waiting: int = (await tx.execute(WAITING)).scalar_one()
        return waiting + ended >= len(self._calls) or waiting >= MOST_WAITING


@asynccontextmanager
async def holding(auth: Auth, rows: Executable | None) -> AsyncIterator[Crowd[Any]]:
    """Hold rows on PostgreSQL while a crowd gathers in front of them.

    Whoever is sent meanwhile has read all that it decides by, and waits to write: the moment that a race is about,
    which otherwise passes in a millisecond. SQLite lets one writer in at a time, and a crowd just runs.
    """
    async with AsyncExitStack() as stack:
        is_held = rows is not None and not auth.db.is_sqlite
        if rows is not None and is_held:
            tx = await stack.enter_async_context(auth.db.begin())
            await tx.execute(rows)
        crowd: Crowd[Any] = Crowd(auth, is_held=is_held)
        yield crowd
    await crowd.answers()


async def at_once(auth: Auth, calls: Iterable[Coroutine[Any, Any, T]], *, held: Executable | None = None) -> list[T]:
    """Let ``calls`` loose together, and return their answers in the same order."""
    async with holding(auth, held) as crowd:
        await crowd.send(*calls)
    answers: list[T] = await crowd.answers()
    return answers


@dataclass
class Owner:
    """Somebody with an account and, if enrolled, apps that show codes.

    The codes are counted from the step in which the owner was made, so that a test means the same step throughout:
    ``code(0)`` and ``code(1)`` are both good for at least 30 seconds from then.
    """

    user: User
    step: Step
    password: str = PASSWORD
    secrets: list[str] = field(default_factory=list)
    authenticators: list[AuthenticatorId] = field(default_factory=list)
    backup_codes: list[str] = field(default_factory=list)

    def code(self, steps: int, *, app: int = 0) -> str:
        """Return what an app shows in the step of now, or one some steps away."""
        return pyotp.HOTP(self.secrets[app]).at(self.step + steps)

    def wrong_codes(self, count: int) -> list[str]:
        """Return different codes that belong to no step anywhere near."""
        near = {self.code(steps, app=app) for steps in range(-15, 16) for app in range(len(self.secrets))}
        codes = (f"{number * 10_007 % 1_000_000:06}" for number in itertools.count())
        return list(itertools.islice((code for code in codes if code not in near), count))


@dataclass(frozen=True)
class Pair:
    """Two running servers, and the settings that both have."""

    settings: Settings
    environment: dict[str, str]
    addresses: list[str]


@contextmanager
def pair_of(folder: Path, **settings: str) -> Iterator[Pair]:
    """Run two servers with these settings, and with what every race needs besides."""
    given = {
        "data_dir": str(folder),
        "registration": "open",
        "trusted_proxies": "127.0.0.1",  # so that a test can call from many addresses
        **settings,
    }
    environment = servers.environment_of(given)
    with servers.running(2, folder, environment) as running:
        yield Pair(settings_of.load(**given), environment, [server.address for server in running])


@dataclass
class Service:
    """Two servers, seen from outside, and their database, seen from inside."""

    auth: Auth
    quick: HashingPool
    client: httpx.AsyncClient
    turns: Iterator[str]

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        token: str | None = None,
        ip: str | None = None,
        browser: Secret[str] | None = None,
    ) -> httpx.Response:
        """Call the server whose turn it is."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"X-Forwarded-For": ip} if ip else {}
        headers |= {"Cookie": f"umbra_browser={browser.reveal()}"} if browser else {}
        return await self.client.post(next(self.turns) + API + path, json=body, headers=headers)

    async def login(
        self, owner: Owner, *, password: str | None = None, ip: str | None = None, browser: Secret[str] | None = None
    ) -> httpx.Response:
        kept_in = "token" if browser is None else "cookie"
        body = {"username": owner.user.username, "password": password or owner.password, "delivery": kept_in}
        return await self.post("/login", body, ip=ip, browser=browser)

    async def verify(self, mfa_token: str, **proof: str) -> httpx.Response:
        return await self.post("/totp-verify", {"mfa_token": mfa_token, "delivery": "token", **proof})

    async def verify_in(self, browser: Secret[str], mfa_token: str, code: str) -> httpx.Response:
        """Take the code step in a browser that shows its cookie."""
        return await self.post("/totp-verify", {"mfa_token": mfa_token, "code": code}, browser=browser)

    async def step_up(self, token: str, **proof: str) -> httpx.Response:
        return await self.post("/step-up", proof, token=token)

    async def is_signed_in(self, token: str) -> bool:
        """Say whether ``token`` opens a session."""
        headers = {"Authorization": f"Bearer {token}"}
        return (await self.client.get(next(self.turns) + API + "/session", headers=headers)).is_success

    async def at_once(self, calls: Iterable[Coroutine[Any, Any, T]], *, held: Executable | None = None) -> list[T]:
        """Let ``calls`` loose together, and return their answers in the same order."""
        return await at_once(self.auth, calls, held=held)

    def holding(self, rows: Executable) -> AbstractAsyncContextManager[Crowd[Any]]:
        """Hold rows on PostgreSQL while a crowd gathers in front of them."""
        return holding(self.auth, rows)

    async def numbers(self, wanted: Select[int]) -> list[int]:
        """Read one column of the database."""
        async with self.auth.db.read() as tx:
            return [number for (number,) in await tx.execute(wanted)]

    async def count(self, rows: Table[Any], *where: ColumnElement[bool]) -> int:
        """Count rows in the database."""
        async with self.auth.db.read() as tx:
            return (await tx.execute(select(func.count()).select_from(rows).where(*where))).scalar_one()

    async def owner(self, *, apps: int = 1, email: str | None = None) -> Owner:
        """Make somebody who enrolled so many apps, long ago."""
        clock = FixedClock(self.auth.clock.now() - LONG_AGO)
        then = replace(self.auth, clock=clock)
        name = f"owner-{uuid.uuid4().hex}"
        user = await account.create(then, name, Secret(PASSWORD), email=email, is_operator=False, client=NOBODY)
        owner = Owner(user, step_at(self.auth.clock.now()))
        if apps:
            await self._enrol(then, clock, owner, apps)
            owner.step = step_at(self.auth.clock.now())
        return owner

    async def challenges(self, owner: Owner, count: int) -> list[str]:
        """Return so many open challenges of the owner's."""
        made = [tokens.CHALLENGE.new(self.auth.entropy) for _ in range(count)]
        async with self.auth.db.begin() as tx:
            for token in made:
                hashed = tokens.CHALLENGE.hash_of_new(token)
                happened = Happened(Event.SIGN_IN_PASSWORD, NOBODY, owner.user.id)
                await signin_store.open_challenge(tx, owner.user.id, hashed, happened, self.auth.clock.now())
        return [token.reveal() for token in made]

    async def browser(self, owner: Owner, *, is_proved: bool = True) -> Secret[str]:
        """Return the cookie of a browser that the account knows."""
        token, now = tokens.BROWSER.new(self.auth.entropy), self.auth.clock.now()
        values = browsers.meeting(tokens.BROWSER.hash_of_new(token), now, is_proved=is_proved)
        async with self.auth.db.begin() as tx:
            await signin_store.meet(tx, owner.user.id, values, is_told=False)
        return token

    async def sessions(self, owner: Owner, count: int) -> list[str]:
        """Return the tokens of so many fresh sessions of the owner's."""
        made = [tokens.SESSION.new(self.auth.entropy) for _ in range(count)]
        for token in made:
            await self._session(owner, token, timedelta(0))
        return [token.reveal() for token in made]

    async def idle_session(self, owner: Owner) -> SessionId:
        """Leave the owner a session that has died of idleness; whoever ends all sessions still has to touch it."""
        idle = 2 * self.auth.settings.session_idle
        return await self._session(owner, tokens.SESSION.new(self.auth.entropy), idle)

    async def open_budget(self, budget: Budget) -> None:
        """Make sure that the budget has a row, with nothing charged to it."""
        async with self.auth.db.begin() as tx:
            await attempts.charge(tx, budget, self.auth.clock.now())
            await attempts.forgive(tx, budget, self.auth.clock.now())

    async def alive(self, owner: Owner) -> int:
        """Count the owner's sessions."""
        async with self.auth.db.read() as tx:
            now, idle = self.auth.clock.now(), self.auth.settings.session_idle
            return len(await session_store.alive(tx, owner.user.id, now, idle))

    async def _session(self, owner: Owner, token: Secret[str], age: timedelta) -> SessionId:
        async with self.auth.db.begin() as tx:
            values = session_store.creating(
                owner.user.id,
                tokens.SESSION.hash_of_new(token),
                client=NOBODY,
                now=self.auth.clock.now() - age,
                limits=session_flows.limits(self.auth),
                second_factor=bool(owner.secrets),
            )
            session = await session_store.create(tx, values)
        return session.id

    async def _enrol(self, then: Auth, clock: FixedClock, owner: Owner, apps: int) -> None:
        signed_in = await flows.login(then, owner.user.username, Secret(PASSWORD), NOBODY)
        assert isinstance(signed_in, SignedIn)
        me = signed_in.current
        quick = replace(then, hashing=self.quick)
        for _ in range(apps):
            begun = await secondfactor.setup(quick, me, None, new_secret=False, client=NOBODY)
            clock.move(timedelta(seconds=PERIOD_SECONDS))
            code = Digits(pyotp.TOTP(begun.secret.reveal()).at(clock.now()))
            confirmed = await secondfactor.confirm(quick, me, code, NOBODY)
            owner.secrets.append(begun.secret.reveal())
            owner.authenticators.append(confirmed.authenticator.id)
            owner.backup_codes += [shown.reveal() for shown in confirmed.backup_codes or ()]
            me = confirmed.renewed.current


@asynccontextmanager
async def service_of(pair: Pair) -> AsyncIterator[Service]:
    """Open a pair of servers for a test."""
    auth = wiring.build(pair.settings)
    quick = HashingPool(CHEAP)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:
        yield Service(auth, quick, client, itertools.cycle(pair.addresses))
    quick.close()
    auth.hashing.close()
    await auth.db.close()


def outcome(answer: httpx.Response) -> str:
    """Return ``accepted``, or the reason of a refusal."""
    reason: str = "accepted" if answer.is_success else answer.json()["reason"]
    return reason


def outcomes(answers: Iterable[httpx.Response]) -> Counter[str]:
    """Count answers of each outcome."""
    return Counter(map(outcome, answers))


def account_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's account."""
    return select(USERS.c.id).where(USERS.c.id == owner.user.id).with_for_update(key_share=True)


def authenticators_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's authenticators."""
    return select(AUTHENTICATORS.c.id).where(AUTHENTICATORS.c.user_id == owner.user.id).with_for_update()


def challenges_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's challenges."""
    return select(CHALLENGES.c.id).where(CHALLENGES.c.user_id == owner.user.id).with_for_update()


def backup_codes_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's backup codes."""
    return select(BACKUP_CODES.c.id).where(BACKUP_CODES.c.user_id == owner.user.id).with_for_update()


def sessions_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's sessions."""
    return select(SESSIONS.c.id).where(SESSIONS.c.user_id == owner.user.id).with_for_update()


def session_of(session_id: SessionId) -> Executable:
    """Return the statement that holds one session."""
    return select(SESSIONS.c.id).where(SESSIONS.c.id == session_id).with_for_update()


def guesses_of(budget: Budget) -> Executable:
    """Return the statement that holds the count of one budget."""
    return select(ATTEMPTS.c.budget).where(ATTEMPTS.c.budget == budget.name).with_for_update()
