"""The one way by which a second factor is looked at and spent; every door leads here.

Two transactions on purpose. ``look`` charges the guess and commits before it compares anything, so neither a crash
nor a rollback hands a guess back. ``spend``, inside the caller's transaction, uses the proof up together with what
it was for.
"""

from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import field
from datetime import datetime
from types import TracebackType
from typing import Any

from umbra.attempts import bound
from umbra.attempts import store as attempts
from umbra.attempts.bound import Cost
from umbra.attempts.store import Budget, Charged
from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.backup_codes import flows as backup_flows
from umbra.backup_codes import store as backup_codes
from umbra.backup_codes.flows import BackupMatch
from umbra.challenge import store as challenges
from umbra.challenge.store import Challenge
from umbra.core.errors import Unavailable
from umbra.core.events import Client, Event, Happened
from umbra.core.ids import SessionId, UserId
from umbra.core.proof import BackupProof, CodeRefused, SecondFactorProof, TotpProof
from umbra.core.record import record
from umbra.core.typed import Digits
from umbra.crypto.argon import Slot
from umbra.db.transaction import Chain, DatabaseFault, Transaction
from umbra.sessions import store as sessions
from umbra.sessions.session import Session
from umbra.signin import passwords, store
from umbra.signin.notices import Meeting
from umbra.signin.passwords import Checked
from umbra.signin.store import (
    RECORD_AND_CREATE,
    RECORD_AND_RENEW,
    RECORD_CREATE_AND_KNOW,
    RECORD_CREATE_AND_MEET,
)
from umbra.totp import flows as totp_flows
from umbra.totp import store as totp
from umbra.totp.errors import NotEnabled
from umbra.totp.flows import Match, Opened


@record
class Proven:
    """A second factor that was right when it was looked at; ``spend`` decides whether it counts."""

    user_id: UserId
    found: Match | BackupMatch
    budget: Budget
    purpose: str
    challenge: Challenge | None = None


@record
class NewSession:
    """What a proof is spent for: the values of a session that begins or goes on, and the event that this is.

    ``mail`` and ``meeting`` are what ``notices`` has about the event, if it is a backup code's, and the browser.
    """

    values: dict[str, Any] = field(repr=False)
    happened: Happened
    is_first: bool
    mail: dict[str, Any] | None = field(default=None, repr=False)
    meeting: Meeting | None = None


def method_of(proof: SecondFactorProof) -> str:
    """Return the name of a kind of second factor."""
    return "totp" if isinstance(proof, TotpProof) else "backup_code"


@record
class Guess:
    """Somebody's attempt at an account's second factor; ``challenge`` is set when they are not signed in yet."""

    user_id: UserId
    proof: SecondFactorProof
    purpose: str
    client: Client
    challenge: Challenge | None = None


async def refuse_malformed(auth: Auth, user_id: UserId, proof: SecondFactorProof) -> None:
    """Refuse a text that is no backup code of ours, before anything is charged, unless it may be an imported one.

    An imported code may look like anything. So a typing error is told as one, and charged to nobody, only where the
    account has none of those; where it has, the text is a guess.

    Raises:
        InvalidRequest: It can be none of the account's codes.
    """
    if isinstance(proof, BackupProof) and proof.fault is not None:
        async with auth.db.read() as tx:
            if not await backup_codes.has_imported(tx, user_id):
                raise proof.fault


def refuse_nobodys(proof: SecondFactorProof) -> None:
    """Refuse a text that is no backup code of ours, where there is no account that could have imported it.

    Raises:
        InvalidRequest: It is none.
    """
    if isinstance(proof, BackupProof) and proof.fault is not None:
        raise proof.fault


