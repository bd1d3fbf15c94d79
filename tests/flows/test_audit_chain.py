"""The chain of the audit log: it holds whatever people do, and whoever changes it is found out."""

import hashlib
import json
import tracemalloc
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, delete, insert, select, update

from support.people import Person
from umbra import restore, upkeep
from umbra.audit import chain, flows
from umbra.audit.chain import BEGINNING, Fault, Sealed
from umbra.audit.flows import Broken, Verified
from umbra.audit.store import SEALED_AT_ONCE, newest
from umbra.audit.tables import AUDIT
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.core.events import Client, Event, Happened
from umbra.core.mark import Position
from umbra.core.secret import Secret
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import state
from umbra.users.tables import USERS

BATCH = SEALED_AT_ONCE


async def record(auth: Auth, count: int) -> None:
    """Have things happen."""
    at = auth.clock.now()
    rows = [{"at": at, "event": "signed_out", "ip": f"192.0.2.{number % 250}"} for number in range(count)]
    async with auth.db.begin() as tx:
        for begin in range(0, count, 500):
            await tx.execute(insert(AUDIT).values(rows[begin : begin + 500]))


async def change(auth: Auth, place: int, **values: Any) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(AUDIT).where(AUDIT.c.seq == place).values(**values))


async def remove(auth: Auth, which: ColumnElement[bool]) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(delete(AUDIT).where(which))


async def everything(auth: Auth) -> list[Sealed]:
    return [one async for one in flows.export(auth)]


async def broken(auth: Auth, *, seen: Position = BEGINNING) -> tuple[int, Fault] | None:
    found = (await flows.verify(auth, seen=seen)).broken
    return None if found is None else (found.seq, found.fault)


@pytest.fixture
async def log(auth: Auth, enrolled: Person) -> list[Sealed]:
    """Ten events at least, sealed."""
    for _ in range(3):
        await enrolled.sign_in()
    await flows.seal(auth)
    sealed = await everything(auth)
    assert 9 < len(sealed)
    return sealed


async def test_every_event_has_a_place_and_a_digest_that_anybody_can_compute(auth: Auth, log: list[Sealed]) -> None:
    assert list(range(1, len(log) + 1)) == [one.seq for one in log]
    assert [one.id for one in reversed(await newest(auth.db, 100))] == [one.said.id for one in log]
    previous = "0" * 64
    for one in log:
        listed = [
            previous, one.seq, one.said.id, f"{one.said.at:%Y-%m-%dT%H:%M:%S.%fZ}", one.said.event, one.said.reason,
            one.subject, one.said.ip, one.said.user_agent, one.said.detail,
        ]  # fmt: skip
        text = json.dumps(listed, separators=(",", ":"), sort_keys=True)
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert previous == one.digest


async def test_an_untouched_log_is_intact_and_more_is_sealed_behind_it(
    auth: Auth, enrolled: Person, log: list[Sealed]
) -> None:
    assert Verified(len(log), log[-1].position) == await flows.verify(auth, seen=log[3].position)
    await enrolled.sign_in()
    assert len(log) + 2 == (await flows.verify(auth, seen=log[-1].position)).events
    assert 0 == await flows.seal(auth)


async def test_a_large_old_log_is_sealed_in_batches_from_the_oldest_on(auth: Auth) -> None:
    await record(auth, 2 * BATCH + 1)
    assert BATCH == await flows.seal(auth, most=1)
    assert 2 * BATCH == BATCH + await flows.seal(auth, most=BATCH)
    assert 1 == await flows.seal(auth)
    ids = [one.said.id for one in await everything(auth)]
    assert sorted(ids) == ids
    assert 2 * BATCH + 1 == len(ids)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event", "signed_out"),
        ("reason", "late"),
        ("ip", "192.0.2.99"),
        ("user_agent", None),
        ("detail", {"by": 7}),
        ("user_id", None),
        ("subject", None),
        ("id", 10_000),
    ],
)
async def test_an_event_that_was_changed_is_named(auth: Auth, log: list[Sealed], column: str, value: Any) -> None:
    await change(auth, 5, **{"ip": "192.0.2.98"} if column == "user_id" else {column: value})
    found = (await flows.verify(auth)).broken
    assert Broken(5, 10_000 if column == "id" else log[4].said.id, Fault.ALTERED) == found


async def test_a_moment_that_was_changed_by_a_microsecond_is_named(auth: Auth, log: list[Sealed]) -> None:
    await change(auth, 5, at=log[4].said.at + timedelta(microseconds=1))
    assert (5, Fault.ALTERED) == await broken(auth)


async def test_an_event_that_was_given_to_another_account_is_named(
    auth: Auth, log: list[Sealed], enrolled: Person
) -> None:
    other = Person("mallory", enrolled.client, enrolled.clock)
    await other.register()
    async with auth.db.read() as tx:
        user_id = (await tx.execute(select(USERS.c.id).where(USERS.c.username == "mallory"))).scalar_one()
    await change(auth, 5, user_id=user_id)
    assert (5, Fault.ALTERED) == await broken(auth)


