"""A code that was right and had been used: a signal for the owner, and nothing for whoever sent it."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from mail.conftest import links_in
from support.mail import PostOffice
from support.people import Person
from support.trips import counted, headers_of
from umbra.audit.event import AuditEvent
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.links.purposes import LIFETIMES, PAGES, Purpose
from umbra.mail import flows
from umbra.mail.kinds import Kind

LIFETIME = LIFETIMES[Purpose.END_SESSIONS]
MOMENT = timedelta(microseconds=1)


async def mails(auth: Auth, kind: Kind = Kind.CODE_REPLAYED) -> int:
    return len([one for one in await flows.queue(auth, 1_000) if one.kind == kind])


async def signals(auth: Auth) -> list[AuditEvent]:
    return [one for one in await newest(auth.db, 1_000) if one.event == "code_replayed"]


async def used_code(person: Person) -> str:
    """Sign in, and return the code that was used up for it."""
    code = person.fresh_code()
    assert 200 == (await person.verify(code=code)).status_code
    return code


async def replayed(person: Person, code: str) -> httpx.Response:
    """Send a code in a browser that nobody knows."""
    person.client.cookies.clear()
    return await person.verify(code=code)


async def token_for(person: Person, auth: Auth, office: PostOffice) -> str:
    """Replay a code, and return the token of the mail about it."""
    await replayed(person, await used_code(person))
    await flows.send_due(auth)
    told = [one for one in office.deliveries if "had been used" in str(one.message["Subject"])]
    return told[-1].text().partition("?token=")[2].split()[0]


async def test_the_audit_log_has_the_refusal_and_the_signal(enrolled: Person, auth: Auth) -> None:
    code = await used_code(enrolled)
    await replayed(enrolled, code)
    signal, refusal = await newest(auth.db, 2)
    assert ("sign_in_code", "replayed") == (refusal.event, refusal.reason)
    assert ("code_replayed", None) == (signal.event, signal.reason)
    assert {"method": "totp", "door": "sign_in_code"} == signal.detail
    assert (refusal.at, refusal.user_id, refusal.ip) == (signal.at, signal.user_id, signal.ip)


async def test_every_door_gives_the_signal(enrolled: Person, auth: Auth) -> None:
    code = await used_code(enrolled)
    enrolled.client.cookies.delete("umbra_browser")
    new = {"current_password": enrolled.password, "new_password": "another horse battery staple 7"}
    for path, body in (
        ("/step-up", {}),
        ("/totp/disable", {"password": enrolled.password}),
        ("/totp/backup-codes/regenerate", {"password": enrolled.password}),
        ("/password", new),
    ):
        assert "code_refused" == (await enrolled.post(path, body | {"code": code})).json()["reason"]
    doors = {(one.detail or {})["door"] for one in await signals(auth)}
    assert {"step_up", "second_factor_disabled", "backup_codes_regenerated", "password_changed"} == doors


async def test_whoever_sends_it_sees_what_a_wrong_code_gets(enrolled: Person, auth: Auth) -> None:
    """
    Every byte, every header; as many statements on PostgreSQL. SQLite runs the links of a chain one by one, within one
    commit, and in the process itself.
    """
    code = await used_code(enrolled)
    seen = []
    for sent in (enrolled.wrong_code(), code):
        enrolled.client.cookies.clear()
        challenge = await enrolled.challenge()
        with counted() as statements:
            answer = await enrolled.verify(challenge, code=sent)
        trips = [text for text in statements if not (auth.db.is_sqlite and is_link_of_the_last_chain(text))]
        seen.append((answer.status_code, answer.content, headers_of(answer), len(trips)))
    assert seen[0] == seen[1]
    assert (1, 1) == (len(await signals(auth)), await mails(auth))


def is_link_of_the_last_chain(text: str) -> bool:
    return any(table in text for table in ("audit_events", "known_browsers", "mail_outbox"))


async def test_a_backup_code_that_was_used_is_a_signal_too(enrolled: Person, auth: Auth) -> None:
    code = enrolled.backup_codes[0]
    for _ in range(2):
        enrolled.client.cookies.clear()
        await enrolled.verify(backup_code=code)
    assert 1 == await mails(auth)
    assert ["backup_code"] == [(one.detail or {})["method"] for one in await signals(auth)]


async def test_from_a_browser_of_the_owners_it_is_in_the_log_and_no_mail_tells(enrolled: Person, auth: Auth) -> None:
    """
    Whoever has just confirmed an app, or presses a button twice, sends one code twice.
    """
    code = await used_code(enrolled)
    assert "code_refused" == (await enrolled.verify(code=code)).json()["reason"]
    assert (1, 0) == (len(await signals(auth)), await mails(auth))


async def test_what_a_program_calls_itself_does_not_silence_the_mail(enrolled: Person, auth: Auth) -> None:
    code = await used_code(enrolled)
    for _ in range(2):
        enrolled.client.cookies.clear()
        token = (await enrolled.login(delivery="token")).json()["mfa_token"]
        await enrolled.verify(token, code=enrolled.fresh_code(), delivery="token")
        token = (await enrolled.login(delivery="token")).json()["mfa_token"]
        code = enrolled.code()
    await enrolled.verify(token, code=code, delivery="token")
    assert 1 == await mails(auth)


async def test_ten_minutes_lie_between_two_such_mails(enrolled: Person, auth: Auth, clock: FixedClock) -> None:
    clock.move(timedelta(seconds=10))  # away from where steps meet
    await replayed(enrolled, await used_code(enrolled))
    clock.move(timedelta(minutes=9))
    await replayed(enrolled, await used_code(enrolled))
    assert 1 == await mails(auth)
    clock.move(-MOMENT)
    code = await used_code(enrolled)
    await replayed(enrolled, code)
    assert (3, 1) == (len(await signals(auth)), await mails(auth))
    clock.move(MOMENT)
    await replayed(enrolled, code)
    assert (4, 2) == (len(await signals(auth)), await mails(auth))


async def test_the_link_ends_every_session_and_challenge_and_forgets_the_browsers(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    await enrolled.sign_in()
    waiting = await enrolled.challenge()
    known = dict(enrolled.client.cookies)

    assert 204 == (await enrolled.post("/undo", {"token": token})).status_code

    assert 401 == (await enrolled.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(waiting)).json()["reason"]
    (line,) = await newest(auth.db, 1, event="sessions_ended")
    assert {"method": "mail"} == line.detail
    told = await mails(auth, Kind.NEW_BROWSER)
    enrolled.client.cookies.update(known)
    await enrolled.sign_in()
    assert told + 1 == await mails(auth, Kind.NEW_BROWSER)


async def test_the_mail_about_a_new_browser_has_such_a_link(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    enrolled.client.cookies.clear()
    await enrolled.sign_in()
    await flows.send_due(auth)
    link = links_in(office)[-1]
    assert PAGES[Purpose.END_SESSIONS] in link
    assert 204 == (await enrolled.post("/undo", {"token": link.partition("?token=")[2]})).status_code
    assert 401 == (await enrolled.get("/session")).status_code


async def test_such_a_link_is_good_once_and_for_three_days(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    token = await token_for(enrolled, auth, office)
    (signal,) = await signals(auth)
    clock.set(signal.at + LIFETIME)
    assert "link_refused" == (await enrolled.post("/undo", {"token": token})).json()["reason"]
    clock.move(-MOMENT)
    assert 204 == (await enrolled.post("/undo", {"token": token})).status_code
    assert "link_refused" == (await enrolled.post("/undo", {"token": token})).json()["reason"]


async def test_a_link_of_one_purpose_serves_no_other(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    ending = await token_for(enrolled, auth, office)
    body = {"token": ending, "new_password": "another horse battery staple 7"}
    assert "link_refused" == (await enrolled.post("/password/reset", body)).json()["reason"]
    await enrolled.post("/password/reset-request", {"username": "alice"})
    await flows.send_due(auth)
    resetting = links_in(office)[-1].partition("?token=")[2]
    assert "link_refused" == (await enrolled.post("/undo", {"token": resetting})).json()["reason"]


async def test_a_button_pressed_twice_at_sign_in_is_no_signal(enrolled: Person, auth: Auth) -> None:
    """
    Both requests carry one challenge, and the second finds it used up.
    """
    enrolled.client.cookies.clear()
    challenge, code = await enrolled.challenge(), enrolled.fresh_code()
    answers = await asyncio.gather(*(enrolled.verify(challenge, code=code) for _ in range(2)))
    assert {200, 401} == {one.status_code for one in answers}
    assert [] == await signals(auth)


@pytest.mark.parametrize("proof", ["late", "superseded", "wrong"])
async def test_a_code_that_was_not_used_is_no_signal(enrolled: Person, auth: Auth, proof: str) -> None:
    sent = {"late": enrolled.code(-4), "superseded": enrolled.code(-1), "wrong": enrolled.wrong_code()}[proof]
    await enrolled.verify(code=sent)
    assert [] == await signals(auth)
