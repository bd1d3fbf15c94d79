"""The guards that are taken away by hand are where the list says."""

from races import sabotage


def test_every_guard_that_is_to_be_taken_away_is_there() -> None:
    assert [] == sabotage.mistakes()
