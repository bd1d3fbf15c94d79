"""The real service under a clock that stands still, asked the same as the model at every step of a history."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import pyotp

from proof import histories, model
from proof.histories import (
    Action,
    Again,
    At,
    Browser,
    Enrol,
    Invented,
    Move,
    Offered,
    Operator,
    Shown,
    SignIn,
    Written,
    Wrong,
    WrongCodes,
)
from proof.histories import Password as WrongPassword
from proof.model import Account, App, Backup, Code, No, Proof
from support.people import API, BASE_URL
from umbra import restore, settings, upkeep
from umbra.app import application
from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.backup_codes import codes
from umbra.core.clock import FixedClock
from umbra.core.entropy import SystemEntropy
from umbra.core.events import Client
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import Keyring, new_key
from umbra.db.opening import open_database
from umbra.db.sqlite import Sqlite
from umbra.sessions import flows as session_flows
from umbra.sessions import store as session_store
from umbra.signin import account as accounts
from umbra.signin import operating
from umbra.testing import CHEAP
from umbra.totp.algorithm import SECRET_BYTES
from umbra.users import store as users
from umbra.users.store import NewUser
from umbra.users.user import User
from umbra.web import cookies

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
TWINS = sha1(b"umbra 115401").digest()  # noqa: S324 - found by trying
"""A secret that shows 159721 in the second step after the start, and in the third."""
COUSINS = sha1(b"umbra 177020").digest()  # noqa: S324 - found by trying
"""A secret that shows 535134 in the eighth step after the start, and in the tenth."""

PASSWORDS = ("correct horse battery staple 9", "another horse battery staple 7")
MOST_APPS = 3
NOBODY = Client()


class Secrets(SystemEntropy):
    """Randomness, but for the secrets that a history wants."""

    def __init__(self) -> None:
        self.wanted: bytes | None = None

    def token_bytes(self, count: int) -> bytes:
        """Return what is wanted, if it is a secret that is asked for."""
        if self.wanted is None or count != SECRET_BYTES:
            return super().token_bytes(count)
        secret, self.wanted = self.wanted, None
        return secret


@dataclass
class World:
    """Two copies of the service on one database, and a number for everybody in it."""

    auth: Auth
    clock: FixedClock
    entropy: Secrets
    clients: Iterator[httpx.AsyncClient]
    password_hash: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    histories: int = 0
    requests: int = 0

    def counted(self) -> dict[str, int]:
        """Return how much has been tried here."""
        return {"histories": self.histories, "requests": self.requests}

    async def call(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a request to the copy whose turn it is."""
        self.requests += 1
        return await next(self.clients).request(method, API + path, json=body, headers=headers)

    async def begin(self) -> "Life":
        """Make somebody with a password, at the moment when every history starts."""
        self.clock.set(START)
        async with self.auth.db.begin() as tx:
            name = f"user-{next(self.numbers)}"
            user = await users.add(tx, NewUser(name, None, self.password_hash), self.clock.now())
        return Life(self, user)

    async def play(self, history: list[Action]) -> None:
        """Live through a history, and want of the service at every step what the model says."""
        self.histories += 1
        life = await self.begin()
        for number, action in enumerate(history):
            await life.live(action)
            assert life.expected == life.got, f"{history[: number + 1]}: {life.expected} != {life.got}"


