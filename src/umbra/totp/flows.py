"""Set-up, and looking at codes."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from umbra.auth import Auth
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, Happened, watching
from umbra.core.ids import AuthenticatorId, SessionId, UserId
from umbra.core.proof import ClockOff, CodeRefused
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.core.typed import Digits, folded
from umbra.crypto import envelope
from umbra.crypto.envelope import MovedSecret, Place
from umbra.crypto.keyring import UnreadableToken
from umbra.db.transaction import Transaction
from umbra.totp import algorithm, provisioning, store
from umbra.totp.algorithm import Step
from umbra.totp.errors import NoSetupPending, SecretsUnreadable
from umbra.users import store as users
from umbra.users.user import User

log = logging.getLogger("umbra.totp")

PURPOSE = "totp"
DEFAULT_NAME = "Authenticator"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the person enrolling is shown; the only time that a secret leaves."""

    secret: Secret[str]
    uri: Secret[str]
    qr_code: Secret[str]
    expires_in: timedelta


@record
class Opened:
    """An authenticator whose secret is at hand, for as long as one code is looked at."""

    id: AuthenticatorId
    last_step: Step | None
    secret: Secret[bytes]


@record
class Match:
    """A code that belongs to an acceptable step; nothing is spent yet."""

    authenticator_id: AuthenticatorId
    step: Step
    now_step: Step
    code: Digits = field(repr=False)


async def begin(
    auth: Auth, user: User, session_id: SessionId, name: str | None, *, new_secret: bool, client: Client
) -> Setup:
    """Begin, or go on with, this session's set-up of an authenticator; nothing is switched on.

    Until it is confirmed or expires, the same session gets the same secret again.

    Raises:
        NameTaken: A confirmed authenticator of the account has that name.
    """
    now = auth.clock.now()
    async with auth.db.begin() as tx:
        await users.hold(tx, user.id)
        if name is not None:
            await store.refuse_taken_name(tx, user.id, name)
        pending = await store.pending(tx, session_id, now)
        secret = None if new_secret or pending is None else _reopened(auth, user.id, pending)
        is_new = secret is None
        if secret is None or pending is None:
            secret = Secret(auth.entropy.token_bytes(algorithm.SECRET_BYTES))
            wanted = name or (pending.name if pending else await _free_name(tx, user.id))
            row = await store.begin_setup(tx, user.id, session_id, wanted, now)
            await store.put_secret(tx, row, envelope.seal(auth.keyring, secret, Place(PURPOSE, user.id, row)))
            expires_in = store.SETUP_LIFETIME
        else:
            expires_in = pending.expires_at - now
            if name is not None:
                await store.rename_pending(tx, pending.id, name)
    if is_new:
        await auth.sink.record(Happened(Event.SETUP_STARTED, client, user.id))
    uri = provisioning.otpauth_uri(secret.reveal(), issuer=auth.settings.issuer, account=user.username)
    return Setup(
        Secret(provisioning.base32(secret.reveal())),
        uri,
        Secret(provisioning.qr_png_data_uri(uri)),
        expires_in,
    )


async def rename(
    auth: Auth, user_id: UserId, authenticator_id: AuthenticatorId, name: str, client: Client
) -> store.Authenticator:
    """Give an authenticator another name.

    Raises:
        NotFound: The account has no such authenticator.
        NameTaken: Another one of the account has that name.
    """
    async with watching(auth.sink, Event.AUTHENTICATOR_RENAMED, client, user_id), auth.db.begin() as tx:
        await users.hold(tx, user_id)
        if not await store.has(tx, user_id, authenticator_id):
            raise NotFound
        await store.refuse_taken_name(tx, user_id, name, besides=authenticator_id)
        await store.rename(tx, user_id, authenticator_id, name)
        return await store.shown_one(tx, authenticator_id)


async def pending_opened(
    auth: Auth, tx: Transaction, user_id: UserId, session_id: SessionId, now: datetime
) -> tuple[store.PendingSetup, Opened]:
    """Return the session's set-up with its secret.

    Raises:
        NoSetupPending: There is none, or it has expired.
        SecretsUnreadable: The server cannot read it.
    """
    pending = await store.pending(tx, session_id, now)
    if pending is None:
        raise NoSetupPending
    try:
        secret = envelope.unseal(auth.keyring, pending.sealed, Place(PURPOSE, user_id, pending.id))
    except (UnreadableToken, MovedSecret):
        raise SecretsUnreadable from None
    return pending, Opened(pending.id, None, secret)


