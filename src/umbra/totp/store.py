"""Every query on authenticators and on the ledger of used codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, exists, func, literal, or_, select, update
from sqlalchemy.sql.dml import UpdateBase

from umbra.core.ids import AuthenticatorId, SessionId, UserId
from umbra.core.record import record
from umbra.core.typed import Digits, folded
from umbra.crypto.envelope import SealedRow
from umbra.db.statements import count_rows, delete_some, insert, insert_given
from umbra.db.transaction import Statement, Transaction
from umbra.totp.algorithm import SKEW_STEPS, Step
from umbra.totp.errors import LastAuthenticator, NameTaken, NoSetupPending
from umbra.totp.tables import AUTHENTICATORS, USED_CODES

SETUP_LIFETIME = timedelta(minutes=10)

DIGITS_DEAD_STEPS = SKEW_STEPS + 1
"""How many steps behind now an accepted code's step may lie for its digits to be refused for another step too."""

USAGE_LIFE_STEPS = 4
"""Two minutes: the ledger keeps a code for longer than any rule asks about it. The order of steps, in
``last_step``, is what refuses it for ever after."""


@record
class Authenticator:
    """An enrolled app, as its owner sees it."""

    id: AuthenticatorId
    name: str
    created_at: datetime
    last_used_at: datetime | None


@record
class Enrolled:
    """What checking a code needs of an authenticator; ``sealed`` is a Fernet token."""

    id: AuthenticatorId
    last_step: Step | None
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """An authenticator that another application has confirmed; its secret comes next."""

    name: str
    created_at: datetime
    last_step: Step | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Used:
    """A code that another application has accepted."""

    step: Step
    used_at: datetime
    code: Digits = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingSetup:
    """A set-up that one session has begun and not confirmed."""

    id: AuthenticatorId
    name: str
    expires_at: datetime
    sealed: str = field(repr=False)


_SHOWN = (
    AUTHENTICATORS.c.id,
    AUTHENTICATORS.c.name,
    AUTHENTICATORS.c.created_at,
    AUTHENTICATORS.c.last_used_at,
)


def moved(given: ColumnElement[bool]) -> UpdateBase:
    """Move an authenticator forward to a later step than its last, and hold its row."""
    return (
        update(AUTHENTICATORS)
        .where(
            AUTHENTICATORS.c.id == bindparam("authenticator_id"),
            AUTHENTICATORS.c.user_id == bindparam("user_id"),
            or_(AUTHENTICATORS.c.last_step.is_(None), AUTHENTICATORS.c.last_step < bindparam("step")),
            given,
        )
        .values(last_step=bindparam("step"), last_used_at=bindparam("now"))
        .returning(AUTHENTICATORS.c.id)
    )


_DIGITS_ARE_DEAD = exists().where(
    USED_CODES.c.user_id == bindparam("user_id"),
    USED_CODES.c.code == bindparam("code"),
    USED_CODES.c.window >= bindparam("dead_since"),
)


def recorded(given: ColumnElement[bool]) -> UpdateBase:
    """Enter digits into the ledger, unless it holds them for this step, or for one that could still be replayed."""
    return (
        insert_given(
            USED_CODES,
            and_(given, ~_DIGITS_ARE_DEAD),
            user_id="user_id",
            code="code",
            window="step",
            used_at="now",
            authenticator_id="authenticator_id",
            purpose="purpose",
        )
        .on_conflict_do_nothing()
        .returning(USED_CODES.c.id)
    )


_WAS_USED = Statement(
    select(USED_CODES.c.id)
    .where(
        USED_CODES.c.user_id == bindparam("user_id"),
        USED_CODES.c.code == bindparam("code"),
        USED_CODES.c.window.between(bindparam("first_step"), bindparam("last_step")),
    )
    .limit(1)
)

_ENROLLED = Statement(
    select(AUTHENTICATORS.c.id, AUTHENTICATORS.c.last_step, AUTHENTICATORS.c.secret)
    .where(AUTHENTICATORS.c.user_id == bindparam("user_id"), AUTHENTICATORS.c.confirmed_at.is_not(None))
    .order_by(AUTHENTICATORS.c.id)
)

_CONFIRMED = Statement(
    select(*_SHOWN)
    .where(AUTHENTICATORS.c.user_id == bindparam("user_id"), AUTHENTICATORS.c.confirmed_at.is_not(None))
    .order_by(AUTHENTICATORS.c.id)
)

