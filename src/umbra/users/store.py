from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, or_, select, type_coerce, update
from sqlalchemy.types import UserDefinedType

from umbra.core.errors import NotFound
from umbra.core.ids import UserId
from umbra.core.typed import folded
from umbra.db.statements import insert, labelled
from umbra.db.transaction import Statement, Transaction
from umbra.users.errors import UsernameTaken
from umbra.users.tables import USERS
from umbra.users.user import Account, User

_USER = (USERS.c.id, USERS.c.username, USERS.c.email, USERS.c.is_operator)
_ACCOUNT = (*_USER, USERS.c.created_at, USERS.c.disabled_at)


class _AsRead(UserDefinedType[Any]):
    """A value that goes to the driver as it came from it, whatever the column is declared as."""

    cache_ok = True


_HOLD = Statement(select(USERS.c.id).where(USERS.c.id == bindparam("user_id")).with_for_update(key_share=True))

_EXISTS = Statement(select(USERS.c.id).where(USERS.c.username_key == bindparam("username_key")))

_HOLD_LET_IN = Statement(
    select(*labelled(*_USER))
    .where(USERS.c.id == bindparam("user_id"), USERS.c.disabled_at.is_(None))
    .with_for_update(key_share=True)
)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made; the password is a hash already."""

    username: str
    email: str | None
    password_hash: str
    is_operator: bool = False


async def add(tx: Transaction, new: NewUser, now: datetime) -> User:
    """Make an account.

    Raises:
        UsernameTaken: Another account has that name.
    """
    added = await tx.execute(
        insert(USERS)
        .values(
            username=new.username,
            username_key=folded(new.username),
            email=new.email,
            password_hash=new.password_hash,
            is_operator=new.is_operator,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(*_USER)
    )
    row = added.one_or_none()
    if row is None:
        raise UsernameTaken
    return _user(row)


async def exists(tx: Transaction, username: str) -> bool:
    """Say whether an account has that name."""
    return (await tx.execute(_EXISTS, username_key=folded(username))).first() is not None


async def is_anybody_there(tx: Transaction) -> bool:
    """Say whether there is any account."""
    return (await tx.execute(select(USERS.c.id).limit(1))).first() is not None


async def hold(tx: Transaction, user_id: UserId) -> None:
    """Lock the account's row until the transaction ends; where two changes of one account must not cross.

    It is the first lock that a transaction takes, and does not stand in the way of rows that refer to the account.
    """
    await tx.execute(_HOLD, user_id=user_id)


async def hold_all(tx: Transaction, user_ids: Collection[UserId]) -> int:
    """Lock the rows of several accounts, as ``hold`` does, and return how many there are.

    They are locked in one order, so that two operators who act on each other wait, and do not stand crosswise.
    """
    either = or_(*(USERS.c.id == user_id for user_id in user_ids))  # each by the type of a host's key, unlike IN's list
    wanted = select(USERS.c.id).where(either).order_by(USERS.c.id)
    return len((await tx.execute(wanted.with_for_update(key_share=True))).all())


async def hold_let_in(tx: Transaction, user_id: UserId) -> User | None:
    """Lock the row of an account that may sign in, as ``hold`` does, and return the account."""
    row = (await tx.execute(_HOLD_LET_IN, user_id=user_id)).one_or_none()
    return None if row is None else _user(row)


async def hold_named(tx: Transaction, username_key: str) -> Account | None:
    """Lock the row of the account of a folded name, as ``hold`` does, and return the account, disabled ones too."""
    wanted = select(*_ACCOUNT).where(USERS.c.username_key == username_key)
    row = (await tx.execute(wanted.with_for_update(key_share=True))).one_or_none()
    return None if row is None else _account(row)


async def by_name(tx: Transaction, username: str) -> Account:
    """Return the account of that name.

    Raises:
        NotFound: There is none.
    """
    row = (await tx.execute(select(*_ACCOUNT).where(USERS.c.username_key == folded(username)))).one_or_none()
    if row is None:
        raise NotFound
    return _account(row)


async def by_id(tx: Transaction, user_id: UserId) -> Account:
    """Return an account.

    Raises:
        NotFound: There is none of that id.
    """
    row = (await tx.execute(select(*_ACCOUNT).where(USERS.c.id == user_id))).one_or_none()
    if row is None:
        raise NotFound
    return _account(row)


async def by_key(tx: Transaction, key: Any) -> User | None:
    """Return the account whose key a host's other table refers to: a value as the driver has read it there."""
    found = await tx.execute(select(*labelled(*_USER)).where(type_coerce(USERS.c.id, _AsRead()) == key))
    row = found.one_or_none()
    return None if row is None else _user(row)


async def everybody(tx: Transaction) -> list[Account]:
    """Return all accounts, the oldest first."""
    return [_account(row) for row in await tx.execute(select(*_ACCOUNT).order_by(USERS.c.id))]


async def beginning_with(tx: Transaction, text: str, limit: int) -> list[Account]:
    """Return up to ``limit`` accounts whose name or mail address begins with ``text``, whatever its case, by name."""
    is_meant = or_(
        USERS.c.username_key.startswith(folded(text), autoescape=True),
        USERS.c.email.istartswith(text, autoescape=True),
    )
    rows = await tx.execute(select(*_ACCOUNT).where(is_meant).order_by(USERS.c.username_key).limit(limit))
    return [_account(row) for row in rows]


async def names(tx: Transaction, user_ids: Collection[UserId]) -> dict[UserId, str]:
    """Return the names of those accounts that there are."""
    rows = await tx.execute(select(USERS.c.id, USERS.c.username).where(USERS.c.id.in_(user_ids)))
    return {UserId(row.id): row.username for row in rows}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an account is told of changes, and when its second factor was last changed by its owner."""

    email: str | None
    factors_changed_at: datetime | None


async def reach(tx: Transaction, user_id: UserId) -> Reach:
    """Return where the account is told of changes."""
    found = await tx.execute(select(USERS.c.email, USERS.c.factors_changed_at).where(USERS.c.id == user_id))
    return Reach(*found.one())


async def note_changed_factors(tx: Transaction, user_id: UserId, now: datetime) -> None:
    """Note that the account's second factor was changed now."""
    await tx.execute(update(USERS).where(USERS.c.id == user_id).values(factors_changed_at=now))


async def outdate_checks(tx: Transaction, user_id: UserId) -> None:
    """End every check of the account's password that is under way; the caller holds the account, which is ours."""
    await tx.execute(update(USERS).where(USERS.c.id == user_id).values(password_version=USERS.c.password_version + 1))


async def change_email(tx: Transaction, user_id: UserId, email: str | None) -> None:
    """Store another mail address, or none."""
    await tx.execute(update(USERS).where(USERS.c.id == user_id).values(email=email))


async def disable(tx: Transaction, user_id: UserId, now: datetime) -> bool:
    """Keep the account out from now on, and say whether it was let in until then."""
    let_in = and_(USERS.c.id == user_id, USERS.c.disabled_at.is_(None))
    disabled = await tx.execute(update(USERS).where(let_in).values(disabled_at=now).returning(USERS.c.id))
    return disabled.first() is not None


async def enable(tx: Transaction, user_id: UserId) -> bool:
    """Let the account sign in again, and say whether it was kept out until then."""
    kept_out = and_(USERS.c.id == user_id, USERS.c.disabled_at.is_not(None))
    enabled = await tx.execute(update(USERS).where(kept_out).values(disabled_at=None).returning(USERS.c.id))
    return enabled.first() is not None


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(UserId(row.id), row.username, row.email, row.is_operator)


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(_user(row), row.created_at, row.disabled_at)