async def open_secrets(auth: Auth, user_id: UserId, enrolled: list[store.Enrolled], client: Client) -> list[Opened]:
    """Return the authenticators whose secrets can be read here.

    A secret that was sealed for another row is left out, and recorded; so is one that no key opens. When keys
    are missing for all of them the server is at fault and says so: nobody is let in, and nobody is charged.

    Raises:
        SecretsUnreadable: Not one can be read, and at least one for want of a key.
    """
    opened: list[Opened] = []
    is_key_missing = False
    for one in enrolled:
        try:
            secret = envelope.unseal(auth.keyring, one.sealed, Place(PURPOSE, user_id, one.id))
        except MovedSecret:
            await _record_bad_secret(auth, user_id, one.id, "moved_secret", client)
        except UnreadableToken:
            is_key_missing = True
            await _record_bad_secret(auth, user_id, one.id, "unreadable_secret", client)
        else:
            opened.append(Opened(one.id, one.last_step, secret))
    if is_key_missing and not opened:
        raise SecretsUnreadable
    return opened


def resealed(auth: Auth, user_id: UserId, authenticator_id: AuthenticatorId, sealed: str) -> str:
    """Return the secret of an authenticator sealed under the newest key.

    Raises:
        SecretsUnreadable: No key opens it, or it belongs elsewhere.
    """
    place = Place(PURPOSE, user_id, authenticator_id)
    try:
        return envelope.seal(auth.keyring, envelope.unseal(auth.keyring, sealed, place), place)
    except (UnreadableToken, MovedSecret):
        raise SecretsUnreadable from None


async def match(auth: Auth, user_id: UserId, opened: list[Opened], code: Digits, now: datetime) -> Match:
    """Find the authenticator and the step that ``code`` belongs to; the guess has been charged by now.

    What is accepted is among the steps that may be. Of every code that is refused all steps in sight are looked at, and
    the ledger is asked, whatever was wrong with it, or the time would tell which of them was right once.

    Raises:
        CodeRefused: It belongs to none that may still be accepted.
    """
    now_step = algorithm.step_at(now)
    found, _ = _looked_for(opened, code, now_step, reach=algorithm.SKEW_STEPS)
    if found is None:
        _, causes = _looked_for(opened, code, now_step, reach=algorithm.SIGHT_STEPS)
        was_used = await _was_used(auth, user_id, code, now_step)
        cause = max(causes, key=_TELLING.index, default="moved_secret")
        raise CodeRefused("replayed" if cause == "superseded" and was_used else cause)
    return found


def _looked_for(opened: list[Opened], code: Digits, now_step: Step, *, reach: int) -> tuple[Match | None, list[str]]:
    """Return the first match within ``reach``, and why the code is no other's; all are looked at whatever is found."""
    found: Match | None = None
    causes: list[str] = []
    for one in opened:
        steps = algorithm.steps_of(one.secret.reveal(), code, now=now_step, reach=reach)
        try:
            step = algorithm.acceptable_step(steps, now=now_step, after=one.last_step)
        except CodeRefused as refusal:
            causes.append(refusal.cause)
        else:
            found = found or Match(one.id, step, now_step, code)
    return found, causes


async def match_first(auth: Auth, user_id: UserId, opened: Opened, code: Digits, now: datetime) -> Match:
    """Find the step of the first code of a set-up, as ``match`` does, and measure a clock that is off.

    Raises:
        ClockOff: It belongs to a step in sight that is too far away.
        CodeRefused: It belongs to none.
    """
    try:
        return await match(auth, user_id, [opened], code, now)
    except CodeRefused as refusal:
        off_by = algorithm.clock_off(opened.secret.reveal(), code, now=algorithm.step_at(now))
        raise (refusal if off_by is None else ClockOff(off_by)) from None


_TELLING = ("wrong", "moved_secret", "late", "superseded")
"""Causes from the least to the most telling; with several authenticators the audit log gets the last."""


async def _was_used(auth: Auth, user_id: UserId, code: Digits, now_step: Step) -> bool:
    async with auth.db.read() as tx:
        return await store.was_used(tx, user_id, code, now_step)


async def _record_bad_secret(
    auth: Auth, user_id: UserId, authenticator_id: AuthenticatorId, reason: str, client: Client
) -> None:
    log.error("secret of authenticator %d refused: %s", authenticator_id, reason)
    await auth.sink.record(
        Happened(Event.SECRET_REFUSED, client, user_id, reason, {"authenticator_id": authenticator_id})
    )


def _reopened(auth: Auth, user_id: UserId, pending: store.PendingSetup) -> Secret[bytes] | None:
    """Return a pending secret, or ``None`` to make another one: nothing depends on an unconfirmed secret."""
    try:
        return envelope.unseal(auth.keyring, pending.sealed, Place(PURPOSE, user_id, pending.id))
    except (UnreadableToken, MovedSecret):
        return None


async def _free_name(tx: Transaction, user_id: UserId) -> str:
    taken = await store.names_taken(tx, user_id)
    number = 1
    while folded(name := DEFAULT_NAME if number == 1 else f"{DEFAULT_NAME} {number}") in taken:
        number += 1
    return name
