"""How many guesses at codes an account bears, and how likely one of them is to be right. Pure.

The operator states a probability; what follows from it is derived here, and nowhere else. Each comparison of a guess
with a code that is good at the moment succeeds with at most the chance of the likeliest code, whatever was guessed
before, so that so many comparisons succeed with at most the sum of their chances.
"""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache

from umbra.backup_codes.codes import CODES_PER_SET, SECRET_CHARACTERS
from umbra.core.crockford import ALPHABET
from umbra.core.record import record
from umbra.core.typed import CODE_DIGITS
from umbra.totp.algorithm import SKEW_STEPS

FREE_FAILURES = 5
"""After so many in a row the waiting begins."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
"""NIST SP 800-63B-4, 3.2.2: "at least 30 seconds … up to one hour"."""

WAITS = {FREE_FAILURES + n: min(FIRST_WAIT * 2**n, LONGEST_WAIT) for n in range(8)}
"""The wait after that many failures; after more than the last, the longest."""

MOST_TOTP_FAILURES = 100
"""NIST SP 800-63B-4, 3.2.2: no more than 100 consecutive failures; then the authenticators are disabled."""

YEAR = timedelta(days=365)
"""How long comparisons are counted, from the first one."""

TRUNCATED = 2**31
"""RFC 4226, 5.3: a code is what is left of so many numbers after a division by a million, which comes out uneven."""

LIKELIEST_CODE = Fraction(-(-TRUNCATED // 10**CODE_DIGITS), TRUNCATED)
"""The chance of the codes that come up most often: 2,148 of 2^31, a little more than one in a million."""

STEPS_LOOKED_AT = 2 * SKEW_STEPS + 1
BUDGETS = 2
"""Browsers that the account knows, and all others: the probability is shared between them."""

SMALLEST_PROBABILITY, LARGEST_PROBABILITY = 0.0007, 0.07
"""Below, a year would have fewer guesses than the lock allows in a row; above, more than the waits leave."""


@record
class Cost:
    """How many codes one guess is compared with, and how many comparisons a budget has in a year."""

    chances: int
    of: int


NO_END = 2**31 - 1
"""More than anybody lives to see."""

FREE = Cost(0, NO_END)
"""What is counted in a row only: passwords are the hashes' to protect, and backup codes have 80 bits."""


def cost_of(authenticators: int, probability: float) -> Cost:
    """Return what a guess at the codes of so many authenticators costs."""
    return Cost(authenticators * STEPS_LOOKED_AT, most_chances(probability))


@lru_cache
def most_chances(probability: float) -> int:
    """Return how many comparisons each budget has in a year, if all together succeed with at most ``probability``."""
    return int(Fraction(probability) / BUDGETS / LIKELIEST_CODE)


def guesses_in(time: timedelta) -> int:
    """Return how many guesses the waits let through in some time, from a count that was just cleared."""
    guesses, waited = FREE_FAILURES, timedelta()
    while (waited := waited + WAITS.get(guesses, LONGEST_WAIT)) <= time:
        guesses += 1
    return guesses


def chance_of(comparisons: int) -> Fraction:
    """Return the chance that one of so many comparisons succeeds, at the most."""
    return min(comparisons * LIKELIEST_CODE, Fraction(1))


@dataclass(frozen=True, slots=True)
class Bound:
    """What the stated probability comes to, for an account with so many authenticators."""

    probability: float
    authenticators: int

    @property
    def cost(self) -> Cost:
        """What a guess costs, and what a budget has."""
        return cost_of(self.authenticators, self.probability)

    @property
    def guesses(self) -> int:
        """How many wrong guesses each budget bears in a year."""
        return self.cost.of // self.cost.chances

    @property
    def chance(self) -> Fraction:
        """The chance that one of all these guesses is right: the bound."""
        return chance_of(BUDGETS * self.guesses * self.cost.chances)

    @property
    def chance_in_a_row(self) -> Fraction:
        """The chance to be right before the lock falls."""
        return chance_of(MOST_TOTP_FAILURES * self.cost.chances)

    @property
    def guesses_a_day(self) -> int:
        """How many of them the waits let through in a day, if the owner has cleared the count."""
        return guesses_in(timedelta(days=1))

    @property
    def days(self) -> int:
        """After how many such days a budget is used up, whoever signs in."""
        return -(-self.guesses // self.guesses_a_day)

    @property
    def backup_code_chance(self) -> Fraction:
        """The chance to guess one of ten backup codes in a year, at one guess for each of the shortest waits."""
        return Fraction(CODES_PER_SET * guesses_in(YEAR), len(ALPHABET) ** SECRET_CHARACTERS)
