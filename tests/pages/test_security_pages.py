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

COOKIE = "umbra_session"


@pytest.fixture
async def elsewhere(auth: Auth, clock: FixedClock, enrolled: Person) -> AsyncIterator[Person]:
    """Alice again, in another browser, signed in with a code."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers={"User-Agent": "Netscape"}) as other:
        person = Person("alice", other, clock, secret=enrolled.secret)
        await person.sign_in()
        yield person


async def _begin(browser: Browser, name: str = "") -> Page:
    return sound(await browser.send(await browser.open("/security"), "/security/setup", name=name))


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
    assert "Signed in as <strong>alice</strong>" in page.text
    assert '<span class="badge off">Off</span>' in page.text
    assert {"/sign-out", "/security/setup", "/security/password"} == {form.action for form in page.forms}


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

    page = sound(await browser.send(page, "/security/confirm", code=alice.fresh_code(_secret(page))))

    assert 10 == len(set(page.codes))
    assert before != alice.client.cookies[COOKIE]
    alice.backup_codes = page.codes
    signing_out = await browser.send(page, "/sign-out")
    assert "/sign-in?notice=signed-out" == signing_out.headers["Location"], "the page has the new token's mark"
    assert 200 == (await alice.verify(backup_code=page.codes[3])).status_code
    assert ["Phone"] == await _names(alice)
    assert page.codes[0] not in (await browser.open("/security")).text


async def test_a_second_authenticator_brings_no_codes(enrolled: Person, browser: Browser) -> None:
    page = await _begin(browser, "Tablet")
    added = await browser.send(page, "/security/confirm", code=enrolled.fresh_code(_secret(page)))
    assert (await browser.follow(added)).notices
    assert ["Authenticator", "Tablet"] == await _names(enrolled)


async def test_a_wrong_first_code_shows_the_same_key_again(alice: Person, browser: Browser) -> None:
    page = await _begin(browser)

    again = sound(await browser.send(page, "/security/confirm", code=alice.wrong_code()), 400)

    assert ["Code refused. The code is not right, or no longer good."] == again.alerts
    assert (_secret(page), page.images) == (_secret(again), again.images)
    assert {"code"} == again.described
    assert 200 == (await browser.send(again, "/security/confirm", code=alice.fresh_code(_secret(page)))).status_code


async def test_a_wrong_first_code_shows_no_key_to_a_proof_that_has_become_old(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=9))
    page = await _begin(browser)
    clock.move(timedelta(minutes=2))

    again = sound(await browser.send(page, "/security/confirm", code=alice.wrong_code()), 400)

    assert ([], []) == (again.codes, again.images)
    assert 200 == (await browser.send(again, "/security/confirm", code=alice.code(secret=_secret(page)))).status_code


async def test_a_code_for_a_set_up_that_has_expired_is_told_on_the_security_page(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    page = await _begin(browser)
    clock.move(timedelta(minutes=10))
    refused = sound(await browser.send(page, "/security/confirm", code=alice.code(secret=_secret(page))), 409)
    assert (["Security"], ["No set-up pending. Begin a set-up first."]) == (refused.headings, refused.alerts)


async def test_a_name_that_is_taken_stays_in_its_field(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    refused = sound(await browser.send(page, "/security/setup", name="AUTHENTICATOR"), 409)
    assert "AUTHENTICATOR" == refused.form("/security/setup").values["name"]
    assert ({"name"}, 1) == (refused.described, refused.open_details)


# Fresh proof


async def test_an_old_password_proof_is_renewed_with_the_password(
    alice: Person, browser: Browser, clock: FixedClock
) -> None:
    clock.move(timedelta(minutes=11))
    before = alice.client.cookies[COOKIE]
    page = await browser.open("/security")

    page = sound(await browser.send(page, "/security/setup", name="Phone"), 403)

    assert ["Confirm that it is you"] == page.headings
    page = sound(await browser.send(page, "/security/step-up", password="wrong"), 401)
    renewed = await browser.send(page, "/security/step-up", password=alice.password)
    assert before != alice.client.cookies[COOKIE]
    page = await browser.follow(renewed)
    assert ["Thank you. You can add an authenticator now."] == page.notices
    sound(await browser.send(page, "/security/setup", name="Phone"))


@pytest.mark.parametrize("kind", ["code", "backup_code"])
async def test_an_old_proof_is_renewed_with_the_second_factor(
    enrolled: Person, browser: Browser, clock: FixedClock, kind: str
) -> None:
    clock.move(timedelta(minutes=11))
    page = sound(await browser.send(await browser.open("/security"), "/security/setup"), 403)
    assert "password" not in {name for form in page.forms for name in form.values}
    page = sound(await browser.send(page, "/security/step-up", code=enrolled.wrong_code()), 400)
    assert ["Confirm that it is you"] == page.headings

    proof = enrolled.fresh_code() if kind == "code" else enrolled.backup_codes[0]
    renewed = await browser.send(page, "/security/step-up", {kind: proof})

    sound(await browser.send(await browser.follow(renewed), "/security/setup"))


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

    assert ["Name taken. Another authenticator has this name."] == refused.alerts
    assert refused.links[-1].startswith("#authenticator-")
    assert 1 == refused.open_details
    assert ["Authenticator", "authenticator"] == [
        form.values["name"] for form in refused.forms if form.action == "/security/rename"
    ]


async def test_what_is_nobodys_is_not_found(enrolled: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    for number in ("0", "99999", "-1", "abc", "²", "9" * 30):
        page.form("/security/rename").values["authenticator_id"] = number
        refused = sound(await browser.send(page, "/security/rename", name="Mine"), 404)
        assert ["Not found. There is nothing here."] == refused.alerts


async def test_one_of_two_authenticators_is_removed_with_a_code(enrolled: Person, browser: Browser) -> None:
    assert "/security/remove" not in {form.action for form in (await browser.open("/security")).forms}
    await enrolled.enrol("Tablet")
    page = await browser.open("/security")
    page = sound(await browser.send(page, "/security/remove", number=1), 422)
    assert ({"code", "backup_code"}, 1) == (page.described, page.open_details)

    removed = await browser.send(page, "/security/remove", number=1, code=enrolled.fresh_code())

    page = await browser.follow(removed)
    assert ["Authenticator"] == await _names(enrolled)
    last = {"csrf": page.forms[0].values["csrf"], "code": enrolled.fresh_code()}
    last["authenticator_id"] = page.form("/security/rename").values["authenticator_id"]
    refused = await browser.client.post("/security/remove", data=last, headers=SENT_BY_BROWSERS)
    assert ["Last authenticator. Disable the second factor instead."] == sound(refused, 409).alerts


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
    assert is_warned == ('class="warning"' in page.text)


async def test_the_password_changes_with_a_code_and_the_other_sessions_end(
    enrolled: Person, elsewhere: Person, browser: Browser
) -> None:
    form = {"current_password": enrolled.password, "new_password": "entirely other words 4"}
    page = await browser.open("/security")
    page = sound(await browser.send(page, "/security/password", form), 422)
    assert ["Check the form. Code: is required."] == page.alerts
    assert not any(password in page.text for password in form.values())

    changed = await browser.send(page, "/security/password", form, code=enrolled.fresh_code())

    await browser.follow(changed)
    assert not await _is_alive(elsewhere)
    assert "credentials_refused" == (await enrolled.login()).json()["reason"]


# Sessions


async def test_sessions_are_listed_and_ended(enrolled: Person, elsewhere: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    assert "Netscape" in page.text
    assert 1 == page.text.count("This one")

    page = await browser.follow(await browser.send(page, "/security/sessions/end"))

    assert "Netscape" not in page.text
    assert not await _is_alive(elsewhere)
    assert await _is_alive(enrolled)


async def test_all_other_sessions_are_ended(enrolled: Person, elsewhere: Person, browser: Browser) -> None:
    page = await browser.open("/security")
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
        page = await browser.open("/security")
        theirs = (await bob.get("/session")).json()["session"]["id"]
        page.form("/security/sessions/end").values["session_id"] = str(theirs)
        sound(await browser.send(page, "/security/sessions/end"), 404)
        assert await _is_alive(bob)
