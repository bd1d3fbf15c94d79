"""The code in a mail: what it proves, to whom, for how long, and what it costs to guess it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from mail.conftest import ALICES
from support.audit import events_of
from support.mail import PostOffice, mailed_code
from support.people import BASE_URL, Person
from umbra import upkeep
from umbra.app import application
from umbra.audit.store import DatabaseSink, newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.crockford import ALPHABET
from umbra.crypto.keyring import Keyring, new_key
from umbra.email_proofs.tables import EMAIL_PROOFS
from umbra.mail import flows
from umbra.mail.kinds import Kind
from umbra.mail.tables import OUTBOX
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE

LIFETIME = timedelta(minutes=10)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def elsewhere(auth: Auth, clock: FixedClock, alice: Person) -> AsyncIterator[Person]:
    """Whoever has Alice's password, in a browser of their own, and none of her mail."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        thief = Person("alice", client, clock)
        await thief.sign_in()
        yield thief


async def test_a_password_alone_sets_no_first_authenticator_up(alice: Person, auth: Auth) -> None:
    refused = await alice.post("/totp/setup")
    assert (403, "email_proof_required") == (refused.status_code, refused.json()["reason"])
    await alice.prove_email()
    assert 200 == (await alice.post("/totp/setup")).status_code


async def test_the_code_comes_by_mail_to_the_address_of_the_account(
    alice: Person, auth: Auth, office: PostOffice
) -> None:
    sent = await alice.post("/email/proof")
    assert (202, {"expires_in": 600}) == (sent.status_code, sent.json())
    await flows.send_due(auth)
    (mail,) = [one for one in office.deliveries if "Is this mail address yours?" in one.message["Subject"]]
    code = await mailed_code(auth)
    assert [ALICES] == mail.recipients
    assert code in mail.text()
    assert code in mail.html()
    assert code not in mail.message["Subject"]
    assert {"-"} == set(code) - set(ALPHABET)
    assert [4, 4] == [len(group) for group in code.split("-")]


@pytest.mark.parametrize("spelled", ["{}", " {} ", "{lower}", "{bare}"])
async def test_a_code_is_typed_as_people_type(alice: Person, auth: Auth, spelled: str) -> None:
    await alice.post("/email/proof")
    code = await mailed_code(auth)
    typed = spelled.format(code, lower=code.lower(), bare=code.replace("-", ""))
    assert 204 == (await alice.post("/email/proof/confirm", {"code": typed})).status_code


@pytest.mark.parametrize("typed", ["", "4F7K-2M9", "4F7K-2M9QQ", "4F7K-2M9U", "٤F7K-2M9Q"])
async def test_what_is_no_code_is_charged_to_nobody(alice: Person, auth: Auth, typed: str) -> None:
    await alice.post("/email/proof")
    for _ in range(10):
        refused = await alice.post("/email/proof/confirm", {"code": typed})
        assert (422, "code") == (refused.status_code, refused.json()["errors"][0]["field"])
    assert 204 == (await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code


async def test_no_table_holds_the_code(alice: Person, auth: Auth) -> None:
    await alice.post("/email/proof")
    code = await mailed_code(auth)
    async with auth.db.read() as tx:
        proofs = [tuple(row) for row in await tx.execute(select(EMAIL_PROOFS.c.code_hash, EMAIL_PROOFS.c.address))]
        mails = [tuple(row) for row in await tx.execute(select(OUTBOX.c.detail, OUTBOX.c.kind))]
    kept = repr([proofs, mails, await newest(auth.db, 100)])
    assert code not in kept
    assert code.replace("-", "") not in kept
    assert "$argon2id$" in kept


async def test_a_code_is_good_once(alice: Person, auth: Auth) -> None:
    await alice.prove_email()
    again = await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})
    assert (400, "code_refused") == (again.status_code, again.json()["reason"])


