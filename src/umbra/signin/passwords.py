"""The one way by which a password is looked at; every door leads here."""

import ipaddress
from dataclasses import field
from datetime import datetime
from functools import lru_cache

from umbra.attempts import store as attempts
from umbra.attempts.errors import AttemptsSpent
from umbra.auth import Auth
from umbra.core.events import Client, Note
from umbra.core.ids import UserId
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.core.typed import folded, is_too_long
from umbra.crypto.argon import Slot
from umbra.db.transaction import Transaction
from umbra.passwords import store as passwords
from umbra.passwords.errors import CredentialsRefused
from umbra.passwords.store import StoredPassword
from umbra.signin import store
from umbra.users import store as users
from umbra.users.user import User

IPV6_NETWORK_BITS = 64
"""What one subscriber has of IPv6; a limit on single addresses would limit nothing."""


@record
class Checked:
    """A password that was right when it was looked at; ``accept`` says whether it still counts."""

    user: User
    budget: attempts.Budget
    version: int | str
    had_second_factor: bool
    better_hash: str | None = field(repr=False, default=None)


async def check(auth: Auth, slot: Slot, username: str, password: Secret[str], client: Client, note: Note) -> Checked:
    """Charge a guess and look at a password; exactly one hash, whoever asks about whom.

    Raises:
        AttemptsSpent: Too many wrong ones for this account from this network, or from a browser that it knows.
        CredentialsRefused: Wrong password, unknown user, disabled account.
    """
    note.detail["method"] = "password"
    budget, stored = await _charged(auth, folded(username), client, note)
    matches = await _matches(auth, slot, stored, password)
    if stored is None:
        raise CredentialsRefused("unknown_user")
    if not matches:
        raise CredentialsRefused("wrong")
    if stored.is_disabled:
        raise CredentialsRefused("disabled")
    is_ours_to_renew = auth.db.shape.owns_accounts and auth.hashing.is_outdated(stored.password_hash)
    better = (await slot.hash(password))[0] if is_ours_to_renew else None
    return Checked(stored.user, budget, stored.version, stored.has_second_factor, better)


async def accept(tx: Transaction, checked: Checked, now: datetime) -> None:
    """Hold the account for this transaction, clear its wrong passwords, renew an outdated hash.

    Raises:
        CredentialsRefused: The password has changed, or the account was disabled, since the check.
    """
    await store.accept_password(tx, checked.user.id, checked.version, checked.budget, now)
    if checked.better_hash is not None:
        await passwords.rehash(tx, checked.user.id, checked.better_hash)


async def outdate_checks(auth: Auth, tx: Transaction, user_id: UserId) -> None:
    """End every check of the account's password that is under way, where the account is ours; the caller holds it.

    Whoever switches a second factor on does this, so that no sign-in that had found none begins a session after that.
    Where it is a host's, a sign-in asks in a statement of its own.
    """
    if auth.db.shape.owns_accounts:
        await users.outdate_checks(tx, user_id)


@lru_cache(maxsize=1024)
def network_of(ip: str | None) -> str:
    """Return the network that one caller can easily move in: an IPv4 address, an IPv6 /64."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


async def _matches(auth: Auth, slot: Slot, stored: StoredPassword | None, password: Secret[str]) -> bool:
    """Look at a password, or have the host look at it; what is over the cap costs as much, and never matches."""
    is_over = is_too_long(password)
    if auth.check_password is not None:
        return stored is not None and not is_over and await auth.check_password(stored.user.id, password)
    hashed = stored.password_hash if stored and not is_over else None
    return await slot.matches(hashed, Secret("") if is_over else password)


async def _charged(
    auth: Auth, username_key: str, client: Client, note: Note
) -> tuple[attempts.Budget, StoredPassword | None]:
    """Charge the guess, commit, and return the account, which the audit log is told, that has to wait or not."""
    network, now = network_of(client.ip), auth.clock.now()
    try:
        async with auth.db.unflushed() as tx:
            budget, stored = await store.charge_password(tx, username_key, network, client.browser, now)
    except AttemptsSpent:
        async with auth.db.read() as tx:
            waiting = await passwords.find(tx, username_key)
        note.user_id = waiting.user.id if waiting else None
        raise
    note.user_id = stored.user.id if stored else None
    return budget, stored