async def look(auth: Auth, guess: Guess, *, slot: Slot | None = None) -> Proven:
    """Charge a guess at an account's second factor, commit, and only then look at it.

    Raises:
        NotEnabled: The account has no authenticator; nothing was charged.
        AttemptsSpent: The account has to wait; nothing was charged, and the challenge is spared too.
        ChallengeRefused: The challenge has ended.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
        SecretsUnreadable: The server cannot read the secrets; nothing was charged.
    """
    match guess.proof:
        case TotpProof(code):
            return await _look_at_totp(auth, guess, code)
        case BackupProof() as proof:
            if slot is not None:
                return await _look_at_backup_code(auth, guess, proof, slot)
            async with auth.hashing.slot() as own:
                return await _look_at_backup_code(auth, guess, proof, own)


async def look_at_pending(
    auth: Auth, user_id: UserId, session_id: SessionId, code: Digits, client: Client
) -> tuple[totp.PendingSetup, Proven]:
    """Look at the first code of an authenticator that is being set up, under the same budget.

    Raises:
        NoSetupPending: This session has begun none, or it has expired; nothing was charged.
        NameTaken: Another authenticator has got its name meanwhile; nothing was charged.
        AttemptsSpent: The account has to wait; nothing was charged.
        ClockOff: The code is right for another moment.
        CodeRefused: It is wrong.
    """
    now = auth.clock.now()
    async with auth.db.begin() as tx:
        pending, opened = await totp_flows.pending_opened(auth, tx, user_id, session_id, now)
        await totp.refuse_taken_name(tx, user_id, pending.name)
        charged = await store.charge_code(tx, user_id, _cost(auth, [opened]), client, None, now)
    found = await _matched(auth, user_id, client, charged, totp_flows.match_first(auth, user_id, opened, code, now))
    return pending, Proven(user_id, found, charged.budget, "confirm")


async def spend(tx: Transaction, proven: Proven, now: datetime) -> None:
    """Use the proof up, clear the count of its kind, and lift the lock that a backup code lifts.

    Raises:
        CodeRefused: Another request got there first.
    """
    match proven.found:
        case Match() as found:
            await _spend_step(tx, proven, found, now)
        case BackupMatch() as found:
            await _spend_backup_code(tx, proven, found, now)


async def spend_for_session(tx: Transaction, proven: Proven, now: datetime, session: NewSession) -> Session:
    """Use the proof up, and its challenge if it has one, for a session that begins, or goes on with a new token.

    What has happened is written down with it.

    Raises:
        ChallengeRefused: Somebody used the challenge first, or it has ended.
        CodeRefused: Another request got there first.
        NotAuthenticated: The session that was to go on has ended, or was renewed meanwhile.
    """
    match proven.found:
        case Match() as found:
            values = session.values | audit.keeping(session.happened, now)
            values |= session.meeting.values if session.meeting else {}
            return sessions.session_of(await _spend_step(tx, proven, found, now, then=_chain_of(session), also=values))
        case BackupMatch() as found:
            await _spend_backup_code(tx, proven, found, now)
            await store.keep(tx, session.happened, now, mail=session.mail)
            if not session.is_first:
                return await sessions.renew(tx, session.values)
            begun = await sessions.create(tx, session.values)
            if session.meeting is not None:
                await store.meet(tx, proven.user_id, session.meeting.values, is_told=session.meeting.is_told)
            return begun


def _chain_of(session: NewSession) -> Chain:
    if not session.is_first:
        return RECORD_AND_RENEW
    if session.meeting is None:
        return RECORD_AND_CREATE
    return RECORD_CREATE_AND_MEET if session.meeting.is_told else RECORD_CREATE_AND_KNOW


async def _spend_step(tx: Transaction, proven: Proven, found: Match, now: datetime, **more: Any) -> Any:
    return await store.spend_step(
        tx, proven.user_id, found, now, budget=proven.budget, purpose=proven.purpose, challenge=proven.challenge, **more
    )


