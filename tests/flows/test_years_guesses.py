"""A year's guesses at the codes of an account succeed with at most the probability that the operator has stated."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
import pyotp
import pytest
from sqlalchemy import select, update

from support.audit import reasons_of
from support.people import BASE_URL, PERIOD, Person
from umbra import upkeep
from umbra.app import application
from umbra.attempts.bound import YEAR, Bound, cost_of
from umbra.attempts.errors import AttemptsSpent
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.events import Client
from umbra.core.proof import CodeRefused, TotpProof
from umbra.core.secret import Secret
from umbra.core.typed import Digits
from umbra.crypto import tokens
from umbra.settings import checked
from umbra.signin import account, flows, operating
from umbra.signin.flows import CodeRequired, SignedIn
from umbra.signin.operating import COMMAND_LINE

COST = cost_of(1, 0.01)


async def year_of(auth: Auth, budget: str) -> tuple[int, datetime]:
    """Return what a budget's year has cost, and when it ends."""
    async with auth.db.read() as tx:
        found = await tx.execute(select(ATTEMPTS.c.chances, ATTEMPTS.c.period_ends).where(ATTEMPTS.c.budget == budget))
        row = found.one()
        return row.chances, row.period_ends


async def spend(auth: Auth, budget: str, *, left: int) -> None:
    """Leave a budget so many comparisons, as if the others had been wrong guesses long ago."""
    async with auth.db.begin() as tx:
        changed = update(ATTEMPTS).where(ATTEMPTS.c.budget == budget).values(chances=COST.of - left, failures=0)
        await tx.execute(changed)


async def outcome(person: Person, **proof: str) -> str:
    """Take the code step as somebody who keeps no cookies, and return what comes of it."""
    answer = await person.verify(delivery="token", **(proof or {"code": person.wrong_code()}))
    return str(answer.json().get("reason", "signed_in"))


@pytest.mark.parametrize(("left", "reason"), [(3, "code_refused"), (2, "attempts_spent")])
async def test_a_guess_is_looked_at_if_the_year_has_chances_for_it(
    auth: Auth, enrolled: Person, left: int, reason: str
) -> None:
    await outcome(enrolled)
    await spend(auth, "totp:1", left=left)
    assert reason == await outcome(enrolled)
    assert "attempts_spent" == await outcome(enrolled)
    assert (COST.of - left + 3 * (left == 3)) == (await year_of(auth, "totp:1"))[0]


