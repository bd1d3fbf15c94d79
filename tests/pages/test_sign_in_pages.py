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
    return await browser.follow(
        await browser.send(page, "/sign-in", username=person.username, password=person.password)
    )


async def _backup_code_page(person: Person, browser: Browser) -> Page:
    page = await _code_page(person, browser)
    (address,) = [link for link in page.links if "backup-code" in link]
    return await browser.open(address)


# First run


async def test_the_first_run_page_makes_the_operators_account_once(auth: Auth, closed: Browser) -> None:
    token = await account.open_first_run(auth)
    assert token is not None
    page = await closed.follow(await closed.client.get(f"/first-run?token={token.reveal()}"))
    assert token.reveal() not in page.text + str(page.answer.url)

    made = await closed.send(page, "/first-run", username="ada", password=PASSWORD, email="ada@example.org")

    assert "/sign-in?notice=first-run" == made.headers["Location"]
    assert ["The account is made. Sign in with it now."] == (await closed.follow(made)).notices
    assert COOKIE not in closed.client.cookies
    ada = (await account.find(auth, "ada")).user
    assert (True, "ada@example.org") == (ada.is_operator, ada.email)
    again = sound(await closed.send(page, "/first-run", username="eve", password=PASSWORD), 404)
    assert ["This address is not in use"] == again.headings
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
    page = await closed.follow(await closed.client.get(f"/first-run?token={token.reveal()}"))

    refused = sound(await closed.send(page, "/first-run", username="ada", password="too short"), 422)

    assert ["Use at least 15 characters."] == refused.errors
    assert {"password"} == refused.described
    assert "ada" == refused.form("/first-run").values["username"]
    assert 303 == (await closed.send(refused, "/first-run", password=PASSWORD)).status_code


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
    assert ["Another account has this user name. Choose another one."] == refused.errors
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

    assert ["The user name or the password is not right."] == refused.errors
    assert {"username"} == refused.described
    assert username == refused.form("/sign-in").values["username"]
    assert "an attempt at it" not in refused.text
    assert "Set-Cookie" not in refused.answer.headers


async def test_a_blank_field_is_told_by_its_label(browser: Browser) -> None:
    page = await browser.open("/sign-in")
    refused = sound(await browser.send(page, "/sign-in", username="alice"), 422)
    assert (["Enter the password."], {"password"}) == (refused.errors, refused.described)


async def test_too_many_wrong_passwords_have_to_wait(alice: Person, browser: Browser) -> None:
    alice.client.cookies.clear()
    page = await browser.open("/sign-in")
    for _ in range(5):
        await browser.send(page, "/sign-in", username="alice", password="wrong")

    refused = sound(await browser.send(page, "/sign-in", username="alice", password="wrong"), 429)

    assert ["There were too many wrong attempts. Wait 30 seconds, then try again."] == refused.errors
    assert "30" == refused.answer.headers["Retry-After"]


# The code step


async def test_a_right_password_alone_leads_to_the_code_page_and_signs_nobody_in(
    enrolled: Person, browser: Browser
) -> None:
    enrolled.client.cookies.clear()
    page = await browser.open("/sign-in")

    asked = await browser.send(page, "/sign-in", username="alice", password=enrolled.password)

    assert "/sign-in/code" == asked.headers["Location"]
    cookie = asked.headers["Set-Cookie"]
    assert cookie.startswith("umbra_challenge=umc_")
    assert cookie.endswith("; Max-Age=300; HttpOnly; SameSite=Lax; Path=/")
    page = await browser.follow(asked)
    assert ["Enter your code"] == page.headings
    assert "umc_" not in page.text
    assert 303 == (await browser.client.get("/security")).status_code


async def test_the_code_page_has_one_field_that_phones_and_password_managers_know(
    enrolled: Person, browser: Browser
) -> None:
    page = await _code_page(enrolled, browser)
    assert {"code": ""} == page.form("/sign-in/code").values
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    assert "maxlength" not in page.text
    page = await _backup_code_page(enrolled, browser)
    assert {"backup_code": ""} == page.form("/sign-in/code").values


async def test_a_code_signs_in_once(enrolled: Person, browser: Browser) -> None:
    code = enrolled.fresh_code()
    signed_in = await browser.send(await _code_page(enrolled, browser), "/sign-in/code", code=f"{code[:3]} {code[3:]}")
    assert "/security" == signed_in.headers["Location"]
    assert "alice" in (await browser.follow(signed_in)).text

    page = await _code_page(enrolled, browser)
    refused = sound(await browser.send(page, "/sign-in/code", code=code), 400)

    assert ["This code is not right, or no longer good. Wait until your app shows the next one."] == refused.errors
    assert {"code"} == refused.described
    assert code not in refused.text
    assert COOKIE not in browser.client.cookies
    again = await browser.send(refused, "/sign-in/code", code=enrolled.fresh_code())
    assert "/security" == again.headers["Location"]


async def test_a_backup_code_signs_in_and_the_next_page_says_so(enrolled: Person, browser: Browser) -> None:
    page = await _backup_code_page(enrolled, browser)

    signed_in = await browser.send(page, "/sign-in/code", backup_code=enrolled.backup_codes[0])

    page = await browser.follow(signed_in)
    assert ["You signed in with a backup code, which is used up now."] == page.notices
    assert "9 of 10 left" in page.text


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        ("", 422, "Enter the six digits that your app shows, or a backup code."),
        ("0000-0000", 422, "Enter the 20 letters and digits of a backup code, as they were shown."),
        ("0000-0000-0000-0000-0001", 422, "Check this backup code: there is a typing error in it."),
        ("0000-0000-0000-0000-0000", 400, "This backup code is not right, or has been used. Try another one."),
    ],
)
async def test_a_refused_backup_code_is_told_at_its_field(
    enrolled: Person, browser: Browser, typed: str, status: int, told: str
) -> None:
    page = await _backup_code_page(enrolled, browser)

    refused = sound(await browser.send(page, "/sign-in/code", backup_code=typed), status)

    assert ([told], {"backup_code"}) == (refused.errors, refused.described)
    assert ["Enter a backup code"] == refused.headings


