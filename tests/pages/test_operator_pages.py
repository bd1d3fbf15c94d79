"""The pages on which operators look after other people's accounts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

from pages.browsing import SENT_BY_BROWSERS, Browser, Page, sound
from support.mail import PostOffice, free_port, mailing
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.attempts import store as attempts
from umbra.attempts.bound import cost_of
from umbra.attempts.store import Budget
from umbra.attempts.tables import ATTEMPTS
from umbra.audit.event import AuditEvent
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.errors import NotFound, Refused
from umbra.core.events import Client, Event, Happened
from umbra.core.ids import UserId
from umbra.core.secret import Secret
from umbra.db.opening import open_database
from umbra.mail import flows as mail
from umbra.pages import operating as pages
from umbra.sessions import flows as sessions
from umbra.sessions.errors import NotAuthenticated, StepUpRequired
from umbra.sessions.session import Current
from umbra.settings import checked
from umbra.signin import account, flows, operating
from umbra.signin.operating import COMMAND_LINE, Operator
from umbra.totp.errors import NotEnabled
from umbra.users import store as users
from umbra.users.errors import OwnAccount
from umbra.users.store import NewUser
from umbra.users.tables import USERS

COOKIE = "umbra_session"
NOTHING_HERE = ["There is nothing here, or not any more."]
ACTIONS = [action.path for action in pages.ACTIONS.values()]
DONE_BY = {
    "/operator/end-sessions": "sessions_ended",
    "/operator/reset": "second_factor_reset",
    "/operator/disable": "account_disabled",
    "/operator/enable": "account_enabled",
}
LOOKS = ["/operator", "/operator?search=a", "/operator/events", "/operator/health", "/operator/accounts/1"]


@pytest.fixture
async def olga(auth: Auth, clock: FixedClock) -> AsyncIterator[Person]:
    """An operator who has just given a code, in a browser of her own."""
    async with _operator(auth, clock, "olga") as person:
        yield person


@pytest.fixture
def desk(olga: Person) -> Browser:
    """The operator's browser."""
    return Browser(olga.client)


