"""A lockout that cannot be aimed: what strangers use up, a browser that the account knows still has."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy

import httpx
import pytest
from sqlalchemy import select, update

from support.people import BASE_URL, Person
from umbra.app import application
from umbra.attempts.bound import MOST_TOTP_FAILURES
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.browsers.store import KNOWN_FOR
from umbra.browsers.tables import BROWSERS
from umbra.core.clock import FixedClock
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE

COOKIE = "umbra_browser"
NEW_PASSWORD = "another horse battery staple 7"


@pytest.fixture
async def owner(enrolled: Person) -> Person:
    """Alice in a browser from which a code was accepted."""
    await enrolled.sign_in()
    return enrolled


@pytest.fixture
async def elsewhere(auth: Auth, owner: Person, clock: FixedClock) -> AsyncIterator[Person]:
    """Whoever has the password, and for once the app as well, in another browser."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(auth)), base_url=BASE_URL) as client:
        yield Person("alice", client, clock, secret=owner.secret, backup_codes=owner.backup_codes)


@pytest.fixture
def stranger(elsewhere: Person) -> Person:
    """The same without a memory: every request comes from a browser that nobody knows."""
    elsewhere.client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return elsewhere


async def charged(auth: Auth) -> dict[str, int]:
    """Return the budgets of codes that something is charged to."""
    async with auth.db.read() as tx:
        rows = await tx.execute(select(ATTEMPTS.c.budget, ATTEMPTS.c.failures))
        return {row.budget: row.failures for row in rows if row.failures and not row.budget.startswith("password:")}


async def guess(person: Person, count: int = 1) -> list[str]:
    """Try wrong codes, and return what came of them."""
    return [(await person.verify(code=person.wrong_code())).json()["reason"] for _ in range(count)]


async def test_a_stranger_makes_strangers_wait_and_no_browser_that_the_account_knows(
    auth: Auth, owner: Person, stranger: Person
) -> None:
    assert ["code_refused"] * 5 + ["attempts_spent"] == await guess(stranger, 6)
    assert 200 == (await owner.verify(code=owner.code(1))).status_code
    assert ["attempts_spent"] == await guess(stranger)
    assert {"totp:1": 5} == await charged(auth)


async def test_wrong_codes_of_a_known_browser_leave_the_others_alone(
    auth: Auth, owner: Person, stranger: Person
) -> None:
    assert ["code_refused"] * 5 + ["attempts_spent"] == await guess(owner, 6)
    assert {"totp_known:1": 5} == await charged(auth)
    assert 200 == (await stranger.verify(code=stranger.code(1))).status_code
    assert ["attempts_spent"] == await guess(owner)


async def test_a_lock_on_one_side_is_lifted_by_a_backup_code_and_not_by_success_on_the_other(
    auth: Auth, owner: Person, stranger: Person
) -> None:
    for budget, locked, free in (("totp:1", stranger, owner), ("totp_known:1", owner, stranger)):
        await guess(locked)
        async with auth.db.begin() as tx:
            await tx.execute(update(ATTEMPTS).where(ATTEMPTS.c.budget == budget).values(failures=MOST_TOTP_FAILURES))
        assert 200 == (await free.verify()).status_code
        assert "attempts_spent" == (await locked.verify()).json()["reason"]
        await free.verify(backup_code=free.backup_codes.pop())
        assert 200 == (await locked.verify()).status_code


async def test_within_a_session_a_known_browser_has_its_own_guesses_too(
    auth: Auth, owner: Person, stranger: Person
) -> None:
    await guess(stranger, 5)
    assert "code_refused" == (await owner.post("/step-up", {"code": owner.wrong_code()})).json()["reason"]
    assert {"totp:1": 5, "totp_known:1": 1} == await charged(auth)
    assert 200 == (await owner.post("/step-up", {"code": owner.fresh_code()})).status_code


async def test_a_browser_is_known_to_the_account_that_proved_itself_there_and_to_no_other(
    auth: Auth, elsewhere: Person, clock: FixedClock
) -> None:
    bob = Person("bob", elsewhere.client, clock)
    await bob.register()
    await bob.sign_in()
    await bob.enrol()
    await bob.sign_in()
    await guess(elsewhere)
    assert {"totp:1": 1} == await charged(auth)
    await guess(bob)
    assert {"totp:1": 1, "totp_known:2": 1} == await charged(auth)


async def test_a_browser_gets_the_cookie_with_a_second_factor_and_not_with_a_password(enrolled: Person) -> None:
    assert COOKIE not in enrolled.client.cookies
    token = await enrolled.challenge()
    await enrolled.verify(token, code=enrolled.wrong_code())
    assert COOKIE not in enrolled.client.cookies
    await enrolled.verify(token, backup_code=enrolled.backup_codes[0])
    shown = enrolled.client.cookies[COOKIE]
    await enrolled.sign_in()
    assert shown == enrolled.client.cookies[COOKIE]


@pytest.mark.parametrize("forged", ["x", "umb_short", "ums_" + "A" * 43, "umb_" + "A" * 43])
async def test_a_cookie_of_anybodys_making_is_known_to_nobody(auth: Auth, elsewhere: Person, forged: str) -> None:
    elsewhere.client.cookies.set(COOKIE, forged)
    await guess(elsewhere)
    assert {"totp:1": 1} == await charged(auth)


