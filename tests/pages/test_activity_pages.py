"""Where somebody is signed in, what has happened, and what was not them."""

import httpx

from pages.browsing import Browser, sound
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.events import Client, Event, Happened
from umbra.core.ids import UserId
from umbra.pages.activity import EVENTS_PER_PAGE, MOST_SESSIONS
from umbra.signin import flows

MARKUP = "<script>alert(1)</script>" * 8


async def _id(person: Person) -> UserId:
    return UserId((await person.get("/session")).json()["user"]["id"])


async def test_somebody_sees_what_happened_to_them_and_nobody_else_s(
    auth: Auth, enrolled: Person, browser: Browser
) -> None:
    await auth.sink.record(Happened(Event.PASSWORD_CHANGED, Client("192.0.2.7", "curl/8"), None))
    await enrolled.verify(code=enrolled.wrong_code())

    page = await browser.open("/security/activity")

    assert "An authenticator was added" in page.text
    assert "A wrong code was tried, at sign-in, after the right password" in page.text
    assert "/security/not-me" in page.links
    assert "192.0.2.7" not in page.text


async def test_what_a_browser_calls_itself_is_text_and_no_longer_than_it_may_be(
    auth: Auth, alice: Person, browser: Browser
) -> None:
    await auth.sink.record(Happened(Event.STEP_UP, Client("192.0.2.7", MARKUP), await _id(alice), "wrong"))
    page = await browser.open("/security/activity")
    assert "<script>alert" not in page.text
    assert MARKUP[:60] not in page.text


async def test_long_histories_come_in_pages_and_none_is_too_heavy(auth: Auth, alice: Person, browser: Browser) -> None:
    who = await _id(alice)
    long = Client("2001:db8:1111:2222:3333:4444:5555:6666", "M" * 256)
    for _ in range(2 * EVENTS_PER_PAGE):
        await auth.sink.record(Happened(Event.SECOND_FACTOR_DISABLED, long, who, "moved_secret"))
    browser.client.headers["Accept-Language"] = "de"
    page = await browser.open("/security/activity")
    seen = page.text.count("<time")
    assert EVENTS_PER_PAGE == seen
    while older := [link for link in page.links if "before=" in link]:
        page = await browser.open(older[0])
        seen += page.text.count("<time")
    assert 2 * EVENTS_PER_PAGE + 2 == seen, "and the account, and the sign-in"
    assert "/security/activity" in page.links


async def test_a_page_of_the_history_that_is_not_there_is_told(alice: Person, browser: Browser) -> None:
    page = await browser.open("/security/activity?before=1")
    assert "Nothing older." in page.text
    sound(await browser.client.get("/security/activity?before=x"), 404)


async def test_many_sessions_are_shown_as_far_as_a_page_goes(
    auth: Auth, alice: Person, browser: Browser, clock: FixedClock
) -> None:
    who = await _id(alice)
    for _ in range(MOST_SESSIONS + 4):
        await flows.admit(auth, who, Client("2001:db8:1111:2222:3333:4444:5555:6666", "M" * 256))

    page = await browser.open("/security/sessions")

    assert MOST_SESSIONS - 1 == len([form for form in page.forms if form.action == "/security/sessions/end"])
    assert "And 5 more, used longer ago." in page.text
    assert 1 == page.text.count("This one")


async def test_one_session_alone_has_nothing_to_end(alice: Person, browser: Browser) -> None:
    page = await browser.open("/security/sessions")
    assert {"/sign-out"} == {form.action for form in page.forms}
    assert "You are signed in nowhere else." in page.text


async def test_what_was_not_me_ends_the_other_sessions_and_leads_to_a_new_password(
    auth: Auth, alice: Person, browser: Browser, clock: FixedClock
) -> None:
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        thief = Person("alice", client, clock)
        await thief.sign_in()
        page = await browser.open("/security/not-me")
        assert 200 == (await thief.get("/session")).status_code, "looking does nothing yet"

        page = await browser.follow(await browser.send(page, "/security/not-me"))

        assert 401 == (await thief.get("/session")).status_code
    assert ["Account"] == page.headings
    assert ["Your other sessions have ended. Now choose a new password, one that you use nowhere else."] == page.notices