_PENDING = Statement(
    select(
        AUTHENTICATORS.c.id,
        AUTHENTICATORS.c.name,
        AUTHENTICATORS.c.setup_expires_at,
        AUTHENTICATORS.c.secret,
    ).where(
        AUTHENTICATORS.c.setup_session_id == bindparam("session_id"),
        AUTHENTICATORS.c.confirmed_at.is_(None),
        AUTHENTICATORS.c.setup_expires_at > bindparam("now"),
    )
)

_IS_ENABLED = Statement(
    select(AUTHENTICATORS.c.id)
    .where(AUTHENTICATORS.c.user_id == bindparam("user_id"), AUTHENTICATORS.c.confirmed_at.is_not(None))
    .limit(1)
)


_HAS_ONE = exists().where(AUTHENTICATORS.c.user_id == bindparam("user_id"), AUTHENTICATORS.c.confirmed_at.is_not(None))


def absent(given: ColumnElement[bool]) -> Select[int]:
    """Ask for an account that has no confirmed authenticator."""
    return select(literal(1).label("absent")).where(~_HAS_ONE, given)


def present(given: ColumnElement[bool]) -> Select[int]:
    """Ask for an account that has one."""
    return select(literal(1).label("present")).where(_HAS_ONE, given)


async def was_used(tx: Transaction, user_id: UserId, code: Digits, now_step: Step) -> bool:
    """Say whether the ledger holds ``code`` for a step that is looked at now; for the audit log only."""
    steps = {"first_step": now_step - SKEW_STEPS, "last_step": now_step + SKEW_STEPS}
    return (await tx.execute(_WAS_USED, user_id=user_id, code=code, **steps)).first() is not None


async def enrolled(tx: Transaction, user_id: UserId) -> list[Enrolled]:
    """Return the account's confirmed authenticators, the oldest first."""
    rows = await tx.execute(_ENROLLED, user_id=user_id)
    return [
        Enrolled(AuthenticatorId(row.id), None if row.last_step is None else Step(row.last_step), row.secret)
        for row in rows
    ]


async def hold_all(tx: Transaction, user_id: UserId) -> None:
    """Lock every authenticator of the account, before a proof that uses one of them and may be about another.

    Whoever signs in with an app locks it first and the count of guesses after it; so must whoever removes it.
    """
    await tx.execute(
        select(AUTHENTICATORS.c.id)
        .where(AUTHENTICATORS.c.user_id == user_id)
        .order_by(AUTHENTICATORS.c.id)
        .with_for_update()
    )


async def is_enabled(tx: Transaction, user_id: UserId) -> bool:
    """Say whether the account has a confirmed authenticator."""
    return (await tx.execute(_IS_ENABLED, user_id=user_id)).first() is not None


async def shown(tx: Transaction, user_id: UserId) -> list[Authenticator]:
    """Return the account's confirmed authenticators for its owner's eyes."""
    return [_authenticator(row) for row in await tx.execute(_CONFIRMED, user_id=user_id)]


async def shown_one(tx: Transaction, authenticator_id: AuthenticatorId) -> Authenticator:
    """Return one authenticator that the caller knows to exist."""
    return _authenticator((await tx.execute(select(*_SHOWN).where(AUTHENTICATORS.c.id == authenticator_id))).one())


async def pending(tx: Transaction, session_id: SessionId, now: datetime) -> PendingSetup | None:
    """Return the set-up that this session has begun, unless it has expired. Other sessions never see it."""
    row = (await tx.execute(_PENDING, session_id=session_id, now=now)).one_or_none()
    if row is None or row.setup_expires_at is None:
        return None
    return PendingSetup(AuthenticatorId(row.id), row.name, row.setup_expires_at, row.secret)


async def begin_setup(
    tx: Transaction, user_id: UserId, session_id: SessionId, name: str, now: datetime
) -> AuthenticatorId:
    """Put an unconfirmed authenticator in the place of any that this session had begun; its secret comes next."""
    await tx.execute(delete(AUTHENTICATORS).where(AUTHENTICATORS.c.setup_session_id == session_id))
    begun = await tx.execute(
        insert(AUTHENTICATORS)
        .values(
            user_id=user_id,
            name=name,
            secret="",
            created_at=now,
            setup_session_id=session_id,
            setup_expires_at=now + SETUP_LIFETIME,
        )
        .returning(AUTHENTICATORS.c.id)
    )
    return AuthenticatorId(begun.scalar_one())


