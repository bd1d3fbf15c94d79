"""The queue, and a mail server that is there, or is not, or says no."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import update

from mail.conftest import ALICES
from support.audit import reasons_of
from support.mail import PostOffice
from support.people import Person
from umbra import upkeep
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db.opening import open_database
from umbra.mail import flows, message, store
from umbra.mail.flows import Due
from umbra.mail.store import Mail, Queued
from umbra.mail.tables import OUTBOX
from umbra.settings import Settings

MINUTE = timedelta(minutes=1)
WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
"""Minutes after each attempt."""


@pytest.fixture
async def queued(alice: Person, auth: Auth) -> Queued:
    """One mail that is due."""
    alice.client.cookies.clear()
    await alice.sign_in()
    return await only(auth)


async def only(auth: Auth) -> Queued:
    (one,) = await flows.queue(auth, 10)
    return one


async def test_no_request_waits_for_a_mail_server_that_is_down_and_its_mail_comes_when_it_is_up(
    queued: Queued, auth: Auth, clock: FixedClock, closed_office: PostOffice
) -> None:
    assert ("waiting", 0) == (queued.state, queued.attempts)
    assert Due(sent=0, failed=1) == await flows.send_due(auth)
    assert ("waiting", "ConnectionRefusedError") == ((await only(auth)).state, (await only(auth)).last_error)
    with closed_office.is_open():
        assert Due() == await flows.send_due(auth)  # it is not due yet
        clock.move(MINUTE)
        assert Due(sent=1) == await flows.send_due(auth)
        assert Due() == await flows.send_due(auth)
    sent = await only(auth)
    assert ("sent", 2, clock.now(), None) == (sent.state, sent.attempts, sent.sent_at, sent.last_error)
    assert [ALICES] == closed_office.recipients()


async def test_a_server_that_is_down_is_asked_once_a_round(
    queued: Queued, alice: Person, auth: Auth, office: PostOffice
) -> None:
    for _ in range(2):
        alice.client.cookies.clear()
        await alice.sign_in()
    office.answers["MAIL"] = "451 not now"
    assert [1, 1, 1, 0] == [(await flows.send_due(auth)).failed for _ in range(4)]


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("MAIL", "451 4.3.0 not now", "SMTPSenderRefused 451"),
        ("MAIL", "550 5.7.1 not you", "SMTPSenderRefused 550"),
        ("RCPT", "450 4.2.0 greylisted, alice@example.com", "SMTPRecipientsRefused 450"),
        ("DATA", "452 4.3.1 no room", "SMTPDataError 452"),
    ],
)
async def test_what_may_pass_is_tried_again_and_the_answers_text_kept_nowhere(
    command: str, answer: str, error: str, queued: Queued, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    office.answers[command] = answer
    assert Due(failed=1) == await flows.send_due(auth)
    put_off = await only(auth)
    assert ("waiting", error) == (put_off.state, put_off.last_error)
    assert clock.now() + MINUTE == put_off.next_attempt_at
    office.answers.clear()
    clock.move(MINUTE)
    assert Due(sent=1) == await flows.send_due(auth)


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("RCPT", "550 5.1.1 nobody of that name", "SMTPRecipientsRefused 550"),
        ("DATA", "554 5.7.1 looks like spam", "SMTPDataError 554"),
    ],
)
async def test_a_mail_that_is_refused_for_good_is_given_up_and_the_others_are_sent(
    command: str, answer: str, error: str, queued: Queued, alice: Person, auth: Auth, office: PostOffice
) -> None:
    office.answers[command] = answer
    assert Due(failed=1) == await flows.send_due(auth)
    office.answers.clear()
    alice.client.cookies.clear()
    await alice.sign_in()
    assert Due(sent=1) == await flows.send_due(auth)
    assert [("sent", None), ("given_up", error)] == [(one.state, one.last_error) for one in await flows.queue(auth, 10)]
    (line,) = [one for one in await newest(auth.db, 10) if one.event == "mail_given_up"]
    assert (1, {"kind": "new_browser", "error": error}) == (line.user_id, line.detail)


async def test_a_mail_that_cannot_be_made_is_tried_again_later_and_the_others_are_sent(
    queued: Queued, alice: Person, auth: Auth, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.client.cookies.clear()
    await alice.sign_in()
    (_, first) = await flows.queue(auth, 10)
    made = message.compose

    def compose(settings: Settings, mail: Mail, **what: Any) -> EmailMessage:
        if mail.id == first.id:
            raise IndexError("a secret")
        return made(settings, mail, **what)

    monkeypatch.setattr(message, "compose", compose)
    assert Due(sent=1, failed=1) == await flows.send_due(auth)
    states = [(one.state, one.last_error) for one in await flows.queue(auth, 10)]
    assert [("sent", None), ("waiting", "IndexError")] == states


async def test_the_waits_double_from_a_minute_to_six_hours_and_end_after_three_days(
    queued: Queued, auth: Auth, clock: FixedClock, closed_office: PostOffice
) -> None:
    waits = []
    while (one := await only(auth)).next_attempt_at is not None:
        clock.set(one.next_attempt_at - timedelta(microseconds=1))
        assert one.attempts == 0 or Due() == await flows.send_due(auth)
        clock.set(one.next_attempt_at)
        assert Due(failed=1) == await flows.send_due(auth)
        after = (await only(auth)).next_attempt_at
        waits += [] if after is None else [(after - clock.now()) // MINUTE]
    assert WAITS == waits[: len(WAITS)]
    assert {360} == set(waits[len(WAITS) :])
    assert flows.GIVE_UP_AFTER <= clock.now() - queued.created_at < flows.GIVE_UP_AFTER + flows.LONGEST_WAIT
    assert [None] == await reasons_of(auth, "mail_given_up")


async def test_whoever_dies_with_a_mail_leaves_it_to_the_others_when_the_lease_ends(
    queued: Queued, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    """
    At least once: had it been handed in before the crash, it would come twice, under one Message-ID.
    """
    async with auth.db.single() as tx:
        assert await store.claim(tx, clock.now()) is not None
    clock.move(store.LEASE - timedelta(microseconds=1))
    assert Due() == await flows.send_due(auth)
    clock.move(timedelta(microseconds=1))
    assert Due(sent=1) == await flows.send_due(auth)
    async with auth.db.begin() as tx:  # as if the first server had handed it in, and died before it said so
        due = update(OUTBOX).values(sent_at=None, next_attempt_at=clock.now())
        await tx.execute(due.returning(OUTBOX.c.id))
    assert Due(sent=1) == await flows.send_due(auth)
    assert 1 == len({str(one.message["Message-ID"]) for one in office.deliveries})


async def test_who_comes_back_after_the_lease_changes_nothing(queued: Queued, auth: Auth, clock: FixedClock) -> None:
    async with auth.db.single() as tx:
        late = await store.claim(tx, clock.now())
    clock.move(store.LEASE)
    async with auth.db.single() as tx:
        held = await store.claim(tx, clock.now())
    assert late is not None
    assert held is not None
    async with auth.db.begin() as tx:
        assert not await store.settle_failed(tx, late, "late", None)
        assert await store.settle_failed(tx, held, "held", clock.now())


async def test_a_server_that_takes_a_mail_and_ends_badly_has_taken_it(
    queued: Queued, auth: Auth, office: PostOffice
) -> None:
    office.answers["QUIT"] = "421 in a bad mood"
    assert Due(sent=1) == await flows.send_due(auth)
    assert Due() == await flows.send_due(auth)
    assert 1 == len(office.deliveries)


async def test_a_kind_that_a_newer_server_has_queued_is_left_to_it(
    queued: Queued, auth: Auth, office: PostOffice
) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(OUTBOX).values(kind="something_new").returning(OUTBOX.c.id))
    assert Due(failed=1) == await flows.send_due(auth)
    assert ("waiting", "UnknownKind") == ((await only(auth)).state, (await only(auth)).last_error)
    assert [] == office.deliveries


@pytest.mark.parametrize(
    ("address", "recipient", "state"),
    [
        ("alice@münchen.example", "alice@xn--mnchen-3ya.example", "sent"),
        ("al'ice+tag@example.com", "al'ice+tag@example.com", "sent"),
        ("alïce@example.com", None, "waiting"),  # the mail server takes no such names
        ("alice@exa..ümple", None, "given_up"),
        ("alice@[", None, "given_up"),  # what accounts may have from before such a domain was refused
        ("alice@example\N{FULLWIDTH COMMA}\N{FULLWIDTH LESS-THAN SIGN}", None, "given_up"),
    ],
)
async def test_an_address_of_another_script_is_written_as_mail_servers_take_it(
    address: str, recipient: str | None, state: str, queued: Queued, auth: Auth, office: PostOffice
) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(OUTBOX).values(recipient=address).returning(OUTBOX.c.id))
    await flows.send_due(auth)
    assert ([recipient] if recipient else [], state) == (office.recipients(), (await only(auth)).state)


async def test_a_server_sends_beside_its_requests_and_ends_with_a_mail_and_not_in_one(
    queued: Queued, auth: Auth, office: PostOffice
) -> None:
    async with flows.sending_regularly(auth), asyncio.timeout(10):
        while not office.deliveries:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    assert "sent" == (await only(auth)).state


async def test_a_database_that_is_gone_for_a_while_ends_no_sending(
    auth: Auth, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flows, "SEND_EVERY", timedelta(0))
    gone = replace(auth, db=open_database("postgresql://umbra@127.0.0.1:1/nothing"))
    async with flows.sending_regularly(gone), asyncio.timeout(10):
        while caplog.text.count("mail put off: Unavailable") < 2:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    await gone.db.close()


async def test_clean_up_deletes_mail_of_a_week_ago(
    queued: Queued, auth: Auth, clock: FixedClock, closed_office: PostOffice
) -> None:
    clock.move(store.KEPT_FOR - timedelta(microseconds=1))
    assert 0 == (await upkeep.clean_up(auth)).mails
    clock.move(timedelta(microseconds=1))
    assert 1 == (await upkeep.clean_up(auth)).mails
    assert [] == await flows.queue(auth, 10)
