"""For the tests of an application that has Umbra in it: a clock to move, codes that are good, people who are signed in.

Replay protection stays on, and nothing sleeps: whoever needs another code gets one from a later moment.
"""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any, Generic, Protocol, TypeVar
from urllib.request import Request

import argon2
from starlette.responses import Response

from umbra.core.clock import FixedClock
from umbra.core.events import Client as From
from umbra.core.ids import UserId
from umbra.core.proof import TotpProof
from umbra.core.typed import Digits
from umbra.crypto.argon import HashingPool
from umbra.embedded import Umbra
from umbra.signin import flows, secondfactor
from umbra.signin.flows import CodeRequired, SignedIn
from umbra.totp import algorithm
from umbra.totp import flows as totp
from umbra.totp import store as totp_store
from umbra.totp.store import Enrolled
from umbra.web.cookies import set_session

UserT = TypeVar("UserT")

NOON = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
A_PERIOD = timedelta(seconds=algorithm.PERIOD_SECONDS)

CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)
"""Argon2id for tests: it protects nothing, and takes no time."""

_TEST = From(user_agent="umbra.testing")


class Client(Protocol):
    """A client with a cookie jar, such as httpx's and the test clients that are made of it."""

    @property
    def base_url(self) -> Any:
        """Where the application is."""

    @property
    def cookies(self) -> Any:
        """What holds a ``jar``."""


class Kit(Generic[UserT]):
    """Makes an ``Umbra`` fit for tests: from now on its clock stands still until it is moved, and hashing is cheap."""

    def __init__(self, umbra: Umbra[UserT], *, at: datetime = NOON) -> None:
        self.clock = FixedClock(at)
        self._umbra = umbra
        umbra.auth = replace(
            umbra.auth,
            clock=self.clock,
            hashing=HashingPool(CHEAP, threads=2),
            sink=umbra.sink(umbra.auth.db, self.clock),
        )

    async def enrol(self, user: UserT) -> tuple[str, ...]:
        """Give an account an authenticator, as its owner would, and return the backup codes.

        Raises:
            LookupError: It has one already.
        """
        auth, user_id = self._umbra.auth, self._umbra.key_of(user)
        if await self._enrolled(user_id):
            raise LookupError("the account has an authenticator")
        me = await flows.admit(auth, user_id, _TEST)
        assert isinstance(me, SignedIn)  # noqa: S101 - a narrowing: there is no second factor
        setup = await secondfactor.setup(auth, me.current, None, new_secret=False, client=_TEST)
        code = _code(base64.b32decode(setup.secret.reveal()), self.clock.now())
        confirmed = await secondfactor.confirm(auth, me.current, code, _TEST)
        return tuple(one.reveal() for one in confirmed.backup_codes or ())

    async def code_for(self, user: UserT) -> str:
        """Return a code of the account's authenticator that will be accepted; the clock goes on to where it is good.

        Raises:
            LookupError: The account has no authenticator.
        """
        return await self._code_for(self._umbra.key_of(user))

    async def signed_in(self, client: Client, user: UserT, *, mfa: bool = False) -> None:
        """Sign ``client`` in as an account, by its cookie.

        It is by a second factor where the account has one, and with ``mfa`` always: the account gets one if need be.
        """
        outcome = await self._sign_in(user, mfa=mfa)
        answer = Response()
        set_session(answer, self._umbra.auth.settings, outcome.token)
        _give(client, answer.headers["Set-Cookie"])

    async def session_id(self, user: UserT, *, mfa: bool = False) -> str:
        """Sign somebody in, and return what an application puts into a token of its own (``Verdict.session_id``)."""
        return (await self._sign_in(user, mfa=mfa)).token.reveal()

    async def _sign_in(self, user: UserT, *, mfa: bool) -> SignedIn:
        auth, user_id = self._umbra.auth, self._umbra.key_of(user)
        if mfa and not (await self._enrolled(user_id)):
            await self.enrol(user)
        outcome = await flows.admit(auth, user_id, _TEST)
        if isinstance(outcome, CodeRequired):
            proof = TotpProof(Digits(await self._code_for(user_id)))
            outcome = await flows.verify(auth, outcome.mfa_token.reveal(), proof, _TEST)
        return outcome

    async def _code_for(self, user_id: UserId) -> Digits:
        enrolled = await self._enrolled(user_id)
        if not enrolled:
            raise LookupError("the account has no authenticator; enrol gives it one")
        self.clock.move(A_PERIOD)
        opened = await totp.open_secrets(self._umbra.auth, user_id, enrolled, _TEST)
        return _code(opened[0].secret.reveal(), self.clock.now())

    async def _enrolled(self, user_id: UserId) -> list[Enrolled]:
        async with self._umbra.auth.db.read() as tx:
            return await totp_store.enrolled(tx, user_id)


def _code(secret: bytes, now: datetime) -> Digits:
    return algorithm.code_for(secret, algorithm.step_at(now))


class _Answer:
    """What a cookie jar wants to see of an answer."""

    def __init__(self, cookie: str) -> None:
        self._headers = Message()
        self._headers["Set-Cookie"] = cookie

    def info(self) -> Message:
        return self._headers


def _give(client: Client, cookie: str) -> None:
    """Give a client a cookie as a server would, so that the server's next one takes its place."""
    client.cookies.jar.extract_cookies(_Answer(cookie), Request(str(client.base_url)))  # noqa: S310 - nothing is opened
