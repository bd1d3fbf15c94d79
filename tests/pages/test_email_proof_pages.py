"""The page that asks for the code from a mail, in front of the first set-up and of another mail address."""

from datetime import timedelta
from functools import partial

import httpx
import pytest

from pages.browsing import Browser, Page, sound
from support.mail import PostOffice, free_port, mailed_code, mailing
from support.people import Person
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE

ALICES, NEW = "alice@example.com", "alice@example.org"
PROOF, SEND = "/security/email-proof", "/security/email-proof/send"


@pytest.fixture
def auth(auth: Auth) -> Auth:
    """An installation with a mail server."""
    return mailing(auth, PostOffice(free_port()))


@pytest.fixture
async def alice(auth: Auth, client: httpx.AsyncClient, clock: FixedClock) -> Person:
    """Somebody with an address, signed in with nothing but a password."""
    person = Person("alice", client, clock, email=ALICES, mailed_code=partial(mailed_code, auth))
    await person.register()
    await person.sign_in()
    return person


async def begun(browser: Browser, name: str = "Phone") -> Page:
    """Ask for a set-up, and return the page that wants a code first."""
    page = await browser.open("/security")
    return sound(await browser.send(page, "/security/setup", name=name), 403)


async def sent(browser: Browser, page: Page) -> Page:
    """Have a code mailed, and return the page that takes it."""
    return sound(await browser.send(page, SEND))


async def test_the_first_set_up_asks_for_a_code_from_the_mail_and_goes_on_with_what_was_typed(
    alice: Person, browser: Browser, auth: Auth
) -> None:
    page = await begun(browser)
    assert ["Confirm your mail address"] == page.headings
    assert ALICES in page.text
    assert {SEND} == {form.action for form in page.forms} - {"/sign-out"}

    page = await sent(browser, page)
    answer = await browser.send(page, PROOF, mailed_code=(await mailed_code(auth)).lower())
    page = await browser.follow(answer)
    assert ["Add an authenticator"] == page.headings

    status = (await alice.post("/totp/setup")).json()
    confirm = await browser.open("/security/confirm")
    done = sound(await browser.send(confirm, "/security/confirm", code=alice.code(secret=status["secret"])))
    assert 10 == len(done.codes)
    (app,) = (await alice.get("/totp/status")).json()["authenticators"]
    assert "Phone" == app["name"]


async def test_a_browser_offers_the_code_and_changes_nothing_of_it(alice: Person, browser: Browser) -> None:
    page = await sent(browser, await begun(browser))
    assert (
        'name="mailed_code" type="text" autocomplete="one-time-code" class="letters" autocapitalize="none"' in page.text
    )


async def test_looking_mails_nothing(alice: Person, browser: Browser, auth: Auth) -> None:
    await begun(browser)
    page = await browser.open(PROOF)
    assert {SEND} == {form.action for form in page.forms} - {"/sign-out"}


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        ("", 422, "Enter the code from the mail."),
        ("4F7K", 422, "Enter the eight letters and digits from the mail, such as 4F7K-2M9Q."),
        ("0000-0000", 400, "This code is not right, or no longer good. Look at the newest mail, or get another one."),
    ],
)
async def test_a_code_that_is_refused_is_told_at_its_field_and_what_was_asked_for_still_waits(
    alice: Person, browser: Browser, auth: Auth, typed: str, status: int, told: str
) -> None:
    page = await sent(browser, await begun(browser))
    refused = sound(await browser.send(page, PROOF, mailed_code=typed), status)
    assert ([told], {"mailed_code"}) == (refused.errors, refused.described)
    page = await browser.follow(await browser.send(refused, PROOF, mailed_code=await mailed_code(auth)))
    assert ["Add an authenticator"] == page.headings


async def test_another_code_is_sent_from_the_same_page(alice: Person, browser: Browser, auth: Auth) -> None:
    page = await sent(browser, await begun(browser))
    old = await mailed_code(auth)
    page = await sent(browser, page)
    refused = sound(await browser.send(page, PROOF, mailed_code=old), 400)
    await browser.follow(await browser.send(refused, PROOF, mailed_code=await mailed_code(auth)))


