"""Budgets of guesses: charged before anything is looked at, cleared only by success of the same kind.

A budget belongs to an account and a kind of proof, never to a challenge, an address alone or a process: a limit per
challenge stops nobody who can ask for another one (contract 1.5, 5; NIST SP 800-63B-4, 3.2.2).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.attempts.errors import AttemptsSpent
from umbra.attempts.tables import AttemptsRow
from umbra.core.ids import UserId
from umbra.db.base import UtcDateTime
from umbra.db.statements import delete_some, insert_given
from umbra.db.transaction import Chain, Transaction

FREE_FAILURES = 5
"""After so many in a row the waiting begins."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
"""NIST SP 800-63B-4, 3.2.2: "at least 30 seconds … up to one hour"."""

MOST_TOTP_FAILURES = 100
"""NIST SP 800-63B-4, 3.2.2: no more than 100 consecutive failures; then the authenticators are disabled."""

PASSWORD_MEMORY = timedelta(days=1)
"""How long wrong passwords from one address are remembered after the last one."""

_WAITS = {FREE_FAILURES + n: min(FIRST_WAIT * 2**n, LONGEST_WAIT) for n in range(8)}
"""The wait after that many failures; after more than the last, the longest."""


NO_WAIT = timedelta()
"""What is left of a wait that was there when the guess was to be charged, and has come to its end since."""

NO_END = 2**31 - 1
"""More failures than anybody lives to see, of a budget that locks nobody out."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Whose guesses of which kind are counted together."""

    name: str
    most_failures: int = NO_END


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of a budget, for the operator: failures in a row, and what they have led to."""

    failures: int
    waits_until: datetime | None
    is_locked: bool


_count: ColumnElement[int] = AttemptsRow.failures + 1

_MAY_TRY = and_(
    AttemptsRow.failures < bindparam("most_failures"),
    or_(AttemptsRow.failures < FREE_FAILURES, AttemptsRow.next_at <= bindparam("now")),
)


def charged(given: ColumnElement[bool]) -> UpdateBase:
    """Count a guess against a budget that need not wait, in the statement that compares."""
    return (
        insert_given(AttemptsRow, given, budget="budget", failures=1, next_at="now", charged_at="now")
        .on_conflict_do_update(
            index_elements=[AttemptsRow.budget],
            set_={
                "failures": _count,
                "next_at": case(
                    (_count < FREE_FAILURES, bindparam("now", type_=UtcDateTime)),
                    *((_count == failures, bindparam(f"wait_{failures}", type_=UtcDateTime)) for failures in _WAITS),
                    else_=bindparam("longest_wait", type_=UtcDateTime),
                ),
                "charged_at": bindparam("now"),
            },
            where=_MAY_TRY,
        )
        .returning(AttemptsRow.failures)
    )


def forgiven(given: ColumnElement[bool]) -> UpdateBase:
    """Clear a count; its row stays, since another charge may be waiting for it."""
    return (
        update(AttemptsRow)
        .where(AttemptsRow.budget == bindparam("budget"), given)
        .values(failures=0, next_at=bindparam("now"))
        .returning(AttemptsRow.budget)
    )


_CHARGE = Chain(charged)
_FORGIVE = Chain(forgiven)


def totp_budget(user_id: UserId) -> Budget:
    """Return the budget of all of an account's TOTP codes, through every door."""
    return Budget(f"totp:{user_id}", MOST_TOTP_FAILURES)


def backup_code_budget(user_id: UserId) -> Budget:
    """Return the budget of an account's backup codes.

    It has no end: 80 bits do not fall to a guess an hour, and the owner's last way back in stays open.
    """
    return Budget(f"backup_code:{user_id}")


def email_proof_budget(user_id: UserId) -> Budget:
    """Return the budget of the codes that are mailed to an account, in whatever session they are typed."""
    return Budget(f"email_proof:{user_id}")


