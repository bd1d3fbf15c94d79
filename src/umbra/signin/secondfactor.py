"""What changes an account's second factor, and what that does to its sessions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from umbra.auth import Auth
from umbra.backup_codes import flows as backup_flows
from umbra.backup_codes import store as backup_codes
from umbra.backup_codes.store import BackupCodeCount
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, Note, watching
from umbra.core.ids import AuthenticatorId, UserId
from umbra.core.proof import SecondFactorProof, TotpProof
from umbra.core.secret import Secret
from umbra.core.typed import Digits
from umbra.crypto import tokens
from umbra.db.transaction import Transaction
from umbra.removals import store as removals
from umbra.sessions import store as sessions
from umbra.sessions.session import Current
from umbra.signin import addresses, guesses, notices, passwords, policy
from umbra.signin.guesses import Guess, NewSession
from umbra.totp import flows as totp_flows
from umbra.totp import store as totp
from umbra.totp.errors import NoSetupPending, NotEnabled
from umbra.totp.flows import Setup
from umbra.users import store as users


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an account's second factor."""

    authenticators: list[totp.Authenticator]
    backup_codes: BackupCodeCount | None
    setup_pending: bool

    @property
    def enabled(self) -> bool:
        """Say whether a code is asked for at sign-in."""
        return bool(self.authenticators)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The same session with a fresh proof and a new token; the old token is dead."""

    current: Current
    token: Secret[str]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An authenticator that counts from now on; the codes come with the first one only."""

    authenticator: totp.Authenticator
    backup_codes: tuple[Secret[str], ...] | None
    renewed: Renewed


async def status(auth: Auth, me: Current) -> Status:
    """Return the state of the account's second factor."""
    async with auth.db.read() as tx:
        return Status(
            await totp.shown(tx, me.user.id),
            await backup_codes.count(tx, me.user.id),
            await totp.pending(tx, me.session.id, auth.clock.now()) is not None,
        )


async def setup(auth: Auth, me: Current, name: str | None, *, new_secret: bool, client: Client) -> Setup:
    """Begin to set up an authenticator, or go on with it.

    Raises:
        StepUpRequired: The session's proof is older than ten minutes, or no second factor where one exists
            (NIST SP 800-63B-4, 4.1.2.1).
        EmailProofRequired: It would be the first one, and this session has not proved the account's mail address.
        NameTaken: A confirmed authenticator of the account has that name.
    """
    now = auth.clock.now()
    async with auth.db.read() as tx:
        is_enabled = await totp.is_enabled(tx, me.user.id)
        policy.refuse_stale(me.session, now, second_factor=is_enabled)
        if not is_enabled:
            await addresses.refuse_unproved(auth, tx, me, now)
    return await totp_flows.begin(auth, me.user, me.session.id, name, new_secret=new_secret, client=client)


async def refuse_weak(auth: Auth, me: Current, *, second_factor: bool, within: timedelta | None) -> None:
    """Accept the session's proof, or ask for another: of a second factor, if it must be one or the account has one.

    Raises:
        StepUpRequired: It is older than ``within``, or too weak.
        NotEnabled: It must be a second factor, and the account has none.
    """
    is_enabled = await _is_enabled(auth, me.user.id)
    if second_factor and not is_enabled:
        raise NotEnabled
    policy.refuse_stale(me.session, auth.clock.now(), second_factor=is_enabled, within=within)


