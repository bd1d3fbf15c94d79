"""Sealing the audit log beside all requests, and looking whether anybody has changed it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from umbra.audit import chain, store
from umbra.audit.chain import BEGINNING, Fault, Sealed
from umbra.auth import Auth
from umbra.core.errors import Misconfigured, Unavailable
from umbra.core.events import Client, Event, Happened, JsonValue
from umbra.core.mark import Position
from umbra.core.secret import Secret
from umbra.crypto import envelope
from umbra.crypto.envelope import MovedSecret, Place
from umbra.crypto.keyring import UnreadableToken
from umbra.db import state
from umbra.db.transaction import DatabaseFault, Transaction

PAGE_ROWS = 1_000
"""Events that are held in memory at once, however long the log is."""

PRUNED_AT_ONCE = 500

KEY = "audit_key"
HEAD = "audit_head"
ANCHOR = "audit_anchor"
_KEY_PLACE = Place("audit_key", 0, 0)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place of the chain with which something is wrong; ``id`` is that of the event in it, if one is."""

    seq: int
    id: int | None
    fault: Fault


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking at the chain has found: how many events are right, and where the last of them stands."""

    events: int
    until: Position
    broken: Broken | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How the log ends: whether there where its head says, and since when events wait for their seal, if some do."""

    is_noted: bool
    waiting_since: datetime | None


async def seal(auth: Auth, *, most: int | None = None) -> int:
    """Seal events that are not, the oldest first, and return how many; any number of servers may do so at once.

    Nobody waits for it but another who seals: whoever moves the head of the chain may write what is behind it, and
    whoever comes second begins anew. With ``most``, it ends with the statement that reaches it.
    """
    total = 0
    while most is None or total < most:
        head = await _head(auth)  # before the events: whoever seals them meanwhile moves it
        async with auth.db.read() as tx:
            events = await store.unsealed(tx)
        if not events:
            break
        sealed = list(chain.linked(await _key(auth), chain.position_of(head), events))
        async with auth.db.begin() as tx:
            if not await state.swap(tx, HEAD, head, chain.text_of(sealed[-1].position)):
                continue
            if await store.put_seals(tx, sealed) != len(sealed):
                raise Unavailable  # somebody deletes events meanwhile; the next time they are not there
        total += len(sealed)
    return total


async def verify(auth: Auth, *, seen: Position = BEGINNING) -> Verified:
    """Seal what is not, and look at every event in its place, up to the first with which something is wrong.

    ``seen`` is how far the chain has been seen to go, by somebody whom the database cannot tell what to say.
    """
    with suppress(DatabaseFault):  # the head may be altered, so that it leads to a place that is taken
        await seal(auth)
    key = await _key(auth)
    least = max(chain.position_of(await _head(auth)).number, seen.number)
    async with auth.db.read() as tx:
        before = await _anchor(tx, key)
    events = 0
    async for one in _in_order(auth, after=None):
        fault = chain.fault_in(key, before, one)
        if fault is None and one.seq == seen.number and one.digest != seen.digest:
            fault = Fault.REWRITTEN
        if fault is not None:
            return Verified(events, before, Broken(one.seq, one.said.id, fault))
        before = one.position
        events += 1
    if before.number < least:
        return Verified(events, before, Broken(before.number + 1, None, Fault.CUT))
    head = chain.position_of(await _head(auth))
    if head != before and head.number <= before.number:  # a head that is further was moved meanwhile, as what is behind
        return Verified(events, before, Broken(before.number, None, Fault.HEAD))
    return Verified(events, before)


async def look_at_end(auth: Auth) -> End:
    """Look at the end of the log alone, which an index leads to, and change nothing.

    Raises:
        Misconfigured: The encryption keys do not open the key of the chain.
    """
    async with auth.db.read() as tx:
        await _kept_key(auth, tx)
        end = await store.end(tx, HEAD)
    is_noted = end.head is None or chain.position_of(end.head) == end.position  # who seals notes one that is gone
    return End(is_noted, end.waiting_since)


