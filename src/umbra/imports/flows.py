"""Moving accounts' second factors over from another application."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from umbra.audit import store as audit
from umbra.auth import Auth
from umbra.backup_codes import codes
from umbra.backup_codes import store as backup_codes
from umbra.backup_codes.store import ImportedCode
from umbra.core import crockford, typed
from umbra.core.errors import InvalidRequest, NotFound
from umbra.core.events import Event, watching
from umbra.core.ids import UserId
from umbra.core.secret import Secret
from umbra.core.typed import NAME_MAX_CHARACTERS, folded
from umbra.crypto import envelope
from umbra.crypto.envelope import Place
from umbra.db.transaction import Transaction
from umbra.imports.columns import BACKUP_CODE
from umbra.imports.record import Authenticator, BackupCode, Found, LeftOut, Note, Why
from umbra.sessions import store as sessions
from umbra.signin import passwords
from umbra.signin.account import OPERATOR
from umbra.totp import store as totp
from umbra.totp.algorithm import Step, step_at
from umbra.totp.flows import DEFAULT_NAME, PURPOSE
from umbra.users import store as users
from umbra.users.user import User

ACCOUNT = "account"

MOST_BACKUP_CODES = 20
"""Every guess at one costs a hash for each of them."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An account whose second factor has come, or in a rehearsal would come."""

    account: str
    authenticators: int
    backup_codes: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """Something that has not come, or would not: whose, what, and why."""

    account: str
    what: str
    why: Why


@dataclass(frozen=True, slots=True)
class Report:
    """What has come of a source, and what has not."""

    moved: tuple[Moved, ...]
    left: tuple[Left, ...]


class _Rehearsed(Exception):
    """Everything went well, and is not to be kept."""


class _AlreadyEnabled(Exception):
    """The account has an authenticator here."""


@dataclass(frozen=True, slots=True)
class Import:
    """Where from, and whether anything is kept."""

    source: str
    is_rehearsal: bool = False


async def bring(
    auth: Auth, how: Import, found: Sequence[Found], told: Callable[[int], object] = lambda _: None
) -> Report:
    """Bring the second factors of a source's accounts over, each account in one transaction.

    An account that has an authenticator here is left alone, so an import may be interrupted, and run again, and two of
    them at once bring each account once. A rehearsal does the same, and rolls every transaction back.

    Raises:
        Busy: The hashing pool is full.
    """
    left = [Left(one.login, out.what, out.why) for one in found for out in one.left_out]
    owned, strangers = await _by_owner(auth, [one for one in found if one.authenticators])
    left += [Left(one.login, ACCOUNT, Why.UNKNOWN_ACCOUNT) for one in strangers]
    moved = []
    told(len(found) - len(owned))
    for user, theirs in owned.values():
        kept, over = _at_most(_without_twins(theirs))
        try:
            moved.append(await _move(auth, how, user, kept))
            left += [Left(theirs.login, out.what, out.why) for out in over]
        except _AlreadyEnabled:
            left.append(Left(theirs.login, ACCOUNT, Why.ALREADY_ENABLED))
        told(1)
    return Report(tuple(moved), tuple(left))


async def _by_owner(auth: Auth, found: Sequence[Found]) -> tuple[dict[UserId, tuple[User, Found]], list[Found]]:
    """Return what was found by our accounts, and what belongs to none of them."""
    owned: dict[UserId, tuple[User, Found]] = {}
    strangers = []
    async with auth.db.read() as tx:
        for one in found:
            user = await _owner(tx, one)
            if user is None:
                strangers.append(one)
            else:
                before = owned.get(user.id)
                owned[user.id] = (user, before[1].joined(one) if before else one)
    return owned, strangers


async def _owner(tx: Transaction, one: Found) -> User | None:
    if one.key is not None:
        return await users.by_key(tx, one.key)
    try:
        return (await users.by_name(tx, typed.username(one.login))).user
    except (NotFound, InvalidRequest):
        return None


def _without_twins(found: Found) -> Found:
    """Return what was found with each secret once: of two authenticators with one, each code would be good twice."""
    latest = sorted(found.authenticators, key=lambda one: -1 if one.last_step is None else one.last_step)
    once = {one.secret.reveal(): one for one in latest}
    return found.with_authenticators(tuple(one for one in found.authenticators if once[one.secret.reveal()] is one))


def _at_most(found: Found) -> tuple[Found, tuple[LeftOut, ...]]:
    """Return what was found with as many backup codes as may be, unused ones first, and the codes that are over."""
    ordered = sorted(found.backup_codes, key=lambda one: one.used_at is not None)
    over = ordered[MOST_BACKUP_CODES:]
    return found.with_backup_codes(tuple(ordered[:MOST_BACKUP_CODES])), tuple(
        LeftOut(BACKUP_CODE, Why.TOO_MANY) for _ in over
    )


