"""Proving that an account's mail is read by whoever is signed in, and changing where it goes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from umbra.attempts import store as attempts
from umbra.auth import Auth
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, Note, watching
from umbra.core.ids import UserId
from umbra.core.proof import CodeRefused
from umbra.core.secret import Secret
from umbra.db.transaction import Transaction
from umbra.email_proofs import codes
from umbra.email_proofs import store as email_proofs
from umbra.email_proofs.errors import EmailProofRequired, MailsSpent
from umbra.mail import store as mail
from umbra.mail.kinds import Kind
from umbra.sessions.session import Current
from umbra.signin import guesses, notices, policy
from umbra.totp import store as totp
from umbra.users import store as users

CODE_LIFETIME = email_proofs.LIFETIME


@dataclass(frozen=True, slots=True)
class Standing:
    """The account's address, and the one whose code this session waits for, if it does."""

    email: str | None
    waits_for: str | None

    @property
    def is_new(self) -> bool:
        """Say whether the code is for an address that the account is to get."""
        return self.waits_for is not None and self.waits_for != self.email


async def refuse_unproved(auth: Auth, tx: Transaction, me: Current, now: datetime) -> None:
    """Accept a session that has proved the account's address; where there is no mail, there is nothing to prove.

    Raises:
        EmailProofRequired: It has not, within ten minutes.
    """
    if notices.is_on(auth) and await email_proofs.is_owed(tx, me.user.id, me.session.id, now):
        raise EmailProofRequired


async def standing(auth: Auth, me: Current) -> Standing:
    """Return what there is to prove."""
    if not notices.is_on(auth):
        return Standing(None, None)
    async with auth.db.read() as tx:
        reach = await users.reach(tx, me.user.id)
        return Standing(reach.email, await email_proofs.waiting_for(tx, me.session.id, auth.clock.now()))


async def send_code(auth: Auth, me: Current, client: Client) -> timedelta:
    """Mail a code to the account's address, and return for how long it is good.

    Raises:
        NotFound: The account has no address, or there is no mail server.
        MailsSpent: There were too many such mails within the hour.
        Busy: The hashing pool is full; nothing was mailed.
    """
    if not notices.is_on(auth):
        raise NotFound
    async with watching(auth.sink, Event.EMAIL_CODE_SENT, client, me.user.id):
        await _mail_code(auth, me, None, client)
    return CODE_LIFETIME


async def prove(auth: Auth, me: Current, code: Secret[str], client: Client) -> bool:
    """Use up the code that was mailed to this session, and say whether the account has got a new address by it.

    A code that went to the account's address proves it, for this session; one that went to another makes it the
    account's.

    Raises:
        NotFound: There is no mail server.
        AttemptsSpent: The account has to wait.
        CodeRefused: Wrong, over or used, or none was mailed.
        FactorsChanged: The second factor was changed since the code was mailed to the new address.
        Busy: The hashing pool is full; nothing was charged.
    """
    if not notices.is_on(auth):
        raise NotFound
    async with watching(auth.sink, Event.EMAIL_PROVED, client, me.user.id) as note:
        budget = attempts.email_proof_budget(me.user.id)
        async with auth.hashing.slot() as slot:
            async with auth.db.begin() as tx:
                now = auth.clock.now()
                await attempts.charge(tx, budget, now)
                mailed = await email_proofs.charge(tx, me.session.id, now)
            if not await slot.matches(mailed.code_hash, code):
                raise CodeRefused("wrong")
        async with guesses.handing_back(auth, budget), auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            await attempts.forgive(tx, budget, now)
            await email_proofs.spend(tx, mailed, now)
            reach = await users.reach(tx, me.user.id)
            if mailed.address == reach.email:
                return False
            if reach.email is not None:
                policy.refuse_changed_factors(reach.factors_changed_at, now)
            note.event = Event.EMAIL_CHANGED
            await give(auth, tx, me.user.id, mailed.address, note, now)
    return True


