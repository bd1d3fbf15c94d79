"""How many guesses there are, and who pays for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from support.audit import reasons_of
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.attempts import bound
from umbra.attempts import store as attempts
from umbra.attempts.store import Budget
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.challenge.tables import CHALLENGES
from umbra.core.clock import FixedClock
from umbra.core.errors import Unavailable
from umbra.db.database import Database
from umbra.db.transaction import Transaction
from umbra.settings import Settings
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE


async def failures(auth: Auth, budget: str) -> int | None:
    async with auth.db.read() as tx:
        found = await tx.execute(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.budget == budget))
        return found.scalar_one_or_none()


async def set_failures(auth: Auth, budget: str, count: int) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(ATTEMPTS).where(ATTEMPTS.c.budget == budget).values(failures=count))


async def test_five_wrong_codes_kill_a_challenge(enrolled: Person, clock: FixedClock) -> None:
    token = await enrolled.challenge()
    for _ in range(5):
        assert "code_refused" == (await enrolled.verify(token, code=enrolled.wrong_code())).json()["reason"]
    waiting = await enrolled.verify(token, code=enrolled.code(1))
    assert (429, "attempts_spent", 30, "30") == (
        waiting.status_code, waiting.json()["reason"], waiting.json()["retry_after"], waiting.headers["Retry-After"],
    )  # fmt: skip
    clock.move(timedelta(seconds=30))
    dead = await enrolled.verify(token, code=enrolled.fresh_code())
    assert (401, "challenge_refused") == (dead.status_code, dead.json()["reason"])
    assert 200 == (await enrolled.verify()).status_code


async def test_four_wrong_codes_leave_the_challenge_alive(enrolled: Person) -> None:
    token = await enrolled.challenge()
    for _ in range(4):
        await enrolled.verify(token, code=enrolled.wrong_code())
    assert 200 == (await enrolled.verify(token, code=enrolled.fresh_code())).status_code


async def test_the_count_belongs_to_the_account_and_not_to_the_challenge(enrolled: Person) -> None:
    for _ in range(5):
        assert "code_refused" == (await enrolled.verify(code=enrolled.wrong_code())).json()["reason"]
    assert "mfa_required" == (await enrolled.login()).json()["status"]
    assert "attempts_spent" == (await enrolled.verify(code=enrolled.code(1))).json()["reason"]
    step_up = await enrolled.post("/step-up", {"code": enrolled.code(1)})
    assert "attempts_spent" == step_up.json()["reason"]


async def test_a_wait_that_ends_in_the_moment_of_a_guess_does_not_end_the_challenge(
    auth: Auth, enrolled: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrolled.verify(code=enrolled.wrong_code())
    token = await enrolled.challenge()
    how_long = attempts.refuse_waiting

    async def forgiven_meanwhile(tx: Transaction, budget: Budget, now: datetime) -> None:
        await attempts.forgive(tx, budget, now)
        await how_long(tx, budget, now)

    monkeypatch.setattr(attempts, "refuse_waiting", forgiven_meanwhile)
    await set_failures(auth, "totp:1", bound.MOST_TOTP_FAILURES)
    waiting = await enrolled.verify(token, code=enrolled.code(1))
    assert (429, "attempts_spent", 1) == (waiting.status_code, waiting.json()["reason"], waiting.json()["retry_after"])
    await set_failures(auth, "totp:1", 0)
    assert 200 == (await enrolled.verify(token, code=enrolled.code(1))).status_code


@pytest.mark.parametrize(
    ("count", "seconds"),
    [(5, 30), (6, 60), (7, 120), (8, 240), (9, 480), (10, 960), (11, 1920), (12, 3600), (13, 3600), (99, 3600)],
)
async def test_the_wait_doubles_from_half_a_minute_to_an_hour(
    auth: Auth, enrolled: Person, clock: FixedClock, count: int, seconds: int
) -> None:
    await set_failures(auth, "totp:1", count - 1)
    assert "code_refused" == (await enrolled.verify(code=enrolled.wrong_code())).json()["reason"]
    token = await enrolled.challenge()
    assert seconds == (await enrolled.verify(token, code=enrolled.code(1))).json()["retry_after"]
    clock.move(timedelta(seconds=seconds, microseconds=-1))
    assert 1 == (await enrolled.verify(code=enrolled.code(1))).json()["retry_after"]
    clock.move(timedelta(microseconds=1))
    assert 200 == (await enrolled.verify(code=enrolled.code(1))).status_code
    assert 0 == await failures(auth, "totp:1")


async def test_a_waiting_account_charges_neither_itself_nor_the_challenge(auth: Auth, enrolled: Person) -> None:
    for _ in range(5):
        await enrolled.verify(code=enrolled.wrong_code())
    token = await enrolled.challenge()
    for _ in range(9):
        assert "attempts_spent" == (await enrolled.verify(token, code=enrolled.code(1))).json()["reason"]
    assert 5 == await failures(auth, "totp:1")
    async with auth.db.read() as tx:
        guesses = await tx.execute(select(CHALLENGES.c.guesses).order_by(CHALLENGES.c.id.desc()).limit(1))
    assert 0 == guesses.scalar_one()


async def test_at_a_hundred_only_a_backup_code_or_an_operator_helps(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    await set_failures(auth, "totp:1", 99)
    await enrolled.verify(code=enrolled.wrong_code())
    assert [None] == await reasons_of(auth, "authenticators_locked")
    clock.move(timedelta(days=2))
    assert "attempts_spent" == (await enrolled.verify(code=enrolled.fresh_code())).json()["reason"]
    assert 200 == (await enrolled.verify(backup_code=enrolled.backup_codes[0])).status_code
    assert 200 == (await enrolled.verify(code=enrolled.fresh_code())).status_code

    await set_failures(auth, "totp:1", 100)
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)
    assert "signed_in" == (await enrolled.login()).json()["status"]
    enrolled.secret = ""
    await enrolled.enrol()


async def test_only_success_of_the_same_kind_clears_a_count(auth: Auth, enrolled: Person) -> None:
    for _ in range(4):
        await enrolled.verify(code=enrolled.wrong_code())
    await enrolled.challenge()
    assert 200 == (await enrolled.verify(backup_code=enrolled.backup_codes[0])).status_code
    assert 4 == await failures(auth, "totp:1")
    enrolled.client.cookies.clear()  # a browser that has shown a second factor has a count of its own
    assert 200 == (await enrolled.verify()).status_code
    assert 0 == await failures(auth, "totp:1")


async def test_backup_codes_have_a_budget_of_their_own(
    auth: Auth, enrolled: Person, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    other = Person("bob", client, clock)
    await other.register()
    await other.sign_in()
    await other.enrol()
    await enrolled.sign_in()
    for code in other.backup_codes[:5]:
        assert "code_refused" == (await enrolled.verify(backup_code=code)).json()["reason"]
    answer = await enrolled.verify(backup_code=enrolled.backup_codes[0])
    assert ("attempts_spent", 30) == (answer.json()["reason"], answer.json()["retry_after"])
    assert 200 == (await enrolled.verify()).status_code
    assert 5 == await failures(auth, "backup_code:1")


async def test_a_right_but_used_code_is_charged_like_a_wrong_one(auth: Auth, enrolled: Person) -> None:
    code = enrolled.fresh_code()
    await enrolled.verify(code=code)
    enrolled.client.cookies.clear()
    for _ in range(5):
        await enrolled.verify(code=code)
    assert 5 == await failures(auth, "totp:1")
    assert "attempts_spent" == (await enrolled.verify(code=enrolled.code(1))).json()["reason"]


async def test_who_does_not_know_the_password_uses_up_nothing_of_the_second_factor(
    auth: Auth, enrolled: Person
) -> None:
    password, enrolled.password = enrolled.password, "not the password at all"
    for _ in range(20):
        await enrolled.login()
    assert 0 == await failures(auth, "totp:1")
    assert await failures(auth, "backup_code:1") is None
    enrolled.password = password


@pytest.fixture
async def browser(auth: Auth, clock: FixedClock) -> AsyncIterator[Person]:
    """Alice, without an account yet, behind a proxy that says where she is."""
    trusting = replace(auth, settings=auth.settings.model_copy(update={"trusted_proxies": _loopback()}))
    transport = httpx.ASGITransport(app=application(trusting))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        person = Person("alice", client, clock)
        await person.register()
        yield person


def _loopback() -> object:
    return Settings(trusted_proxies="127.0.0.1").trusted_proxies  # type: ignore[arg-type]  # as the environment has it


async def tries(person: Person, password: str, address: str, username: str = "alice") -> httpx.Response:
    body = {"username": username, "password": password}
    return await person.post("/login", body, headers={"X-Forwarded-For": address})


async def test_a_stranger_cannot_keep_the_owner_out(browser: Person, clock: FixedClock) -> None:
    for _ in range(5):
        assert 401 == (await tries(browser, "wrong", "203.0.113.9")).status_code
    spent = await tries(browser, browser.password, "203.0.113.9")
    assert (429, 30) == (spent.status_code, spent.json()["retry_after"])
    assert 200 == (await tries(browser, browser.password, "198.51.100.1")).status_code
    assert 429 == (await tries(browser, browser.password, "203.0.113.9")).status_code
    clock.move(timedelta(seconds=30))
    assert 200 == (await tries(browser, browser.password, "203.0.113.9")).status_code
    for _ in range(5):
        assert 401 == (await tries(browser, "wrong", "203.0.113.9")).status_code


async def test_one_ipv6_network_is_one_guesser(browser: Person) -> None:
    for number in range(5):
        await tries(browser, "wrong", f"2001:db8:1:2::{number}")
    assert 429 == (await tries(browser, "wrong", "2001:db8:1:2:ffff::1")).status_code
    assert 401 == (await tries(browser, "wrong", "2001:db8:1:3::1")).status_code


async def test_a_name_without_an_account_waits_just_the_same(browser: Person) -> None:
    known = [await tries(browser, "wrong", "203.0.113.9") for _ in range(6)]
    unknown = [await tries(browser, "wrong", "203.0.113.9", "nobody") for _ in range(6)]
    assert [one.content for one in known] == [one.content for one in unknown]
    assert [401] * 5 + [429] == [one.status_code for one in unknown]


async def test_a_forged_forwarding_header_gains_nothing(auth: Auth, alice: Person) -> None:
    for number in range(5):
        await tries(alice, "wrong", f"203.0.113.{number}")
    assert 429 == (await tries(alice, "wrong", "203.0.113.99")).status_code


class Breaking:
    """A database that goes away before the transaction that would spend, and comes back."""

    def __init__(self, inner: Database) -> None:
        self.good_for: int | None = None
        self._begin = inner.begin

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        if self.good_for is not None:
            self.good_for -= 1
            if self.good_for == -1:
                raise Unavailable
        async with self._begin() as tx:
            yield tx


async def test_what_the_server_could_not_finish_charges_nothing(
    auth: Auth, enrolled: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = Breaking(auth.db)
    for way in ("begin", "single", "unflushed"):
        monkeypatch.setattr(auth.db, way, breaking.begin)
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        person = Person("alice", client, enrolled.clock, secret=enrolled.secret)
        token = await person.challenge()
        code = person.fresh_code()
        for _ in range(7):
            breaking.good_for = 1  # the charge still works, the spending does not
            answer = await person.verify(token, code=code)
            assert (503, "unavailable") == (answer.status_code, answer.json()["reason"])
        breaking.good_for = None
        assert 0 == await failures(auth, "totp:1")
        assert 200 == (await person.verify(token, code=code)).status_code


async def test_a_clock_set_back_keeps_nobody_waiting_who_has_not_guessed_wrong(
    enrolled: Person, clock: FixedClock
) -> None:
    await enrolled.sign_in()
    clock.move(timedelta(minutes=-5))
    answer = await enrolled.verify(code=enrolled.code())
    assert "code_refused" == answer.json()["reason"]  # its step is not later than the last: no wait, and no way in
    assert 200 == (await enrolled.verify(backup_code=enrolled.backup_codes[0])).status_code


async def test_a_set_up_whose_name_was_taken_meanwhile_charges_nothing(auth: Auth, enrolled: Person) -> None:
    secret = (await enrolled.post("/totp/setup", {"name": "Zed"})).json()["secret"]
    first = (await enrolled.get("/totp/status")).json()["authenticators"][0]["id"]
    await enrolled.client.patch(f"/api/auth/totp/authenticators/{first}", json={"name": "zed"})
    answer = await enrolled.post("/totp/confirm", {"code": enrolled.fresh_code(secret)})
    assert "name_taken" == answer.json()["reason"]
    assert 0 == await failures(auth, "totp:1")
