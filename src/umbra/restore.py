"""A database that came back from a backup: noticed when a server starts, made safe by its operator.

A restored copy is the past. Codes that were used since are unused in it, and sessions that were ended are open. A mark
outside of the database says how far it had come (docs/decisions/0033-restore.md).
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial

from umbra import upkeep
from umbra.audit import flows as audit_flows
from umbra.audit import store as audit
from umbra.audit.chain import BEGINNING
from umbra.auth import Auth
from umbra.backup_codes import store as backup_codes
from umbra.challenge import store as challenges
from umbra.core import mark as marks
from umbra.core.beside import beside
from umbra.core.errors import Misconfigured, Unavailable
from umbra.core.events import Event, Happened
from umbra.core.mark import Mark, Position
from umbra.core.secret import Secret
from umbra.crypto import envelope
from umbra.crypto.envelope import MovedSecret, Place
from umbra.crypto.keyring import UnreadableToken
from umbra.db import state
from umbra.db.transaction import DatabaseFault, Transaction
from umbra.links import store as links
from umbra.mail import store as mail
from umbra.mail.kinds import Kind
from umbra.sessions import store as sessions
from umbra.signin import account, notices
from umbra.totp import store as totp
from umbra.totp.algorithm import SKEW_STEPS, Step, step_at

log = logging.getLogger("umbra")

KEEP_EVERY = timedelta(seconds=2)
"""What a crash and a backup of the moment before it can hide is no longer than this, nor what nobody has sealed yet."""

MOST_SEALED = 5_000
"""Events that are sealed in one go; a log that has grown for years is sealed a piece at a time."""

RESTORED_AT = "restored_at"
_RESTORED_PLACE = Place("restored_at", 0, 0)

_OLDER = (
    "the database is older than what this server has seen of it ({file}), as one restored from a backup is. Run "
    "'umbra after-restore' before the server starts"
)
_NAMELESS = (
    "the database has no name of ours, as one restored from an old backup has none, and {file} was kept for one that "
    "has. Run 'umbra after-restore' before the server starts; if this is another database, delete the file"
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was void in a restored database; ``backup_codes`` are the accounts that are to make new ones."""

    authenticators: int
    setups: int
    challenges: int
    sessions: int
    backup_codes: int
    mails: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """Where a database is, and its mark if there is one; only where there are no marks may it have no name."""

    name: str
    mark: Mark | None
    position: Position


async def seen(auth: Auth) -> Position:
    """Return how far this server has seen the audit log of its database go; the beginning where no mark counts.

    Raises:
        Misconfigured: The database has no name of ours though there are marks, or these cannot be read.
    """
    if not auth.db.shape.owns_accounts:
        return BEGINNING
    kept = await asyncio.to_thread(marks.read, auth.settings.data_dir)
    async with auth.db.read() as tx:
        mark = kept.get(await _name(auth, tx, kept))
        return BEGINNING if mark is None or await _is_safe_since(auth, tx, mark) else mark.position


async def look(auth: Auth) -> Looked:
    """Look whether this database has come at least as far as its mark says, and change nothing.

    The marks are read first: a server that moves its own meanwhile has the database further than that, not behind it.

    Raises:
        Misconfigured: It has not, it has no name of ours though there are marks, or these cannot be read; the text says
            what to do.
    """
    kept = await asyncio.to_thread(marks.read, auth.settings.data_dir)
    async with auth.db.read() as tx:
        name = await _name(auth, tx, kept)
        mark = kept.get(name)
        if mark is not None:
            await _refuse_older(auth, tx, mark)
        return Looked(name, mark, await audit.position(tx))


async def keep_mark(auth: Auth) -> None:
    """Move the mark of this database to where it is, if it has come at least as far as the mark says.

    Raises:
        Misconfigured: As of ``look``, or the marks cannot be written.
    """
    found = await look(auth)
    if not found.name:
        await _give_name(auth)
        found = await look(auth)
    if found.mark is None or found.position != found.mark.position:
        new = Mark(found.name, found.position, auth.clock.now())
        await asyncio.to_thread(marks.move, auth.settings.data_dir, found.mark, new)


def keeping_regularly(auth: Auth) -> AbstractAsyncContextManager[None]:
    """Seal the audit log, and keep the mark, for as long as the block lasts, and once more when it has ended."""
    return beside(partial(_keep_regularly, auth), "the audit log is not sealed")


