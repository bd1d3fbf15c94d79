"""First run, registration, sign-in and sign-out in a browser without script."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from pages.browsing import SENT_BY_BROWSERS, Browser, Page, sound
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.signin import account

COOKIE = "umbra_session"
PASSWORD = "correct horse battery staple 9"


@pytest.fixture
async def closed(auth: Auth) -> AsyncIterator[Browser]:
    """A browser in front of a service where the operator makes the accounts."""
    settings = auth.settings.model_copy(update={"registration": "closed"})
    transport = httpx.ASGITransport(app=application(replace(auth, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield Browser(client)


async def _code_page(person: Person, browser: Browser) -> Page:
    person.client.cookies.clear()
    page = await browser.open("/sign-in")
    return sound(await browser.send(page, "/sign-in", username=person.username, password=person.password))


# First run


async def test_the_first_run_page_makes_the_operators_account_once(auth: Auth, closed: Browser) -> None:
    token = await account.open_first_run(auth)
    assert token is not None
    address = f"/first-run?token={token.reveal()}"
    page = await closed.open(address)

    made = await closed.send(page, None, username="ada", password=PASSWORD, email="ada@example.org")

    assert "/sign-in?notice=first-run" == made.headers["Location"]
    assert ["The account is made. Sign in with it now."] == (await closed.follow(made)).notices
    assert COOKIE not in closed.client.cookies
    ada = (await account.find(auth, "ada")).user
    assert (True, "ada@example.org") == (ada.is_operator, ada.email)
    again = sound(await closed.send(page, None, username="eve", password=PASSWORD), 404)
    assert ["No longer good. It was used, or the server has printed another."] == again.alerts
    assert "umbra users add" in again.text


@pytest.mark.parametrize("query", ["", "?token=", "?token=umf_wrong", "?token=" + "x" * 5000, "?token=%00%ff"])
async def test_an_address_that_is_no_first_run_address_says_what_to_do(auth: Auth, closed: Browser, query: str) -> None:
    await account.open_first_run(auth)
    page = await closed.open("/first-run" + query, 404)
    assert "umbra users add NAME --operator" in page.text
    assert [] == page.forms


async def test_a_bad_password_leaves_the_first_run_address_good(auth: Auth, closed: Browser) -> None:
    token = await account.open_first_run(auth)
    assert token is not None
    page = await closed.open(f"/first-run?token={token.reveal()}")

    refused = sound(await closed.send(page, None, username="ada", password="too short"), 422)

    assert ["Password refused. Choose another password: use at least 15 characters."] == refused.alerts
    assert {"username", "email", "password"} == refused.described
    assert "ada" == refused.form(None).values["username"]
    assert 303 == (await closed.send(refused, None, password=PASSWORD)).status_code


# Registration


async def test_there_is_no_registration_page_where_registration_is_closed(closed: Browser) -> None:
    await closed.open("/register", 404)
    form = {"username": "bob", "password": PASSWORD}
    sound(await closed.client.post("/register", data=form, headers=SENT_BY_BROWSERS), 404)
    assert "/register" not in (await closed.open("/sign-in")).links


async def test_whoever_registers_can_sign_in(browser: Browser) -> None:
    assert "/register" in (await browser.open("/sign-in")).links
    page = await browser.open("/register")

    page = await browser.follow(await browser.send(page, "/register", username="bob", password=PASSWORD))

    signed_in = await browser.send(page, "/sign-in", username="bob", password=PASSWORD)
    assert "bob" in (await browser.follow(signed_in)).text


async def test_a_name_that_is_taken_is_told_beside_the_form(alice: Person, browser: Browser) -> None:
    page = await browser.open("/register")
    refused = sound(await browser.send(page, "/register", username="ALICE", password=PASSWORD, email="a@b"), 409)
    assert ["User name taken. Another account has this name."] == refused.alerts
    assert {"username": "ALICE", "email": "a@b", "password": ""} == refused.form("/register").values


# The password step


async def test_a_password_signs_in_where_there_is_no_second_factor(alice: Person, browser: Browser) -> None:
    alice.client.cookies.clear()
    page = await browser.open("/sign-in")

    signed_in = await browser.send(page, "/sign-in", username="alice", password=alice.password)

    assert "/security" == signed_in.headers["Location"]
    cookie = signed_in.headers["Set-Cookie"]
    assert cookie.startswith("umbra_session=ums_")
    assert cookie.endswith("; HttpOnly; SameSite=Lax; Path=/")
    assert "alice" in (await browser.follow(signed_in)).text


@pytest.mark.parametrize("username", ["alice", "nobody", "<script>"])
async def test_a_wrong_password_and_an_unknown_name_read_alike(alice: Person, browser: Browser, username: str) -> None:
    alice.client.cookies.clear()
    page = await browser.open("/sign-in")

    refused = sound(await browser.send(page, "/sign-in", username=username, password="an attempt at it"), 401)

    assert ["Sign-in refused. User name or password is wrong."] == refused.alerts
    assert {"username", "password"} == refused.described
    assert username == refused.form("/sign-in").values["username"]
    assert refused.title.startswith("Problem: ")
    assert "an attempt at it" not in refused.text
    assert "Set-Cookie" not in refused.answer.headers


async def test_a_blank_field_is_told_by_its_label(browser: Browser) -> None:
    page = await browser.open("/sign-in")
    refused = sound(await browser.send(page, "/sign-in", username="alice"), 422)
    assert ["Check the form. Password: is required."] == refused.alerts


async def test_too_many_wrong_passwords_have_to_wait(alice: Person, browser: Browser) -> None:
    alice.client.cookies.clear()
    page = await browser.open("/sign-in")
    for _ in range(5):
        await browser.send(page, "/sign-in", username="alice", password="wrong")

    refused = sound(await browser.send(page, "/sign-in", username="alice", password="wrong"), 429)

    assert ["Too many attempts. Wait 30 seconds before the next attempt."] == refused.alerts
    assert "30" == refused.answer.headers["Retry-After"]


# The code step


async def test_a_right_password_alone_shows_the_code_page_and_sets_no_cookie(
    enrolled: Person, browser: Browser
) -> None:
    page = await _code_page(enrolled, browser)

    assert ["Enter your code"] == page.headings
    assert "Set-Cookie" not in page.answer.headers
    assert all(form.values["mfa_token"].startswith("umc_") for form in page.forms)
    assert 303 == (await browser.client.get("/security")).status_code


async def test_a_code_signs_in_once(enrolled: Person, browser: Browser) -> None:
    code = enrolled.fresh_code()
    signed_in = await browser.send(await _code_page(enrolled, browser), "/sign-in/code", code=f"{code[:3]} {code[3:]}")
    assert "/security" == signed_in.headers["Location"]
    assert "alice" in (await browser.follow(signed_in)).text

    page = await _code_page(enrolled, browser)
    refused = sound(await browser.send(page, "/sign-in/code", code=code), 400)

    assert ["Code refused. The code is not right, or no longer good."] == refused.alerts
    assert {"code"} == refused.described
    assert code not in refused.text
    assert COOKIE not in browser.client.cookies
    again = await browser.send(refused, "/sign-in/code", code=enrolled.fresh_code())
    assert "/security" == again.headers["Location"]


async def test_a_backup_code_signs_in_and_the_next_page_says_so(enrolled: Person, browser: Browser) -> None:
    page = await _code_page(enrolled, browser)
    assert 0 == page.open_details

    signed_in = await browser.send(page, "/sign-in/code", backup_code=enrolled.backup_codes[0])

    page = await browser.follow(signed_in)
    assert ["You signed in with a backup code, which is used up now."] == page.notices
    assert "9 of 10 left" in page.text


async def test_a_refused_backup_code_keeps_its_field_open(enrolled: Person, browser: Browser) -> None:
    page = await _code_page(enrolled, browser)

    refused = sound(await browser.send(page, "/sign-in/code", backup_code="0000-0000"), 422)

    assert ["Check the form. Backup code: must be 20 letters and digits, as they were shown."] == refused.alerts
    assert ({"backup_code"}, 1) == (refused.described, refused.open_details)


async def test_both_codes_at_once_are_refused(enrolled: Person, browser: Browser) -> None:
    token = (await _code_page(enrolled, browser)).form("/sign-in/code").values["mfa_token"]
    both = {"mfa_token": token, "code": "123456", "backup_code": enrolled.backup_codes[0]}
    refused = sound(await browser.client.post("/sign-in/code", data=both, headers=SENT_BY_BROWSERS), 422)
    assert ["Check the form. Code: fill in either the code or a backup code."] == refused.alerts


@pytest.mark.parametrize("end", ["time", "alteration"])
async def test_a_challenge_that_is_over_leads_back_to_the_password(
    enrolled: Person, browser: Browser, clock: FixedClock, end: str
) -> None:
    page = await _code_page(enrolled, browser)
    if end == "time":
        clock.move(timedelta(minutes=5))
    else:
        page.forms[0].values["mfa_token"] = ""

    refused = sound(await browser.send(page, "/sign-in/code", code=enrolled.fresh_code()), 401)

    assert ["Sign in"] == refused.headings
    assert ["Sign-in expired. Start again with your password."] == refused.alerts


async def test_too_many_wrong_codes_have_to_wait(enrolled: Person, browser: Browser) -> None:
    page = await _code_page(enrolled, browser)
    for _ in range(5):
        sound(await browser.send(page, "/sign-in/code", code=enrolled.wrong_code()), 400)

    refused = sound(await browser.send(page, "/sign-in/code", code=enrolled.wrong_code()), 429)

    assert ["Too many attempts. Wait 30 seconds before the next attempt."] == refused.alerts
    assert "30" == refused.answer.headers["Retry-After"]


async def test_the_code_step_opened_by_its_address_begins_with_the_password(browser: Browser) -> None:
    assert "/sign-in" == (await browser.client.get("/sign-in/code")).headers["Location"]


# Coming and going


async def test_home_is_the_security_page_for_whoever_is_signed_in(alice: Person, browser: Browser) -> None:
    assert "/security" == (await browser.client.get("/")).headers["Location"]
    assert "/security" == (await browser.client.get("/sign-in")).headers["Location"]
    alice.client.cookies.clear()
    assert "/sign-in" == (await browser.client.get("/")).headers["Location"]


async def test_signing_out_ends_the_session_and_takes_the_cookie(alice: Person, browser: Browser) -> None:
    token = alice.client.cookies[COOKIE]

    gone = await browser.send(await browser.open("/security"), "/sign-out")

    assert "umbra_session=; Max-Age=0; HttpOnly; SameSite=Lax; Path=/" == gone.headers["Set-Cookie"]
    assert ["You are signed out."] == (await browser.follow(gone)).notices
    alice.client.cookies.set(COOKIE, token)
    assert "/sign-in" == (await browser.client.get("/security")).headers["Location"]
