"""Budgets of guesses: charged before anything is looked at, cleared only by success of the same kind.

A budget belongs to an account and a kind of proof, never to a challenge, an address alone or a process: a limit per
challenge stops nobody who can ask for another one (contract 1.5, 5; NIST SP 800-63B-4, 3.2.2).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.attempts.bound import FREE, FREE_FAILURES, LONGEST_WAIT, MOST_TOTP_FAILURES, NO_END, WAITS, YEAR, Cost
from umbra.attempts.errors import AttemptsSpent
from umbra.attempts.tables import ATTEMPTS
from umbra.core.ids import UserId
from umbra.core.record import record
from umbra.db.base import UtcDateTime
from umbra.db.statements import delete_some, insert_given
from umbra.db.transaction import Chain, Transaction

PASSWORD_MEMORY = timedelta(days=1)
"""How long wrong passwords from one address are remembered after the last one."""

NO_WAIT = timedelta()
"""What is left of a wait that was there when the guess was to be charged, and has come to its end since."""


@record
class Budget:
    """Whose guesses of which kind are counted together, and what one of them costs of a year's chances."""

    name: str
    most_failures: int = NO_END
    cost: Cost = FREE
    is_of_known_browsers: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of a budget, for the operator: failures in a row, and what these and a year's have led to."""

    failures: int
    waits_until: datetime | None
    is_locked: bool
    spent_until: datetime | None


@record
class Charged:
    """A guess that was charged: to which budget, how many there are in a row with it, and what the year has cost."""

    budget: Budget
    failures: int
    chances: int

    @property
    def locks(self) -> bool:
        """Say whether it was the last one in a row, if it is wrong."""
        return self.failures >= self.budget.most_failures

    @property
    def ends_the_year(self) -> bool:
        """Say whether it was the last one of the year, if it is wrong."""
        return self.chances + self.budget.cost.chances > self.budget.cost.of


_FORGOTTEN = ("password:", "reset:")
"""Budgets that are a network's too: what nobody has charged for a day is over."""

_WAITS = {f"wait_{failures}": wait for failures, wait in WAITS.items()}

_count: ColumnElement[int] = ATTEMPTS.c.failures + 1

_chances = bindparam("chances", type_=Integer)
_IS_YEAR_OVER = ATTEMPTS.c.period_ends <= bindparam("now")
_IS_YEAR_ENOUGH = _chances <= bindparam("most_chances", type_=Integer)

_MAY_TRY = and_(
    ATTEMPTS.c.failures < bindparam("most_failures"),
    or_(ATTEMPTS.c.failures < FREE_FAILURES, ATTEMPTS.c.next_at <= bindparam("now")),
    or_(_IS_YEAR_OVER, ATTEMPTS.c.chances + _chances <= bindparam("most_chances")),
)

_handed_back = case((ATTEMPTS.c.chances > _chances, ATTEMPTS.c.chances - _chances), else_=0)


def charged(given: ColumnElement[bool]) -> UpdateBase:
    """Count a guess against a budget that need not wait, in the statement that compares."""
    return (
        insert_given(
            ATTEMPTS,
            and_(given, _IS_YEAR_ENOUGH),
            budget="budget",
            failures=1,
            next_at="now",
            charged_at="now",
            chances="chances",
            period_ends="year_ends",
        )
        .on_conflict_do_update(
            index_elements=[ATTEMPTS.c.budget],
            set_={
                "failures": _count,
                "next_at": case(
                    (_count < FREE_FAILURES, bindparam("now", type_=UtcDateTime)),
                    *((_count == n, bindparam(name, type_=UtcDateTime)) for n, name in zip(WAITS, _WAITS, strict=True)),
                    else_=bindparam("longest_wait", type_=UtcDateTime),
                ),
                "charged_at": bindparam("now"),
                "chances": case((_IS_YEAR_OVER, _chances), else_=ATTEMPTS.c.chances + _chances),
                "period_ends": case(
                    (_IS_YEAR_OVER, bindparam("year_ends", type_=UtcDateTime)), else_=ATTEMPTS.c.period_ends
                ),
            },
            where=_MAY_TRY,
        )
        .returning(ATTEMPTS.c.failures, ATTEMPTS.c.chances)
    )


def forgiven(given: ColumnElement[bool]) -> UpdateBase:
    """Clear a count in a row, and hand back what the right guess has cost; what wrong ones have cost stays.

    The row stays, since another charge may be waiting for it.
    """
    return (
        update(ATTEMPTS)
        .where(ATTEMPTS.c.budget == bindparam("budget"), given)
        .values(failures=0, next_at=bindparam("now"), chances=_handed_back)
        .returning(ATTEMPTS.c.budget)
    )


_CHARGE = Chain(charged)
_FORGIVE = Chain(forgiven)


def totp_budget(user_id: UserId, cost: Cost = FREE) -> Budget:
    """Return the budget of an account's TOTP codes, through every door, from wherever nobody has proved it before."""
    return Budget(f"totp:{user_id}", MOST_TOTP_FAILURES, cost)