async def make_safe(auth: Auth) -> Restored:
    """Take from a restored database what the past would give back; all of it, or nothing.

    Nobody knows which codes were used since the backup was made. So every authenticator goes on behind the last step
    that can have been accepted by now. Backup codes stay good, since they may be somebody's only way in; each account
    that has some is to make new ones, and its owner is told.
    """
    async with auth.db.begin() as tx:
        now = auth.clock.now()
        restored = Restored(
            challenges=await challenges.end_every(tx),
            setups=await totp.delete_every_setup(tx),
            authenticators=await totp.move_every(tx, Step(step_at(now) + SKEW_STEPS)),
            backup_codes=await _mark_backup_codes(auth, tx, now),
            sessions=await sessions.end_every(tx),
            mails=await mail.give_up_every(tx, besides=Kind.BACKUP_CODES_DUE) if auth.db.shape.owns_accounts else 0,
        )
        if auth.db.shape.owns_accounts:
            await links.void_every(tx)
        await state.take(tx, account.FIRST_RUN)
        if await upkeep.name_of(auth, tx) is None:
            await upkeep.give_name(auth, tx)
        sealed = envelope.seal(auth.keyring, Secret(now.isoformat().encode()), _RESTORED_PLACE)
        await state.put(tx, RESTORED_AT, sealed)
        done = Happened(Event.DATABASE_RESTORED, account.OPERATOR, detail=asdict(restored))
        await audit.keep(tx, done, now)
    await audit_flows.seal(auth)
    if auth.db.shape.owns_accounts:
        await _put_mark(auth)
    return restored


async def _give_name(auth: Auth) -> None:
    async with auth.db.begin() as tx:
        if await upkeep.name_of(auth, tx) is None:
            await upkeep.give_name(auth, tx)


async def _name(auth: Auth, tx: Transaction, kept: Mapping[str, Mark]) -> str:
    """Return what the database is called.

    Raises:
        Misconfigured: It has no name, and there are marks: it is older than they are, or somebody has changed it.
    """
    name = await upkeep.name_of(auth, tx)
    if name is None and kept:
        raise Misconfigured(_NAMELESS.format(file=auth.settings.data_dir / marks.FILE))
    return name or ""


async def _refuse_older(auth: Auth, tx: Transaction, kept: Mark) -> None:
    """Refuse a database that does not contain the mark, unless it was made safe since that was kept."""
    if not await audit_flows.has_been_at(auth, tx, kept.position) and not await _is_safe_since(auth, tx, kept):
        raise Misconfigured(_OLDER.format(file=auth.settings.data_dir / marks.FILE))


async def _is_safe_since(auth: Auth, tx: Transaction, kept: Mark) -> bool:
    """Say whether the database was made safe since a mark was kept; nobody without the keys can have it say so."""
    sealed = await state.get(tx, RESTORED_AT)
    if sealed is None:
        return False
    try:
        restored_at = envelope.unseal(auth.keyring, sealed, _RESTORED_PLACE)
    except (UnreadableToken, MovedSecret):
        return False
    return kept.kept_at < datetime.fromisoformat(restored_at.reveal().decode())


async def _mark_backup_codes(auth: Auth, tx: Transaction, now: datetime) -> int:
    """Have every owner of unused backup codes told to make new ones, and return how many they are."""
    accounts = await backup_codes.mark_all_due(tx, now)
    happened = Happened(Event.BACKUP_CODES_DUE, account.OPERATOR)
    if notices.is_on(auth):
        told = mail.queueing(Kind.BACKUP_CODES_DUE, account.OPERATOR, now, auth.entropy)
        await mail.queue_for(tx, accounts, told)
    return await audit.keep_for(tx, accounts, happened, now)


async def _put_mark(auth: Auth) -> None:
    async with auth.db.read() as tx:
        mark = Mark(await upkeep.name_of(auth, tx) or "", await audit.position(tx), auth.clock.now())
    await asyncio.to_thread(marks.put, auth.settings.data_dir, mark)


async def _keep_regularly(auth: Auth, stopping: asyncio.Event) -> None:
    said = ""
    is_last = False
    while not is_last:
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), KEEP_EVERY.total_seconds())
        is_last = stopping.is_set()
        try:
            await audit_flows.seal(auth, most=MOST_SEALED)
            if auth.db.shape.owns_accounts:
                await keep_mark(auth)
            said = ""
        except Misconfigured as error:
            if said != str(error):
                said = str(error)
                log.error("%s", said)  # noqa: TRY400 - it says all that there is to say
        except (Unavailable, DatabaseFault) as error:
            log.warning("sealing the audit log is put off: %s", type(error).__name__)
