"""Which sign-ins come from a browser that the account does not know."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from mail.conftest import ALICES
from support.people import API, BASE_URL, Person
from umbra import upkeep
from umbra.app import application
from umbra.auth import Auth
from umbra.browsers.store import KNOWN_FOR
from umbra.browsers.tables import BROWSERS
from umbra.core.clock import FixedClock
from umbra.crypto import tokens
from umbra.mail import flows
from umbra.mail.kinds import Kind
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE

COOKIE = "umbra_browser"


async def told(auth: Auth) -> int:
    """Count the mails about new browsers."""
    return len([one for one in await flows.queue(auth, 100) if one.kind == Kind.NEW_BROWSER])


async def known(auth: Auth) -> list[str]:
    async with auth.db.read() as tx:
        return [text for (text,) in await tx.execute(select(BROWSERS.c.token_hash).order_by(BROWSERS.c.id))]


async def test_the_first_sign_in_of_an_account_is_told_to_nobody(alice: Person, auth: Auth) -> None:
    assert 0 == await told(auth)
    assert [tokens.BROWSER.hash_of(alice.client.cookies[COOKIE])] == await known(auth)


async def test_a_browser_that_is_known_is_told_of_no_more(enrolled: Person, auth: Auth) -> None:
    before = enrolled.client.cookies[COOKIE]
    await enrolled.sign_in()
    await enrolled.verify(backup_code=enrolled.backup_codes[0])
    assert 0 == await told(auth)
    assert before == enrolled.client.cookies[COOKIE]
    assert 1 == len(await known(auth))


async def test_a_browser_that_is_not_is_told_of_once_however_one_signs_in(enrolled: Person, auth: Auth) -> None:
    for number, proof in enumerate(({}, {"backup_code": enrolled.backup_codes[0]}), start=1):
        enrolled.client.cookies.clear()
        challenge = await enrolled.challenge()
        assert number - 1 == await told(auth)  # a password is no sign-in
        await enrolled.verify(challenge, **proof)
        assert number == await told(auth)
        await enrolled.sign_in()
        assert number == await told(auth)


async def test_a_sign_in_by_password_alone_is_told_of_too(alice: Person, auth: Auth) -> None:
    alice.client.cookies.clear()
    await alice.sign_in()
    await alice.sign_in()
    assert 1 == await told(auth)


async def test_a_token_of_anybodys_making_is_replaced(alice: Person, auth: Auth) -> None:
    for forged in ("x", "umb_short", "ums_" + "A" * 43):
        alice.client.cookies.clear()
        alice.client.cookies.set(COOKIE, forged)
        await alice.sign_in()
    assert 3 == await told(auth)
    assert 4 == len(await known(auth))


async def test_two_browser_cookies_are_none(alice: Person, auth: Auth) -> None:
    mine = alice.client.cookies[COOKIE]
    alice.client.cookies.clear()
    body = {"username": "alice", "password": alice.password}
    headers = {"Cookie": f"{COOKIE}={mine}; {COOKIE}=umb_{'A' * 43}"}
    assert COOKIE in (await alice.post("/login", body, headers=headers)).cookies
    assert 1 == await told(auth)


async def test_two_people_who_share_a_browser_are_each_told(alice: Person, auth: Auth, clock: FixedClock) -> None:
    shared = alice.client.cookies[COOKIE]
    bob = Person("bob", alice.client, clock, email="bob@example.com")
    await bob.register()
    await bob.sign_in()
    assert (0, shared) == (await told(auth), alice.client.cookies[COOKIE])
    alice.client.cookies.clear()
    await bob.sign_in()
    other = alice.client.cookies[COOKIE]
    await alice.sign_in()
    assert (2, other) == (await told(auth), alice.client.cookies[COOKIE])


async def test_a_program_that_keeps_a_token_is_known_by_its_name(enrolled: Person, auth: Auth) -> None:
    async def by(program: str) -> None:
        headers = {"User-Agent": program}
        asked = await enrolled.client.post(
            f"{API}/login", json={"username": "alice", "password": enrolled.password, "delivery": "token"}
        )
        body = {"mfa_token": asked.json()["mfa_token"], "code": enrolled.fresh_code(), "delivery": "token"}
        answer = await enrolled.client.post(f"{API}/totp-verify", json=body, headers=headers)
        assert "token" in answer.json()
        assert COOKIE not in answer.cookies

    for program, count in (("curl/8.5", 1), ("curl/8.5", 1), ("another/1.0", 2), ("curl/8.5", 2)):
        await by(program)
        assert count == await told(auth)


async def test_the_owners_own_changes_leave_browsers_known(enrolled: Person, auth: Auth) -> None:
    new = "another horse battery staple 7"
    body = {"current_password": enrolled.password, "new_password": new, "code": enrolled.fresh_code()}
    assert 204 == (await enrolled.post("/password", body)).status_code
    enrolled.password = new
    assert 204 == (
        await enrolled.post("/totp/disable", {"password": new, "code": enrolled.fresh_code()})
    ).status_code  # fmt: skip
    await enrolled.sign_in()
    assert 0 == await told(auth)


async def test_an_operators_reset_leaves_no_browser_known(enrolled: Person, auth: Auth) -> None:
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)
    await enrolled.sign_in()
    assert 1 == await told(auth)
    await enrolled.sign_in()
    assert 1 == await told(auth)
    assert 1 == len(await known(auth))


@pytest.mark.parametrize(("short_by", "count"), [(timedelta(microseconds=1), 0), (timedelta(0), 1)])
async def test_a_browser_is_known_for_as_long_as_its_cookie_can_live(
    alice: Person, auth: Auth, clock: FixedClock, short_by: timedelta, count: int
) -> None:
    shown = alice.client.cookies[COOKIE]
    alice.client.cookies.clear()
    await alice.sign_in()
    clock.move(KNOWN_FOR - short_by)
    alice.client.cookies.clear()
    alice.client.cookies.set(COOKIE, shown)
    await alice.sign_in()
    assert 1 + count == await told(auth)


async def test_clean_up_forgets_old_browsers_and_not_that_there_were_some(
    alice: Person, auth: Auth, clock: FixedClock
) -> None:
    alice.client.cookies.clear()
    await alice.sign_in()
    clock.move(KNOWN_FOR - timedelta(microseconds=1))
    assert 0 == (await upkeep.clean_up(auth)).browsers
    clock.move(timedelta(microseconds=1))
    assert 1 == (await upkeep.clean_up(auth)).browsers
    assert 0 == (await upkeep.clean_up(auth)).browsers
    alice.client.cookies.clear()
    before = await told(auth)
    await alice.sign_in()
    assert before + 1 == await told(auth)


async def test_the_cookie_is_as_safe_as_the_session_and_outlives_the_browser(auth: Auth, clock: FixedClock) -> None:
    url = "https://login.example.com"
    secure = replace(auth, settings=auth.settings.model_copy(update={"public_url": url}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(secure)), base_url=url) as client:
        alice = Person("alice", client, clock, email=ALICES)
        await alice.register()
        answer = await alice.login()
    (line,) = [one for one in answer.headers.get_list("Set-Cookie") if "browser" in one]
    name, _, attributes = line.partition("=")
    assert "__Host-umbra_browser" == name
    assert "Max-Age=34560000; HttpOnly; Secure; SameSite=Lax; Path=/" == attributes.partition("; ")[2]


async def test_a_page_gives_the_cookie_too(alice: Person, auth: Auth) -> None:
    async with httpx.AsyncClient(transport=alice.client._transport, base_url=BASE_URL) as browser:
        form = {"username": "alice", "password": alice.password}
        answer = await browser.post("/sign-in", data=form)
        assert 303 == answer.status_code
        assert {"umbra_session", COOKIE} == set(answer.cookies)
        assert 1 == await told(auth)
        assert {"umbra_session"} == set((await browser.post("/sign-in", data=form)).cookies)
        assert 1 == await told(auth)