async def test_an_event_that_was_deleted_leaves_a_gap(auth: Auth, log: list[Sealed]) -> None:
    await remove(auth, AUDIT.c.seq == 5)
    assert (6, Fault.GAP) == await broken(auth)


async def test_a_beginning_that_was_deleted_is_a_gap(auth: Auth, log: list[Sealed]) -> None:
    await remove(auth, AUDIT.c.seq <= 5)
    assert (6, Fault.GAP) == await broken(auth)


async def test_events_that_changed_places_are_named(auth: Auth, log: list[Sealed]) -> None:
    await change(auth, 5, seq=5000)
    await change(auth, 6, seq=5)
    await change(auth, 5000, seq=6)
    assert (5, Fault.MISPLACED) == await broken(auth)


async def test_an_event_before_all_others_is_named(auth: Auth, log: list[Sealed]) -> None:
    await change(auth, 5, seq=-5)
    assert (-5, Fault.MISPLACED) == await broken(auth)


async def test_a_tail_that_was_cut_is_missed(auth: Auth, log: list[Sealed]) -> None:
    await remove(auth, AUDIT.c.seq > 6)
    assert (7, Fault.CUT) == await broken(auth)
    async with auth.db.begin() as tx:
        await state.put(tx, flows.HEAD, chain.text_of(log[5].position))
    assert await broken(auth) is None  # whoever covers that up in the database too is found out outside of it
    assert (7, Fault.CUT) == await broken(auth, seen=log[-1].position)


async def test_a_tail_that_was_cut_is_missed_when_others_have_taken_its_place(
    auth: Auth, log: list[Sealed], enrolled: Person
) -> None:
    await remove(auth, AUDIT.c.seq > 6)
    async with auth.db.begin() as tx:
        await state.put(tx, flows.HEAD, chain.text_of(log[5].position))
    for _ in range(3):
        await enrolled.sign_in()
    assert (8, Fault.REWRITTEN) == await broken(auth, seen=log[7].position)


async def test_a_forged_event_at_the_end_is_named(auth: Auth, log: list[Sealed]) -> None:
    await rebuild(auth, log[-1].position, [replace(log[2].said, id=9_999)])
    assert (len(log) + 1, Fault.FORGED) == await broken(auth)


async def test_a_chain_that_was_built_anew_without_the_key_is_named_where_it_begins(
    auth: Auth, log: list[Sealed]
) -> None:
    await remove(auth, AUDIT.c.seq >= 5)
    said = [replace(one.said, ip="192.0.2.66") for one in log[4:]]
    await rebuild(auth, log[3].position, said)
    assert (5, Fault.FORGED) == await broken(auth)


async def rebuild(auth: Auth, before: Position, said: list[Any]) -> None:
    """Do as somebody does who may write to the database, and has no key."""
    rows = list(chain.linked(Secret(b"a key of somebody else's"), before, said))
    async with auth.db.begin() as tx:
        for one in rows:
            values = asdict(one.said) | {"seq": one.seq, "subject": one.subject, "digest": one.digest}
            await tx.execute(insert(AUDIT).values(**values, seal=one.seal))
        await state.put(tx, flows.HEAD, chain.text_of(rows[-1].position))


@pytest.mark.parametrize("head", ["3:" + "0" * 64, "nonsense", "0:" + "0" * 64])
async def test_an_end_that_was_noted_wrongly_is_told(
    auth: Auth, log: list[Sealed], enrolled: Person, head: str
) -> None:
    async with auth.db.begin() as tx:
        await state.put(tx, flows.HEAD, head)
    await enrolled.sign_in()
    assert (len(log), Fault.HEAD) == await broken(auth)


async def test_an_end_that_is_noted_in_its_place_with_another_digest_is_told(auth: Auth, log: list[Sealed]) -> None:
    async with auth.db.begin() as tx:
        await state.put(tx, flows.HEAD, f"{len(log)}:{'0' * 64}")
    assert (len(log), Fault.HEAD) == await broken(auth)


async def test_an_end_that_was_taken_away_is_noted_again(auth: Auth, log: list[Sealed], enrolled: Person) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, flows.HEAD)
    await enrolled.sign_in()
    assert len(log) + 2 == (await flows.verify(auth)).events


async def test_the_log_outlives_an_account(auth: Auth, log: list[Sealed]) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(delete(USERS))
    after = await everything(auth)
    assert {None} == {one.said.user_id for one in after}
    assert [one.subject for one in log] == [one.subject for one in after]
    assert await broken(auth) is None


async def test_the_chain_outlives_the_keys_that_it_was_begun_with(
    auth: Auth, log: list[Sealed], enrolled: Person
) -> None:
    new = new_key().reveal()
    both = replace(auth, keyring=Keyring(lambda: [new, *auth.keyring._read()]))
    await upkeep.rotate(both, lambda _: None)
    only_new = replace(auth, keyring=Keyring.of(new))
    assert await broken(only_new) is None
    with pytest.raises(Misconfigured, match="UMBRA_ENCRYPTION_KEYS"):
        await flows.verify(auth)