def known_totp_budget(user_id: UserId, cost: Cost = FREE) -> Budget:
    """Return the budget of the same codes from all browsers that the account knows, which no stranger uses up."""
    return Budget(f"totp_known:{user_id}", MOST_TOTP_FAILURES, cost, is_of_known_browsers=True)


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


def known_password_budget(username_key: str, browser_hash: str) -> Budget:
    """Return the budget of an account's passwords from a browser that it knows, wherever that is."""
    return password_budget(username_key, f"browser {browser_hash}")


def reset_budget(network: str) -> Budget:
    """Return the budget of links by mail that one network may ask for, whomever they are for."""
    return Budget(f"reset:{hashlib.sha256(f'umbra.reset-budget:{network}'.encode()).hexdigest()}")


async def charge(tx: Transaction, budget: Budget, now: datetime) -> Charged:
    """Count one guess against ``budget``.

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
    return Charged(budget, row.failures, row.chances)


def charging(budget: Budget, now: datetime) -> dict[str, Any]:
    """Return the values for ``charged``."""
    return {
        "budget": budget.name,
        "now": now,
        "most_failures": budget.most_failures,
        "longest_wait": now + LONGEST_WAIT,
        "chances": budget.cost.chances,
        "most_chances": budget.cost.of,
        "year_ends": now + YEAR,
        **{name: now + wait for name, wait in _WAITS.items()},
    }


async def forgive(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Clear the count after success of the same kind."""
    await tx.follow(_FORGIVE, **forgiving(budget, now))


def forgiving(budget: Budget, now: datetime) -> dict[str, Any]:
    """Return the values for ``forgiven``."""
    return {"budget": budget.name, "chances": budget.cost.chances, "now": now}


async def refuse_waiting(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Say how long a budget has to wait, if it has to.

    Raises:
        AttemptsSpent: It has to.
    """
    now_standing = await standing(tx, budget, now)
    waits = [until - now for until in (now_standing.waits_until, now_standing.spent_until) if until is not None]
    if now_standing.is_locked:
        waits.append(LONGEST_WAIT)
    if waits:
        raise AttemptsSpent(max(waits))


async def standing(tx: Transaction, budget: Budget, now: datetime) -> Standing:
    """Return how many failures in a row there have been, and whether the next guess has to wait."""
    found = await tx.execute(
        select(ATTEMPTS.c.failures, ATTEMPTS.c.next_at, ATTEMPTS.c.chances, ATTEMPTS.c.period_ends).where(
            ATTEMPTS.c.budget == budget.name
        )
    )
    row = found.one_or_none()
    if row is None:
        return Standing(0, None, is_locked=False, spent_until=None)
    is_locked = row.failures >= budget.most_failures
    waits = row.failures >= FREE_FAILURES and row.next_at > now and not is_locked
    is_spent = row.chances + budget.cost.chances > budget.cost.of and row.period_ends > now
    return Standing(row.failures, row.next_at if waits else None, is_locked, row.period_ends if is_spent else None)


async def hand_back(tx: Transaction, budget: Budget, now: datetime) -> None:
    """Take one charge back, because the server failed to finish what the guess had earned."""
    await tx.execute(
        update(ATTEMPTS)
        .where(ATTEMPTS.c.budget == budget.name, ATTEMPTS.c.failures > 0)
        .values(failures=ATTEMPTS.c.failures - 1, next_at=now, chances=_handed_back),
        chances=budget.cost.chances,
    )


async def lift_locks(tx: Transaction, user_id: UserId, now: datetime) -> None:
    """Open an account's budgets of codes that were used up for good, and only such ones."""
    await tx.execute(
        update(ATTEMPTS)
        .where(ATTEMPTS.c.budget.in_(_names_of_codes(user_id)), ATTEMPTS.c.failures >= MOST_TOTP_FAILURES)
        .values(failures=0, next_at=now)
    )


async def delete_for_user(tx: Transaction, user_id: UserId) -> None:
    """Forget an account's failures; for an operator's reset."""
    names = [*_names_of_codes(user_id), backup_code_budget(user_id).name, email_proof_budget(user_id).name]
    await tx.execute(delete(ATTEMPTS).where(ATTEMPTS.c.budget.in_(names)))


def _names_of_codes(user_id: UserId) -> list[str]:
    return [totp_budget(user_id).name, known_totp_budget(user_id).name]


async def delete_stale(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` rows that limit nothing any more, and return how many."""
    stale = and_(
        ATTEMPTS.c.charged_at < now - PASSWORD_MEMORY,
        or_(ATTEMPTS.c.failures == 0, *(ATTEMPTS.c.budget.startswith(kind, autoescape=True) for kind in _FORGOTTEN)),
        or_(ATTEMPTS.c.chances == 0, ATTEMPTS.c.period_ends <= now),
    )
    return await delete_some(tx, ATTEMPTS.c.budget, stale, limit)
