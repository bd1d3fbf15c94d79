"""What a guess does to the database: the stores' links, in chains that take the fewest round trips."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from umbra.attempts import store as attempts
from umbra.attempts.bound import Cost
from umbra.attempts.errors import AttemptsSpent
from umbra.attempts.store import NO_WAIT, Budget, Charged
from umbra.audit import store as audit
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.challenge.errors import ChallengeRefused
from umbra.challenge.store import Challenge
from umbra.core.events import Client, Happened, signal_of
from umbra.core.ids import UserId
from umbra.core.proof import CodeRefused
from umbra.db.transaction import Chain, Transaction
from umbra.mail import store as mail
from umbra.passwords import store as passwords
from umbra.passwords.errors import CredentialsRefused
from umbra.passwords.store import StoredPassword
from umbra.sessions import store as sessions
from umbra.sessions.session import Session
from umbra.totp import store as totp
from umbra.totp.flows import Match
from umbra.totp.store import DIGITS_DEAD_STEPS

_MET = (browsers.met, browsers.familiar, mail.queued)
"""Whoever has a mail server: a browser becomes known, and unless it is the account's first one its owner is told."""

_KNOWN = (browsers.met,)
"""Whoever has none: a browser becomes known."""

_KEEP = Chain(audit.kept)
_KEEP_AND_TELL = Chain(audit.kept, then=[mail.queued])
_KEEP_AND_SIGNAL = Chain(audit.kept, audit.signalled)
_KEEP_SIGNAL_AND_TELL = Chain(audit.kept, audit.signalled, then=[browsers.unfamiliar, mail.queued])
_MEET = Chain(browsers.met, then=_MET[1:])
_KNOW = Chain(*_KNOWN)

_CHARGE_BOTH = Chain(challenges.held_open, attempts.charged, challenges.charged, shown=1)
_CHARGE_KNOWN = Chain(browsers.proved, attempts.charged)
_CHARGE_KNOWN_BOTH = Chain(browsers.proved, challenges.held_open, attempts.charged, challenges.charged, shown=2)

_CHARGE_AND_FIND = Chain(attempts.charged, passwords.found)
_CHARGE_KNOWN_AND_FIND = Chain(browsers.proved_to_name, attempts.charged, passwords.found)
_ACCEPT_PASSWORD = Chain(passwords.held_unchanged, attempts.forgiven)
_BEGIN_WITHOUT_CODE = Chain(totp.absent, audit.kept, sessions.created)
_BEGIN_WITHOUT_CODE_AND_MEET = Chain(totp.absent, audit.kept, sessions.created, then=_MET)
_BEGIN_AT_ONCE = Chain(passwords.held_unchanged, attempts.forgiven, audit.kept, sessions.created)
_OPEN_CHALLENGE = Chain(totp.present, challenges.opened, audit.kept, then=[challenges.oldest_ended])

_MOVE = Chain(totp.moved, attempts.forgiven)
_SPEND_CHALLENGE = Chain(challenges.spent)
_SPEND_CHALLENGE_AND_MOVE = Chain(challenges.spent, totp.moved, attempts.forgiven)

NOTHING: Mapping[str, Any] = {}

RECORD = Chain(totp.recorded)
RECORD_AND_CREATE = Chain(totp.recorded, audit.kept, sessions.created)
RECORD_CREATE_AND_MEET = Chain(totp.recorded, audit.kept, sessions.created, then=_MET)
RECORD_CREATE_AND_KNOW = Chain(totp.recorded, audit.kept, sessions.created, then=_KNOWN)
RECORD_AND_RENEW = Chain(totp.recorded, audit.kept, sessions.renewed)


async def keep(tx: Transaction, happened: Happened, now: datetime, *, mail: dict[str, Any] | None) -> None:
    """Write an event down, and queue the mail about it, with the values of one if there is to be one.

    Of a used code its owner is told unless it came from a browser of theirs.
    """
    if signal_of(happened) is None:
        chain = _KEEP if mail is None else _KEEP_AND_TELL
    else:
        chain = _KEEP_AND_SIGNAL if mail is None else _KEEP_SIGNAL_AND_TELL
    await tx.follow(chain, **audit.keeping(happened, now) | (mail or {}))


