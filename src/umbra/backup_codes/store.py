from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, insert, or_, select, update

from umbra.backup_codes.codes import IMPORTED
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.core.ids import UserId
from umbra.core.proof import CodeRefused
from umbra.db.transaction import Statement, Transaction

_COUNT = Statement(
    select(
        func.count(BACKUP_CODES.c.id).label("total"),
        func.count(BACKUP_CODES.c.used_at).label("used"),
        func.count(BACKUP_CODES.c.renewal_due_at).label("due"),
        func.min(BACKUP_CODES.c.created_at).label("created_at"),
    ).where(BACKUP_CODES.c.user_id == bindparam("user_id"))
)


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A row that a proof is compared with."""

    id: int
    selector: str
    used_at: datetime | None
    code_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportedCode:
    """A code that another application has made, used or not."""

    selector: str
    used_at: datetime | None
    created_at: datetime
    code_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackupCodeCount:
    """What the owner may know of a set."""

    total: int
    remaining: int
    created_at: datetime
    is_renewal_due: bool = False


async def replace_all(tx: Transaction, user_id: UserId, codes: Sequence[tuple[str, str]], now: datetime) -> None:
    """Put a new set, pairs of selector and hash, in the place of the old; the caller holds the user's row."""
    await remove_all(tx, user_id)
    await tx.execute(
        insert(BACKUP_CODES).values(
            [
                {
                    "user_id": user_id,
                    "selector": selector,
                    "code_hash": hashed,
                    "used_at": None,
                    "created_at": now,
                }
                for selector, hashed in codes
            ]
        )
    )


async def hold_all(tx: Transaction, user_id: UserId) -> None:
    """Lock every code of the account, before the count of guesses: in the order in which one is spent."""
    await tx.execute(
        select(BACKUP_CODES.c.id).where(BACKUP_CODES.c.user_id == user_id).order_by(BACKUP_CODES.c.id).with_for_update()
    )


async def put_imported(tx: Transaction, user_id: UserId, codes: Sequence[ImportedCode]) -> None:
    """Put codes of another application in the place of any set; the caller holds the user's row."""
    await remove_all(tx, user_id)
    if codes:
        await tx.execute(
            insert(BACKUP_CODES).values(
                [
                    {
                        "user_id": user_id,
                        "selector": code.selector,
                        "code_hash": code.code_hash,
                        "used_at": code.used_at,
                        "created_at": code.created_at,
                    }
                    for code in codes
                ]
            )
        )


async def has_imported(tx: Transaction, user_id: UserId) -> bool:
    """Say whether the account has codes that another application made, used or not."""
    found = await tx.execute(
        select(BACKUP_CODES.c.id)
        .where(BACKUP_CODES.c.user_id == user_id, BACKUP_CODES.c.selector.startswith(IMPORTED))
        .limit(1)
    )
    return found.first() is not None


async def candidates(tx: Transaction, user_id: UserId, selector: str | None) -> list[StoredCode]:
    """Return the row that ``selector`` names, and those of imported codes, which nothing names; used or not."""
    rows = await tx.execute(
        select(BACKUP_CODES.c.id, BACKUP_CODES.c.selector, BACKUP_CODES.c.used_at, BACKUP_CODES.c.code_hash)
        .where(
            BACKUP_CODES.c.user_id == user_id,
            or_(BACKUP_CODES.c.selector == selector, BACKUP_CODES.c.selector.startswith(IMPORTED)),
        )
        .order_by(BACKUP_CODES.c.id)
    )
    return [StoredCode(row.id, row.selector, row.used_at, row.code_hash) for row in rows]


async def spend(tx: Transaction, user_id: UserId, code_id: int, now: datetime) -> None:
    """Use a backup code up, at most once; the only function that does.

    Raises:
        CodeRefused: Another request got there first, or the set is dead.
    """
    spent = await tx.execute(
        update(BACKUP_CODES)
        .where(BACKUP_CODES.c.id == code_id, BACKUP_CODES.c.user_id == user_id, BACKUP_CODES.c.used_at.is_(None))
        .values(used_at=now)
        .returning(BACKUP_CODES.c.id)
    )
    if spent.first() is None:
        raise CodeRefused("replayed")


async def count(tx: Transaction, user_id: UserId) -> BackupCodeCount | None:
    """Return how many codes the account's set has and has left, or ``None`` without a set."""
    row = (await tx.execute(_COUNT, user_id=user_id)).one()
    return BackupCodeCount(row.total, row.total - row.used, row.created_at, row.due > 0) if row.total else None


async def remove_all(tx: Transaction, user_id: UserId) -> None:
    """Delete the account's codes, used and unused."""
    await tx.execute(delete(BACKUP_CODES).where(BACKUP_CODES.c.user_id == user_id))


async def mark_all_due(tx: Transaction, now: datetime) -> Select[Any]:
    """Note that every unused code is to be renewed, and return whose are since now; they go on being good once."""
    unused = (BACKUP_CODES.c.used_at.is_(None), BACKUP_CODES.c.renewal_due_at.is_(None))
    await tx.execute(update(BACKUP_CODES).where(*unused).values(renewal_due_at=now))
    return select(BACKUP_CODES.c.user_id).where(BACKUP_CODES.c.renewal_due_at == now).distinct()
