"""What a guess does to the database: the stores' links, in chains that take the fewest round trips."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from umbra.attempts import store as attempts
from umbra.attempts.errors import AttemptsSpent
from umbra.attempts.store import NO_WAIT, Budget
from umbra.audit import store as audit
from umbra.challenge import store as challenges
from umbra.challenge.errors import ChallengeRefused
from umbra.challenge.store import Challenge
from umbra.core.ids import UserId
from umbra.core.proof import CodeRefused
from umbra.db.transaction import Chain, Transaction
from umbra.sessions import store as sessions
from umbra.totp import store as totp
from umbra.totp.flows import Match
from umbra.totp.store import DIGITS_DEAD_STEPS

_CHARGE_BOTH = Chain(challenges.held_open, attempts.charged, challenges.charged, shown=1)

_MOVE = Chain(totp.moved, attempts.forgiven)
_SPEND_CHALLENGE = Chain(challenges.spent)
_SPEND_CHALLENGE_AND_MOVE = Chain(challenges.spent, totp.moved, attempts.forgiven)

NOTHING: Mapping[str, Any] = {}

RECORD = Chain(totp.recorded)
RECORD_AND_CREATE = Chain(totp.recorded, audit.kept, sessions.created)
RECORD_AND_RENEW = Chain(totp.recorded, audit.kept, sessions.renewed)


async def charge(tx: Transaction, budget: Budget, challenge: Challenge | None, now: datetime) -> int:
    """Charge one guess to the account, and to the challenge if there is one; to both, or to none.

    Return how many there have been in a row. The account's wait is the answer that wins.

    Raises:
        AttemptsSpent: The account has to wait; nothing was charged.
        ChallengeRefused: The challenge has ended; nothing was charged.
    """
    if challenge is None:
        return await attempts.charge(tx, budget, now)
    held, row = await tx.follow(_CHARGE_BOTH, challenge_id=challenge.id, **attempts.charging(budget, now))
    if row is None:
        await attempts.refuse_waiting(tx, budget, now)
        raise AttemptsSpent(NO_WAIT) if held else ChallengeRefused
    failures: int = row.failures
    return failures


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
        "budget": budget.name,
        "now": now,
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