async def test_who_takes_the_session_as_a_token_is_known_to_no_budget(auth: Auth, owner: Person) -> None:
    for _ in range(2):
        await owner.verify(delivery="token", code=owner.fresh_code())
    await owner.verify(delivery="token", code=owner.wrong_code())
    assert {"totp:1": 1} == await charged(auth)


@pytest.mark.parametrize(
    ("short_by", "budget"), [(timedelta(microseconds=1), "totp_known:1"), (timedelta(0), "totp:1")]
)
async def test_a_browser_has_guesses_of_its_own_for_as_long_as_its_cookie_can_live(
    auth: Auth, owner: Person, clock: FixedClock, short_by: timedelta, budget: str
) -> None:
    shown = owner.client.cookies[COOKIE]
    clock.move(KNOWN_FOR - short_by)
    owner.client.cookies.clear()
    owner.client.cookies.set(COOKIE, shown)
    await guess(owner)
    assert {budget: 1} == await charged(auth)


async def by_a_new_password(auth: Auth, elsewhere: Person) -> None:
    del auth
    body = {"current_password": elsewhere.password, "new_password": NEW_PASSWORD, "code": elsewhere.fresh_code()}
    assert 204 == (await elsewhere.post("/password", body)).status_code
    elsewhere.password = NEW_PASSWORD


async def by_turning_it_off(auth: Auth, elsewhere: Person) -> None:
    del auth
    body = {"password": elsewhere.password, "code": elsewhere.fresh_code()}
    assert 204 == (await elsewhere.post("/totp/disable", body)).status_code


async def by_saying_that_it_was_somebody_else(auth: Auth, elsewhere: Person) -> None:
    del auth
    page = (await elsewhere.client.get("/security/not-me")).text
    mark = page.partition('name="csrf" value="')[2].partition('"')[0]
    assert 303 == (await elsewhere.client.post("/security/not-me", data={"csrf": mark})).status_code


async def by_an_operators_reset(auth: Auth, elsewhere: Person) -> None:
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, elsewhere.username)).user.id)


async def by_disabling_the_account(auth: Auth, elsewhere: Person) -> None:
    user_id = (await account.find(auth, elsewhere.username)).user.id
    await operating.disable(auth, COMMAND_LINE, user_id)
    await operating.enable(auth, COMMAND_LINE, user_id)


@pytest.mark.parametrize(
    "revoke",
    [
        by_a_new_password,
        by_turning_it_off,
        by_saying_that_it_was_somebody_else,
        by_an_operators_reset,
        by_disabling_the_account,
    ],
)
async def test_a_known_browser_is_revoked(
    auth: Auth, owner: Person, elsewhere: Person, revoke: Callable[[Auth, Person], Awaitable[None]]
) -> None:
    await elsewhere.sign_in()
    await revoke(auth, elsewhere)
    async with auth.db.read() as tx:
        rows = await tx.execute(select(BROWSERS.c.proved_at, BROWSERS.c.known_until).order_by(BROWSERS.c.id))
        known = [row.proved_at is not None and row.known_until > auth.clock.now() for row in rows]
    assert [False, revoke is by_a_new_password] == known  # whoever has just proved it goes on being known
    owner.password = elsewhere.password
    if revoke not in {by_turning_it_off, by_an_operators_reset}:
        await guess(owner)
        assert {"totp:1": 1} == await charged(auth)
        assert 200 == (await owner.verify()).status_code
        await guess(owner)
        assert {"totp_known:1": 1} == await charged(auth)


async def test_a_revoked_browser_stays_a_stranger_when_the_clock_is_set_back(
    auth: Auth, owner: Person, elsewhere: Person, clock: FixedClock
) -> None:
    await elsewhere.sign_in()
    await by_saying_that_it_was_somebody_else(auth, elsewhere)
    clock.move(-timedelta(seconds=1))
    await guess(owner)
    assert {"totp:1": 1} == await charged(auth)


async def test_wrong_passwords_of_whoever_shares_the_network_do_not_keep_a_known_browser_out(
    owner: Person, stranger: Person
) -> None:
    stranger.password, password = "not the password at all", stranger.password
    assert [401] * 5 + [429] == [(await stranger.login()).status_code for _ in range(6)]
    stranger.password = password
    assert 429 == (await stranger.login()).status_code
    assert 200 == (await owner.login()).status_code
    assert 429 == (await stranger.login()).status_code


async def test_a_known_browsers_wrong_passwords_are_counted_apart(owner: Person, stranger: Person) -> None:
    owner.password, password = "not the password at all", owner.password
    assert [401] * 5 + [429] == [(await owner.login()).status_code for _ in range(6)]
    assert 200 == (await stranger.login()).status_code
    owner.password = password
    assert "attempts_spent" == (await owner.login()).json()["reason"]
    owner.client.cookies.clear()
    assert 200 == (await owner.login()).status_code


async def test_a_known_browser_is_a_stranger_to_other_names(owner: Person, stranger: Person) -> None:
    del stranger
    owner.username, owner.password = "nobody", "not the password at all"
    assert [401] * 5 + [429] == [(await owner.login()).status_code for _ in range(6)]
    owner.client.cookies.clear()
    assert 429 == (await owner.login()).status_code
