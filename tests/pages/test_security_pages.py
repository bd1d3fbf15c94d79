"""Second factor, password and sessions in a browser without script."""

import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from pages.browsing import SENT_BY_BROWSERS, Browser, Page, sound
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.pages import returning, stepup

COOKIE = "umbra_session"
WRONG_CODE = "This code is not right, or no longer good. Wait until your app shows the next one."
LAST = "This is your only authenticator. Add another one first, or turn two-step sign-in off."


@pytest.fixture
async def elsewhere(auth: Auth, clock: FixedClock, enrolled: Person) -> AsyncIterator[Person]:
    """Alice again, in another browser, signed in with a code."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers={"User-Agent": "Netscape"}) as other:
        person = Person("alice", other, clock, secret=enrolled.secret)
        await person.sign_in()
        yield person


async def _begin(browser: Browser, name: str = "") -> Page:
    """Return the first step of a set-up."""
    page = await browser.open("/security")
    return await browser.follow(await browser.send(page, "/security/setup", name=name))


async def _second_step(browser: Browser, page: Page) -> Page:
    assert "/security/confirm" in page.links
    return await browser.open("/security/confirm")


def _secret(page: Page) -> str:
    return page.codes[0].replace(" ", "")


async def _names(person: Person) -> list[str]:
    return [one["name"] for one in (await person.get("/totp/status")).json()["authenticators"]]


async def _is_alive(person: Person) -> bool:
    return 200 == int((await person.get("/session")).status_code)


# Setting up


async def test_the_security_page_says_who_is_signed_in_and_that_the_second_factor_is_off(
    alice: Person, browser: Browser
) -> None:
    page = await browser.open("/security")
    assert '<span class="for-readers">Signed in as</span> alice' in page.text
    assert '<span class="badge care">Off</span>' in page.text
    assert {"/sign-out", "/security/setup"} == {form.action for form in page.forms}


async def test_setting_up_shows_the_key_in_three_ways_and_the_same_one_again(alice: Person, browser: Browser) -> None:
    page = await _begin(browser, "Phone")

    secret = _secret(page)
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", page.codes[0])
    (picture,) = page.images
    assert picture.startswith("data:image/png;base64,")
    (link,) = [link for link in page.links if link.startswith("otpauth:")]
    assert f"otpauth://totp/Umbra:alice?secret={secret}&issuer=Umbra" == link
    assert secret == _secret(await _begin(browser))
    assert "You have begun already" in (await browser.open("/security")).text
    assert [] == await _names(alice)


async def test_the_first_code_switches_it_on_and_shows_ten_backup_codes_once(alice: Person, browser: Browser) -> None:
    page = await _begin(browser, "Phone")
    before = alice.client.cookies[COOKIE]

    code = alice.fresh_code(_secret(page))
    page = sound(await browser.send(await _second_step(browser, page), "/security/confirm", code=code))

    assert 10 == len(set(page.codes))
    assert before != alice.client.cookies[COOKIE]
    assert "no-referrer" == page.answer.headers["Referrer-Policy"]
    alice.backup_codes = page.codes
    assert 200 == (await alice.verify(backup_code=page.codes[3])).status_code
    assert ["Phone"] == await _names(alice)
    assert page.codes[0] not in (await browser.open("/security")).text


async def test_a_second_authenticator_brings_no_codes(enrolled: Person, browser: Browser) -> None:
    page = await _begin(browser, "Tablet")
    code = enrolled.fresh_code(_secret(page))
    added = await browser.send(await _second_step(browser, page), "/security/confirm", code=code)
    assert (await browser.follow(added)).notices
    assert ["Authenticator", "Tablet"] == await _names(enrolled)


async def test_a_wrong_first_code_is_told_at_its_field_and_the_key_stays(alice: Person, browser: Browser) -> None:
    first = await _begin(browser)
    page = await _second_step(browser, first)

    again = sound(await browser.send(page, "/security/confirm", code=alice.wrong_code()), 400)

    assert [WRONG_CODE] == again.errors
    assert ({"code"}, ["Type the code"]) == (again.described, again.headings)
    assert (_secret(first), first.images) == (
        (same := await browser.open("/security/setup")).codes[0].replace(" ", ""),
        same.images,
    )
    code = alice.fresh_code(_secret(first))
    assert 200 == (await browser.send(again, "/security/confirm", code=code)).status_code


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (2, "Your phone’s clock is ahead by about 60 seconds."),
        (3, "Your phone’s clock is ahead by about 90 seconds."),
        (10, "Your phone’s clock is ahead by about 5 minutes."),
        (-2, "Your phone’s clock is behind by about 60 seconds."),
        (-8, "Your phone’s clock is behind by about 4 minutes."),
        (11, None),
        (-11, None),
    ],
)
async def test_the_first_code_of_a_phone_whose_clock_is_off_says_by_how_much(
    alice: Person, browser: Browser, steps: int, told: str | None
) -> None:
    first = await _begin(browser)
    page = await _second_step(browser, first)
    code = alice.code(steps, secret=_secret(first))

    refused = sound(await browser.send(page, "/security/confirm", code=code), 400)

    advice = " Set it to the network’s time, then type a new code."
    assert [WRONG_CODE if told is None else told + advice] == refused.errors
    on_the_json_face = await alice.post("/totp/confirm", {"code": code})
    assert "The code is not right, or no longer good." == on_the_json_face.json()["detail"]


async def test_whoever_is_not_setting_up_is_not_told_of_clocks(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    form = {"password": enrolled.password, "code": enrolled.code(3)}
    refused = sound(await browser.send(page, "/security/disable", form), 400)
    assert [WRONG_CODE] == refused.errors


async def test_no_key_is_shown_to_a_proof_that_has_become_old(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=9))
    first = await _begin(browser)
    clock.move(timedelta(minutes=2))

    asked = sound(await browser.client.get("/security/setup"), 403)

    assert (["Confirm that it is you"], []) == (asked.headings, asked.codes)
    shown = await browser.follow(await browser.send(asked, "/security/step-up", password=alice.password))
    assert _secret(first) == _secret(shown)


async def test_a_code_for_a_set_up_that_has_expired_is_told_on_the_security_page(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    first = await _begin(browser)
    page = await _second_step(browser, first)
    clock.move(timedelta(minutes=10))
    refused = sound(await browser.send(page, "/security/confirm", code=alice.code(secret=_secret(first))), 409)
    assert ["Security"] == refused.headings
    assert ["The set-up was not finished within ten minutes. Begin again."] == refused.errors


@pytest.mark.parametrize("step", ["/security/setup", "/security/confirm"])
async def test_the_steps_lead_back_where_nothing_has_been_begun(alice: Person, browser: Browser, step: str) -> None:
    assert "/security" == (await browser.client.get(step)).headers["Location"]


async def test_a_name_that_is_taken_stays_in_its_field(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    refused = sound(await browser.send(page, "/security/setup", name="AUTHENTICATOR"), 409)
    assert "AUTHENTICATOR" == refused.form("/security/setup").values["name"]
    assert ({"name"}, 1) == (refused.described, refused.open_details)
    assert ["Another authenticator of yours has this name. Choose another one."] == refused.errors


# Fresh proof


async def test_an_old_password_proof_is_renewed_in_place_and_then_it_goes_on(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=11))
    before = alice.client.cookies[COOKIE]
    page = await browser.open("/security")

    page = sound(await browser.send(page, "/security/setup", name="Phone"), 403)

    assert ["Confirm that it is you"] == page.headings
    page = sound(await browser.send(page, "/security/step-up", password="wrong"), 401)
    assert (["This is not your password."], {"password"}) == (page.errors, page.described)
    page = await browser.follow(await browser.send(page, "/security/step-up", password=alice.password))
    assert before != alice.client.cookies[COOKIE]
    code = alice.fresh_code(_secret(page))
    assert 200 == (await browser.send(await _second_step(browser, page), "/security/confirm", code=code)).status_code
    assert ["Phone"] == await _names(alice)


@pytest.mark.parametrize("kind", ["code", "backup_code"])
async def test_an_old_proof_is_renewed_with_the_second_factor(
    enrolled: Person, browser: Browser, clock: FixedClock, kind: str
) -> None:
    clock.move(timedelta(minutes=11))
    page = sound(await browser.send(await browser.open("/security"), "/security/setup", name="Tablet"), 403)
    assert "password" not in {name for form in page.forms for name in form.values}
    page = sound(await browser.send(page, "/security/step-up", code=enrolled.wrong_code()), 400)
    assert (["Confirm that it is you"], {"code"}) == (page.headings, page.described)

    proof = enrolled.fresh_code() if kind == "code" else enrolled.backup_codes[0]
    page = await browser.follow(await browser.send(page, "/security/step-up", {kind: proof}))

    assert re.fullmatch("[A-Z2-7]{32}", _secret(page))


async def test_what_is_refused_after_a_fresh_proof_is_told_where_it_was_typed(
    enrolled: Person, browser: Browser, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=11))
    page = sound(await browser.send(await browser.open("/security"), "/security/setup", name="authenticator"), 403)
    before = enrolled.client.cookies[COOKIE]

    page = sound(await browser.send(page, "/security/step-up", code=enrolled.fresh_code()), 409)

    assert (["Security"], {"name"}) == (page.headings, page.described)
    assert before != enrolled.client.cookies[COOKIE]
    await browser.follow(await browser.send(page, "/security/setup", name="Tablet"))


async def test_whoever_is_sent_for_a_fresh_proof_comes_back(alice: Person, browser: Browser) -> None:
    page = await browser.open("/security/step-up?next=/security/activity")
    proven = await browser.send(page, "/security/step-up", password=alice.password)
    assert "/security/activity" == proven.headers["Location"]
    page = await browser.open("/security/step-up?next=//evil.example")
    proven = await browser.send(page, "/security/step-up", password=alice.password)
    assert "/security" == proven.headers["Location"]


async def test_every_form_that_may_want_a_fresh_proof_is_gone_on_with() -> None:
    assert returning.HELD.keys() == stepup.GOING_ON.keys()


# Changing what is there


async def test_an_authenticator_is_renamed_and_its_name_is_text(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    renamed = await browser.send(page, "/security/rename", name="<b>Phone</b>")
    page = await browser.follow(renamed)
    assert html.escape("<b>Phone</b>") in page.text
    assert "<b>" not in page.text


async def test_a_refused_name_is_told_where_it_was_typed(enrolled: Person, browser: Browser) -> None:
    await enrolled.enrol("Tablet")
    page = await browser.open("/security")

    refused = sound(await browser.send(page, "/security/rename", number=1, name="authenticator"), 409)

    assert ["Another authenticator of yours has this name. Choose another one."] == refused.errors
    assert {"name"} == refused.described
    assert 1 == refused.open_details
    assert ["Authenticator", "authenticator"] == [
        form.values["name"] for form in refused.forms if form.action == "/security/rename"
    ]


async def test_what_is_nobodys_is_not_found(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    for number in ("0", "99999", "-1", "abc", "²", "9" * 30):
        page.form("/security/rename").values["authenticator_id"] = number
        refused = sound(await browser.send(page, "/security/rename", name="Mine"), 404)
        assert ["There is nothing here, or not any more."] == refused.errors


async def test_one_of_two_authenticators_is_removed_with_a_code(enrolled: Person, browser: Browser) -> None:
    assert "/security/remove" not in {form.action for form in (await browser.open("/security")).forms}
    await enrolled.enrol("Tablet")
    page = await browser.open("/security")
    page = sound(await browser.send(page, "/security/remove", number=1), 422)
    assert (["Enter the six digits that your app shows, or a backup code."], {"code"}) == (page.errors, page.described)

    removed = await browser.send(page, "/security/remove", number=1, code=enrolled.fresh_code())

    page = await browser.follow(removed)
    assert ["Authenticator"] == await _names(enrolled)
    last = {"csrf": page.forms[0].values["csrf"], "code": enrolled.fresh_code()}
    last["authenticator_id"] = page.form("/security/rename").values["authenticator_id"]
    refused = await browser.client.post("/security/remove", data=last, headers=SENT_BY_BROWSERS)
    assert [LAST] == sound(refused, 409).errors


async def test_turning_it_off_wants_the_password_first_and_spends_no_code_for_a_wrong_one(
    enrolled: Person, elsewhere: Person, browser: Browser
) -> None:
    page = await browser.open("/security")
    code = enrolled.fresh_code()
    page = sound(await browser.send(page, "/security/disable", password="wrong", code=code), 401)
    assert code not in page.text

    off = await browser.send(page, "/security/disable", password=enrolled.password, code=code)

    page = await browser.follow(off)
    assert ["Two-step sign-in is off, and your other sessions have ended."] == page.notices
    assert [] == await _names(enrolled)
    assert not await _is_alive(elsewhere)


async def test_new_backup_codes_are_shown_once_and_kill_the_old(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    form = {"password": enrolled.password, "code": enrolled.fresh_code()}

    page = sound(await browser.send(page, "/security/backup-codes", form))

    assert 10 == len(set(page.codes))
    assert not set(page.codes) & set(enrolled.backup_codes)
    assert "code_refused" == (await enrolled.verify(backup_code=enrolled.backup_codes[0])).json()["reason"]
    assert 200 == (await enrolled.verify(backup_code=page.codes[0])).status_code


@pytest.mark.parametrize(("used", "is_warned"), [(6, False), (7, True), (10, True)])
async def test_few_backup_codes_are_warned_about(
    enrolled: Person, browser: Browser, used: int, *, is_warned: bool
) -> None:
    for code in enrolled.backup_codes[:used]:
        assert 200 == (await enrolled.post("/step-up", {"backup_code": code})).status_code
    page = await browser.open("/security")
    assert f"{10 - used} of 10 left" in page.text
    assert is_warned == ('class="notice care"' in page.text)


# Account


async def test_the_password_changes_with_a_code_and_the_other_sessions_end(
    enrolled: Person, elsewhere: Person, browser: Browser
) -> None:
    form = {"current_password": enrolled.password, "new_password": "entirely other words 4"}
    page = await browser.open("/security/account")
    page = sound(await browser.send(page, "/security/password", form), 422)
    assert (["Enter the six digits that your app shows."], {"code"}) == (page.errors, page.described)
    assert ["Account"] == page.headings
    assert not any(password in page.text for password in form.values())

    changed = await browser.send(page, "/security/password", form, code=enrolled.fresh_code())

    page = await browser.follow(changed)
    assert ["Your password is changed, and your other sessions have ended."] == page.notices
    assert not await _is_alive(elsewhere)
    assert "credentials_refused" == (await enrolled.login()).json()["reason"]


@pytest.mark.parametrize(
    ("form", "told", "where"),
    [
        ({"current_password": "wrong"}, "This is not your password.", "current_password"),
        ({"new_password": "short"}, "Use at least 15 characters.", "new_password"),
        ({"new_password": "x" * 1025}, "Use at most 1024 bytes.", "new_password"),
        ({"new_password": "alicealicealice"}, "Do not build the password from your name or ours.", "new_password"),
        ({"new_password": "passwordpassword"}, "This password is easy to guess. Use several uncommon words.",
         "new_password"),
        ({"new_password": ""}, "Enter a new password.", "new_password"),
        ({"current_password": ""}, "Enter your current password.", "current_password"),
    ],
)  # fmt: skip
async def test_a_password_that_is_refused_is_told_at_its_field(
    alice: Person, browser: Browser, form: dict[str, str], told: str, where: str
) -> None:
    page = await browser.open("/security/account")
    good = {"current_password": alice.password, "new_password": "entirely other words 4"}
    answer = await browser.send(page, "/security/password", good | form)
    refused = sound(answer, answer.status_code)
    assert ([told], {where}) == (refused.errors, refused.described)


async def test_the_mail_address_changes_and_goes_with_a_fresh_proof(
    enrolled: Person, browser: Browser, clock: FixedClock
) -> None:
    async def address() -> str | None:
        found: str | None = (await enrolled.get("/session")).json()["user"]["email"]
        return found

    page = await browser.open("/security/account")
    page = await browser.follow(await browser.send(page, "/security/email", email="alice@example.org"))
    assert (["Your mail address is changed."], "alice@example.org") == (page.notices, await address())
    refused = sound(await browser.send(page, "/security/email", email="nobody"), 422)
    assert (["Enter a mail address such as name@example.org."], {"email"}) == (refused.errors, refused.described)
    assert "nobody" == refused.form("/security/email").values["email"]

    clock.move(timedelta(minutes=11))
    page = sound(await browser.send(await browser.open("/security/account"), "/security/email", email="a@b"), 403)
    assert "alice@example.org" == await address()
    await browser.follow(await browser.send(page, "/security/step-up", code=enrolled.fresh_code()))
    assert "a@b" == await address()

    page = await browser.open("/security/account")
    await browser.follow(await browser.send(page, "/security/email", email=""))
    assert await address() is None


# Sessions


async def test_sessions_are_listed_and_ended(enrolled: Person, elsewhere: Person, browser: Browser) -> None:
    page = await browser.open("/security/sessions")
    assert "Netscape" in page.text
    assert "with password and code" in page.text
    assert 1 == page.text.count("This one")

    page = await browser.follow(await browser.send(page, "/security/sessions/end"))

    assert "Netscape" not in page.text
    assert not await _is_alive(elsewhere)
    assert await _is_alive(enrolled)


async def test_all_other_sessions_are_ended(enrolled: Person, elsewhere: Person, browser: Browser) -> None:
    page = await browser.open("/security/sessions")
    page = await browser.follow(await browser.send(page, "/security/sessions/end-others"))
    assert "/security/sessions/end-others" not in {form.action for form in page.forms}
    assert not await _is_alive(elsewhere)


async def test_somebody_elses_session_is_not_found(
    auth: Auth, enrolled: Person, elsewhere: Person, browser: Browser, clock: FixedClock
) -> None:
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as other:
        bob = Person("bob", other, clock)
        await bob.register()
        await bob.sign_in()
        page = await browser.open("/security/sessions")
        theirs = (await bob.get("/session")).json()["session"]["id"]
        page.form("/security/sessions/end").values["session_id"] = str(theirs)
        sound(await browser.send(page, "/security/sessions/end"), 404)
        assert await _is_alive(bob)
