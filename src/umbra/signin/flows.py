"""Signing in: password, challenge, code, session."""

from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Self

from umbra.auth import Auth
from umbra.backup_codes import store as backup_codes
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.challenge.errors import ChallengeRefused
from umbra.challenge.store import Challenge
from umbra.core.events import Client, Event, Note, watching
from umbra.core.ids import UserId
from umbra.core.proof import BackupProof, SecondFactorProof
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.db.transaction import Transaction
from umbra.passwords.errors import CredentialsRefused
from umbra.sessions import flows as session_flows
from umbra.sessions import store as sessions
from umbra.sessions.session import Current, Session
from umbra.signin import guesses, notices, passwords, store
from umbra.signin.guesses import Guess, NewSession
from umbra.signin.notices import Meeting
from umbra.signin.passwords import Checked
from umbra.totp.errors import NotEnabled
from umbra.users import store as users
from umbra.users.user import User


@record
class SignedIn:
    """A new session, and the token that stands for it; the token is shown to nobody again."""

    current: Current
    token: Secret[str]
    backup_codes_remaining: int | None = None
    browser_token: Secret[str] | None = None
    """What the browser is recognised by next time, if it has nothing for that yet."""


@record
class CodeRequired:
    """The password was right, and opens nothing but the code step."""

    mfa_token: Secret[str]
    expires_in: timedelta


