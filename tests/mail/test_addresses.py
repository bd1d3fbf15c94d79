"""Changing where an account is told of changes: who may, when, and what it takes."""

from datetime import timedelta

import pytest

from mail.conftest import ALICES
from support.audit import events_of
from support.mail import PostOffice, mailed_code
from support.people import Person
from umbra.attempts.errors import AttemptsSpent
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.events import Client
from umbra.email_proofs.errors import EmailProofRequired, FactorsChanged
from umbra.mail import flows
from umbra.mail.kinds import WITH_CODE
from umbra.sessions import flows as sessions
from umbra.sessions.errors import StepUpRequired
from umbra.sessions.session import Current
from umbra.signin import account, addresses, operating
from umbra.signin.operating import COMMAND_LINE

NEW = "alice@example.org"
CLIENT = Client()
DAYS_3 = timedelta(hours=72)
MOMENT = timedelta(microseconds=1)


async def test_a_password_alone_changes_no_address(alice: Person, auth: Auth) -> None:
    for email in (NEW, None):
        with pytest.raises(EmailProofRequired):
            await change(alice, auth, email)
    assert ALICES == await address(auth)
    assert ("email_changed", "email_proof_required") == (await events_of(auth))[-1]


async def test_with_a_code_from_the_old_address_it_is_changed(alice: Person, auth: Auth) -> None:
    await alice.prove_email()
    await change_to_new(alice, auth)
    assert NEW == await address(auth)


async def test_with_a_code_from_the_old_address_it_is_taken_away(alice: Person, auth: Auth) -> None:
    await alice.prove_email()
    assert not await change(alice, auth, None)
    assert await address(auth) is None


async def test_a_new_address_counts_when_its_code_was_typed(alice: Person, auth: Auth, office: PostOffice) -> None:
    await flows.send_due(auth)
    await alice.prove_email()
    await flows.send_due(auth)
    office.deliveries.clear()
    assert await change(alice, auth, NEW)
    await flows.send_due(auth)
    (mail,) = office.deliveries
    assert ([NEW], "Umbra: Is this mail address to be yours here?") == (mail.recipients, mail.message["Subject"])
    assert await mailed_code(auth) in mail.text()
    assert ALICES == await address(auth)
    assert 204 == (await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})).status_code
    assert NEW == await address(auth)


async def test_what_was_typed_for_the_new_address_proves_it_too(alice: Person, auth: Auth) -> None:
    await alice.prove_email()
    await change_to_new(alice, auth)
    assert 200 == (await alice.post("/totp/setup")).status_code


async def test_a_code_for_a_new_address_proves_nothing_of_the_old_one(alice: Person, auth: Auth) -> None:
    await alice.prove_email()
    await change(alice, auth, NEW)
    assert 403 == (await alice.post("/totp/setup")).status_code


async def test_an_account_without_an_address_takes_the_one_whose_code_was_typed(
    alice: Person, auth: Auth, clock: FixedClock
) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)
    await change_to_new(alice, auth)
    assert NEW == await address(auth)


async def test_the_same_address_again_is_no_change(alice: Person, auth: Auth) -> None:
    before = await events_of(auth)
    assert not await change(alice, auth, ALICES)
    assert before == await events_of(auth)


async def test_the_old_address_is_told_of_the_change(alice: Person, auth: Auth, office: PostOffice) -> None:
    await alice.prove_email()
    await change(alice, auth, NEW)
    await flows.send_due(auth)
    office.deliveries.clear()
    await alice.post("/email/proof/confirm", {"code": await mailed_code(auth)})
    await flows.send_due(auth)
    assert ([ALICES], ["Umbra: Your mail address was changed"]) == (office.recipients(), office.subjects())
    assert [("email_code_sent", None), ("email_changed", None)] == (await events_of(auth))[-2:]