async def change(auth: Auth, me: Current, email: str | None, client: Client) -> bool:
    """Give the account another mail address, or none; say whether that waits for the code that was mailed there.

    It is where an account is told of changes, so whoever changes it proves first that it is theirs: with the second
    factor, or, where there is none, by reading what is mailed to the old address.

    Raises:
        StepUpRequired: The session's proof is older than ten minutes, or no second factor where one exists.
        FactorsChanged: The second factor was changed less than 72 hours ago.
        EmailProofRequired: There is no second factor, and this session has not proved the old address.
        MailsSpent: There were too many mails with a code within the hour.
        Busy: The hashing pool is full; nothing was mailed.
    """
    async with auth.db.read() as tx:
        is_enabled = await totp.is_enabled(tx, me.user.id)
    policy.refuse_stale(me.session, auth.clock.now(), second_factor=is_enabled)
    if email == me.user.email:
        return False
    async with watching(auth.sink, Event.EMAIL_CHANGED, client, me.user.id) as note:
        if email is not None and notices.is_on(auth):
            await _mail_code(auth, me, email, client)
            note.event = Event.EMAIL_CODE_SENT
            return True
        async with auth.db.begin() as tx:
            now = auth.clock.now()
            await users.hold(tx, me.user.id)
            await _refuse_change(auth, tx, me, now)
            await give(auth, tx, me.user.id, email, note, now)
    return False


async def give(auth: Auth, tx: Transaction, user_id: UserId, email: str | None, note: Note, now: datetime) -> None:
    """Give the account an address, or none, and tell the one that it had; the caller holds the account."""
    await notices.keep(auth, tx, note, now)  # before the change: a mail goes where mails go until then
    await users.change_email(tx, user_id, email)
    await email_proofs.void(tx, user_id, besides=email)


async def _refuse_change(auth: Auth, tx: Transaction, me: Current, now: datetime) -> None:
    """Keep the address where it is, unless whoever is signed in may change it; one that is not there takes any.

    Raises:
        FactorsChanged: The second factor was changed less than 72 hours ago.
        EmailProofRequired: There is no second factor, and this session has not proved the address.
    """
    reach = await users.reach(tx, me.user.id)
    if not notices.is_on(auth) or reach.email is None:
        return
    policy.refuse_changed_factors(reach.factors_changed_at, now)
    if not await totp.is_enabled(tx, me.user.id):
        await refuse_unproved(auth, tx, me, now)


async def _mail_code(auth: Auth, me: Current, to: str | None, client: Client) -> None:
    """Mail a code to the address that the account is to get, or to the one that it has."""
    kind = Kind.EMAIL_PROOF if to is None else Kind.EMAIL_PROOF_NEW
    async with auth.db.read() as tx:  # before a code is hashed for nothing; what counts is asked again
        if to is not None:
            await _refuse_change(auth, tx, me, auth.clock.now())
        await _refuse_flood(auth, tx, me, kind)
    code = codes.new(auth.entropy)
    async with auth.hashing.slot() as slot:
        (hashed,) = await slot.hash(code)
    async with auth.db.begin() as tx:
        now = auth.clock.now()
        await users.hold(tx, me.user.id)
        if to is not None:
            await _refuse_change(auth, tx, me, now)
        address = to or (await users.reach(tx, me.user.id)).email
        if address is None:
            raise NotFound
        await email_proofs.begin(tx, me.user.id, me.session.id, address, hashed, now)
        is_queued = await notices.mail_code(
            auth, tx, me.user.id, codes.shown(code), to=address, kind=kind, client=client, now=now
        )
        if not is_queued:
            raise MailsSpent(attempts.NO_WAIT)


async def _refuse_flood(auth: Auth, tx: Transaction, me: Current, kind: Kind) -> None:
    """Say how long to wait for another mail of a kind, if there were many.

    Raises:
        MailsSpent: There were too many within the hour.
    """
    now = auth.clock.now()
    until = await mail.full_until(tx, me.user.id, kind, now)
    if until is not None:
        raise MailsSpent(until - now)