async def login(auth: Auth, username: str, password: Secret[str], client: Client) -> SignedIn | CodeRequired:
    """Take the password step; without a second factor it is the whole sign-in.

    Raises:
        CredentialsRefused: Wrong password, unknown user, disabled account.
        AttemptsSpent: Too many wrong ones for this account from this network.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.SIGN_IN_PASSWORD, client) as note:
        async with auth.hashing.slot() as slot:
            checked = await passwords.check(auth, slot, username, password, client, note)
        async with guesses.handing_back(auth, checked.budget):
            outcome = await _begun_at_once(auth, checked, note) or await _settled(auth, checked, note)
        note.is_kept = True
        return outcome


async def admit(auth: Auth, user_id: UserId, client: Client) -> SignedIn | CodeRequired:
    """Sign in an account that the host has recognised in its own way; the code step follows where there is one.

    Raises:
        CredentialsRefused: There is no such account, or it is disabled.
    """
    async with watching(auth.sink, Event.SIGN_IN_HOST, client, user_id) as note:
        async with auth.db.begin() as tx:
            user = await users.hold_let_in(tx, user_id)
            if user is None:
                raise CredentialsRefused("disabled")
            outcome = await _admitted(auth, tx, user, note, auth.clock.now())
        note.is_kept = True
        return outcome


async def _begun_at_once(auth: Auth, checked: Checked, note: Note) -> SignedIn | None:
    """Accept a password and begin the session in one statement, where nothing more is asked about the account.

    A host's accounts cannot be marked, so that such a statement would not notice that a code is asked for by now.
    """
    if checked.had_second_factor or checked.better_hash is not None or not auth.db.shape.owns_accounts:
        return None
    now = auth.clock.now()
    new = _New.of(auth, checked.user, note, now)
    if new.meeting is not None:
        return None
    async with auth.db.single() as tx:
        session = await store.begin_at_once(
            tx, new.values, note.happened(), now, version=checked.version, budget=checked.budget
        )
    return None if session is None else new.begun(session)


async def _settled(auth: Auth, checked: Checked, note: Note) -> SignedIn | CodeRequired:
    """Accept a password, and only then ask whether a code is needed."""
    async with auth.db.begin() as tx:
        now = auth.clock.now()
        await passwords.accept(tx, checked, now)
        return await _admitted(auth, tx, checked.user, note, now, expects_code=checked.had_second_factor)


@record
class _New:
    """A session that is to begin without a code, its token, and what is known of the browser."""

    user: User
    token: Secret[str]
    token_hash: str = field(repr=False)
    values: dict[str, Any] = field(repr=False)
    meeting: Meeting | None

    @classmethod
    def of(cls, auth: Auth, user: User, note: Note, now: datetime) -> Self:
        token = tokens.SESSION.new(auth.entropy)
        token_hash, limits = tokens.SESSION.hash_of_new(token), session_flows.limits(auth)
        values = sessions.creating(user.id, token_hash, client=note.client, now=now, limits=limits, second_factor=False)
        return cls(user, token, token_hash, values, notices.meeting(auth, note.client, now, second_factor=False))

    @property
    def met(self) -> dict[str, Any] | None:
        return self.meeting.values if self.meeting else None

    def begun(self, session: Session) -> SignedIn:
        current = Current(self.user, session, self.token_hash)
        return SignedIn(current, self.token, browser_token=self.meeting.token if self.meeting else None)


async def _admitted(
    auth: Auth, tx: Transaction, user: User, note: Note, now: datetime, *, expects_code: bool = False
) -> SignedIn | CodeRequired:
    """Begin a session, or open a challenge, whichever is expected first; the transaction holds the account."""
    if not expects_code:
        new = _New.of(auth, user, note, now)
        session = await store.begin_without_code(tx, new.values, note.happened(), now, meeting=new.met)
        if session is not None:
            return new.begun(session)
    mfa_token = tokens.CHALLENGE.new(auth.entropy)
    if await store.open_challenge(tx, user.id, tokens.CHALLENGE.hash_of_new(mfa_token), note.happened(), now):
        return CodeRequired(mfa_token, challenges.LIFETIME)
    return await _admitted(auth, tx, user, note, now)  # it was turned off since it was expected


async def verify(auth: Auth, mfa_token: str, proof: SecondFactorProof, client: Client) -> SignedIn:
    """Take the code step of a sign-in.

    The challenge, the code and the new session share one transaction: all of them, or none.

    Raises:
        InvalidRequest: The backup code has a typing error; nothing was charged.
        ChallengeRefused: The token is unknown, expired, used, or has been guessed at five times.
        AttemptsSpent: The account has to wait.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.SIGN_IN_CODE, client) as note:
        note.detail["method"] = guesses.method_of(proof)
        challenge = await _challenge_for(auth, mfa_token, proof)
        user = challenge.user
        note.user_id = user.id
        try:
            proven = await guesses.look(auth, Guess(user.id, proof, "sign_in", client, challenge))
        except NotEnabled:
            raise ChallengeRefused from None  # the second factor was turned off meanwhile: sign in anew
        token = tokens.SESSION.new(auth.entropy)
        async with guesses.handing_back(auth, proven.budget, challenge=challenge), auth.db.begin() as tx:
            now = auth.clock.now()
            token_hash = tokens.SESSION.hash_of_new(token)
            limits = session_flows.limits(auth)
            values = sessions.creating(user.id, token_hash, client=client, now=now, limits=limits, second_factor=True)
            is_known = proven.budget.is_of_known_browsers
            met = None if is_known else notices.meeting(auth, client, now, second_factor=True)
            happened = note.happened()
            told = notices.about(auth, happened, now)
            new = NewSession(values, happened, is_first=True, mail=told, meeting=met)
            session = await guesses.spend_for_session(tx, proven, now, new)
            if met is not None and client.browser is not None:
                await browsers.prove(tx, user.id, client.browser, now)
            remaining = await _remaining(tx, user.id) if isinstance(proof, BackupProof) else None
        note.is_kept = True
    return SignedIn(Current(user, session, token_hash), token, remaining, met.token if met else None)


async def _challenge_for(auth: Auth, mfa_token: str, proof: SecondFactorProof) -> Challenge:
    """Return the challenge of a token; a proof that is not of its form is refused before a token that is not good.

    Raises:
        InvalidRequest: The proof is none that the account could have.
        ChallengeRefused: There is no such challenge.
    """
    try:
        challenge = await _challenge(auth, tokens.CHALLENGE.hash_of(mfa_token))
    except ChallengeRefused:
        guesses.refuse_nobodys(proof)
        raise
    await guesses.refuse_malformed(auth, challenge.user.id, proof)
    return challenge


async def _challenge(auth: Auth, token_hash: str | None) -> Challenge:
    if token_hash is None:
        raise ChallengeRefused
    async with auth.db.read() as tx:
        return await challenges.find(tx, token_hash)


async def _remaining(tx: Transaction, user_id: UserId) -> int:
    count = await backup_codes.count(tx, user_id)
    return count.remaining if count else 0