async def confirm(auth: Auth, me: Current, code: Digits, client: Client) -> Confirmed:
    """Switch on the authenticator that this session has set up, with its first code, which is spent.

    The account's other sessions end, since they were begun with less, and this one gets a new token.

    Raises:
        EmailProofRequired: It would be the first one, and this session has not proved the account's mail address.
        NoSetupPending: This session has begun none, or it has expired.
        NameTaken: Another authenticator has got its name meanwhile.
        AttemptsSpent: The account has to wait.
        ClockOff: The code is right for another moment, which whoever sets the app up may be told.
        CodeRefused: Wrong, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.AUTHENTICATOR_CONFIRMED, client, me.user.id) as note:
        async with auth.hashing.slot() as slot:
            is_first = not await _is_enabled(auth, me.user.id)
            if is_first:
                await _refuse_first(auth, me)
            pending, proven = await guesses.look_at_pending(auth, me.user.id, me.session.id, code, client)
            fresh = await backup_flows.fresh_set(auth, slot) if is_first else None
        token = tokens.SESSION.new(auth.entropy)
        async with guesses.handing_back(auth, proven.budget), auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            is_still_first = not await totp.is_enabled(tx, me.user.id)
            if is_still_first:
                await addresses.refuse_unproved(auth, tx, me, now)
            await totp.refuse_taken_name(tx, me.user.id, pending.name, besides=pending.id)
            await guesses.spend(tx, proven, now)
            await totp.switch_on(tx, pending.id, pending.name, now)
            if is_still_first:
                await passwords.outdate_checks(auth, tx, me.user.id)
            if fresh is not None and is_still_first:
                await backup_codes.replace_all(tx, me.user.id, fresh.kept, now)
            renewed = await _renew(auth, tx, me, token, second_factor=True)
            await sessions.end_all(tx, me.user.id, now, idle=auth.settings.session_idle, besides=me.session.id)
            authenticator = await totp.shown_one(tx, pending.id)
            note.detail["authenticator_id"] = pending.id
            await _keep(auth, tx, note, me.user.id, now)
    return Confirmed(authenticator, fresh.shown if fresh and is_still_first else None, renewed)


async def disable(auth: Auth, me: Current, password: Secret[str], proof: SecondFactorProof, client: Client) -> None:
    """Turn the second factor off: every authenticator, backup code and challenge goes, and the other sessions end.

    The password is looked at first, and a wrong one spends no code (OWASP ASVS 5.0, 7.5.1). Where the owner is told by
    mail, the authenticators are kept for as long as the link in it brings them back.

    Raises:
        InvalidRequest: The backup code has a typing error; nothing was charged.
        NotEnabled: It is off.
        CredentialsRefused: Wrong password.
        AttemptsSpent: Too many guesses, of either kind.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.SECOND_FACTOR_DISABLED, client, me.user.id) as note:
        await guesses.refuse_malformed(auth, me.user.id, proof)
        await _refuse_when_off(auth, me.user.id)
        async with auth.hashing.slot() as slot:
            checked = await passwords.check(auth, slot, me.user.username, password, client, note)
            await guesses.accept_password(auth, checked)
            note.detail["method"] = guesses.method_of(proof)
            proven = await guesses.look(auth, Guess(me.user.id, proof, "disable", client), slot=slot)
        async with guesses.handing_back(auth, proven.budget), auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            await challenges.end_all(tx, me.user.id)
            await totp.hold_all(tx, me.user.id)
            await backup_codes.hold_all(tx, me.user.id)
            await guesses.spend(tx, proven, now)
            if notices.is_on(auth):
                await removals.keep(tx, me.user.id, now)
            await totp.remove_all(tx, me.user.id)
            await backup_codes.remove_all(tx, me.user.id)
            await sessions.end_all(tx, me.user.id, now, idle=auth.settings.session_idle, besides=me.session.id)
            await browsers.forget_proofs(tx, me.user.id)
            await _keep(auth, tx, note, me.user.id, now)


async def remove(
    auth: Auth, me: Current, authenticator_id: AuthenticatorId, proof: SecondFactorProof, client: Client
) -> None:
    """Remove one of several authenticators.

    Raises:
        InvalidRequest: The backup code has a typing error; nothing was charged.
        NotFound: The account has no such authenticator.
        LastAuthenticator: It is the only one, which ``disable`` is for.
        AttemptsSpent: The account has to wait.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.AUTHENTICATOR_REMOVED, client, me.user.id) as note:
        note.detail.update(authenticator_id=authenticator_id, method=guesses.method_of(proof))
        await guesses.refuse_malformed(auth, me.user.id, proof)
        async with auth.db.read() as tx:
            if not await totp.has(tx, me.user.id, authenticator_id):
                raise NotFound
            await totp.refuse_last(tx, me.user.id)
        proven = await guesses.look(auth, Guess(me.user.id, proof, "remove", client))
        async with guesses.handing_back(auth, proven.budget), auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            await totp.refuse_last(tx, me.user.id)
            await totp.hold_all(tx, me.user.id)
            await guesses.spend(tx, proven, now)
            if not await totp.remove(tx, me.user.id, authenticator_id):
                raise NotFound
            await _keep(auth, tx, note, me.user.id, now)


async def regenerate(
    auth: Auth, me: Current, password: Secret[str], code: Digits, client: Client
) -> tuple[Secret[str], ...]:
    """Make a new set of backup codes; the old one is dead.

    Raises:
        NotEnabled: The account has no authenticator.
        CredentialsRefused: Wrong password; no code was spent.
        AttemptsSpent: Too many guesses, of either kind.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.BACKUP_CODES_REGENERATED, client, me.user.id) as note:
        await _refuse_when_off(auth, me.user.id)
        async with auth.hashing.slot() as slot:
            checked = await passwords.check(auth, slot, me.user.username, password, client, note)
            await guesses.accept_password(auth, checked)
            note.detail["method"] = "totp"
            proven = await guesses.look(auth, Guess(me.user.id, TotpProof(code), "regenerate", client))
            fresh = await backup_flows.fresh_set(auth, slot)
        async with guesses.handing_back(auth, proven.budget), auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            await backup_codes.hold_all(tx, me.user.id)
            await guesses.spend(tx, proven, now)
            await backup_codes.replace_all(tx, me.user.id, fresh.kept, now)
            await _keep(auth, tx, note, me.user.id, now)
    return fresh.shown


