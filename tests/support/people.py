"""People who use Umbra over HTTP, in the way that a test wants to tell it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pyotp

from umbra.core.clock import FixedClock

BASE_URL = "http://127.0.0.1:8000"
API = "/api/auth"
PERIOD = timedelta(seconds=30)


@dataclass
class Person:
    """Somebody with a password, perhaps an authenticator app, and a cookie jar."""

    username: str
    client: httpx.AsyncClient
    clock: FixedClock
    password: str = "correct horse battery staple 9"
    secret: str = ""
    email: str | None = None
    backup_codes: list[str] = field(default_factory=list)
    mailed_code: Callable[[], Awaitable[str]] | None = None
    """How they read the code that they were mailed last, where there is mail."""

    async def post(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        return await self.client.post(API + path, json=body, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(API + path, **more)

    async def register(self) -> None:
        body = {"username": self.username, "password": self.password, "email": self.email}
        answer = await self.post("/register", body)
        assert 201 == answer.status_code, answer.text

    async def login(self, **more: Any) -> httpx.Response:
        return await self.post("/login", {"username": self.username, "password": self.password, **more})

    async def challenge(self) -> str:
        """Take the password step, and return the mfa_token."""
        answer = await self.login()
        assert "mfa_required" == answer.json()["status"], answer.text
        token: str = answer.json()["mfa_token"]
        return token

    async def verify(self, mfa_token: str | None = None, **proof: Any) -> httpx.Response:
        """Take the code step, with a fresh code unless another proof is given."""
        token = mfa_token or await self.challenge()
        return await self.post("/totp-verify", {"mfa_token": token, **(proof or {"code": self.fresh_code()})})

    async def sign_in(self) -> None:
        """Sign in, with a fresh code where one is asked for."""
        answer = await self.login()
        if answer.json().get("status") == "mfa_required":
            answer = await self.verify(answer.json()["mfa_token"])
        assert "signed_in" == answer.json().get("status"), answer.text

    async def enrol(self, name: str | None = None) -> str:
        """Set an authenticator up and confirm it; the first one becomes the person's own. Returns its secret."""
        if self.mailed_code is not None and not self.secret:
            await self.prove_email()
        setup = await self.post("/totp/setup", {"name": name} if name else None)
        assert 200 == setup.status_code, setup.text
        secret: str = setup.json()["secret"]
        confirmed = await self.post("/totp/confirm", {"code": self.fresh_code(secret)})
        assert 200 == confirmed.status_code, confirmed.text
        self.secret = self.secret or secret
        self.backup_codes = confirmed.json()["backup_codes"] or self.backup_codes
        return secret

    async def prove_email(self) -> None:
        """Have a code mailed, read it, and type it."""
        assert self.mailed_code is not None
        sent = await self.post("/email/proof")
        assert 202 == sent.status_code, sent.text
        proved = await self.post("/email/proof/confirm", {"code": await self.mailed_code()})
        assert 204 == proved.status_code, proved.text

    def code(self, steps: int = 0, secret: str | None = None) -> str:
        """Return the app's code for the present step, or one some steps away."""
        return pyotp.TOTP(secret or self.secret).at(self.clock.now() + steps * PERIOD)

    def fresh_code(self, secret: str | None = None) -> str:
        """Let 30 seconds pass, and return the app's code then: one that cannot have been used."""
        self.clock.move(PERIOD)
        return self.code(secret=secret)

    def wrong_code(self) -> str:
        """Return six digits that belong to no step anywhere near."""
        near = {self.code(steps) for steps in range(-12, 13)} if self.secret else set()
        return next(code for number in range(100) if (code := f"{number * 10_007 % 1_000_000:06}") not in near)