async def _spend_backup_code(tx: Transaction, proven: Proven, found: BackupMatch, now: datetime) -> None:
    if proven.challenge is not None:
        await store.spend_challenge(tx, proven.challenge, now)
    await backup_codes.spend(tx, proven.user_id, found.code_id, now)
    await attempts.lift_locks(tx, proven.user_id, now)
    await attempts.forgive(tx, proven.budget, now)


def handing_back(
    auth: Auth, *budgets: Budget, challenge: Challenge | None = None
) -> AbstractAsyncContextManager[object]:
    """Take the charges back when the server fails to finish what right guesses had earned (contract 1.5, 7).

    Only a right guess gets this far, and the caller is not told that it was right, so nothing is won by it. When
    the database is gone for this too, the charge stands: better one guess too few than one too many.
    """
    return _HandingBack(auth, budgets, challenge)


class _HandingBack(AbstractAsyncContextManager["_HandingBack"]):
    def __init__(self, auth: Auth, budgets: Sequence[Budget], challenge: Challenge | None) -> None:
        self._auth = auth
        self._budgets = budgets
        self._challenge = challenge

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Unavailable | DatabaseFault):
            with suppress(Unavailable, DatabaseFault):
                await self._hand_back()

    async def _hand_back(self) -> None:
        async with self._auth.db.begin() as tx:
            if self._challenge is not None:
                await challenges.hand_back(tx, self._challenge)
            for budget in self._budgets:
                await attempts.hand_back(tx, budget, self._auth.clock.now())


async def accept_password(auth: Auth, checked: Checked) -> None:
    """Settle a right password on its own, before a code is looked at.

    Raises:
        CredentialsRefused: The password has changed, or the account was disabled, since the check.
    """
    async with handing_back(auth, checked.budget), auth.db.begin() as tx:
        await passwords.accept(tx, checked, auth.clock.now())


async def _matched(auth: Auth, user_id: UserId, client: Client, charged: Charged, looking: Awaitable[Match]) -> Match:
    """Look at a code, and note when it was wrong and the last one of its budget."""
    try:
        return await looking
    except CodeRefused:
        if charged.locks:
            await auth.sink.record(Happened(Event.AUTHENTICATORS_LOCKED, client, user_id))
        if charged.ends_the_year:
            await auth.sink.record(Happened(Event.GUESSES_SPENT, client, user_id))
        raise


async def _look_at_totp(auth: Auth, guess: Guess, code: Digits) -> Proven:
    now = auth.clock.now()
    opened = await _opened(auth, guess)
    cost = _cost(auth, opened)
    async with auth.db.unflushed() as tx:
        charged = await store.charge_code(tx, guess.user_id, cost, guess.client, guess.challenge, now)
    looking = totp_flows.match(auth, guess.user_id, opened, code, now)
    found = await _matched(auth, guess.user_id, guess.client, charged, looking)
    return Proven(guess.user_id, found, charged.budget, guess.purpose, guess.challenge)


async def _look_at_backup_code(auth: Auth, guess: Guess, proof: BackupProof, slot: Slot) -> Proven:
    budget = attempts.backup_code_budget(guess.user_id)
    async with auth.db.begin() as tx:
        if not await totp.is_enabled(tx, guess.user_id):
            raise NotEnabled
        stored = await backup_codes.candidates(tx, guess.user_id, proof.selector)
        await store.charge(tx, budget, guess.challenge, auth.clock.now())
    found = await backup_flows.match(slot, stored, proof)
    return Proven(guess.user_id, found, budget, guess.purpose, guess.challenge)


def _cost(auth: Auth, opened: list[Opened]) -> Cost:
    return bound.cost_of(len(opened), auth.settings.guess_probability)


async def _opened(auth: Auth, guess: Guess) -> list[Opened]:
    async with auth.db.read() as tx:
        enrolled = await totp.enrolled(tx, guess.user_id)
    if not enrolled:
        raise NotEnabled
    return await totp_flows.open_secrets(auth, guess.user_id, enrolled, guess.client)
