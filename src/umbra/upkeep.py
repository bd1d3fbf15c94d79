"""What keeps an installation healthy: clean-up, the canary, the rotation of keys."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from umbra.attempts import store as attempts
from umbra.auth import Auth
from umbra.browsers import store as browsers
from umbra.challenge import store as challenges
from umbra.core.errors import Misconfigured, Unavailable
from umbra.core.secret import Secret
from umbra.crypto import envelope
from umbra.crypto.envelope import MovedSecret, Place, SealedRow
from umbra.crypto.keyring import UnreadableToken
from umbra.db import revision, state
from umbra.db.transaction import DatabaseFault, Transaction
from umbra.email_proofs import store as email_proofs
from umbra.links import store as links
from umbra.mail import store as mail
from umbra.removals import store as removals
from umbra.sessions import store as sessions
from umbra.totp import store as totp
from umbra.totp.algorithm import step_at
from umbra.totp.flows import PURPOSE

log = logging.getLogger("umbra")

CLEANUP_EVERY = timedelta(minutes=5)
CLEANUP_BATCH_ROWS = 500
"""Small enough that no sign-in waits long behind a batch."""

ROTATION_BATCH_ROWS = 200

CANARY = "canary"
_CANARY_PLACE = Place("canary", 0, 0)
_CANARY_TEXT = Secret(b"the key opens the data")

NAME = "database_name"
NAME_BYTES = 16
_NAME_PLACE = Place("database_name", 0, 0)

_KEYS_DO_NOT_OPEN = (
    "the encryption keys do not open this database. Give UMBRA_ENCRYPTION_KEYS (or the file that "
    "UMBRA_ENCRYPTION_KEYS_FILE names) the key that its secrets were sealed with, besides any newer one"
)


class Sealing(Protocol):
    """A store whose rows hold sealed secrets; a module is one."""

    async def sealed_after(self, tx: Transaction, after: int, limit: int) -> list[SealedRow]:
        """Return some of them, behind a row."""
        ...

    async def reseal(self, tx: Transaction, row: SealedRow, sealed: str) -> bool:
        """Put another token of the same secret into a row."""
        ...

    async def count_all(self, tx: Transaction) -> int:
        """Return how many there are."""
        ...


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many rows of each kind were deleted."""

    used_codes: int
    challenges: int
    setups: int
    sessions: int
    attempts: int
    browsers: int
    mails: int = 0
    links: int = 0
    removed_authenticators: int = 0
    email_proofs: int = 0