async def test_both_codes_at_once_are_refused(enrolled: Person, browser: Browser) -> None:
    await _code_page(enrolled, browser)
    both = {"code": "123456", "backup_code": enrolled.backup_codes[0]}
    refused = sound(await browser.client.post("/sign-in/code", data=both, headers=SENT_BY_BROWSERS), 422)
    assert ["Enter a code or a backup code, and not both."] == refused.errors


@pytest.mark.parametrize("end", ["time", "alteration"])
async def test_a_challenge_that_is_over_leads_back_to_the_password(
    enrolled: Person, browser: Browser, clock: FixedClock, end: str
) -> None:
    page = await _code_page(enrolled, browser)
    if end == "time":
        clock.move(timedelta(minutes=5))
    else:
        browser.client.cookies.set("umbra_challenge", "umc_altered")

    refused = sound(await browser.send(page, "/sign-in/code", code=enrolled.fresh_code()), 401)

    assert ["Sign in"] == refused.headings
    assert ["This sign-in took too long, or had too many wrong codes. Start again here."] == refused.errors
    assert "umbra_challenge=; Max-Age=0" in refused.answer.headers["Set-Cookie"]


async def test_too_many_wrong_codes_have_to_wait(enrolled: Person, browser: Browser) -> None:
    page = await _code_page(enrolled, browser)
    for _ in range(5):
        sound(await browser.send(page, "/sign-in/code", code=enrolled.wrong_code()), 400)

    refused = sound(await browser.send(page, "/sign-in/code", code=enrolled.wrong_code()), 429)

    assert ["There were too many wrong attempts. Wait 30 seconds, then try again."] == refused.errors
    assert "30" == refused.answer.headers["Retry-After"]


async def test_the_code_step_opened_by_its_address_begins_with_the_password(browser: Browser) -> None:
    assert "/sign-in" == (await browser.client.get("/sign-in/code")).headers["Location"]
    wanted = await browser.client.get("/sign-in/code?next=%2Fsecurity%2Factivity")
    assert "/sign-in?next=%2Fsecurity%2Factivity" == wanted.headers["Location"]


# Coming and going


@pytest.mark.parametrize("is_enrolled", [False, True])
async def test_whoever_wanted_a_page_gets_it_after_signing_in(
    alice: Person, browser: Browser, *, is_enrolled: bool
) -> None:
    if is_enrolled:
        await alice.enrol()
    alice.client.cookies.clear()
    sent = await browser.client.get("/security/activity")
    assert "/sign-in?next=%2Fsecurity%2Factivity" == sent.headers["Location"]

    page = await browser.follow(sent)
    answer = await browser.send(page, "/sign-in", username="alice", password=alice.password)
    if is_enrolled:
        page = await browser.follow(answer)
        page = sound(await browser.send(page, "/sign-in/code", code=alice.wrong_code()), 400)
        answer = await browser.send(page, "/sign-in/code", code=alice.fresh_code())

    assert "/security/activity" == answer.headers["Location"]
    assert "/security/activity" == (await browser.client.get("/sign-in?next=/security/activity")).headers["Location"]


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\t//evil.example", "javascript:alert(1)", "evil",
     "/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "/" + "x" * 2000, ""],
)  # fmt: skip
async def test_nobody_is_sent_to_another_site_after_signing_in(alice: Person, browser: Browser, elsewhere: str) -> None:
    signed_in = await browser.client.get("/sign-in", params={"next": elsewhere})
    assert "/security" == signed_in.headers["Location"]
    alice.client.cookies.clear()
    page = sound(await browser.client.get("/sign-in", params={"next": elsewhere}))
    assert "next" not in page.form("/sign-in").values
    form = {"username": "alice", "password": alice.password, "next": elsewhere}
    answer = await browser.client.post("/sign-in", data=form, headers=SENT_BY_BROWSERS)
    assert "/security" == answer.headers["Location"]


async def test_what_a_request_calls_the_host_is_in_no_address(browser: Browser) -> None:
    answer = await browser.client.get("/security", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "/sign-in" == answer.headers["Location"]
    page = sound(await browser.client.get("/sign-in", headers={"Host": "evil.example"}))
    assert "evil" not in page.text


async def test_home_is_the_security_page_for_whoever_is_signed_in(alice: Person, browser: Browser) -> None:
    assert "/security" == (await browser.client.get("/")).headers["Location"]
    assert "/security" == (await browser.client.get("/sign-in")).headers["Location"]
    alice.client.cookies.clear()
    assert "/sign-in" == (await browser.client.get("/")).headers["Location"]


async def test_signing_out_ends_the_session_and_takes_the_cookie(alice: Person, browser: Browser) -> None:
    token = alice.client.cookies[COOKIE]

    gone = await browser.send(await browser.open("/security"), "/sign-out")

    assert "umbra_session=; Max-Age=0; HttpOnly; SameSite=Lax; Path=/" == gone.headers["Set-Cookie"]
    assert "/sign-in?notice=signed-out" == gone.headers["Location"]
    assert ["You are signed out."] == (await browser.follow(gone)).notices
    alice.client.cookies.set(COOKIE, token)
    assert "/sign-in" == (await browser.client.get("/security")).headers["Location"]
