"""A password that is set anew by the link of a mail."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from mail.conftest import ALICES, links_in
from support.audit import reasons_of
from support.mail import PostOffice
from support.people import BASE_URL, Person
from support.trips import counted, headers_of
from umbra.app import application
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.events import Event
from umbra.links.purposes import LIFETIMES, PAGES, Purpose
from umbra.links.tables import LINKS
from umbra.mail import flows
from umbra.mail.kinds import Kind
from umbra.mail.tables import OUTBOX
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE
from umbra.upkeep import clean_up

NEW = "another horse battery staple 7"
LIFETIME = LIFETIMES[Purpose.RESET_PASSWORD]
MOMENT = timedelta(microseconds=1)


async def token_for(person: Person, auth: Auth, office: PostOffice) -> str:
    """Ask for a link, and return the token that the mail holds."""
    assert 202 == (await person.post("/password/reset-request", {"username": person.username})).status_code
    await flows.send_due(auth)
    return links_in(office)[-1].partition("?token=")[2]


async def reset(person: Person, token: str, new: str = NEW) -> str:
    """Set the password, and return the reason of a refusal, if it was one."""
    answer = await person.post("/password/reset", {"token": token, "new_password": new})
    return "done" if 204 == answer.status_code else str(answer.json()["reason"])


async def test_the_link_of_the_mail_sets_the_password_and_signs_nobody_in(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    waiting = await enrolled.challenge()
    token = await token_for(enrolled, auth, office)
    assert [f"{BASE_URL}{PAGES[Purpose.RESET_PASSWORD]}?token={token}"] == links_in(office)
    assert f'href="{links_in(office)[0]}"' in office.deliveries[-1].html()

    answer = await enrolled.post("/password/reset", {"token": token, "new_password": NEW})

    assert (204, b"", None) == (answer.status_code, answer.content, answer.headers.get("Set-Cookie"))
    assert 401 == (await enrolled.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(waiting)).json()["reason"]
    assert "credentials_refused" == (await enrolled.login()).json()["reason"]
    enrolled.password = NEW
    assert "mfa_required" == (await enrolled.login()).json()["status"]
    await enrolled.sign_in()
    assert 1 == len((await enrolled.get("/totp/status")).json()["authenticators"])


async def test_a_link_is_good_once(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    token = await token_for(enrolled, auth, office)
    assert "done" == await reset(enrolled, token)
    assert "link_refused" == await reset(enrolled, token, "a third horse battery staple 5")
    assert [None] == await reasons_of(auth, "password_reset")


async def test_a_link_is_good_for_half_an_hour_from_the_request(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    clock.move(LIFETIME)
    assert "link_refused" == await reset(enrolled, token)
    clock.move(-MOMENT)
    assert "done" == await reset(enrolled, token)


@pytest.mark.parametrize("token", ["", "uml_", "uml_" + "x" * 43, "ums_" + "x" * 43, "x" * 5000])
async def test_what_is_no_link_is_refused_as_a_used_one_is(
    enrolled: Person, auth: Auth, office: PostOffice, token: str
) -> None:
    used = await token_for(enrolled, auth, office)
    await reset(enrolled, used)
    bodies = [{"token": one, "new_password": NEW} for one in (used, token)]
    told = [await enrolled.post("/password/reset", body) for body in bodies]
    assert told[0].content == told[1].content
    assert [400, 400] == [one.status_code for one in told]


async def test_a_bad_password_does_not_use_the_link_up(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    token = await token_for(enrolled, auth, office)
    assert "password_refused" == await reset(enrolled, token, "passwordpassword")
    assert "done" == await reset(enrolled, token)


async def test_one_reset_makes_every_other_link_to_one_worthless(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    first, second = [await token_for(enrolled, auth, office) for _ in range(2)]
    assert "done" == await reset(enrolled, second)
    assert "link_refused" == await reset(enrolled, first, "a third horse battery staple 5")


async def test_a_change_of_the_password_makes_the_links_worthless(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    body = {"current_password": enrolled.password, "new_password": NEW, "code": enrolled.fresh_code()}
    assert 204 == (await enrolled.post("/password", body)).status_code
    assert "link_refused" == await reset(enrolled, token)


async def test_a_link_to_an_address_that_the_account_has_no_more_sets_no_password(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    await change_address(auth, "new@example.com")
    assert "link_refused" == await reset(enrolled, token)
    await change_address(auth, ALICES)
    assert "done" == await reset(enrolled, token)


async def test_the_owner_is_told_by_mail(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    await reset(enrolled, await token_for(enrolled, auth, office))
    await flows.send_due(auth)
    told = office.deliveries[-1]
    assert "Umbra: Your password was changed" == told.message["Subject"]
    assert "set anew with the link of a mail to this address" in told.text()


async def test_a_disabled_account_gets_no_link_and_one_sent_before_is_worthless(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    await operating.disable(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)
    assert "link_refused" == await reset(enrolled, token)
    await enrolled.post("/password/reset-request", {"username": "alice"})
    assert 1 == await queued(auth)
    assert "disabled" == (await reasons_of(auth, "password_reset_requested"))[-1]


async def test_the_answer_and_the_statements_are_the_same_whoever_is_asked_for(
    enrolled: Person, auth: Auth, clock: FixedClock, client: httpx.AsyncClient
) -> None:
    await Person("bob", client, clock).register()  # without an address
    await Person("carol", client, clock, email="carol@example.com").register()
    await operating.disable(auth, COMMAND_LINE, (await account.find(auth, "carol")).user.id)
    seen: list[Any] = []
    for name in ("alice", "ALICE", "bob", "carol", "nobody"):
        with counted() as statements:
            answer = await enrolled.post("/password/reset-request", {"username": name})
        seen.append((answer.status_code, answer.content, headers_of(answer), tuple(statements)))
        assert 202 == answer.status_code
    alices, *others = seen
    assert [alices] * len(others) == others
    assert [None, None, "no_address", "disabled", "unknown_user"] == (
        await reasons_of(auth, "password_reset_requested")
    )[-5:]
    assert 2 == await queued(auth)
    lines = [one for one in await newest(auth.db, 10) if one.event == Event.PASSWORD_RESET_REQUESTED]
    assert "nobody" not in str(lines)


async def test_three_mails_an_hour_go_to_one_account_and_whoever_asks_learns_nothing(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    async def ask() -> int:
        assert 202 == (await enrolled.post("/password/reset-request", {"username": "alice"})).status_code
        return await queued(auth)

    assert [1, 2, 3] == [await ask() for _ in range(3)]
    clock.move(timedelta(hours=1) - MOMENT)
    assert 3 == await ask()
    clock.move(MOMENT)
    assert 4 == await ask()


async def test_one_network_asks_five_times_and_then_has_to_wait(enrolled: Person, auth: Auth) -> None:
    names = ["alice", "bob", "carol", "dave", "eve", "frank"]
    answers = [await enrolled.post("/password/reset-request", {"username": name}) for name in names]
    assert [202] * 5 + [429] == [one.status_code for one in answers]
    assert "30" == answers[-1].headers["Retry-After"]
    assert "attempts_spent" == (await reasons_of(auth, "password_reset_requested"))[-1]


async def test_a_reset_that_is_done_clears_what_the_network_was_charged(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    for _ in range(3):
        await enrolled.post("/password/reset-request", {"username": "nobody"})
    assert "done" == await reset(enrolled, await token_for(enrolled, auth, office))
    answers = [await enrolled.post("/password/reset-request", {"username": "nobody"}) for _ in range(5)]
    assert {202} == {one.status_code for one in answers}


async def test_a_mail_that_waited_longer_than_its_link_is_good_is_not_sent(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    await enrolled.post("/password/reset-request", {"username": "alice"})
    clock.move(LIFETIME)
    await flows.send_due(auth)
    assert [] == links_in(office)
    (mail,) = [one for one in await flows.queue(auth, 10) if one.kind == Kind.PASSWORD_RESET]
    assert ("given_up", "LinkExpired") == (mail.state, mail.last_error)


async def test_the_queue_holds_no_token_and_the_table_only_a_hash(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await enrolled.post("/password/reset-request", {"username": "alice"})
    assert 0 == await kept(auth)
    await flows.send_due(auth)
    token = links_in(office)[-1].partition("?token=")[2]
    async with auth.db.read() as tx:
        rows = [*(await tx.execute(select(LINKS.c.token_hash))), *(await tx.execute(select(OUTBOX.c.detail)))]
    assert token not in str(rows)
    assert 1 == await kept(auth)


async def test_the_clean_up_deletes_links_that_are_out_of_date_and_no_others(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    await reset(enrolled, await token_for(enrolled, auth, office))
    clock.move(LIFETIME - MOMENT)
    assert 0 == (await clean_up(auth)).links
    clock.move(MOMENT)
    assert 1 == (await clean_up(auth)).links


async def test_without_a_mail_server_there_are_no_links(auth: Auth, clock: FixedClock) -> None:
    settings = auth.settings.model_copy(update={"smtp_url": None, "mail_from": None})
    quiet = replace(auth, settings=settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(quiet)), base_url=BASE_URL) as client:
        alice = Person("alice", client, clock, email=ALICES)
        asked = await alice.post("/password/reset-request", {"username": "alice"})
        sent = await alice.post("/password/reset", {"token": "uml_" + "x" * 43, "new_password": NEW})
    assert [404, 404] == [asked.status_code, sent.status_code]


async def change_address(auth: Auth, address: str) -> None:
    async with auth.db.begin() as tx:
        users = OUTBOX.metadata.tables["users"]
        changed = users.update().where(users.c.username == "alice").values(email=address)
        await tx.execute(changed.returning(users.c.id))


async def queued(auth: Auth) -> int:
    return len([one for one in await flows.queue(auth, 1_000) if one.kind == Kind.PASSWORD_RESET])


async def kept(auth: Auth) -> int:
    async with auth.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(LINKS))).scalar_one()
