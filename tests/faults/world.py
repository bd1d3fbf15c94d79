"""Somebody enrolled, a service that is about to have bad luck, and what can be seen of it afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from sqlalchemy import func, select

from faults.cases import BACKUP_CODE, CODE, STEP_UP, Outcome
from support.people import Person
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.sessions.tables import SESSIONS


@dataclass(frozen=True)
class Proof:
    """What is sent twice: while something goes wrong, and when all is well again."""

    code: str
    mfa_token: str
    sessions: list[str]


@dataclass
class World:
    """A person in front of a service, and the same database seen from elsewhere."""

    person: Person
    elsewhere: Auth

    async def prepare(self, door: str) -> Proof:
        """Make everything ready up to the proof."""
        mfa_token = await self.person.challenge()
        code = self.person.backup_codes[0] if door == BACKUP_CODE else self.person.fresh_code()
        return Proof(code, mfa_token, await self.sessions())

    async def send(self, door: str, proof: Proof, mfa_token: str | None = None) -> httpx.Response:
        """Send the proof to a door."""
        kind = "backup_code" if door == BACKUP_CODE else "code"
        if door == STEP_UP:
            return await self.person.post("/step-up", {kind: proof.code})
        token = mfa_token or proof.mfa_token
        return await self.person.post("/totp-verify", {"mfa_token": token, kind: proof.code, "delivery": "token"})

    async def outcome(self, door: str, proof: Proof, answer: httpx.Response) -> Outcome:
        """Say what came of it, and send the same proof once more, with a new challenge."""
        now = await self.sessions()
        made = "none" if now == proof.sessions else "made" if len(now) > len(proof.sessions) else "renewed"
        is_charged = await self.failures() > 0
        again = await self.send(door, proof, await self.person.challenge())
        if door == STEP_UP and made == "renewed":
            assert "not_authenticated" == again.json()["reason"]  # the old token is dead
            again = await self.send(CODE, proof, await self.person.challenge())
        return Outcome(said(answer), made, is_charged, "accepted" if again.is_success else "refused")

    async def sessions(self) -> list[str]:
        """Return the hashes of the tokens of all sessions."""
        async with self.elsewhere.db.read() as tx:
            rows = await tx.execute(select(SESSIONS.c.token_hash).order_by(SESSIONS.c.id))
            return [row.token_hash for row in rows]

    async def failures(self) -> int:
        """Return how many guesses at codes stand charged."""
        async with self.elsewhere.db.read() as tx:
            counted = select(func.coalesce(func.sum(ATTEMPTS.c.failures), 0))
            found = await tx.execute(counted.where(ATTEMPTS.c.budget.not_like("password:%")))
            return int(found.scalar_one())


Inject = Callable[[], Awaitable[None]]


def said(answer: httpx.Response) -> str:
    """Return the status and the reason of an answer."""
    reason = answer.json().get("reason") if answer.content else None
    return f"{answer.status_code} `{reason}`" if reason else str(answer.status_code)