async def test_when_the_year_is_spent_backup_codes_and_known_browsers_go_on_and_the_owner_is_told(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    await enrolled.sign_in()
    await outcome(enrolled)
    _, ends = await year_of(auth, "totp:1")
    await spend(auth, "totp:1", left=3)
    assert [] == await reasons_of(auth, "guesses_spent")
    assert "code_refused" == await outcome(enrolled)
    assert [None] == await reasons_of(auth, "guesses_spent")
    token = await enrolled.challenge()
    answer = await enrolled.verify(token, code=enrolled.code(1), delivery="token")
    assert (429, int((ends - clock.now()).total_seconds())) == (answer.status_code, answer.json()["retry_after"])
    assert 200 == (await enrolled.verify()).status_code
    assert "signed_in" == await outcome(enrolled, backup_code=enrolled.backup_codes[0])
    assert "attempts_spent" == await outcome(enrolled, code=enrolled.fresh_code())
    assert 1 == len(await reasons_of(auth, "guesses_spent"))


async def test_a_year_begins_with_its_first_guess_and_the_next_one_with_a_guess_after_it(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    begun = clock.now()  # with the code that confirmed the authenticator
    await outcome(enrolled)
    assert (3, begun + YEAR) == await year_of(auth, "totp:1")
    await spend(auth, "totp:1", left=0)
    clock.set(begun + YEAR - timedelta(microseconds=1))
    assert "attempts_spent" == await outcome(enrolled)
    clock.set(begun + YEAR)
    assert "code_refused" == await outcome(enrolled)
    assert (3, begun + 2 * YEAR) == await year_of(auth, "totp:1")


async def test_right_codes_cost_nothing_and_win_no_wrong_ones_back(auth: Auth, enrolled: Person) -> None:
    await outcome(enrolled)
    for _ in range(5):
        assert "signed_in" == await outcome(enrolled, code=enrolled.fresh_code())
    assert 3 == (await year_of(auth, "totp:1"))[0]
    assert 200 == (await enrolled.post("/step-up", {"code": enrolled.fresh_code()})).status_code
    assert 3 == (await year_of(auth, "totp:1"))[0]


async def test_a_guess_costs_for_each_authenticator_that_it_is_compared_with(auth: Auth, enrolled: Person) -> None:
    await enrolled.enrol("Tablet")
    await outcome(enrolled)
    assert 6 == (await year_of(auth, "totp:1"))[0]


async def test_an_operators_reset_begins_a_new_year(auth: Auth, enrolled: Person) -> None:
    await outcome(enrolled)
    await spend(auth, "totp:1", left=0)
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)
    await enrolled.sign_in()
    enrolled.secret = ""
    await enrolled.enrol()
    assert "code_refused" == await outcome(enrolled)


async def test_clean_up_leaves_what_a_year_has_cost_until_it_is_over(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    await outcome(enrolled)
    _, ends = await year_of(auth, "totp:1")
    assert "signed_in" == await outcome(enrolled, code=enrolled.fresh_code())
    clock.set(ends - timedelta(microseconds=1))
    assert 1 == (await upkeep.clean_up(auth)).attempts  # the count of passwords
    clock.set(ends)
    assert 1 == (await upkeep.clean_up(auth)).attempts


ADDRESSES = [f"198.51.{number // 250}.{number % 250}" for number in range(1000)]
YEARS = 3
DAY = timedelta(days=1)


@dataclass
class Siege:
    """Guessers with the password at a thousand addresses, who guess whenever they may, and an owner who signs in."""

    auth: Auth
    clock: FixedClock
    secret: str
    owners: Client = field(default_factory=Client)
    stolen: Client = field(default_factory=Client)
    addresses: Iterator[str] = field(default_factory=lambda: itertools.cycle(ADDRESSES))
    looked_at: Counter[str] = field(default_factory=Counter)
    signed_in: int = 0

    async def meet(self) -> None:
        """Make two browsers known to the account; the cookie of one of them is stolen."""
        made = [tokens.BROWSER.new(self.auth.entropy) for _ in range(2)]
        self.owners, self.stolen = [Client("192.0.2.1", browser=tokens.BROWSER.hash_of_new(one)) for one in made]
        for one in (self.owners, self.stolen):
            await self.sign_in(one)

    async def guess(self, client: Client, whose: str) -> bool:
        """Ask for a challenge, send a wrong code, and say whether it was looked at."""
        try:
            await self._verify(replace(client, ip=next(self.addresses)), self._wrong())
        except CodeRefused:
            self.looked_at[whose] += 1
            return True
        except AttemptsSpent:
            return False
        raise AssertionError("a wrong code was right")

    async def guess_for_a_day(self) -> None:
        """Guess from everywhere, at once after each wait."""
        for wait in (timedelta(), *(timedelta(seconds=30 * 2**number) for number in range(7)), *[DAY / 24] * 22):
            self.clock.move(wait)
            while await self.guess(Client(), "others") | await self.guess(self.stolen, "known"):
                pass

    async def sign_in(self, client: Client) -> None:
        """Sign in with the app."""
        self.clock.move(2 * PERIOD)
        await self._verify(client, pyotp.TOTP(self.secret).at(self.clock.now()))
        self.signed_in += 1

    async def _verify(self, client: Client, code: str) -> SignedIn:
        asked = await flows.login(self.auth, "alice", Secret(Person.password), client)
        assert isinstance(asked, CodeRequired)
        return await flows.verify(self.auth, asked.mfa_token.reveal(), TotpProof(Digits(code)), client)

    def _wrong(self) -> str:
        app = pyotp.TOTP(self.secret)
        near = {app.at(self.clock.now() + steps * PERIOD) for steps in (-1, 0, 1)}
        return next(code for number in itertools.count() if (code := f"{number:06}") not in near)


@pytest.fixture
async def siege(auth: Auth, clock: FixedClock) -> Siege:
    """An account with an app, and few guesses."""
    frugal = replace(auth, settings=checked(auth.settings.model_dump() | {"guess_probability": 0.0007}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(frugal)), base_url=BASE_URL) as client:
        alice = Person("alice", client, clock)
        await alice.register()
        await alice.sign_in()
        await alice.enrol()
    return Siege(frugal, clock, alice.secret)


async def test_a_thousand_addresses_and_endless_challenges_get_no_more_guesses_than_the_bound_allows(
    siege: Siege,
) -> None:
    bound = Bound(siege.auth.settings.guess_probability, 1)
    begun = siege.clock.now()
    for year in range(1, YEARS + 1):
        await siege.meet()
        before = Counter(siege.looked_at)
        while siege.looked_at - before != Counter(others=bound.guesses, known=bound.guesses):
            await siege.guess_for_a_day()
            assert siege.clock.now() < begun + year * YEAR
            for client in (Client("192.0.2.9"), siege.owners):  # whoever signs in clears the count in a row
                if (siege.looked_at - before)["known" if client.browser else "others"] < bound.guesses:
                    siege.clock.move(DAY / 24)
                    await siege.sign_in(client)
        for moment in (begun + year * YEAR - DAY, siege.clock.now() + DAY):
            siege.clock.set(moment)
            assert not await siege.guess(Client(), "others")
        siege.clock.set(begun + year * YEAR + year * DAY)
    assert Counter(others=YEARS * bound.guesses, known=YEARS * bound.guesses) == siege.looked_at


async def test_an_owner_who_signs_in_a_thousand_times_from_a_known_browser_is_never_throttled_by_strangers(
    siege: Siege,
) -> None:
    await siege.meet()
    for number in range(1000):
        if number % 10 == 0:
            await siege.guess(Client(), "others")
        await siege.sign_in(siege.owners)
    assert 1002 == siege.signed_in
    assert siege.looked_at["others"] > 20


async def test_an_owner_who_signs_in_a_thousand_times_without_a_cookie_is_never_throttled(siege: Siege) -> None:
    for number in range(1000):
        await siege.sign_in(Client(ADDRESSES[number]))
    assert 1000 == siege.signed_in
    assert 0 == (await year_of(siege.auth, "totp:1"))[0]
