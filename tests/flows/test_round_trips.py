"""How often the calls that everybody waits for go to PostgreSQL and back."""

import pytest

from support.people import Person
from support.trips import counted


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """SQLite is in the same process: no way there is longer than another."""
    return postgresql_url


async def test_a_session_check_is_one_round_trip(alice: Person) -> None:
    with counted() as trips:
        assert (await alice.get("/session")).is_success
    assert 1 == len(trips)


async def test_a_sign_in_by_password_alone_is_charged_and_settled_by_a_statement_each(alice: Person) -> None:
    with counted() as trips:
        assert (await alice.login()).is_success
    assert 2 == len(trips)


async def test_a_sign_in_with_a_second_factor_holds_the_account_before_it_counts_the_challenges(
    enrolled: Person,
) -> None:
    with counted() as trips:
        answer = await enrolled.login()
    assert "mfa_required" == answer.json()["status"]
    charged, begins, accepted, opened, ends = trips
    assert ("BEGIN", "COMMIT") == (begins, ends)
    assert "INSERT INTO attempts" in charged
    assert "FOR NO KEY UPDATE" in accepted
    assert "DELETE FROM challenges" in opened


async def test_a_code_is_looked_up_and_charged_in_three_and_accepted_in_one_transaction(enrolled: Person) -> None:
    token, code = await enrolled.challenge(), enrolled.fresh_code()
    with counted() as trips:
        assert (await enrolled.verify(token, code=code, delivery="token")).is_success
    assert ("BEGIN", "COMMIT") == (trips[3], trips[6])
    assert 7 == len(trips)