async def test_the_sixth_mail_of_an_hour_is_refused_on_the_page(alice: Person, browser: Browser) -> None:
    page = await begun(browser)
    for _ in range(5):
        page = await sent(browser, page)
    refused = sound(await browser.send(page, SEND), 429)
    assert [
        "We have sent several codes already. Look at the newest mail, or wait 60 minutes for another one."
    ] == refused.errors


async def test_a_stale_session_proves_the_password_first_and_then_the_address(
    alice: Person, browser: Browser, auth: Auth, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=11))
    page = await begun(browser)
    assert ["Confirm that it is you"] == page.headings
    page = sound(await browser.send(page, "/security/step-up", password=alice.password), 403)
    assert ["Confirm your mail address"] == page.headings
    page = await sent(browser, page)
    page = await browser.follow(await browser.send(page, PROOF, mailed_code=await mailed_code(auth)))
    assert ["Add an authenticator"] == page.headings


async def test_a_proof_that_is_over_when_the_code_of_the_app_is_typed_is_given_anew(
    alice: Person, browser: Browser, auth: Auth, clock: FixedClock
) -> None:
    page = await sent(browser, await begun(browser))
    await browser.send(page, PROOF, mailed_code=await mailed_code(auth))
    clock.move(timedelta(minutes=9))
    secret = (await alice.post("/totp/setup", {"new_secret": True})).json()["secret"]
    confirm = await browser.open("/security/confirm")
    clock.move(timedelta(minutes=1))
    page = sound(await browser.send(confirm, "/security/confirm", code=alice.code(secret=secret)), 403)
    page = await sent(browser, page)
    page = await browser.follow(await browser.send(page, PROOF, mailed_code=await mailed_code(auth)))
    assert ["Type the code"] == page.headings
    sound(await browser.send(page, "/security/confirm", code=alice.code(secret=secret)))


async def test_another_address_wants_a_code_from_the_old_one_and_one_from_the_new_one(
    alice: Person, browser: Browser, auth: Auth
) -> None:
    page = await browser.open("/security/account")
    page = await sent(browser, sound(await browser.send(page, "/security/email", email=NEW), 403))
    page = await browser.follow(await browser.send(page, PROOF, mailed_code=await mailed_code(auth)))
    assert NEW in page.text
    assert SEND not in {form.action for form in page.forms}

    page = await browser.follow(await browser.send(page, PROOF, mailed_code=await mailed_code(auth)))
    assert ["Your mail address is changed."] == page.notices
    assert NEW == (await account.find(auth, "alice")).user.email


async def test_a_wrong_code_for_a_new_address_is_asked_for_again(alice: Person, browser: Browser, auth: Auth) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)
    page = await browser.open("/security/account")
    page = await browser.follow(await browser.send(page, "/security/email", email=NEW))
    page = sound(await browser.send(page, PROOF, mailed_code="0000-0000"), 400)
    assert NEW in page.text
    await browser.follow(await browser.send(page, PROOF, mailed_code=await mailed_code(auth)))
    assert NEW == (await account.find(auth, "alice")).user.email


async def test_a_code_that_waits_for_a_new_address_is_not_asked_for_by_a_set_up(
    alice: Person, browser: Browser, auth: Auth
) -> None:
    await alice.prove_email()
    page = await browser.open("/security/account")
    await browser.follow(await browser.send(page, "/security/email", email=NEW))
    page = await begun(browser)
    assert {SEND} == {form.action for form in page.forms} - {"/sign-out"}
    assert NEW not in page.text


async def test_after_a_change_of_the_second_factor_the_address_stays_and_the_page_says_why(
    alice: Person, browser: Browser, auth: Auth
) -> None:
    await alice.enrol()
    page = await browser.open("/security/account")
    refused = sound(await browser.send(page, "/security/email", email=NEW), 409)
    (told,) = refused.errors
    assert told.startswith("Your authenticators or backup codes were changed less than three days ago.")
    assert NEW == refused.form("/security/email").values["email"]


async def test_whoever_has_nothing_to_prove_is_sent_on(alice: Person, browser: Browser, auth: Auth) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)
    page = await browser.follow(await alice.client.get(PROOF))
    assert ["Security"] == page.headings


async def test_the_page_speaks_german(alice: Person, browser: Browser) -> None:
    alice.client.headers["Accept-Language"] = "de"
    page = await sent(browser, await begun(browser))
    assert (["Bestätigen Sie Ihre Mailadresse"], "de") == (page.headings, page.language)
