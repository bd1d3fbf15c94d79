"""Where the links in mails lead, in a browser without script."""

from dataclasses import replace
from functools import partial

import httpx
import pytest
from fastapi.routing import APIRoute

from mail.conftest import ALICES
from pages.browsing import SENT_BY_BROWSERS, Browser, Page, sound
from support.mail import PostOffice, free_port, mailed_code, mailing
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.links.purposes import PAGES, Purpose
from umbra.mail import flows
from umbra.pages import links

LINK = "umbra_link"
NEW = "another horse battery staple 7"
SENT = "If there is an account of that name, and it has a mail address, a mail is on its way to it."


@pytest.fixture
def office() -> PostOffice:
    return PostOffice(free_port())


@pytest.fixture
def auth(auth: Auth, office: PostOffice) -> Auth:
    return mailing(auth, office)


@pytest.fixture
async def alice(client: httpx.AsyncClient, auth: Auth, clock: FixedClock) -> Person:
    person = Person("alice", client, clock, email=ALICES, mailed_code=partial(mailed_code, auth))
    await person.register()
    await person.sign_in()
    return person


async def last_link(auth: Auth, office: PostOffice) -> str:
    """Send what is queued, and return the address that the last mail holds."""
    with office.is_open():
        await flows.send_due(auth)
    (link,) = [word for word in office.deliveries[-1].text().split() if "?token=" in word]
    return link


async def reset_page(browser: Browser, auth: Auth, office: PostOffice) -> Page:
    """Ask for a link as people do, follow it, and return the page."""
    page = await browser.open("/password/forgot")
    asked = await browser.send(page, "/password/forgot", username="alice")
    assert [SENT + " Follow its link within half an hour."] == (await browser.follow(asked)).notices
    return await browser.follow(await browser.client.get(await last_link(auth, office)))


def test_every_link_leads_to_a_page() -> None:
    routes = [route for route in links.router.routes if isinstance(route, APIRoute)]
    paths = {route.path for route in routes if "GET" in (route.methods or ())}
    assert {PAGES[purpose] for purpose in Purpose} <= paths