async def meet(tx: Transaction, user_id: UserId, meeting: dict[str, Any], *, is_told: bool) -> None:
    """Make a browser known to the account, and queue the mail about it, if there is one, and it was not."""
    await tx.follow(_MEET if is_told else _KNOW, user_id=user_id, **meeting)


async def charge_code(
    tx: Transaction, user_id: UserId, cost: Cost, client: Client, challenge: Challenge | None, now: datetime
) -> Charged:
    """Charge one guess at a TOTP code, as ``charge`` does.

    From a browser that the account knows it goes to a budget that nobody else can use up. Whether it is one is asked
    in the statement that charges.

    Raises:
        AttemptsSpent: The budget has to wait; nothing was charged.
        ChallengeRefused: The challenge has ended; nothing was charged.
    """
    if client.browser is not None:
        known = attempts.known_totp_budget(user_id, cost)
        chain = _CHARGE_KNOWN if challenge is None else _CHARGE_KNOWN_BOTH
        which = {} if challenge is None else {"challenge_id": challenge.id}
        values = attempts.charging(known, now) | which
        held, row = await tx.follow(chain, user_id=user_id, browser_hash=client.browser, **values)
        if held:
            return await _charged(tx, known, now, row, is_open=challenge is None or held > 1)
    return await charge(tx, attempts.totp_budget(user_id, cost), challenge, now)


async def charge(tx: Transaction, budget: Budget, challenge: Challenge | None, now: datetime) -> Charged:
    """Charge one guess to the account, and to the challenge if there is one; to both, or to none.

    The account's wait is the answer that wins.

    Raises:
        AttemptsSpent: The account has to wait; nothing was charged.
        ChallengeRefused: The challenge has ended; nothing was charged.
    """
    if challenge is None:
        return await attempts.charge(tx, budget, now)
    held, row = await tx.follow(_CHARGE_BOTH, challenge_id=challenge.id, **attempts.charging(budget, now))
    return await _charged(tx, budget, now, row, is_open=bool(held))


async def _charged(tx: Transaction, budget: Budget, now: datetime, row: Any, *, is_open: bool) -> Charged:
    """Return what a chain has charged, or say why it has not."""
    if row is None:
        await attempts.refuse_waiting(tx, budget, now)
        raise AttemptsSpent(NO_WAIT) if is_open else ChallengeRefused
    return Charged(budget, row.failures, row.chances)


async def charge_password(
    tx: Transaction, username_key: str, network: str, browser: str | None, now: datetime
) -> tuple[Budget, StoredPassword | None]:
    """Charge one guess at the password of a name, and return the budget, and the name's account if there is one.

    A browser that the account knows has a budget of its own, whoever else shares its network.

    Raises:
        AttemptsSpent: The budget has to wait; nothing was charged.
    """
    if browser is not None:
        known = attempts.known_password_budget(username_key, browser)
        values = attempts.charging(known, now)
        held, row = await tx.follow(_CHARGE_KNOWN_AND_FIND, username_key=username_key, browser_hash=browser, **values)
        if held:
            return known, await _found(tx, known, now, row, is_charged=held > 1)
    budget = attempts.password_budget(username_key, network)
    held, row = await tx.follow(_CHARGE_AND_FIND, username_key=username_key, **attempts.charging(budget, now))
    return budget, await _found(tx, budget, now, row, is_charged=bool(held))


async def _found(
    tx: Transaction, budget: Budget, now: datetime, row: Any, *, is_charged: bool
) -> StoredPassword | None:
    if not is_charged:
        await attempts.refuse_waiting(tx, budget, now)
        raise AttemptsSpent(NO_WAIT)
    return passwords.stored_password_of(row)


async def accept_password(tx: Transaction, user_id: UserId, version: int | str, budget: Budget, now: datetime) -> None:
    """Hold the account, if its password is still the one that was right, and clear the count.

    Whatever is asked about the account afterwards is another statement on purpose: this one sees the database as it
    was before it had waited for whoever else held the account.

    Raises:
        CredentialsRefused: The password has changed, or the account was disabled, since the check.
    """
    values = attempts.forgiving(budget, now)
    held, _ = await tx.follow(_ACCEPT_PASSWORD, user_id=user_id, version=version, **values)
    if not held:
        raise CredentialsRefused("superseded")


