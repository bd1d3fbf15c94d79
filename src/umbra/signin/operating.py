"""What operators see of other people's accounts, and what they do to them."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from umbra.attempts import bound
from umbra.attempts import store as attempts
from umbra.attempts.store import Standing
from umbra.audit import store as audit
from umbra.audit.event import AuditEvent
from umbra.auth import Auth
from umbra.backup_codes import store as backup_codes
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, Note
from umbra.core.ids import UserId
from umbra.db.transaction import Transaction
from umbra.links import store as links
from umbra.links.purposes import Purpose
from umbra.removals import store as removals
from umbra.sessions import store as sessions
from umbra.sessions.session import Current, Session
from umbra.signin import account, addresses, notices, policy
from umbra.signin.secondfactor import Status
from umbra.totp import store as totp
from umbra.totp.errors import NotEnabled
from umbra.users import store as users
from umbra.users.errors import OwnAccount
from umbra.users.user import Account

MOST_FOUND = 50
"""Whoever finds more has to narrow it down."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts: somebody signed in, or, without a session, whoever has the machine."""

    client: Client
    me: Current | None = None


COMMAND_LINE = Operator(account.OPERATOR)


@dataclass(frozen=True, slots=True)
class Found:
    """Accounts that a text may mean; ``is_all`` says whether there are no others."""

    accounts: list[Account]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What an operator sees of an account; no secret is among it."""

    account: Account
    status: Status
    codes: Standing
    known_codes: Standing
    backup_codes: Standing
    sessions: list[Session]


@dataclass(frozen=True, slots=True)
class _Act:
    """An action that is under way, in its transaction, on an account that it holds."""

    auth: Auth
    tx: Transaction
    note: Note
    user_id: UserId
    now: datetime

    async def end_challenges(self) -> None:
        await challenges.end_all(self.tx, self.user_id)

    async def end_sessions(self) -> None:
        await sessions.end_all(self.tx, self.user_id, self.now, idle=self.auth.settings.session_idle)

    async def keep(self) -> None:
        await notices.keep(self.auth, self.tx, self.note, self.now)


def refuse_others(me: Current) -> None:
    """Let operators in; to everybody else there is nothing here.

    Raises:
        NotFound: They are none.
    """
    if not me.user.is_operator:
        raise NotFound


async def search(auth: Auth, text: str) -> Found:
    """Return the accounts whose name or mail address begins with ``text``."""
    async with auth.db.read() as tx:
        found = await users.beginning_with(tx, text, MOST_FOUND + 1)
    return Found(found[:MOST_FOUND], len(found) <= MOST_FOUND)


async def account_of(auth: Auth, user_id: UserId) -> Account:
    """Return an account.

    Raises:
        NotFound: There is none of that id.
    """
    async with auth.db.read() as tx:
        return await users.by_id(tx, user_id)


async def look_at(auth: Auth, user_id: UserId) -> Seen:
    """Return what there is to see of an account.

    Raises:
        NotFound: There is none of that id.
    """
    now = auth.clock.now()
    async with auth.db.read() as tx:
        found = await users.by_id(tx, user_id)
        authenticators = await totp.shown(tx, user_id)
        cost = bound.cost_of(len(authenticators), auth.settings.guess_probability)
        return Seen(
            found,
            Status(authenticators, await backup_codes.count(tx, user_id), setup_pending=False),
            await attempts.standing(tx, attempts.totp_budget(user_id, cost), now),
            await attempts.standing(tx, attempts.known_totp_budget(user_id, cost), now),
            await attempts.standing(tx, attempts.backup_code_budget(user_id), now),
            await sessions.alive(tx, user_id, now, auth.settings.session_idle),
        )


async def names_in(auth: Auth, events: Collection[AuditEvent]) -> Mapping[UserId, str]:
    """Return the names of the accounts that events are about, and of the operators who made them happen."""
    about = {event.user_id for event in events} | {event.by for event in events}
    async with auth.db.read() as tx:
        return await users.names(tx, [UserId(one) for one in about if one is not None])


async def events(
    auth: Auth, limit: int, user_id: UserId | None, *, before: int | None, event: str | None, reason: str | None
) -> list[AuditEvent]:
    """Return what has happened, to one account or to all, older than event ``before``; the newest first."""
    return await audit.newest(auth.db, limit, user_id, before=before, event=event, reason=reason)


async def end_sessions(auth: Auth, by: Operator, user_id: UserId) -> None:
    """End all that an account has open.

    Raises:
        Refused: As ``_acting`` does.
    """
    async with _acting(auth, Event.SESSIONS_ENDED, by, user_id) as act:
        await act.end_challenges()
        await act.end_sessions()
        await act.keep()


async def reset_second_factor(auth: Auth, by: Operator, user_id: UserId) -> None:
    """Take an account's second factor away, its guess counts too, and end all it has open.

    Nothing undoes it: it is done for an owner who has lost the authenticators, which somebody may have found.

    Raises:
        Refused: As ``_acting`` does.
    """
    async with _acting(auth, Event.SECOND_FACTOR_RESET, by, user_id) as act:
        if auth.db.shape.owns_accounts:
            await links.void(act.tx, user_id, Purpose.UNDO_REMOVAL)
        await act.end_challenges()
        await totp.remove_all(act.tx, user_id)
        await backup_codes.remove_all(act.tx, user_id)
        await attempts.delete_for_user(act.tx, user_id)
        await act.end_sessions()
        await browsers.forget_all(act.tx, user_id, act.now)
        if auth.db.shape.owns_accounts:
            await removals.forget(act.tx, user_id)
        await act.keep()


async def disable(auth: Auth, by: Operator, user_id: UserId) -> None:
    """Keep an account out, and end all it has open; of one that is disabled already, do nothing.

    Raises:
        Refused: As ``_acting`` does.
    """
    async with _acting(auth, Event.ACCOUNT_DISABLED, by, user_id) as act:
        if await users.disable(act.tx, user_id, act.now):
            await act.end_challenges()
            await act.end_sessions()
            await browsers.forget_proofs(act.tx, user_id)
            await act.keep()


async def enable(auth: Auth, by: Operator, user_id: UserId) -> None:
    """Let an account sign in again; what was ended stays ended.

    Raises:
        Refused: As ``_acting`` does.
    """
    async with _acting(auth, Event.ACCOUNT_ENABLED, by, user_id) as act:
        if await users.enable(act.tx, user_id):
            await act.keep()


async def change_email(auth: Auth, by: Operator, user_id: UserId, email: str | None) -> None:
    """Give an account another mail address, or none, for an owner who cannot read the old one; it is told.

    Raises:
        Refused: As ``_acting`` does.
    """
    async with _acting(auth, Event.EMAIL_CHANGED, by, user_id) as act:
        await addresses.give(auth, act.tx, user_id, email, act.note, act.now)


@asynccontextmanager
async def _acting(auth: Auth, event: Event, by: Operator, user_id: UserId) -> AsyncIterator[_Act]:
    """Hold an account for somebody who may act on it, and write down who did.

    What is refused here is no event: nothing has happened to the account.

    Raises:
        NotFound: They are no operator, or there is no such account.
        OwnAccount: It is their own.
        NotAuthenticated: Their session has ended meanwhile.
        NotEnabled: They have no second factor.
        StepUpRequired: Their proof of it is older than ten minutes.
    """
    note = Note(event, by.client, user_id, {"by": by.me.user.id if by.me else None})
    async with auth.db.begin() as tx:
        now = auth.clock.now()
        if by.me is None:
            await _hold(tx, user_id)
        else:
            await _admit(auth, tx, by.me, user_id, now)
        yield _Act(auth, tx, note, user_id, now)
    if note.is_kept:
        await auth.sink.was_kept(note.happened())


async def _admit(auth: Auth, tx: Transaction, me: Current, user_id: UserId, now: datetime) -> None:
    """Hold both accounts, and then look at who acts: whatever let the request in may be over since."""
    refuse_others(me)
    if me.user.id == user_id:
        raise OwnAccount
    await _hold(tx, me.user.id, user_id)
    still = await sessions.find(tx, me.token_hash, now, auth.settings.session_idle)
    refuse_others(still)
    if not await totp.is_enabled(tx, me.user.id):
        raise NotEnabled
    policy.refuse_stale(still.session, now, second_factor=True)


async def _hold(tx: Transaction, *user_ids: UserId) -> None:
    if await users.hold_all(tx, user_ids) < len(user_ids):
        raise NotFound