@asynccontextmanager
async def _operator(auth: Auth, clock: FixedClock, name: str, *, enrols: bool = True) -> AsyncIterator[Person]:
    """Make an operator with a browser of their own, signed in with a second factor."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        person = Person(name, client, clock)
        await account.create(auth, name, Secret(person.password), email=None, is_operator=True, client=Client())
        await person.sign_in()
        if enrols:
            await person.enrol()
        yield person


async def _id(person: Person) -> UserId:
    return UserId((await person.get("/session")).json()["user"]["id"])


async def _me(auth: Auth, person: Person) -> Current:
    return await sessions.current(auth, person.client.cookies[COOKIE])


async def _ask(desk: Browser, action: str, user_id: UserId) -> Page:
    """Open the page that asks whether it is meant."""
    return await desk.open(f"{action}?account_id={user_id}")


async def _last(auth: Auth, event: str) -> AuditEvent:
    return next(one for one in await newest(auth.db, 100) if one.event == event)


async def _count(auth: Auth, event: str) -> int:
    return len([one for one in await newest(auth.db, 1_000) if one.event == event])


# Who is let in


def test_every_address_of_operators_is_in_the_lists() -> None:
    tried = {address.partition("?")[0].replace("/accounts/1", "/accounts/{account_id}") for address in LOOKS}
    assert {route.path for route in pages.router.routes if isinstance(route, APIRoute)} == tried | {*ACTIONS}


async def test_a_plain_user_finds_nothing_at_any_address_of_operators(
    olga: Person, enrolled: Person, browser: Browser, auth: Auth
) -> None:
    theirs = await _id(olga)
    for address in [*LOOKS, *(f"{action}?account_id={theirs}" for action in ACTIONS)]:
        page = await browser.open(address, 404)
        assert (NOTHING_HERE, ["That did not work"]) == (page.errors, page.headings)
        assert "olga" not in page.text
    mark = (await browser.open("/security")).form("/sign-out").values
    for action in ACTIONS:
        for form in ({"account_id": str(theirs)}, {"account_id": "x"}, {}, {"is_operator": "yes"}):
            refused = await browser.client.post(action, data={**mark, **form}, headers=SENT_BY_BROWSERS)
            assert NOTHING_HERE == sound(refused, 404).errors
            assert "olga" not in refused.text
    assert 200 == (await olga.get("/session")).status_code
    assert not any("/operator" in link for link in (await browser.open("/security")).links)


async def test_a_plain_user_gets_no_further_by_way_of_a_fresh_proof(
    olga: Person, enrolled: Person, browser: Browser
) -> None:
    theirs = await _id(olga)
    for action in pages.ACTIONS.values():
        for form in ({"account_id": str(theirs)}, {}):
            mark = (await browser.open("/security/step-up")).form("/security/step-up").values
            sent = {**mark, **form, "then": action.name, "code": enrolled.fresh_code()}
            refused = await browser.client.post("/security/step-up", data=sent, headers=SENT_BY_BROWSERS)
            assert refused.status_code in {404, 422}
            assert "olga" not in sound(refused, refused.status_code).text
    assert 200 == (await olga.get("/session")).status_code


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page(client: httpx.AsyncClient) -> None:
    for address in [*LOOKS, *ACTIONS]:
        assert (await client.get(address)).headers["Location"].startswith("/sign-in")


async def test_an_operator_is_led_to_their_pages_and_back(desk: Browser) -> None:
    assert "/operator" in (await desk.open("/security")).links
    page = await desk.open("/operator")
    assert {"/operator", "/operator/events", "/operator/health", "/security"} <= set(page.links)


async def test_an_operator_who_is_one_no_more_is_out_with_the_next_request(auth: Auth, desk: Browser) -> None:
    await desk.open("/operator")
    await _demote(auth, "olga")
    assert NOTHING_HERE == (await desk.open("/operator", 404)).errors


@pytest.mark.parametrize(
    "address",
    [
        "nonsense", "accounts/x", "accounts/999", "reset", "reset?account_id=999", "reset?account_id=²",
        "events?event=nonsense", "events?reason=nonsense", "events?account=999", "events?before=x",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(desk: Browser, address: str) -> None:
    answer = await desk.client.get(f"/operator/{address}")
    assert 404 == answer.status_code, answer.text


async def _demote(auth: Auth, name: str) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(USERS).where(USERS.c.username == name).values(is_operator=False))


# Finding somebody


async def _add(auth: Auth, *names: str, email: str | None = None) -> None:
    async with auth.db.begin() as tx:
        for name in names:
            await users.add(tx, NewUser(name, email, "no hash"), auth.clock.now())


async def _found(desk: Browser, text: str) -> list[str]:
    page = sound(await desk.client.get("/operator", params={"search": text}))
    return [link.removeprefix("/operator/accounts/") for link in page.links if "/accounts/" in link]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("ber", 3), ("BER", 3), ("  bert ", 3), ("bertha", 1), ("bert@exam", 2), ("BERT@EXAM", 2), ("ert", 0),
        ("STRASSE", 1), ("straß", 1), ("日本", 1), ("%", 1), ("%b", 0), ("_", 1), ("b_r", 0), ("b%", 0), ("\\", 1),
        ("/", 1), ("'", 1), ('"', 1), ("' OR 1=1 --", 0), ("a" * 254, 0), ("", 0), ("   ", 0),
    ],
)  # fmt: skip
async def test_accounts_are_found_by_how_their_name_or_address_begins(
    auth: Auth, desk: Browser, text: str, hits: int
) -> None:
    await _add(auth, "Bertha", "%", "_", "\\", "/", "'", '"', "Straße", "日本語")
    await _add(auth, "xavier", "bert", email="bert@example.org")
    assert hits == len(await _found(desk, text))


@pytest.mark.parametrize("text", ["a" * 255, "x" * 10_000, "a\0b", "a\u202eb", "a\nb"])
async def test_what_cannot_be_a_name_is_refused_at_its_field(desk: Browser, text: str) -> None:
    page = sound(await desk.client.get("/operator", params={"search": text}), 422)
    assert (["Enter at most 254 printable characters."], {"search"}) == (page.errors, page.described)
    assert text not in page.text


async def test_nobody_one_and_more_than_fifty_are_told_apart(auth: Auth, desk: Browser) -> None:
    page = await desk.open("/operator?search=zz")
    assert "No user name and no mail address begins like that." in page.text
    await _add(auth, *(f"{'zz' * 60}{number:02}" for number in range(50)), email="y" * 242 + "@example.org")
    page = await desk.open("/operator?search=ZZ")
    assert 50 == len([link for link in page.links if "/accounts/" in link])
    assert "narrow it down" not in page.text
    await _add(auth, "zzq")
    desk.client.headers["Accept-Language"] = "de"
    page = await desk.open("/operator?search=zz")
    assert 50 == len([link for link in page.links if "/accounts/" in link])
    assert "Das sind die ersten 50." in page.text
    assert 1 == len(await _found(desk, "zzq"))


async def test_what_was_looked_for_is_text(desk: Browser) -> None:
    page = await desk.open("/operator?search=%22%3E%3Cb%3E")
    assert "<b>" not in page.text
    assert '"><b>' == page.form("/operator").values["search"]


# Looking at an account


async def test_an_account_is_shown_with_its_second_factor_and_no_secret(
    auth: Auth, enrolled: Person, desk: Browser, clock: FixedClock
) -> None:
    await enrolled.enrol("Tablet")
    await enrolled.verify(backup_code=enrolled.backup_codes[0])
    user_id = await _id(enrolled)
    page = await desk.open(f"/operator/accounts/{user_id}")
    assert ["alice"] == page.headings
    for text in ("Authenticator", "Tablet", "9 of 10 left", "Signed in with a backup code", "python-httpx"):
        assert text in page.text
    assert enrolled.secret not in page.text
    assert not any(code in page.text for code in enrolled.backup_codes)
    assert enrolled.client.cookies[COOKIE] not in page.text
    assert {f"{action}?account_id={user_id}" for action in ACTIONS[:3]} <= set(page.links)
    assert f"/operator/enable?account_id={user_id}" not in page.links


async def test_guesses_that_wait_and_codes_that_are_locked_are_told(
    auth: Auth, enrolled: Person, desk: Browser
) -> None:
    address = f"/operator/accounts/{await _id(enrolled)}"
    token = await enrolled.challenge()
    await enrolled.verify(token, code=enrolled.wrong_code())
    assert "Wrong ones in a row: 1" in (await desk.open(address)).text
    await _fail(auth, enrolled, range(1, 7))
    assert "After 7 wrong ones in a row the next is looked at from" in (await desk.open(address)).text
    await _fail(auth, enrolled, range(7, 100))
    assert "Locked after a hundred wrong codes in a row." in (await desk.open(address)).text
    assert "From browsers that the account knows" not in (await desk.open(address)).text
    await _spend_the_year(auth, attempts.known_totp_budget(await _id(enrolled)))
    page = (await desk.open(address)).text
    assert "From browsers that the account knows" in page
    assert "A year’s wrong ones are used up; the next is looked at from" in page


async def _spend_the_year(auth: Auth, budget: Budget) -> None:
    async with auth.db.begin() as tx:
        await attempts.charge(tx, budget, auth.clock.now())
        year = update(ATTEMPTS).where(ATTEMPTS.c.budget == budget.name)
        await tx.execute(year.values(chances=cost_of(1, auth.settings.guess_probability).of))


async def _fail(auth: Auth, person: Person, times: range) -> None:
    budget = attempts.totp_budget(await _id(person))
    now = auth.clock.now()
    for number in times:
        async with auth.db.begin() as tx:
            await attempts.charge(tx, budget, now + number * timedelta(hours=2))


async def test_an_account_without_anything_and_one_with_too_much_have_pages(
    auth: Auth, alice: Person, desk: Browser
) -> None:
    await _add(auth, "empty")
    async with auth.db.read() as tx:
        empty = (await users.by_name(tx, "empty")).user.id
    page = await desk.open(f"/operator/accounts/{empty}")
    assert "Signed in nowhere." in page.text
    assert {f"/operator/disable?account_id={empty}"} == {link for link in page.links if "account_id" in link}
    who, long = await _id(alice), Client("2001:db8:1111:2222:3333:4444:5555:6666", "M" * 256)
    for _ in range(pages.MOST_SESSIONS + 4):
        await flows.admit(auth, who, long)
    desk.client.headers["Accept-Language"] = "de"
    page = await desk.open(f"/operator/accounts/{who}")
    assert "Und 5 weitere, länger nicht benutzt." in page.text


async def test_ones_own_account_has_no_actions_and_says_why(olga: Person, desk: Browser) -> None:
    page = await desk.open(f"/operator/accounts/{await _id(olga)}")
    assert "This is your own account." in page.text
    assert not any("account_id" in link for link in page.links)


# Doing something to it


@pytest.mark.parametrize("action", ACTIONS)
async def test_what_is_done_is_confirmed_and_the_audit_log_names_the_operator(
    auth: Auth, olga: Person, enrolled: Person, desk: Browser, action: str
) -> None:
    user_id = await _id(enrolled)
    if action == "/operator/enable":
        await operating.disable(auth, COMMAND_LINE, user_id)
    before = await _count(auth, DONE_BY[action])
    page = await _ask(desk, action, user_id)
    assert "alice" in page.text
    assert before == await _count(auth, DONE_BY[action]), "asking does nothing"

    page = await desk.follow(await desk.send(page, action))

    assert (["alice"], 1) == (page.headings, len(page.notices))
    event = await _last(auth, DONE_BY[action])
    assert (user_id, None, {"by": await _id(olga)}) == (event.user_id, event.reason, event.detail)
    assert ("127.0.0.1", before + 1) == (event.ip, await _count(auth, DONE_BY[action]))
    assert "(olga)" in page.text
    assert 401 == (await enrolled.get("/session")).status_code


async def test_ending_sessions_leaves_the_rest(enrolled: Person, desk: Browser) -> None:
    page = await _ask(desk, "/operator/end-sessions", await _id(enrolled))
    await desk.follow(await desk.send(page, "/operator/end-sessions"))
    await enrolled.sign_in()
    assert (await enrolled.get("/totp/status")).json()["enabled"]


async def test_a_reset_takes_the_second_factor_away(enrolled: Person, desk: Browser) -> None:
    token = await enrolled.challenge()
    page = await _ask(desk, "/operator/reset", await _id(enrolled))
    await desk.follow(await desk.send(page, "/operator/reset"))
    assert "challenge_refused" == (await enrolled.verify(token)).json()["reason"]
    await enrolled.sign_in()
    assert not (await enrolled.get("/totp/status")).json()["enabled"]


async def test_disabling_keeps_out_and_enabling_lets_in_each_once(auth: Auth, enrolled: Person, desk: Browser) -> None:
    user_id = await _id(enrolled)
    for action, reason in (("/operator/disable", "credentials_refused"), ("/operator/enable", None)):
        page = await _ask(desk, action, user_id)
        for _ in range(2):
            await desk.follow(await desk.send(page, action))
        assert 1 == await _count(auth, DONE_BY[action])
        assert reason == (await enrolled.login()).json().get("reason")


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_stale_proof_is_renewed_in_place_and_then_it_goes_on(
    auth: Auth, olga: Person, enrolled: Person, desk: Browser, clock: FixedClock, action: str
) -> None:
    user_id = await _id(enrolled)
    if action == "/operator/enable":
        await operating.disable(auth, COMMAND_LINE, user_id)
    before = await _count(auth, DONE_BY[action])
    clock.move(timedelta(minutes=11))
    page = sound(await desk.send(await _ask(desk, action, user_id), action), 403)
    assert (["Confirm that it is you"], before) == (page.headings, await _count(auth, DONE_BY[action]))
    assert str(user_id) == page.form("/security/step-up").values["account_id"]
    page = sound(await desk.send(page, "/security/step-up", code=olga.wrong_code()), 400)
    assert before == await _count(auth, DONE_BY[action])

    page = await desk.follow(await desk.send(page, "/security/step-up", code=olga.fresh_code()))

    assert (["alice"], 1) == (page.headings, len(page.notices))
    assert {"by": await _id(olga)} == (await _last(auth, DONE_BY[action])).detail
    assert before + 1 == await _count(auth, DONE_BY[action])


async def test_a_proof_of_ten_minutes_is_fresh(enrolled: Person, desk: Browser, clock: FixedClock) -> None:
    user_id = await _id(enrolled)
    clock.move(timedelta(minutes=10))
    assert 303 == (await desk.send(await _ask(desk, "/operator/reset", user_id), "/operator/reset")).status_code


@pytest.mark.parametrize("action", ACTIONS)
async def test_nobody_does_it_to_themselves(
    auth: Auth, olga: Person, desk: Browser, clock: FixedClock, action: str
) -> None:
    user_id = await _id(olga)
    page = sound(await desk.send(await _ask(desk, action, user_id), action), 409)
    assert "This is your own account." in page.errors[0]
    clock.move(timedelta(minutes=11))
    sound(await desk.send(page, action), 409)
    assert 200 == (await olga.get("/session")).status_code
    assert 0 == await _count(auth, DONE_BY[action])


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_operator_without_a_second_factor_is_led_to_set_one_up(
    auth: Auth, alice: Person, clock: FixedClock, action: str
) -> None:
    user_id = await _id(alice)
    async with _operator(auth, clock, "otto", enrols=False) as otto:
        desk = Browser(otto.client)
        page = await desk.open(f"/operator/accounts/{user_id}")
        assert "/security?notice=enrolment" in page.links
        assert not any("account_id" in link for link in page.links)
        page = await desk.follow(await desk.send(await _ask(desk, action, user_id), action))
        assert (["Security"], 1) == (page.headings, len(page.notices))
    assert 0 == await _count(auth, DONE_BY[action])
    assert 200 == (await alice.get("/session")).status_code


@pytest.mark.parametrize("form", [{}, {"account_id": "999"}, {"account_id": "x"}, {"account_id": "1", "more": "x"}])
async def test_a_form_about_nobody_does_nothing(desk: Browser, form: dict[str, str]) -> None:
    mark = (await desk.open("/security")).form("/sign-out").values
    for action in ACTIONS:
        answer = await desk.client.post(action, data={**mark, **form}, headers=SENT_BY_BROWSERS)
        page = sound(answer, 404 if form in ({"account_id": "999"}, {"account_id": "x"}) else 422)
        assert 1 == len(page.errors)


# What has changed since the request was let in


async def _turn_off(auth: Auth, olga: Person) -> None:
    body = {"password": olga.password, "code": olga.fresh_code()}
    assert 204 == (await olga.post("/totp/disable", body)).status_code


async def _end(auth: Auth, olga: Person) -> None:
    await operating.end_sessions(auth, COMMAND_LINE, await _id(olga))


async def _disable(auth: Auth, olga: Person) -> None:
    await operating.disable(auth, COMMAND_LINE, await _id(olga))


async def _demote_olga(auth: Auth, olga: Person) -> None:
    await _demote(auth, "olga")


async def _wait(auth: Auth, olga: Person) -> None:
    olga.clock.move(timedelta(minutes=11))


@pytest.mark.parametrize(
    ("meanwhile", "refusal"),
    [(_demote_olga, NotFound), (_disable, NotAuthenticated), (_end, NotAuthenticated), (_turn_off, NotEnabled),
     (_wait, StepUpRequired)],
)  # fmt: skip
async def test_whoever_acts_is_looked_at_again_inside_the_transaction(
    auth: Auth, olga: Person, enrolled: Person, meanwhile: object, refusal: type[Refused]
) -> None:
    user_id, by = await _id(enrolled), Operator(Client(), await _me(auth, olga))
    assert callable(meanwhile)
    await meanwhile(auth, olga)
    for act in (operating.end_sessions, operating.reset_second_factor, operating.disable, operating.enable):
        with pytest.raises(refusal):
            await act(auth, by, user_id)
    async with auth.db.read() as tx:
        assert (await users.by_id(tx, user_id)).disabled_at is None
    assert 0 == await _count(auth, "second_factor_reset")


async def test_what_an_operator_was_refused_is_no_event(auth: Auth, olga: Person) -> None:
    by = Operator(Client(), await _me(auth, olga))
    before = len(await newest(auth.db, 100))
    with pytest.raises(OwnAccount):
        await operating.disable(auth, by, await _id(olga))
    with pytest.raises(NotFound):
        await operating.disable(auth, by, UserId(999))
    assert before == len(await newest(auth.db, 100))


async def test_the_command_line_has_no_name(auth: Auth, alice: Person) -> None:
    await operating.reset_second_factor(auth, COMMAND_LINE, await _id(alice))
    event = await _last(auth, "second_factor_reset")
    assert ({"by": None}, "umbra command line") == (event.detail, event.user_agent)


# What the owner sees and is told


async def test_the_owner_sees_that_it_was_the_operator_and_not_from_where(
    auth: Auth, alice: Person, browser: Browser, desk: Browser
) -> None:
    desk.client.headers["User-Agent"] = "Olgas own browser"
    page = await _ask(desk, "/operator/end-sessions", await _id(alice))
    await desk.follow(await desk.send(page, "/operator/end-sessions"))
    await alice.sign_in()
    page = await browser.open("/security/activity")
    assert "The operator ended all sessions" in page.text
    assert "<span>the operator</span>" in page.text
    assert not any(text in page.text for text in ("Olgas", "olga"))


@pytest.mark.parametrize(
    ("action", "kind", "subject"),
    [
        ("/operator/reset", "second_factor_reset", "Ihr zweiter Faktor wurde entfernt"),
        ("/operator/disable", "account_disabled", "Ihr Konto wurde gesperrt"),
        ("/operator/enable", "account_enabled", "Ihr Konto wurde wieder freigegeben"),
    ],
)
async def test_the_owner_is_told_by_mail_and_not_from_where(
    auth: Auth, clock: FixedClock, action: str, kind: str, subject: str
) -> None:
    office = PostOffice(free_port())
    mailed = mailing(auth, office)
    async with _operator(mailed, clock, "otto") as otto:
        await _add(mailed, "bob", email="bob@example.org")
        bob = (await account.find(mailed, "bob")).user.id
        if action == "/operator/enable":
            await operating.disable(auth, COMMAND_LINE, bob)
        desk = Browser(otto.client)
        desk.client.headers.update({"Accept-Language": "de", "User-Agent": "Ottos own browser"})
        page = await _ask(desk, action, bob)
        assert "per E-Mail" in page.text
        await desk.follow(await desk.send(page, action))
    (queued,) = await mail.queue(mailed, 10)
    assert (kind, "bob@example.org") == (queued.kind, queued.recipient)
    with office.is_open():
        await mail.send_due(mailed)
    (told,) = office.deliveries
    assert f"Umbra: {subject}" == told.message["Subject"]
    assert not any(text in told.text() for text in ("127.0.0.1", "Ottos", "otto"))


async def test_an_operator_is_told_whether_the_owner_will_be(auth: Auth, alice: Person, desk: Browser) -> None:
    page = await _ask(desk, "/operator/reset", await _id(alice))
    assert "No mail server is configured: the owner is told of nothing." in page.text
    settings = checked({"smtp_url": "smtp://127.0.0.1", "mail_from": "umbra@login.example"})
    transport = httpx.ASGITransport(app=application(replace(auth, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=desk.client.cookies) as client:
        page = await _ask(Browser(client), "/operator/reset", await _id(alice))
    assert "The account has no mail address: the owner is told of nothing." in page.text


# Events and health


async def test_events_of_all_accounts_are_shown_and_filtered(
    auth: Auth, olga: Person, enrolled: Person, desk: Browser
) -> None:
    await enrolled.verify(code=enrolled.wrong_code())
    await enrolled.login(username="nobody of that name")
    page = await desk.open("/operator/events")
    assert {"alice", "olga"} <= {name for name in ("alice", "olga") if f">{name}</a>: " in page.text}
    assert "A name was tried that nobody has" in page.text
    assert "nobody of that name" not in page.text
    page = await desk.open("/operator/events?event=sign_in_code&reason=wrong")
    assert 1 == page.text.count("<time")
    assert "A wrong code was tried, at sign-in, after the right password" in page.text
    assert 2 == page.text.count(" selected>")
    page = await desk.open(f"/operator/events?account={await _id(olga)}&reason=done")
    assert ">alice</a>" not in page.text
    assert "Refused" not in page.text
    page = await desk.open("/operator/events?event=mail_given_up")
    assert "There is no such event." in page.text


async def test_long_lists_of_events_come_in_pages_and_none_is_too_heavy(
    auth: Auth, alice: Person, desk: Browser
) -> None:
    await _add(auth, "z" * 128)
    long = Client("2001:db8:1111:2222:3333:4444:5555:6666", "M" * 256)
    who = (await account.find(auth, "z" * 128)).user.id
    for _ in range(2 * pages.EVENTS_PER_PAGE):
        await auth.sink.record(Happened(Event.SECOND_FACTOR_DISABLED, long, who, "moved_secret"))
    desk.client.headers["Accept-Language"] = "de"
    page = await desk.open("/operator/events?reason=moved_secret&event=second_factor_disabled")
    seen = page.text.count("<time")
    assert pages.EVENTS_PER_PAGE == seen
    while older := [link for link in page.links if "before=" in link]:
        page = await desk.open(older[0])
        seen += page.text.count("<time")
    assert 2 * pages.EVENTS_PER_PAGE == seen
    assert "/operator/events?event=second_factor_disabled&reason=moved_secret" in page.links
    assert "Nothing older" not in (await desk.open("/operator/events?before=1")).text


async def test_health_says_what_the_doctor_says_and_that_there_is_no_mail_server(desk: Browser) -> None:
    page = await desk.open("/operator/health")
    for text in ("clock", "schema", "open the data", "0 unreadable, 0 moved to another row",
                 "no mail server (UMBRA_SMTP_URL): nobody is told of changes", "no mark yet", "audit log"):  # fmt: skip
        assert text in page.text
    expected = (
        "for the mail server, for a data directory that pytest made, and for databases that may lose what they hold"
    )
    assert 3 == page.text.count("Look here"), expected
    desk.client.headers["Accept-Language"] = "de"
    german = (await desk.open("/operator/health")).text
    assert "kein Mailserver (UMBRA_SMTP_URL)" in german
    assert "noch keine Marke" in german


async def test_health_without_a_database_is_the_page_of_every_other_address(auth: Auth, olga: Person) -> None:
    gone = open_database("postgresql://umbra@127.0.0.1:1/none")
    transport = httpx.ASGITransport(app=application(replace(auth, db=gone)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=olga.client.cookies) as client:
        sound(await client.get("/operator/health"), 503)
    await gone.close()


async def test_the_security_page_tells_operators_that_there_is_no_mail_server(
    auth: Auth, olga: Person, alice: Person, desk: Browser, browser: Browser
) -> None:
    assert "No mail server is configured" in (await desk.open("/security")).text
    assert "No mail server is configured" not in (await browser.open("/security")).text
    settings = checked({"smtp_url": "smtp://127.0.0.1", "mail_from": "umbra@login.example"})
    transport = httpx.ASGITransport(app=application(replace(auth, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=olga.client.cookies) as client:
        assert "No mail server" not in (await Browser(client).open("/security")).text