async def step_up(auth: Auth, me: Current, proof: SecondFactorProof | Secret[str], client: Client) -> Renewed:
    """Prove again who is sitting there: with the second factor where there is one, else with the password.

    Raises:
        InvalidRequest: The backup code has a typing error; nothing was charged.
        StepUpRequired: A password was given where a second factor exists.
        NotEnabled: A code was given where there is none.
        CredentialsRefused: Wrong password.
        AttemptsSpent: Too many guesses.
        CodeRefused: Wrong, outside its time, or already used.
        Busy: The hashing pool is full; nothing was charged.
    """
    async with watching(auth.sink, Event.STEP_UP, client, me.user.id) as note:
        if isinstance(proof, Secret):
            return await _step_up_by_password(auth, me, proof, client, note)
        note.detail["method"] = guesses.method_of(proof)
        await guesses.refuse_malformed(auth, me.user.id, proof)
        proven = await guesses.look(auth, Guess(me.user.id, proof, "step_up", client))
        token = tokens.SESSION.new(auth.entropy)
        async with guesses.handing_back(auth, proven.budget), auth.db.begin() as tx:
            now = auth.clock.now()
            token_hash = _next_hash(auth, me, token)
            values = sessions.renewing(me, token_hash, now=now, second_factor=True)
            happened = note.happened()
            new = NewSession(values, happened, is_first=False, mail=notices.about(auth, happened, now))
            session = await guesses.spend_for_session(tx, proven, now, new)
        note.is_kept = True
        return Renewed(Current(me.user, session, token_hash), token)


async def _step_up_by_password(auth: Auth, me: Current, password: Secret[str], client: Client, note: Note) -> Renewed:
    if await _is_enabled(auth, me.user.id):
        raise policy.step_up(second_factor=True)
    async with auth.hashing.slot() as slot:
        checked = await passwords.check(auth, slot, me.user.username, password, client, note)
    token = tokens.SESSION.new(auth.entropy)
    async with guesses.handing_back(auth, checked.budget), auth.db.begin() as tx:
        await passwords.accept(tx, checked, auth.clock.now())
        if await totp.is_enabled(tx, me.user.id):
            raise policy.step_up(second_factor=True)
        return await _renew(auth, tx, me, token, second_factor=False)


async def _renew(auth: Auth, tx: Transaction, me: Current, token: Secret[str], *, second_factor: bool) -> Renewed:
    token_hash = _next_hash(auth, me, token)
    values = sessions.renewing(me, token_hash, now=auth.clock.now(), second_factor=second_factor)
    session = await sessions.renew(tx, values)
    return Renewed(Current(me.user, session, token_hash), token)


def _next_hash(auth: Auth, me: Current, token: Secret[str]) -> str:
    return tokens.SESSION.hash_of_new(token) if auth.renews_tokens else me.token_hash


async def _refuse_when_off(auth: Auth, user_id: UserId) -> None:
    if not await _is_enabled(auth, user_id):
        raise NotEnabled


async def _keep(auth: Auth, tx: Transaction, note: Note, user_id: UserId, now: datetime) -> None:
    """Write down that the second factor was changed, and tell its owner; where mail is ours, its address stays then."""
    if auth.db.shape.owns_accounts:
        await users.note_changed_factors(tx, user_id, now)
    await notices.keep(auth, tx, note, now)


async def _refuse_first(auth: Auth, me: Current) -> None:
    """Refuse to switch a first authenticator on, before a guess is charged; what counts is asked again."""
    now = auth.clock.now()
    async with auth.db.read() as tx:
        if await totp.pending(tx, me.session.id, now) is None:
            raise NoSetupPending
        await addresses.refuse_unproved(auth, tx, me, now)


async def _is_enabled(auth: Auth, user_id: UserId) -> bool:
    async with auth.db.read() as tx:
        return await totp.is_enabled(tx, user_id)