@pytest.mark.parametrize(("waited", "status"), [(LIFETIME - MOMENT, 204), (LIFETIME, 400)])
async def test_a_code_is_good_for_ten_minutes(
    alice: Person, auth: Auth, clock: FixedClock, waited: timedelta, status: int
) -> None:
    await alice.post("/email/proof")
    clock.move(waited)
    assert status == (await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code


async def test_a_new_code_is_the_end_of_the_old_one(alice: Person, auth: Auth) -> None:
    await alice.post("/email/proof")
    old = await mailed_code(auth)
    await alice.post("/email/proof")
    assert 400 == (await alice.post("/email/proof/confirm", {"code": old})).status_code
    assert 204 == (await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code


async def test_a_code_is_of_use_in_its_own_session_only(alice: Person, elsewhere: Person, auth: Auth) -> None:
    await alice.post("/email/proof")
    code = await mailed_code(auth)
    assert 400 == (await elsewhere.post("/email/proof/confirm", {"code": code})).status_code
    await elsewhere.post("/email/proof")
    assert 400 == (await elsewhere.post("/email/proof/confirm", {"code": code})).status_code
    assert 204 == (await alice.post("/email/proof/confirm", {"code": code})).status_code
    assert 403 == (await elsewhere.post("/totp/setup")).status_code


@pytest.mark.parametrize(("waited", "status"), [(LIFETIME - MOMENT, 200), (LIFETIME, 403)])
async def test_what_is_proved_counts_for_ten_minutes(
    alice: Person, clock: FixedClock, waited: timedelta, status: int
) -> None:
    await alice.prove_email()
    clock.move(waited)
    await alice.post("/step-up", {"password": alice.password})
    assert status == (await alice.post("/totp/setup")).status_code


async def test_a_set_up_is_not_finished_when_the_proof_is_over(alice: Person, clock: FixedClock) -> None:
    await alice.prove_email()
    clock.move(LIFETIME - timedelta(minutes=1))
    secret = (await alice.post("/totp/setup")).json()["secret"]
    clock.move(timedelta(minutes=1))
    refused = await alice.post("/totp/confirm", {"code": alice.code(secret=secret)})
    assert (403, "email_proof_required") == (refused.status_code, refused.json()["reason"])
    await alice.prove_email()
    assert 200 == (await alice.post("/totp/confirm", {"code": alice.code(secret=secret)})).status_code


async def test_a_second_authenticator_wants_the_first_one_and_no_mail(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    clock.move(LIFETIME)
    await enrolled.post("/step-up", {"code": enrolled.fresh_code()})
    assert 200 == (await enrolled.post("/totp/setup", {"name": "Tablet"})).status_code


async def test_five_wrong_guesses_are_the_end_of_a_code_and_the_next_must_wait(
    alice: Person, auth: Auth, clock: FixedClock
) -> None:
    await alice.post("/email/proof")
    code = await mailed_code(auth)
    for _ in range(5):
        assert 400 == (await alice.post("/email/proof/confirm", {"code": other_than(code)})).status_code
    waiting = await alice.post("/email/proof/confirm", {"code": code})
    assert (429, "attempts_spent") == (waiting.status_code, waiting.json()["reason"])
    clock.move(timedelta(seconds=30))
    assert 400 == (await alice.post("/email/proof/confirm", {"code": code})).status_code


async def test_a_right_code_is_still_good_after_four_wrong_guesses_and_clears_the_count(
    alice: Person, auth: Auth
) -> None:
    for _ in range(2):
        await alice.post("/email/proof")
        code = await mailed_code(auth)
        for _ in range(4):
            assert 400 == (await alice.post("/email/proof/confirm", {"code": other_than(code)})).status_code
        assert 204 == (await alice.post("/email/proof/confirm", {"code": code})).status_code


async def test_guesses_are_counted_for_the_account_however_many_sessions_and_codes_there_are(
    alice: Person, elsewhere: Person, auth: Auth
) -> None:
    for guesser in (alice, elsewhere, alice, elsewhere, alice):
        await guesser.post("/email/proof")
        code = other_than(await mailed_code(auth))
        assert 400 == (await guesser.post("/email/proof/confirm", {"code": code})).status_code
    await elsewhere.post("/email/proof")
    assert 429 == (await elsewhere.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code


async def test_a_guess_is_charged_to_nobody_when_no_code_waits(alice: Person, auth: Auth) -> None:
    for _ in range(10):
        assert 400 == (await alice.post("/email/proof/confirm", {"code": "4F7K-2M9Q"})).status_code
    await alice.prove_email()


async def test_an_account_is_mailed_five_codes_an_hour(alice: Person, auth: Auth, clock: FixedClock) -> None:
    for _ in range(5):
        assert 202 == (await alice.post("/email/proof")).status_code
    clock.move(timedelta(minutes=20))
    refused = await alice.post("/email/proof")
    assert (429, 40 * 60) == (refused.status_code, refused.json()["retry_after"])
    clock.move(timedelta(minutes=40))
    assert 202 == (await alice.post("/email/proof")).status_code
    assert 6 == len([one for one in await flows.queue(auth, 100) if one.kind == Kind.EMAIL_PROOF])


async def test_a_mail_with_a_code_that_is_over_is_not_tried_again(
    alice: Person, auth: Auth, clock: FixedClock, closed_office: PostOffice
) -> None:
    await flows.send_due(auth)
    await alice.post("/email/proof")
    clock.move(LIFETIME - MOMENT)
    await flows.send_due(auth)
    (mail,) = [one for one in await flows.queue(auth, 100) if one.kind == Kind.EMAIL_PROOF]
    assert "waiting" == mail.state
    clock.move(flows.wait_after(1))
    await flows.send_due(auth)
    (mail,) = [one for one in await flows.queue(auth, 100) if one.kind == Kind.EMAIL_PROOF]
    assert "given_up" == mail.state


async def test_a_code_that_no_key_opens_is_not_mailed(alice: Person, auth: Auth, office: PostOffice) -> None:
    await flows.send_due(auth)
    office.deliveries.clear()
    await alice.post("/email/proof")
    await flows.send_due(replace(auth, keyring=Keyring.of(new_key().reveal())))
    (mail,) = [one for one in await flows.queue(auth, 100) if one.kind == Kind.EMAIL_PROOF]
    assert ("UnreadableToken", []) == (mail.last_error, office.deliveries)


async def test_another_address_has_to_be_proved_anew(alice: Person, auth: Auth) -> None:
    """
    It is changed by the operator, and back again: what was proved of the first address is gone.
    """
    await alice.prove_email()
    alices_id = (await account.find(auth, "alice")).user.id
    await operating.change_email(auth, COMMAND_LINE, alices_id, "other@example.com")
    assert 403 == (await alice.post("/totp/setup")).status_code
    await operating.change_email(auth, COMMAND_LINE, alices_id, ALICES)
    assert 403 == (await alice.post("/totp/setup")).status_code


async def test_a_code_on_its_way_to_the_old_address_proves_nothing_of_the_new_one(alice: Person, auth: Auth) -> None:
    await alice.post("/email/proof")
    alices_id = (await account.find(auth, "alice")).user.id
    await operating.change_email(auth, COMMAND_LINE, alices_id, "other@example.com")
    assert 400 == (await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code
    assert "other@example.com" == (await account.find(auth, "alice")).user.email


async def test_an_account_without_an_address_has_nothing_to_prove(
    client: httpx.AsyncClient, clock: FixedClock, auth: Auth
) -> None:
    bob = Person("bob", client, clock)
    await bob.register()
    await bob.sign_in()
    assert 404 == (await bob.post("/email/proof")).status_code
    assert 200 == (await bob.post("/totp/setup")).status_code


async def test_without_a_mail_server_there_is_nothing_to_prove(auth: Auth, clock: FixedClock) -> None:
    settings = auth.settings.model_copy(update={"smtp_url": None, "mail_from": None})
    quiet = replace(auth, settings=settings, sink=DatabaseSink(auth.db, clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(quiet)), base_url=BASE_URL) as client:
        carol = Person("carol", client, clock, email="carol@example.com")
        await carol.register()
        await carol.sign_in()
        assert 404 == (await carol.post("/email/proof")).status_code
        assert 404 == (await carol.post("/email/proof/confirm", {"code": "4F7K-2M9Q"})).status_code
        assert 200 == (await carol.post("/totp/setup")).status_code


async def test_codes_and_proofs_that_are_over_are_cleaned_away(
    alice: Person, elsewhere: Person, auth: Auth, clock: FixedClock
) -> None:
    await alice.prove_email()
    await elsewhere.post("/email/proof")
    assert 0 == (await upkeep.clean_up(auth)).email_proofs
    clock.move(LIFETIME)
    assert 2 == (await upkeep.clean_up(auth)).email_proofs


async def test_the_audit_log_says_what_was_mailed_and_proved_and_what_was_guessed(alice: Person, auth: Auth) -> None:
    await alice.post("/email/proof/confirm", {"code": "4F7K-2M9Q"})
    await alice.post("/email/proof")
    code = await mailed_code(auth)
    await alice.post("/email/proof/confirm", {"code": other_than(code)})
    await alice.post("/email/proof/confirm", {"code": code})
    assert [
        ("email_proved", "no_code"),
        ("email_code_sent", None),
        ("email_proved", "wrong"),
        ("email_proved", None),
    ] == (await events_of(auth))[-4:]


def other_than(code: str) -> str:
    """Return a code that is of the form, and wrong."""
    return ("0" if code[0] != "0" else "1") + code[1:]