async def export(auth: Auth, since: datetime | None = None) -> AsyncIterator[Sealed]:
    """Seal what is not, and yield all events in the order of the chain, from the first that is no older on."""
    await seal(auth)
    after = None
    if since is not None:
        async with auth.db.read() as tx:
            first = await store.first_since(tx, since)
        if first is None:
            return
        after = first - 1
    async for one in _in_order(auth, after=after):
        yield one


async def prune(auth: Auth, before: datetime, client: Client) -> int:
    """Delete the events before the first that is no older than ``before``, save the last of all; return how many.

    Where the log begins from now on is kept with a seal, so that it can be verified from there.

    Raises:
        Misconfigured: Somebody has changed the log, and the evidence would go.
    """
    if (await verify(auth)).broken is not None:
        raise Misconfigured("the audit log has been changed; see 'umbra audit verify'")
    key = await _key(auth)
    async with auth.db.read() as tx:
        last = (await store.position(tx)).number
        kept_from = await store.first_since(tx, before) or last
        start = (await _anchor(tx, key)).number
    total = 0
    for until in [*range(start + PRUNED_AT_ONCE, kept_from - 1, PRUNED_AT_ONCE), kept_from - 1]:
        async with auth.db.begin() as tx:
            digest = await store.digest_at(tx, until)
            count = await store.delete_until(tx, until)
            if digest is not None and count:  # or another prunes as well, and is further
                await state.put(tx, ANCHOR, chain.written(key, Position(until, digest)))
        total += count
    if total:
        detail: dict[str, JsonValue] = {"before": chain.moment(before), "events": total}
        await auth.sink.record(Happened(Event.AUDIT_PRUNED, client, detail=detail))
    return total


async def has_been_at(auth: Auth, tx: Transaction, position: Position) -> bool:
    """Say whether the chain has been at a position: it is there, or the log begins behind it."""
    if position == BEGINNING or await store.digest_at(tx, position.number) == position.digest:
        return True
    key = await _kept_key(auth, tx)
    return key is not None and position.number <= (await _anchor(tx, key)).number


async def _key(auth: Auth) -> Secret[bytes]:
    """Return the key of the chain; the first who asks makes it.

    Raises:
        Misconfigured: The encryption keys do not open it.
    """
    async with auth.db.read() as tx:
        key = await _kept_key(auth, tx)
    if key is not None:
        return key
    new = Secret(auth.entropy.token_bytes(chain.KEY_BYTES))
    async with auth.db.begin() as tx:
        await state.put_first(tx, KEY, envelope.seal(auth.keyring, new, _KEY_PLACE))
        return await _kept_key(auth, tx) or new


async def _kept_key(auth: Auth, tx: Transaction) -> Secret[bytes] | None:
    """Return the key of the chain, if somebody has made it.

    Raises:
        Misconfigured: The encryption keys do not open it.
    """
    sealed = await state.get(tx, KEY)
    if sealed is None:
        return None
    try:
        return envelope.unseal(auth.keyring, sealed, _KEY_PLACE)
    except (UnreadableToken, MovedSecret):
        raise Misconfigured(
            "the encryption keys do not open the key of the audit log (UMBRA_ENCRYPTION_KEYS)"
        ) from None


async def _head(auth: Auth) -> str:
    """Return where the chain ends, as text; the first who asks notes it."""
    async with auth.db.read() as tx:
        head = await state.get(tx, HEAD)
    if head is None:
        async with auth.db.begin() as tx:
            await state.put_first(tx, HEAD, chain.text_of(await store.position(tx)))
            head = await state.get(tx, HEAD) or ""
    return head


async def _anchor(tx: Transaction, key: Secret[bytes]) -> Position:
    return chain.read(key, await state.get(tx, ANCHOR))


async def _in_order(auth: Auth, *, after: int | None) -> AsyncIterator[Sealed]:
    """Yield every event behind a place, or all of them, whatever places they have."""
    while True:
        async with auth.db.read() as tx:
            page = await store.sealed_after(tx, after, PAGE_ROWS)
        for one in page:
            yield one
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].seq