async def clean_up(auth: Auth) -> Cleaned:
    """Delete what is past its life, in small batches; any number of servers may do so at once.

    Nothing that is deleted decides anything any more: a used code is refused by the order of steps, which stays.
    """
    now = auth.clock.now()
    idle = auth.settings.session_idle
    return Cleaned(
        await _in_batches(auth, lambda tx: totp.delete_old_usage(tx, step_at(now), CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: challenges.delete_expired(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: totp.delete_expired_setups(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: sessions.delete_expired(tx, now, idle, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: attempts.delete_stale(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: browsers.delete_forgotten(tx, now, CLEANUP_BATCH_ROWS)),
        *(await _clean_up_ours(auth, now) if auth.db.shape.owns_accounts else ()),
    )


async def overdue(auth: Auth, at: datetime) -> int:
    """Return how many used codes, challenges and sessions a clean-up at that moment should have deleted."""
    async with auth.db.read() as tx:
        used_codes = await totp.count_old_usage(tx, step_at(at))
        expired = await challenges.count_expired(tx, at)
        return used_codes + expired + await sessions.count_expired(tx, at, auth.settings.session_idle)


async def _clean_up_ours(auth: Auth, now: datetime) -> tuple[int, int, int, int]:
    """Delete what is past its life in the tables that a host does not have."""
    return (
        await _in_batches(auth, lambda tx: mail.delete_old(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: links.delete_expired(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: removals.delete_old(tx, now, CLEANUP_BATCH_ROWS)),
        await _in_batches(auth, lambda tx: email_proofs.delete_expired(tx, now, CLEANUP_BATCH_ROWS)),
    )


def tell_nobody(_cleaned: Cleaned) -> None:
    """Be told of a clean-up, and do nothing about it."""


@asynccontextmanager
async def cleaning_up_regularly(auth: Auth, tell: Callable[[Cleaned], None] = tell_nobody) -> AsyncIterator[None]:
    """Clean up every five minutes for as long as the block lasts, and ``tell`` what each time has deleted."""
    cleaning = asyncio.create_task(_clean_up_regularly(auth, tell))
    try:
        yield
    finally:
        cleaning.cancel()
        with suppress(asyncio.CancelledError):
            await cleaning


async def _clean_up_regularly(auth: Auth, tell: Callable[[Cleaned], None]) -> None:
    while True:
        await asyncio.sleep(CLEANUP_EVERY.total_seconds())
        try:
            tell(await clean_up(auth))
        except (Unavailable, DatabaseFault) as error:
            log.warning("clean-up put off: %s", type(error).__name__)


async def check_ready(auth: Auth) -> None:
    """Refuse to serve a database that cannot be served safely.

    Raises:
        Misconfigured: Its schema is old, or the keys do not open its secrets; the text says what to do.
    """
    if not await revision.is_current(auth.db):
        raise Misconfigured("the database's schema is not current; run 'umbra db upgrade', or serve with --migrate")
    await check_canary(auth)


async def check_canary(auth: Auth) -> None:
    """Prove that the keys open this database's secrets, or leave the proof for next time in an empty one.

    Raises:
        Misconfigured: They do not.
    """
    async with auth.db.begin() as tx:
        sealed = await state.get(tx, CANARY)
        if sealed is None:
            if await _count_sealed(auth, tx):
                raise Misconfigured(_KEYS_DO_NOT_OPEN)
            await state.put_first(tx, CANARY, envelope.seal(auth.keyring, _CANARY_TEXT, _CANARY_PLACE))
            await give_name(auth, tx)
            return
    _open_canary(auth, sealed)


async def name_of(auth: Auth, tx: Transaction) -> str | None:
    """Return what this database is called, and its copies with it, or ``None`` if nobody with the keys has named it."""
    sealed = await state.get(tx, NAME)
    if sealed is None:
        return None
    try:
        return envelope.unseal(auth.keyring, sealed, _NAME_PLACE).reveal().hex()
    except (UnreadableToken, MovedSecret):
        return None


async def give_name(auth: Auth, tx: Transaction) -> None:
    """Give the database a random name, sealed: nobody without the keys has it pass for another."""
    name = Secret(auth.entropy.token_bytes(NAME_BYTES))
    await state.put(tx, NAME, envelope.seal(auth.keyring, name, _NAME_PLACE))


async def is_canary_alive(auth: Auth) -> bool:
    """Say whether the keys open this database's secrets."""
    async with auth.db.read() as tx:
        sealed = await state.get(tx, CANARY)
    if sealed is None:
        return False
    try:
        _open_canary(auth, sealed)
    except Misconfigured:
        return False
    return True


async def is_new(auth: Auth) -> bool:
    """Say whether nobody has begun with this database: it has no secrets and no facts, and nothing for keys to open."""
    async with auth.db.read() as tx:
        return not await state.every(tx) and not await _count_sealed(auth, tx)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many rows each key seals, newest key first; every key we hold is listed, unused ones too."""

    rows: dict[str, int]
    unreadable: int
    moved: int = 0


async def key_use(auth: Auth) -> KeyUse:
    """Open every sealed row and count which key did it."""
    counts: Counter[str | None] = Counter()
    moved = 0
    async for rows, _ in _sealed_rows(auth):
        counts.update(_key_of(auth, row) for row in rows)
        moved += sum(_is_moved(auth, row) for row in rows)
    return KeyUse({key_id: counts[key_id] for key_id in auth.keyring.key_ids}, counts[None], moved)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did."""

    resealed: int
    unreadable: int


async def rotate(auth: Auth, progress: Callable[[int], None]) -> Rotated:
    """Seal every secret under the newest key; ``progress`` is told how many rows each batch had.

    Each row is replaced only while it still holds what was read, so servers go on signing people in, and an
    interrupted rotation is taken up by running it again. What is sealed among the facts comes last, the canary too:
    until every row is done, a keyring without the old key does not start.
    """
    newest = auth.keyring.key_ids[0]
    resealed = unreadable = 0
    async for rows, store in _sealed_rows(auth):
        async with auth.db.begin() as tx:
            for row in rows:
                key_id = _key_of(auth, row)
                if key_id is None:
                    unreadable += 1
                elif key_id != newest:
                    resealed += await store.reseal(tx, row, _resealed(auth, row.sealed))
        progress(len(rows))
    async with auth.db.begin() as tx:
        for name, value in await state.every(tx):
            with suppress(UnreadableToken):  # most facts are not sealed
                await state.swap(tx, name, value, _resealed(auth, value))
    return Rotated(resealed, unreadable)


async def count_sealed(auth: Auth) -> int:
    """Return how many sealed secrets there are."""
    async with auth.db.read() as tx:
        return await _count_sealed(auth, tx)


async def _count_sealed(auth: Auth, tx: Transaction) -> int:
    return sum([await store.count_all(tx) for store in _sealing(auth)])


def _sealing(auth: Auth) -> tuple[Sealing, ...]:
    """Return the stores that hold sealed secrets, in an order in which none gets past a rotation.

    What is removed while that runs goes on to the second; what is brought back is sealed anew on its way.
    """
    return (totp, removals) if auth.db.shape.owns_accounts else (totp,)


async def _in_batches(auth: Auth, delete: Callable[[Transaction], Awaitable[int]]) -> int:
    total = 0
    while True:
        async with auth.db.begin() as tx:
            count = await delete(tx)
        total += count
        if count < CLEANUP_BATCH_ROWS:
            return total


async def _sealed_rows(auth: Auth) -> AsyncIterator[tuple[list[SealedRow], Sealing]]:
    for store in _sealing(auth):
        after = 0
        while rows := await _sealed_after(auth, store, after):
            yield rows, store
            after = rows[-1].id


async def _sealed_after(auth: Auth, store: Sealing, after: int) -> list[SealedRow]:
    async with auth.db.read() as tx:
        return await store.sealed_after(tx, after, ROTATION_BATCH_ROWS)


def _key_of(auth: Auth, row: SealedRow) -> str | None:
    try:
        return auth.keyring.open(row.sealed)[1]
    except UnreadableToken:
        return None


def _is_moved(auth: Auth, row: SealedRow) -> bool:
    try:
        envelope.unseal(auth.keyring, row.sealed, Place(PURPOSE, row.user_id, row.id))
    except MovedSecret:
        return True
    except UnreadableToken:
        return False
    return False


def _resealed(auth: Auth, sealed: str) -> str:
    """Seal the same plaintext anew, as it is: a secret that was moved here stays one that does not belong."""
    plaintext, _ = auth.keyring.open(sealed)
    return auth.keyring.seal(plaintext)


def _open_canary(auth: Auth, sealed: str) -> None:
    try:
        envelope.unseal(auth.keyring, sealed, _CANARY_PLACE)
    except (UnreadableToken, MovedSecret):
        raise Misconfigured(_KEYS_DO_NOT_OPEN) from None