async def _move(auth: Auth, how: Import, user: User, found: Found) -> Moved:
    """Bring one account over.

    Raises:
        _AlreadyEnabled: It has an authenticator, perhaps since a moment ago.
    """
    async with auth.db.read() as tx:
        if await totp.is_enabled(tx, user.id):  # before ten codes are hashed for nothing; what counts is asked again
            raise _AlreadyEnabled
    hashes = await _hashes(auth, how, found.backup_codes)
    notes = tuple(note for one in found.authenticators for note in one.notes)
    moved = Moved(user.username, len(found.authenticators), len(found.backup_codes), notes)
    if how.is_rehearsal:
        await _rehearse(auth, user.id, found, hashes)
        return moved
    async with watching(auth.sink, Event.AUTHENTICATORS_IMPORTED, OPERATOR, user.id) as note:
        note.detail.update(source=how.source, authenticators=moved.authenticators, backup_codes=moved.backup_codes)
        async with auth.db.begin() as tx:
            await _put(auth, tx, user.id, found, hashes)
            await audit.keep(tx, note.happened(), auth.clock.now())
        note.is_kept = True
    return moved


async def _rehearse(auth: Auth, user_id: UserId, found: Found, hashes: Sequence[str]) -> None:
    """Do everything, and leave the transaction by the way that rolls it back."""
    try:
        async with auth.db.begin() as tx:
            await _put(auth, tx, user_id, found, hashes)
            raise _Rehearsed  # noqa: TRY301 - to leave it is the point
    except _Rehearsed:
        pass


async def _hashes(auth: Auth, how: Import, found: Sequence[BackupCode]) -> list[str]:
    """Return the hash of every code, outside of any transaction; in a rehearsal, something as long."""
    texts = [Secret(crockford.cleaned(one.kept.reveal())) for one in found if not one.is_hash]
    if how.is_rehearsal:
        made = iter([auth.hashing.decoy] * len(texts))
    else:
        async with auth.hashing.slot() as slot:
            made = iter(await slot.hash(*texts))
    return [one.kept.reveal() if one.is_hash else next(made) for one in found]


async def _put(auth: Auth, tx: Transaction, user_id: UserId, found: Found, hashes: Sequence[str]) -> None:
    """Write one account's second factor; its sessions end, since they were begun with less.

    Raises:
        _AlreadyEnabled: It has an authenticator.
    """
    now = auth.clock.now()
    await users.hold(tx, user_id)
    if await totp.is_enabled(tx, user_id):
        raise _AlreadyEnabled
    names = _names([one.name for one in found.authenticators])
    for name, one in zip(names, found.authenticators, strict=True):
        row = await totp.put_imported(tx, user_id, _imported(one, name, now))
        await totp.put_secret(tx, row, envelope.seal(auth.keyring, one.secret, Place(PURPOSE, user_id, row)))
    await passwords.outdate_checks(auth, tx, user_id)
    await backup_codes.put_imported(tx, user_id, _kept_codes(found.backup_codes, hashes, now))
    used = [totp.Used(Step(one.step), one.used_at or now, one.code) for one in found.used_codes]
    await totp.put_used(tx, user_id, used, step_at(now))
    await sessions.end_all(tx, user_id, now, idle=auth.settings.session_idle)


def _imported(one: Authenticator, name: str, now: datetime) -> totp.Imported:
    last_step = None if one.last_step is None else Step(one.last_step)
    return totp.Imported(name, one.created_at or now, last_step, one.last_used_at)


def _kept_codes(found: Sequence[BackupCode], hashes: Sequence[str], now: datetime) -> list[ImportedCode]:
    return [
        ImportedCode(codes.imported_selector(number, as_typed=one.is_hash), one.used_at, one.created_at or now, hashed)
        for number, (one, hashed) in enumerate(zip(found, hashes, strict=True))
    ]


def _names(wanted: Sequence[str | None]) -> list[str]:
    """Return a name for each authenticator: its own where it can have that, and no two alike."""
    names: dict[str, str] = {}
    for own in wanted:
        base = _usable(own)
        name, number = base, 1
        while folded(name) in names:
            number += 1
            name = f"{base[: NAME_MAX_CHARACTERS - 4]} {number}"
        names[folded(name)] = name
    return list(names.values())


def _usable(name: str | None) -> str:
    try:
        return typed.authenticator_name(name or DEFAULT_NAME)
    except InvalidRequest:
        return DEFAULT_NAME
