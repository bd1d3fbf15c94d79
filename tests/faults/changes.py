"""Calls that change an account's second factor or password, and what its rows say of whether they did."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import func, select

from faults.cases import CHANGE_PASSWORD, CONFIRM, DISABLE, REGENERATE, REMOVE, Changed
from faults.world import World, said
from support.people import Person
from umbra.auth import Auth
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS

Send = Callable[[], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Account:
    """What a change is about."""

    authenticators: int
    newest_authenticator: int
    backup_codes: int
    newest_backup_code: int
    password_hash: str


AFTER: dict[str, Callable[[Account, Account], bool]] = {
    CONFIRM: lambda old, new: new.authenticators == old.authenticators + 1,
    DISABLE: lambda _, new: (new.authenticators, new.backup_codes) == (0, 0),
    REMOVE: lambda old, new: new.authenticators == old.authenticators - 1,
    REGENERATE: lambda old, new: new.newest_backup_code > old.newest_backup_code and new.backup_codes == 10,
    CHANGE_PASSWORD: lambda old, new: new.password_hash != old.password_hash,
}
"""How an account looks on which the whole of a change was done."""


async def prepared(door: str, person: Person) -> Send:
    """Make everything ready up to the call, and return it: sent again, it carries the same code."""
    if door == REMOVE:
        await person.enrol("Spare")
    secret = (await person.post("/totp/setup", {"name": "Tablet"})).json()["secret"] if door == CONFIRM else None
    path, body = {
        CONFIRM: ("/totp/confirm", {}),
        DISABLE: ("/totp/disable", {"password": person.password}),
        REMOVE: (f"/totp/authenticators/{await _newest(person)}/remove", {}),
        REGENERATE: ("/totp/backup-codes/regenerate", {"password": person.password}),
        CHANGE_PASSWORD: (
            "/password",
            {"current_password": person.password, "new_password": "violet lantern 48 gulls"},
        ),
    }[door]
    body |= {"code": person.fresh_code(secret)}
    return lambda: person.post(path, body)


async def account(auth: Auth) -> Account:
    """Return what the database holds of the only account."""
    async with auth.db.read() as tx:
        confirmed = select(func.count(), func.max(AUTHENTICATORS.c.id)).where(
            AUTHENTICATORS.c.confirmed_at.is_not(None)
        )
        authenticators = (await tx.execute(confirmed)).one()
        codes = (await tx.execute(select(func.count(), func.max(BACKUP_CODES.c.id)))).one()
        password: Any = (await tx.execute(select(USERS.c.password_hash))).scalar_one()
    return Account(authenticators[0], authenticators[1] or 0, codes[0], codes[1] or 0, password)


async def outcome(world: World, door: str, before: Account, answer: httpx.Response, send: Send) -> Changed:
    """Say what came of it, and send the same once more; what was done in part is none of the two."""
    after = await account(world.elsewhere)
    assert after == before or AFTER[door](before, after)
    is_charged = await world.failures() > 0
    again = await send()
    return Changed(said(answer), after != before, is_charged, "accepted" if again.is_success else "refused")


async def _newest(person: Person) -> int:
    newest: int = (await person.get("/totp/status")).json()["authenticators"][-1]["id"]
    return newest
