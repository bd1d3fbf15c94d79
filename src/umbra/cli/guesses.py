from fractions import Fraction
from typing import TYPE_CHECKING

import click

from umbra.cli.common import hosts_umbra, json_option, show

if TYPE_CHECKING:
    from datetime import timedelta

    from umbra.attempts.bound import Bound


@click.command("guess-budget")
@click.option(
    "--authenticators", default=1, show_default=True, type=click.IntRange(1, 100), help="How many an account has."
)
@json_option
def guess_budget(authenticators: int, *, as_json: bool) -> None:
    """Say how likely it is that a code is guessed, and how that comes about."""
    from umbra import settings
    from umbra.attempts import bound

    host = hosts_umbra()
    stated = (settings.load() if host is None else host.auth.settings).guess_probability
    derived = bound.Bound(stated, authenticators)
    numbers = {
        "probability": stated,
        "authenticators": authenticators,
        "likeliest_code": float(bound.LIKELIEST_CODE),
        "codes_per_guess": derived.cost.chances,
        "budgets": bound.BUDGETS,
        "comparisons_per_budget_and_year": derived.cost.of,
        "guesses_per_budget_and_year": derived.guesses,
        "chance_per_year": float(derived.chance),
        "most_in_a_row": bound.MOST_TOTP_FAILURES,
        "chance_in_a_row": float(derived.chance_in_a_row),
        "free_in_a_row": bound.FREE_FAILURES,
        "guesses_a_day": derived.guesses_a_day,
        "days_until_spent": derived.days,
        "backup_code_chance_per_year": float(derived.backup_code_chance),
    }
    show(numbers, "\n".join(_lines(derived)), as_json=as_json)


def _percent(chance: Fraction) -> str:
    return f"{float(100 * chance):.4g} %"


def _seconds(time: "timedelta") -> int:
    return int(time.total_seconds())


def _line(what: str, chance: Fraction, why: str) -> str:
    return f"  {what:<14}{_percent(chance):>13}   {why}"


def _lines(derived: "Bound") -> list[str]:
    from umbra.attempts import bound

    cost, of_one = derived.cost, bound.chance_of(derived.cost.chances)
    share = derived.chance / bound.BUDGETS
    return [
        f"Guesses at an account's codes succeed within a year with at most {_percent(derived.chance)},",
        f"which is within the {_percent(Fraction(str(derived.probability)))} of UMBRA_GUESS_PROBABILITY.",
        "",
        _line("one code", bound.LIKELIEST_CODE, "the likeliest of a million (RFC 4226, 5.3)"),
        _line("one guess", of_one, f"compared with {bound.STEPS_LOOKED_AT} steps of each authenticator"),
        _line(f"{bound.MOST_TOTP_FAILURES} in a row", derived.chance_in_a_row, "then codes are locked"),
        _line(f"{derived.guesses:,} a year", share, f"from known browsers: {cost.of:,} comparisons"),
        _line(f"{derived.guesses:,} a year", share, "from all others"),
        _line("backup codes", derived.backup_code_chance, "a year's guesses, which have a count of their own"),
        "",
        f"The first {bound.FREE_FAILURES} in a row do not wait.",
        f"The next waits {_seconds(bound.FIRST_WAIT)} seconds, each one after it twice as long, up to an hour.",
        f"An owner who signs in every day leaves others {derived.guesses_a_day} guesses a day;",
        f"the year's are used up after {derived.days} such days.",
    ]