def password_budget(username_key: str, network: str) -> Budget:
    """Return the budget of an account's passwords from one network, so that a stranger keeps nobody out.

    Names without an account have one too, or waiting would tell which names exist. The text is hashed because
    people type passwords into the wrong field.
    """
    digest = hashlib.sha256(f"umbra.password-budget:{network}|{username_key}".encode()).hexdigest()
    return Budget(f"password:{digest}")


async def charge(tx: Transaction, budget: Budget, now: datetime) -> int:
    """Count one guess against ``budget`` and return how many there have been in a row.

    Comparison and write are one statement, so that fifty guesses at once are let through one by one and the sixth
    waits, on both databases. The caller commits before it looks at the guess. The clock is asked only of an account
    that has to wait, so that one set back, or another server's, keeps nobody else out.

    Raises:
        AttemptsSpent: The budget has to wait; nothing was counted.
    """
    _, row = await tx.follow(_CHARGE, **charging(budget, now))
    if row is None:
        await refuse_waiting(tx, budget, now)
        raise AttemptsSpent(NO_WAIT)
    failures: int = row.failures
    return failures


def charging(budget: Budget, now: datetime) -> dict[str, Any]:
    """Return the values for ``charged``."""
    return {
        "budget": budget.name,
        "now": now,
        "most_failures": budget.most_failures,
        "longest_wait": now + LONGEST_WAIT,
        **{f"wait_{failures}": now + wait for failures, wait in _WAITS.items()},
    }


async def forgive(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Clear the count after success of the same kind."""
    await tx.follow(_FORGIVE, budget=budget.name, now=now)


async def refuse_waiting(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Say how long a budget has to wait, if it has to.

    Raises:
        AttemptsSpent: It has to.
    """
    found = await tx.execute(select(AttemptsRow.failures, AttemptsRow.next_at).where(AttemptsRow.budget == budget.name))
    row = found.one_or_none()
    if row is None or row.failures < FREE_FAILURES:
        return
    if row.failures >= budget.most_failures:
        raise AttemptsSpent(LONGEST_WAIT)
    if row.next_at > now:
        raise AttemptsSpent(row.next_at - now)


async def standing(tx: Transaction, budget: Budget, now: datetime) -> Standing:
    """Return how many failures in a row there have been, and whether the next guess has to wait."""
    found = await tx.execute(select(AttemptsRow.failures, AttemptsRow.next_at).where(AttemptsRow.budget == budget.name))
    row = found.one_or_none()
    if row is None:
        return Standing(0, None, is_locked=False)
    waits = row.failures >= FREE_FAILURES and row.next_at > now
    is_locked = row.failures >= budget.most_failures
    return Standing(row.failures, row.next_at if waits and not is_locked else None, is_locked)


async def hand_back(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Take one charge back, because the server failed to finish what the guess had earned."""
    await tx.execute(
        update(AttemptsRow)
        .where(AttemptsRow.budget == budget.name, AttemptsRow.failures > 0)
        .values(failures=AttemptsRow.failures - 1, next_at=now)
    )


async def lift_lock(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Open a budget that was used up for good, and only such a one."""
    await tx.execute(
        update(AttemptsRow)
        .where(AttemptsRow.budget == budget.name, AttemptsRow.failures >= budget.most_failures)
        .values(failures=0, next_at=now)
    )


async def delete_for_user(tx: Transaction, user_id: UserId) -> None:
    """Forget an account's failures; for an operator's reset."""
    budgets = (totp_budget(user_id), backup_code_budget(user_id), email_proof_budget(user_id))
    names = [budget.name for budget in budgets]
    await tx.execute(delete(AttemptsRow).where(AttemptsRow.budget.in_(names)))


async def delete_stale(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` rows that limit nothing any more, and return how many."""
    stale = and_(
        AttemptsRow.charged_at < now - PASSWORD_MEMORY,
        or_(AttemptsRow.failures == 0, AttemptsRow.budget.startswith("password:", autoescape=True)),
    )
    return await delete_some(tx, AttemptsRow.budget, stale, limit)