async def test_with_a_second_factor_it_wants_a_fresh_one_and_no_code_from_the_old_address(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    clock.move(DAYS_3)
    await enrolled.sign_in()
    await change_to_new(enrolled, auth)
    assert NEW == await address(auth)
    clock.move(timedelta(minutes=11))
    with pytest.raises(StepUpRequired):
        await change(enrolled, auth, ALICES)


@pytest.mark.parametrize(("waited", "is_changed"), [(DAYS_3 - MOMENT, False), (DAYS_3, True)])
async def test_the_address_stays_for_72_hours_after_a_change_of_the_second_factor(
    alice: Person, auth: Auth, clock: FixedClock, *, waited: timedelta, is_changed: bool
) -> None:
    """
    Also for sessions that were begun since, and for taking the address away.
    """
    await alice.enrol()
    changed_at = clock.now()
    with pytest.raises(FactorsChanged):
        await change(alice, auth, NEW)
    clock.move(timedelta(hours=1))
    alice.client.cookies.clear()
    await alice.sign_in()
    with pytest.raises(FactorsChanged):
        await change(alice, auth, None)
    assert ("email_changed", "factors_changed") == (await events_of(auth))[-1]

    clock.move(changed_at + waited - timedelta(minutes=1) - clock.now())
    await alice.sign_in()
    clock.move(changed_at + waited - clock.now())
    if is_changed:
        await change_to_new(alice, auth)
    else:
        with pytest.raises(FactorsChanged):
            await change(alice, auth, NEW)
    assert (NEW if is_changed else ALICES) == await address(auth)


@pytest.mark.parametrize("path", ["/totp/disable", "/totp/backup-codes/regenerate", "remove", "/totp/confirm"])
async def test_every_change_of_the_second_factor_counts(
    enrolled: Person, auth: Auth, clock: FixedClock, path: str
) -> None:
    await enrolled.enrol("Tablet")
    clock.move(DAYS_3)
    await enrolled.sign_in()
    await do(enrolled, path)
    if path == "/totp/disable":
        await enrolled.prove_email()
    with pytest.raises(FactorsChanged):
        await change(enrolled, auth, NEW)


async def test_a_change_that_was_begun_before_the_second_factor_was_changed_is_not_finished(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    clock.move(DAYS_3)
    await enrolled.sign_in()
    await change(enrolled, auth, NEW)
    code = await mailed_code(auth)
    await do(enrolled, "/totp/backup-codes/regenerate")
    refused = await enrolled.post("/email/proof/confirm", {"code": code})
    assert (409, "factors_changed") == (refused.status_code, refused.json()["reason"])
    assert ALICES == await address(auth)


async def test_who_had_no_address_gives_one_right_after_enrolling(alice: Person, auth: Auth) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)
    alice.mailed_code = None
    await alice.enrol()
    await change_to_new(alice, auth)
    assert NEW == await address(auth)


async def test_codes_to_new_addresses_are_five_an_hour(alice: Person, auth: Auth) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)
    for number in range(5):
        await change(alice, auth, f"{number}@example.org")
    with pytest.raises(AttemptsSpent):
        await change(alice, auth, NEW)
    assert 5 == len([one for one in await flows.queue(auth, 100) if one.kind in WITH_CODE])


async def test_the_operator_gives_an_address_at_any_time(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    await flows.send_due(auth)
    office.deliveries.clear()
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, NEW)
    await flows.send_due(auth)
    assert ([ALICES], NEW) == (office.recipients(), await address(auth))
    assert ("email_changed", None) == (await events_of(auth))[-1]


async def me(person: Person, auth: Auth) -> Current:
    return await sessions.current(auth, person.client.cookies["umbra_session"])


async def change(person: Person, auth: Auth, email: str | None) -> bool:
    return await addresses.change(auth, await me(person, auth), email, CLIENT)


async def change_to_new(person: Person, auth: Auth) -> None:
    assert await change(person, auth, NEW)
    answer = await person.post("/email/proof/confirm", {"code": await mailed_code(auth)})
    assert 204 == answer.status_code, answer.text


async def address(auth: Auth) -> str | None:
    return (await account.find(auth, "alice")).user.email


async def do(person: Person, path: str) -> None:
    """Change the second factor in one of the ways that there are."""
    if path == "/totp/confirm":
        await person.enrol("Telephone")
        return
    if path == "remove":
        which = (await person.get("/totp/status")).json()["authenticators"][1]["id"]
        answer = await person.post(f"/totp/authenticators/{which}/remove", {"code": person.fresh_code()})
    else:
        answer = await person.post(path, {"password": person.password, "code": person.fresh_code()})
    assert answer.is_success, answer.text
