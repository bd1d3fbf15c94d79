"""What the stated probability comes to."""

from collections import Counter
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.attempts import bound
from umbra.attempts.bound import Bound
from umbra.core.errors import Misconfigured
from umbra.settings import checked

probabilities = st.floats(bound.SMALLEST_PROBABILITY, bound.LARGEST_PROBABILITY)


@given(probabilities, st.integers(1, 38))
def test_all_guesses_of_a_year_together_succeed_with_at_most_the_stated_probability(
    probability: float, authenticators: int
) -> None:
    derived = Bound(probability, authenticators)
    assert derived.chance <= Fraction(probability)
    one_more = bound.BUDGETS * derived.cost.chances * bound.LIKELIEST_CODE
    assert derived.chance + one_more > Fraction(probability)


def test_the_likeliest_code_is_as_likely_as_the_truncation_makes_it() -> None:
    small, digits = 2**10, 100  # as 2**31 and a million are, only smaller
    counted = Counter(number % digits for number in range(small))
    assert max(counted.values()) == -(-small // digits)
    assert Fraction(2148, 2**31) == bound.LIKELIEST_CODE


def test_one_per_cent_is_1666_guesses_of_each_kind_and_the_lock_comes_after_a_hundred() -> None:
    derived = Bound(0.01, 1)
    assert (3, 4998, 1666) == (derived.cost.chances, derived.cost.of, derived.guesses)
    assert 0.00999 < derived.chance <= 0.01
    assert derived.chance_in_a_row == pytest.approx(0.0003, rel=0.001)
    assert 555 == Bound(0.01, 3).guesses


def test_the_waits_alone_leave_thirty_four_guesses_a_day() -> None:
    day = timedelta(days=1)
    assert 34 == bound.guesses_in(day)
    assert (5, 6) == (bound.guesses_in(timedelta(seconds=29)), bound.guesses_in(timedelta(seconds=30)))
    assert 49 == Bound(0.01, 1).days


def test_every_allowed_probability_leaves_a_hundred_guesses_and_limits_more_than_the_waits_do() -> None:
    assert Bound(bound.SMALLEST_PROBABILITY, 1).guesses >= bound.MOST_TOTP_FAILURES
    assert Bound(bound.SMALLEST_PROBABILITY - 0.0001, 1).guesses < bound.MOST_TOTP_FAILURES
    of_the_waits = 365 * bound.guesses_in(timedelta(days=1))
    assert Bound(bound.LARGEST_PROBABILITY, 1).guesses < of_the_waits
    assert Bound(bound.LARGEST_PROBABILITY + 0.01, 1).guesses > of_the_waits


def test_backup_codes_are_guessed_less_often_than_anything_here() -> None:
    assert Bound(0.01, 1).backup_code_chance < Fraction(1, 10**16)


@pytest.mark.parametrize("text", ["0.0007", "0.01", "0.07"])
def test_a_probability_that_leaves_limits_is_taken(text: str) -> None:
    assert float(text) == checked({"guess_probability": text}).guess_probability


@pytest.mark.parametrize("text", ["0", "-0.01", "0.00069", "0.0701", "1", "nan", "inf", "1 %", ""])
def test_a_probability_that_leaves_none_stops_the_start_and_is_named(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"^UMBRA_GUESS_PROBABILITY: "):
        checked({"guess_probability": text})