@dataclass
class Life:
    """One account in the service and in the model; ``expected`` and ``got`` are the verdicts of either."""

    world: World
    user: User
    account: Account = field(default_factory=Account)
    expected: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=lambda: list(PASSWORDS))
    accepted: list[str] = field(default_factory=list)
    given_out: list[str] = field(default_factory=list)
    challenges: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    cookies: dict[int, str] = field(default_factory=dict)
    """What the owner's browsers were given, by which they are known."""

    @property
    def now(self) -> int:
        return int(self.world.clock.now().timestamp())

    async def live(self, action: Action) -> None:
        """Do the same in both."""
        match action:
            case Move(seconds):
                self.world.clock.move(timedelta(seconds=seconds))
            case Operator(does):
                await self._operate(does)
            case Enrol():
                await self._enrol(action)
            case At():
                await self._enter(action)
            case SignIn(offered, challenge, browser):
                await self._sign_in(offered, challenge, browser)
            case WrongPassword(count, browser):
                for _ in range(count):
                    await self._login(browser, is_right=False)
            case WrongCodes(count, apart, browser):
                for _ in range(count):
                    self.world.clock.move(timedelta(seconds=apart))
                    await self._sign_in(Wrong(), None, browser)

    async def _sign_in(self, offered: Offered, challenge: int | None, browser: Browser) -> None:
        if challenge is None:
            await self._login(browser)
        proof = self._proof(offered)
        if proof is None or len(self.challenges) <= (challenge or 0):
            return
        token = self.challenges[-1 - (challenge or 0)]
        shown = self._cookie(browser)
        answer = await self._from(browser, "/totp-verify", {"mfa_token": token, **_sent(proof, offered)})
        self._compare(answer, proof, lambda: self.account.verify(self.now, token, proof, shown))
        if answer.is_success and browser is not None:
            self._meet(answer, browser)

    def _meet(self, answer: httpx.Response, browser: int) -> None:
        """Keep the cookie of a browser that had none, and have the model know it."""
        given = answer.cookies.get(cookies.BROWSER)
        self.got.append("a cookie" if given else "none")
        self.expected.append("none" if browser in self.cookies else "a cookie")
        if given:
            self.cookies[browser] = given
        self.account.met(self.now, self.cookies[browser])

    async def _login(self, browser: Browser, *, is_right: bool = True) -> None:
        body = {"username": self.user.username, "password": self.passwords[0] if is_right else "wrong"}
        answer = await self._from(browser, "/login", body)
        said = answer.json()
        self.got.append(said["status"] if answer.is_success else _reason(said))
        try:
            self.expected.append(self.account.login(self.now, self._cookie(browser), is_right=is_right))
        except No as no:
            self.expected.append(str(no))
        if "mfa_token" in said:
            self.challenges.append(said["mfa_token"])
            self.account.opened(self.now, said["mfa_token"])

    async def _enter(self, at: At) -> None:
        proof = self._proof(at.offered)
        if proof is None or (at.door in {"regenerate", "change_password"} and isinstance(proof, Backup)):
            return
        now, account, sent = self.now, self.account, _sent(proof, at.offered)
        browser, shown = at.browser, self._cookie(at.browser)
        knowing = {"password": self.passwords[0], **sent}
        number = account.apps[-1].number if account.apps else 999_999
        match at.door, proof:
            case "step_up", _:
                answer = await self._with_session("/step-up", sent, browser)
                self._compare(answer, proof, lambda: account.step_up(now, proof, shown))
            case "disable", _:
                answer = await self._with_session("/totp/disable", knowing, browser)
                self._compare(answer, proof, lambda: account.disable(now, proof, shown))
            case "remove", _:
                answer = await self._with_session(f"/totp/authenticators/{number}/remove", sent, browser)
                self._compare(answer, proof, lambda: account.remove(now, number, proof, shown))
            case "regenerate", Code() as code:
                answer = await self._with_session("/totp/backup-codes/regenerate", knowing, browser)
                self._compare(answer, proof, lambda: account.regenerate(now, code, shown))
                self._hand_out(answer)
            case "change_password", Code() as code:
                old, new = self.passwords
                body = {"current_password": old, "new_password": new, **sent}
                answer = await self._with_session("/password", body, browser)
                if answer.is_success:
                    self.passwords.reverse()
                self._compare(answer, proof, lambda: account.change_password(now, code, shown))

    async def _enrol(self, enrol: Enrol) -> None:
        if len(self.account.apps) == MOST_APPS:
            return
        headers = await self._signed_in(enrol.browser)
        self.world.entropy.wanted = self._wanted(enrol.secret)
        begun = await self.world.call("POST", "/totp/setup", {}, headers)
        self.world.entropy.wanted = None
        if not begun.is_success:
            self.got.append(_reason(begun.json()))
            self.expected.append("not_authenticated" if self.account.is_disabled else "set up")
            return
        secret: str = begun.json()["secret"]
        self.secrets.append(secret)
        code = Code(pyotp.HOTP(secret).at(self.now // model.PERIOD + enrol.steps))
        answer = await self.world.call("POST", "/totp/confirm", {"code": code.digits}, headers)
        app = App(answer.json()["authenticator"]["id"] if answer.is_success else 0, secret)
        shown = self._cookie(enrol.browser)
        self._compare(answer, code, lambda: self.account.confirm(self.now, app, code, shown))
        self._hand_out(answer)

    async def _operate(self, does: str) -> None:
        auth = self.world.auth
        match does:
            case "disable":
                await operating.disable(auth, operating.COMMAND_LINE, self.user.id)
                self.account.operator_disables()
            case "enable":
                await operating.enable(auth, operating.COMMAND_LINE, self.user.id)
                self.account.operator_enables()
            case "reset":
                await operating.reset_second_factor(auth, operating.COMMAND_LINE, self.user.id)
                self.account.operator_resets(self.now)
            case "make_safe":
                await restore.make_safe(auth)
                self.account.operator_makes_safe(self.now)
            case "end_sessions":
                await operating.end_sessions(auth, operating.COMMAND_LINE, self.user.id)
                self.account.operator_ends()
            case "end_everything":
                await accounts.end_everything(auth, self.user.id, NOBODY)
                self.account.application_ends()
            case "not_me":
                await self._say_that_it_was_somebody_else()
            case _:
                await upkeep.clean_up(auth)
                self.account.clean_up(self.now)

    async def _say_that_it_was_somebody_else(self) -> None:
        """Do so on the page that only a session opens, which a disabled account has none of."""
        if self.account.is_disabled:
            return
        me = await session_flows.current(self.world.auth, await self.session())
        await accounts.keep_others_out(self.world.auth, me, NOBODY)
        self.account.owner_was_not_alone(self.now)

    def _compare(self, answer: httpx.Response, proof: Proof, ask: Any) -> None:
        """Keep both verdicts, and what was accepted."""
        self.got.append("accepted" if answer.is_success else _reason(answer.json()))
        try:
            ask()
            self.expected.append("accepted")
        except No as no:
            self.expected.append(str(no))
        if answer.is_success and isinstance(proof, Code):
            self.accepted.append(proof.digits)

    def _hand_out(self, answer: httpx.Response) -> None:
        """Write down the backup codes of an answer that has some."""
        shown = answer.json().get("backup_codes") if answer.is_success else None
        if shown:
            self.account.unused = set(shown)
            self.given_out += shown

    def _proof(self, offered: Offered) -> Proof | None:
        """Return what is offered, or nothing where there is no such thing yet."""
        match offered:
            case Shown(app, steps) if self.secrets:
                secret = self.secrets[-1 - app % len(self.secrets)]
                return Code(pyotp.HOTP(secret).at(self.now // model.PERIOD + steps))
            case Again(back) if back < len(self.accepted):
                return Code(self.accepted[-1 - back])
            case Written(back) if back < len(self.given_out):
                return Backup(self.given_out[-1 - back])
            case Wrong():
                return Code(self._wrong())
            case Invented():
                return Backup(codes.new_set(SystemEntropy())[0].shown())
            case _:
                return None

    def _wrong(self) -> str:
        step = self.now // model.PERIOD
        near = {pyotp.HOTP(app.secret).at(step + away) for app in self.account.apps for away in model.AROUND}
        return next(code for number in itertools.count(1) if (code := f"{number:06}") not in near)

    def _wanted(self, secret: histories.Secret) -> bytes | None:
        match secret:
            case "same" if self.secrets:
                return pyotp.HOTP(self.secrets[-1]).byte_secret()
            case "twins":
                return TWINS
            case "cousins":
                return COUSINS
            case _:
                return None

    def _cookie(self, browser: Browser) -> str | None:
        return None if browser is None else self.cookies.get(browser)

    async def _from(self, browser: Browser, path: str, body: Mapping[str, str]) -> httpx.Response:
        """Send a step of a sign-in as a browser does, or as somebody who takes a token and keeps no cookie."""
        delivery = "token" if browser is None else "cookie"
        return await self.world.call("POST", path, {**body, "delivery": delivery}, _jar(self._cookie(browser)))

    async def _with_session(self, path: str, body: Mapping[str, str], browser: Browser) -> httpx.Response:
        return await self.world.call("POST", path, body, await self._signed_in(browser))

    async def _signed_in(self, browser: Browser) -> dict[str, str]:
        """Return the headers of a session that has begun just now: a browser's cookies, or a stranger's token."""
        session = await self.session()
        return {"Authorization": f"Bearer {session}"} if browser is None else _jar(self._cookie(browser), session)

    async def session(self) -> str:
        """Return the token of a session as strong as the account has them, begun just now."""
        auth = self.world.auth
        token = tokens.SESSION.new(auth.entropy)
        values = session_store.creating(
            self.user.id,
            tokens.SESSION.hash_of_new(token),
            client=NOBODY,
            now=auth.clock.now(),
            limits=session_flows.limits(auth),
            second_factor=True,
        )
        async with auth.db.begin() as tx:
            await session_store.create(tx, values)
        return token.reveal()


@asynccontextmanager
async def world(database_url: str, folder: Path) -> AsyncIterator[World]:
    """Open the service on a database with the newest schema."""
    database, clock, entropy = open_database(database_url), FixedClock(START), Secrets()
    if isinstance(database, Sqlite):
        database.synchronous = "OFF"
    hashing = HashingPool(CHEAP, threads=1)
    auth = Auth(
        db=database,
        clock=clock,
        entropy=entropy,
        keyring=Keyring.of(new_key().reveal()),
        hashing=hashing,
        settings=settings.Settings(data_dir=folder, registration="open", guess_probability=model.PROBABILITY),
        sink=DatabaseSink(database, clock),
    )
    await upkeep.check_ready(auth)
    async with hashing.slot() as slot:
        (password_hash,) = await slot.hash(Secret(PASSWORDS[0]))
    async with _client(auth) as one, _client(replace(auth)) as other:
        yield World(auth, clock, entropy, itertools.cycle([one, other]), password_hash)
    hashing.close()
    await database.close()


@dataclass
class Stage:
    """A world for tests that Hypothesis calls many times, and the loop that it lives in."""

    world: World
    runner: asyncio.Runner

    def play(self, history: list[Action]) -> None:
        """Live through a history."""
        self.runner.run(self.world.play(history))


@contextmanager
def stage(database_url: str, folder: Path) -> Iterator[Stage]:
    """Open a world until the block ends."""
    with asyncio.Runner() as runner:
        opened = world(database_url, folder)
        try:
            yield Stage(runner.run(opened.__aenter__()), runner)
        finally:
            runner.run(opened.__aexit__(None, None, None))


def _client(auth: Auth) -> httpx.AsyncClient:
    """Return a client that keeps no cookie by itself, for many people use it."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=application(auth)), base_url=BASE_URL)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


def _jar(browser: str | None, session: str | None = None) -> dict[str, str]:
    """Return the header with the cookies that a browser has, if it has any."""
    shown = {cookies.BROWSER: browser, cookies.SESSION: session}
    pairs = "; ".join(f"{name}={value}" for name, value in shown.items() if value is not None)
    return {"Cookie": pairs} if pairs else {}


def _sent(proof: Proof, offered: Offered) -> dict[str, str]:
    """Return the member of a body, spelled as it is or, the second time, in another way."""
    if isinstance(proof, Backup):
        return {"backup_code": proof.text}
    return {"code": f"{proof.digits[:3]}- {proof.digits[3:]}" if isinstance(offered, Again) else proof.digits}


def _reason(problem: Mapping[str, Any]) -> str:
    """Return the reason of a refusal, and how long it asks to wait."""
    return f"{problem['reason']} {problem['retry_after']}" if "retry_after" in problem else str(problem["reason"])