async def test_whoever_has_forgotten_the_password_sets_another_one(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    browser.client.cookies.clear()
    assert "/password/forgot" in (await browser.open("/sign-in")).links
    page = await reset_page(browser, auth, office)
    assert "For the account alice." in page.text

    done = await browser.send(page, "/password/reset", new_password=NEW)

    assert "/sign-in?notice=password-reset" == done.headers["Location"]
    assert {"umbra_session", LINK}.isdisjoint(browser.client.cookies)  # nobody is signed in by it
    page = await browser.follow(done)
    assert ["Your new password is set, and every session has ended. Sign in with it now."] == page.notices
    assert 303 == (await browser.send(page, "/sign-in", username="alice", password=NEW)).status_code


async def test_the_token_leaves_the_address_at_once_and_stands_on_no_page(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    await alice.post("/password/reset-request", {"username": "alice"})
    link = await last_link(auth, office)
    token = link.partition("?token=")[2]

    answer = await browser.client.get(link)

    assert (303, PAGES[Purpose.RESET_PASSWORD]) == (answer.status_code, answer.headers["Location"])
    assert "no-referrer" == answer.headers["Referrer-Policy"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert f"{LINK}={token}; Max-Age=1800; HttpOnly; SameSite=Lax; Path=/" == answer.headers["Set-Cookie"]
    page = await browser.follow(answer)
    assert token not in page.text + str(page.answer.url)


async def test_a_program_that_follows_links_uses_none_up(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    page = await reset_page(browser, auth, office)
    for _ in range(3):
        await browser.open(PAGES[Purpose.RESET_PASSWORD])
        await browser.client.head(PAGES[Purpose.RESET_PASSWORD])
    assert 303 == (await browser.send(page, "/password/reset", new_password=NEW)).status_code


async def test_a_bad_password_is_told_beside_its_field_and_the_link_stays_good(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    page = await reset_page(browser, auth, office)
    refused = sound(await browser.send(page, "/password/reset", new_password="too short"), 422)
    assert ["Use at least 15 characters."] == refused.errors
    assert {"new_password"} == refused.described
    assert 303 == (await browser.send(refused, "/password/reset", new_password=NEW)).status_code


@pytest.mark.parametrize("query", ["", "?token=", "?token=uml_wrong", "?token=" + "x" * 5000, "?token=%00%ff"])
async def test_a_link_that_is_none_says_where_to_get_another(alice: Person, browser: Browser, query: str) -> None:
    answer = await browser.client.get(PAGES[Purpose.RESET_PASSWORD] + query)
    while 303 == answer.status_code:
        answer = await browser.client.get(answer.headers["Location"])
    page = sound(answer, 400)
    assert ["This link is not in use"] == page.headings
    assert "/password/forgot" in page.links


async def test_a_used_link_says_so(alice: Person, browser: Browser, auth: Auth, office: PostOffice) -> None:
    page = await reset_page(browser, auth, office)
    token = browser.client.cookies[LINK]
    await browser.send(page, "/password/reset", new_password=NEW)
    browser.client.cookies.set(LINK, token)
    sound(await browser.send(page, "/password/reset", new_password="a third horse battery staple 5"), 400)


async def test_another_site_can_press_no_button(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    await reset_page(browser, auth, office)
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path, form in (("/password/reset", {"new_password": NEW}), ("/password/forgot", {"username": "alice"})):
        sound(await browser.client.post(path, data=form, headers=foreign), 403)
    assert 1 == len(office.deliveries)


async def test_a_crowd_of_requests_is_told_to_wait(alice: Person, browser: Browser) -> None:
    page = await browser.open("/password/forgot")
    answers = [await browser.send(page, "/password/forgot", username="nobody") for _ in range(6)]
    assert [303] * 5 == [one.status_code for one in answers[:5]]
    assert "There were too many wrong attempts. Wait 30 seconds, then try again." in sound(answers[5], 429).errors


@pytest.mark.parametrize("form", [{}, {"username": " "}])
async def test_a_name_is_wanted(alice: Person, browser: Browser, form: dict[str, str]) -> None:
    await browser.open("/password/forgot")
    refused = sound(await browser.client.post("/password/forgot", data=form, headers=SENT_BY_BROWSERS), 422)
    assert ["Enter the user name."] == refused.errors or {"username"} == refused.described


async def test_without_a_mail_server_there_are_no_such_pages(client: httpx.AsyncClient, auth: Auth) -> None:
    quiet = replace(auth, settings=auth.settings.model_copy(update={"smtp_url": None, "mail_from": None}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(quiet)), base_url=BASE_URL) as one:
        browser = Browser(one)
        assert "/password/forgot" not in (await browser.open("/sign-in")).links
        await browser.open("/password/forgot", 404)
        await browser.open("/password/reset", 404)


async def undo_page(alice: Person, browser: Browser, auth: Auth, office: PostOffice) -> Page:
    """Sign in from a new browser, and follow the link of the mail about it."""
    browser.client.cookies.clear()
    await alice.sign_in()
    return await browser.follow(await browser.client.get(await last_link(auth, office)))


async def test_whoever_did_not_sign_in_ends_every_session_with_one_button(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    page = await undo_page(alice, browser, auth, office)
    assert "the account alice" in page.text
    await browser.open(PAGES[Purpose.END_SESSIONS])
    assert 200 == (await alice.get("/session")).status_code

    done = await browser.send(page, "/undo")

    assert "/sign-in?notice=undone" == done.headers["Location"]
    assert LINK not in browser.client.cookies
    assert ["That is done."] == [one[:13] for one in (await browser.follow(done)).notices]
    assert 401 == (await alice.get("/session")).status_code


async def test_an_undo_that_was_done_says_where_to_go(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    page = await undo_page(alice, browser, auth, office)
    token = browser.client.cookies[LINK]
    await browser.send(page, "/undo")
    browser.client.cookies.set(LINK, token)
    for answer in (await browser.send(page, "/undo"), await browser.client.get(f"/undo?token={token}")):
        again = sound(answer, 400)
        assert ["This link is not in use"] == again.headings
        assert "/sign-in" in again.links


async def test_whoever_did_not_turn_it_off_turns_it_on_again_with_one_button(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    await alice.enrol()
    body = {"password": alice.password, "code": alice.fresh_code()}
    assert 204 == (await alice.post("/totp/disable", body)).status_code
    page = await browser.follow(await browser.client.get(await last_link(auth, office)))
    assert "with the authenticators that were removed" in page.text
    assert not (await alice.get("/totp/status")).json()["enabled"]

    done = await browser.send(page, "/undo")

    assert "/sign-in?notice=restored" == done.headers["Location"]
    assert "Two-step sign-in is on again" in (await browser.follow(done)).notices[0]
    assert "mfa_required" == (await alice.login()).json()["status"]


async def test_after_a_backup_code_the_page_says_which_sessions_end(
    alice: Person, browser: Browser, auth: Auth, office: PostOffice
) -> None:
    await alice.enrol()
    assert 200 == (await alice.verify(backup_code=alice.backup_codes[0])).status_code
    page = await browser.follow(await browser.client.get(await last_link(auth, office)))
    assert "Every session ends that was begun or confirmed since" in page.text
    assert "/sign-in?notice=undone" == (await browser.send(page, "/undo")).headers["Location"]