async def test_old_events_are_pruned_and_the_rest_can_be_verified(
    auth: Auth, log: list[Sealed], enrolled: Person, clock: FixedClock
) -> None:
    clock.move(timedelta(days=1))
    await record(auth, 600)
    await flows.seal(auth)
    clock.move(timedelta(days=1))
    await enrolled.sign_in()

    assert len(log) + 600 == await flows.prune(auth, clock.now() - timedelta(hours=1), Client())
    assert await broken(auth, seen=log[-1].position) is None
    async with auth.db.read() as tx:
        assert await flows.has_been_at(auth, tx, log[-1].position)
    assert [len(log) + 601, "audit_pruned"] == [(await everything(auth))[0].seq, (await newest(auth.db, 1))[0].event]
    assert 0 == await flows.prune(auth, clock.now() - timedelta(hours=1), Client())

    assert 0 < await flows.prune(auth, clock.now() + timedelta(days=1), Client())
    assert 2 == len(await everything(auth))  # the last, and that which tells of it
    assert await broken(auth) is None


async def test_a_log_that_was_changed_is_not_pruned(auth: Auth, log: list[Sealed]) -> None:
    await change(auth, 5, ip="192.0.2.99")
    with pytest.raises(Misconfigured, match="umbra audit verify"):
        await flows.prune(auth, auth.clock.now(), Client())


async def test_a_beginning_that_somebody_else_wrote_counts_for_nothing(auth: Auth, log: list[Sealed]) -> None:
    await remove(auth, AUDIT.c.seq <= 5)
    forged = chain.written(Secret(b"a key of somebody else's"), log[4].position)
    for text in (forged, chain.text_of(log[4].position), ""):
        async with auth.db.begin() as tx:
            await state.put(tx, flows.ANCHOR, text)
        assert (6, Fault.GAP) == await broken(auth)


async def test_an_export_begins_with_the_first_event_that_is_no_older(
    auth: Auth, log: list[Sealed], enrolled: Person, clock: FixedClock
) -> None:
    clock.move(timedelta(hours=1))
    since = clock.now()
    await enrolled.sign_in()
    exported = [one async for one in flows.export(auth, since)]
    assert [len(log) + 1, len(log) + 2] == [one.seq for one in exported]
    assert [] == [one async for one in flows.export(auth, clock.now() + timedelta(seconds=1))]


async def test_a_mark_tells_how_far_the_log_has_been_seen(auth: Auth, log: list[Sealed]) -> None:
    assert BEGINNING == await restore.seen(auth)
    await restore.keep_mark(auth)
    assert log[-1].position == await restore.seen(auth)
    await restore.make_safe(auth)
    assert len(log) < (await restore.seen(auth)).number


async def test_nobody_without_the_keys_can_have_a_mark_count_for_nothing(auth: Auth, log: list[Sealed]) -> None:
    await restore.keep_mark(auth)
    for forged in ("2100-01-01T00:00:00+00:00", auth.keyring.seal(b"[1]"), Fernet(Fernet.generate_key()).encrypt(b"")):
        async with auth.db.begin() as tx:
            await state.put(tx, restore.RESTORED_AT, forged if isinstance(forged, str) else forged.decode())
        assert log[-1].position == await restore.seen(auth)
    async with auth.db.begin() as tx:
        await state.put(tx, upkeep.NAME, "another")
    with pytest.raises(Misconfigured, match="has no name of ours"):
        await restore.seen(auth)


async def test_events_whose_seals_were_taken_away_are_found_by_the_mark(auth: Auth, log: list[Sealed]) -> None:
    await restore.keep_mark(auth)
    async with auth.db.begin() as tx:
        unsealed = {"seq": None, "subject": None, "digest": None, "seal": None, "ip": "192.0.2.99"}
        await tx.execute(update(AUDIT).where(AUDIT.c.seq >= 5).values(**unsealed))
        await state.put(tx, flows.HEAD, chain.text_of(log[3].position))
    await flows.seal(auth)  # as of events that had just happened
    assert await broken(auth) is None
    assert (len(log), Fault.REWRITTEN) == await broken(auth, seen=await restore.seen(auth))


async def test_memory_does_not_grow_with_the_log(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "PAGE_ROWS", 100)
    peaks = []
    for more in (1_000, 4_000):
        await record(auth, more)
        await flows.seal(auth)
        tracemalloc.start()
        await flows.verify(auth)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


async def test_sealing_is_no_part_of_what_happens(auth: Auth) -> None:
    await auth.sink.record(Happened(Event.SIGNED_OUT, Client()))
    async with auth.db.read() as tx:
        assert [None] == [seq for (seq,) in await tx.execute(select(AUDIT.c.seq))]