async def put_imported(tx: Transaction, user_id: UserId, one: Imported) -> AuthenticatorId:
    """Put an authenticator that counts at once; the caller holds the user's row."""
    put = await tx.execute(
        insert(AUTHENTICATORS)
        .values(
            user_id=user_id,
            name=one.name,
            name_key=folded(one.name),
            secret="",
            confirmed_at=one.created_at,
            created_at=one.created_at,
            last_step=one.last_step,
            last_used_at=one.last_used_at,
        )
        .returning(AUTHENTICATORS.c.id)
    )
    return AuthenticatorId(put.scalar_one())


async def put_used(tx: Transaction, user_id: UserId, used: Sequence[Used], now_step: Step) -> None:
    """Enter codes that another application accepted into the ledger, where a rule may still ask about them."""
    rows = [
        {"user_id": user_id, "code": one.code, "window": one.step, "used_at": one.used_at, "purpose": "import"}
        for one in used
        if one.step >= now_step - USAGE_LIFE_STEPS
    ]
    if rows:
        await tx.execute(
            insert(USED_CODES).values(rows).on_conflict_do_nothing(index_elements=["user_id", "code", "window"])
        )


async def put_secret(tx: Transaction, authenticator_id: AuthenticatorId, sealed: str) -> None:
    """Give a fresh authenticator its sealed secret, which names the row and so had to wait for its id."""
    await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.id == authenticator_id).values(secret=sealed))


async def rename_pending(tx: Transaction, authenticator_id: AuthenticatorId, name: str) -> None:
    """Give an unconfirmed authenticator another name."""
    await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.id == authenticator_id).values(name=name))


async def switch_on(tx: Transaction, authenticator_id: AuthenticatorId, name: str, now: datetime) -> None:
    """Confirm a pending authenticator, at most once; from here on it counts and no session owns it.

    Raises:
        NoSetupPending: It was confirmed, replaced or removed meanwhile.
    """
    switched = await tx.execute(
        update(AUTHENTICATORS)
        .where(AUTHENTICATORS.c.id == authenticator_id, AUTHENTICATORS.c.confirmed_at.is_(None))
        .values(confirmed_at=now, name_key=folded(name), setup_session_id=None, setup_expires_at=None)
        .returning(AUTHENTICATORS.c.id)
    )
    if switched.first() is None:
        raise NoSetupPending


async def names_taken(tx: Transaction, user_id: UserId) -> set[str]:
    """Return the folded names of the account's confirmed authenticators."""
    rows = await tx.execute(
        select(AUTHENTICATORS.c.name_key).where(
            AUTHENTICATORS.c.user_id == user_id, AUTHENTICATORS.c.name_key.is_not(None)
        )
    )
    return {key for (key,) in rows if key is not None}


async def refuse_taken_name(
    tx: Transaction, user_id: UserId, name: str, *, besides: AuthenticatorId | None = None
) -> None:
    """Refuse a name that a confirmed authenticator of the account has; the caller holds the user's row.

    Raises:
        NameTaken: One has it.
    """
    taken = select(AUTHENTICATORS.c.id).where(
        AUTHENTICATORS.c.user_id == user_id, AUTHENTICATORS.c.name_key == folded(name)
    )
    if besides is not None:
        taken = taken.where(AUTHENTICATORS.c.id != besides)
    if (await tx.execute(taken)).first() is not None:
        raise NameTaken


async def rename(tx: Transaction, user_id: UserId, authenticator_id: AuthenticatorId, name: str) -> bool:
    """Give a confirmed authenticator another name, and say whether the account has it."""
    renamed = await tx.execute(
        update(AUTHENTICATORS)
        .where(_is_confirmed(user_id, authenticator_id))
        .values(name=name, name_key=folded(name))
        .returning(AUTHENTICATORS.c.id)
    )
    return renamed.first() is not None


async def has(tx: Transaction, user_id: UserId, authenticator_id: AuthenticatorId) -> bool:
    """Say whether the account has that confirmed authenticator."""
    found = await tx.execute(select(AUTHENTICATORS.c.id).where(_is_confirmed(user_id, authenticator_id)))
    return found.first() is not None


async def refuse_last(tx: Transaction, user_id: UserId) -> None:
    """Refuse to go on when the account has one authenticator only; the caller holds the user's row.

    Raises:
        LastAuthenticator: It has.
    """
    count = await tx.execute(
        select(func.count())
        .select_from(AUTHENTICATORS)
        .where(AUTHENTICATORS.c.user_id == user_id, AUTHENTICATORS.c.confirmed_at.is_not(None))
    )
    if count.scalar_one() <= 1:
        raise LastAuthenticator