async def begin_without_code(
    tx: Transaction,
    values: dict[str, Any],
    happened: Happened,
    now: datetime,
    *,
    meeting: dict[str, Any] | None = None,
) -> Session | None:
    """Begin a session on a password alone, unless the account has an authenticator; the caller holds the account."""
    chain = _BEGIN_WITHOUT_CODE if meeting is None else _BEGIN_WITHOUT_CODE_AND_MEET
    held, row = await tx.follow(chain, **values | audit.keeping(happened, now) | (meeting or {}))
    return sessions.session_of(row) if held else None


async def begin_at_once(
    tx: Transaction,
    values: dict[str, Any],
    happened: Happened,
    now: datetime,
    *,
    version: int | str,
    budget: Budget,
) -> Session | None:
    """Do in one statement what ``accept_password`` and ``begin_without_code`` do in two, or nothing.

    The statement may wait for whoever holds the account, and but for that row it sees the database as it was before.
    So the account had no authenticator when the password was checked, and whoever switches one on outdates the check;
    and whatever else is asked about the account, as where a browser is met, is not asked here.
    """
    accepting = {"version": version, **attempts.forgiving(budget, now)}
    _, row = await tx.follow(_BEGIN_AT_ONCE, **values | accepting | audit.keeping(happened, now))
    return None if row is None else sessions.session_of(row)


async def open_challenge(tx: Transaction, user_id: UserId, token_hash: str, happened: Happened, now: datetime) -> bool:
    """Open a challenge if the account has an authenticator, and say whether it has.

    The caller holds the account, so that the limit cannot be passed from two sides.
    """
    values = challenges.opening(user_id, token_hash, now)
    held, _ = await tx.follow(_OPEN_CHALLENGE, **values | audit.keeping(happened, now))
    return bool(held)


async def spend_challenge(tx: Transaction, challenge: Challenge, now: datetime) -> None:
    """Use a challenge up.

    Raises:
        ChallengeRefused: Somebody used it first, or it has ended.
    """
    held, _ = await tx.follow(_SPEND_CHALLENGE, challenge_id=challenge.id, now=now)
    if not held:
        raise ChallengeRefused


async def spend_step(
    tx: Transaction,
    user_id: UserId,
    match: Match,
    now: datetime,
    *,
    budget: Budget,
    purpose: str,
    challenge: Challenge | None = None,
    then: Chain = RECORD,
    also: Mapping[str, Any] = NOTHING,
) -> Any:
    """Use a step up, so that it and every earlier one are dead, and clear the count; the only function that does.

    Two guards, in one transaction. The UPDATE compares and writes in one statement, so the database lets exactly
    one of many simultaneous requests through, whatever each had read before. It also holds the authenticator's row
    until we commit, so that the INSERT, which is another statement on purpose, sees every earlier acceptance: it
    refuses the same digits for this step (the seed's unique constraint) and, for as long as a replay of them could
    be in the window, for any other.

    ``challenge`` is used up first. ``then`` begins with that INSERT; what follows it there, with the values of
    ``also``, happens with it, and its row is returned.

    Raises:
        ChallengeRefused: Somebody used the challenge first, or it has ended.
        CodeRefused: Another request got there first.
    """
    values = {
        **also,
        "user_id": user_id,
        "authenticator_id": match.authenticator_id,
        "step": match.step,
        "code": match.code,
        "dead_since": match.now_step - DIGITS_DEAD_STEPS,
        "purpose": purpose,
        **attempts.forgiving(budget, now),
    }
    if challenge is None:
        moved, _ = await tx.follow(_MOVE, **values)
    else:
        held, _ = await tx.follow(_SPEND_CHALLENGE_AND_MOVE, challenge_id=challenge.id, **values)
        if not held:
            raise ChallengeRefused
        moved = held - 1
    if not moved:
        raise CodeRefused("replayed")
    recorded, row = await tx.follow(then, **values)
    if not recorded:
        raise CodeRefused("replayed")
    return row