async def remove(tx: Transaction, user_id: UserId, authenticator_id: AuthenticatorId) -> bool:
    """Delete one authenticator, and say whether it was there."""
    removed = await tx.execute(
        delete(AUTHENTICATORS).where(_is_confirmed(user_id, authenticator_id)).returning(AUTHENTICATORS.c.id)
    )
    return removed.first() is not None


async def remove_all(tx: Transaction, user_id: UserId) -> None:
    """Delete every authenticator of the account, pending ones too. The ledger of used codes stays."""
    await tx.execute(delete(AUTHENTICATORS).where(AUTHENTICATORS.c.user_id == user_id))


async def delete_every_setup(tx: Transaction) -> int:
    """Delete every set-up that nobody has confirmed, and return how many."""
    count = await count_rows(tx, AUTHENTICATORS.c.id, AUTHENTICATORS.c.confirmed_at.is_(None))
    await tx.execute(delete(AUTHENTICATORS).where(AUTHENTICATORS.c.confirmed_at.is_(None)))
    return count


async def move_every(tx: Transaction, step: Step) -> int:
    """Move every authenticator forward to ``step``, if it is not behind that already, and return how many."""
    behind = or_(AUTHENTICATORS.c.last_step.is_(None), AUTHENTICATORS.c.last_step < step)
    count = await count_rows(tx, AUTHENTICATORS.c.id, behind)
    await tx.execute(update(AUTHENTICATORS).where(behind).values(last_step=step))
    return count


async def delete_old_usage(tx: Transaction, now_step: Step, limit: int) -> int:
    """Delete up to ``limit`` used codes past their life, and return how many.

    None of them becomes acceptable again: ``last_step`` refuses their steps without the ledger.
    """
    return await delete_some(tx, USED_CODES.c.id, USED_CODES.c.window < now_step - USAGE_LIFE_STEPS, limit)


async def count_old_usage(tx: Transaction, now_step: Step) -> int:
    """Return how many used codes were past their life at a step."""
    return await count_rows(tx, USED_CODES.c.id, USED_CODES.c.window < now_step - USAGE_LIFE_STEPS)


async def delete_expired_setups(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete up to ``limit`` set-ups that nobody confirmed in time, and return how many."""
    expired = and_(AUTHENTICATORS.c.setup_expires_at <= now, AUTHENTICATORS.c.confirmed_at.is_(None))
    return await delete_some(tx, AUTHENTICATORS.c.id, expired, limit)


async def sealed_after(tx: Transaction, after: int, limit: int) -> list[SealedRow]:
    """Return up to ``limit`` sealed secrets, in the order of their rows, behind row ``after``."""
    rows = await tx.execute(
        select(AUTHENTICATORS.c.id, AUTHENTICATORS.c.user_id, AUTHENTICATORS.c.secret)
        .where(AUTHENTICATORS.c.id > after)
        .order_by(AUTHENTICATORS.c.id)
        .limit(limit)
    )
    return [SealedRow(AuthenticatorId(row.id), UserId(row.user_id), row.secret) for row in rows]


async def reseal(tx: Transaction, row: SealedRow, sealed: str) -> bool:
    """Put another token of the same secret into a row, unless the row has changed meanwhile."""
    resealed = await tx.execute(
        update(AUTHENTICATORS)
        .where(AUTHENTICATORS.c.id == row.id, AUTHENTICATORS.c.secret == row.sealed)
        .values(secret=sealed)
        .returning(AUTHENTICATORS.c.id)
    )
    return resealed.first() is not None


async def count_all(tx: Transaction) -> int:
    """Return how many authenticators there are, pending ones too."""
    return (await tx.execute(select(func.count()).select_from(AUTHENTICATORS))).scalar_one()


def _is_confirmed(user_id: UserId, authenticator_id: AuthenticatorId) -> ColumnElement[bool]:
    return and_(
        AUTHENTICATORS.c.id == authenticator_id,
        AUTHENTICATORS.c.user_id == user_id,
        AUTHENTICATORS.c.confirmed_at.is_not(None),
    )


def _authenticator(row: Row[*tuple[Any, ...]]) -> Authenticator:
    return Authenticator(AuthenticatorId(row.id), row.name, row.created_at, row.last_used_at)
