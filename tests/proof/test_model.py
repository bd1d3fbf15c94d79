"""Any history goes as the model says, on both databases; a service with a known fault is told from ours."""

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from proof import faulty, histories
from proof.conftest import Counting
from proof.effort import trying
from proof.histories import (
    Action,
    Again,
    At,
    Enrol,
    Move,
    Operator,
    Password,
    Shown,
    SignIn,
    Written,
    Wrong,
    WrongCodes,
)
from proof.world import stage

HISTORIES = 50
"""How many on each database, times the effort."""

UNTIL_CAUGHT = 100
"""Histories in which a faulty service must have given itself away."""

UNSHRUNK = settings(trying(1), derandomize=True, phases=[Phase.generate])
"""The first history that catches a fault will do; to find the shortest one takes minutes."""


# A code of the next step, replayed for as long as it lies in the window, and after a clean-up and a clock set back.
REPLAYED = [Enrol(-1), SignIn(Shown(0, 1)), Move(30), SignIn(Again()), Move(30), SignIn(Again()), Move(90),
            Operator("clean_up"), Move(-90), SignIn(Again()), At("step_up", Again())]  # fmt: skip
# Digits that belong to two steps of one secret; and those of two apps with one secret.
TWINS = [Enrol(0, "twins"), Move(60), SignIn(Shown()), Move(30), SignIn(Shown()), Move(30), SignIn(Shown())]
COUSINS = [Enrol(0, "cousins"), Move(240), SignIn(Shown()), Move(30), SignIn(Shown(0, 1)), Move(30), SignIn(Shown())]
ONE_SECRET = [Enrol(-1), Enrol(0, "same"), SignIn(Shown(0, 0)), SignIn(Shown(1, 0)), Move(30), SignIn(Shown())]
# Off and on again with the same secret: what was accepted before stays accepted.
AGAIN = [Enrol(-1), SignIn(Shown(0, 1)), At("disable", Written()), Enrol(1, "same"), Move(60), Enrol(-1, "same")]
# Made safe after a restored backup: nothing that was good then is good now, and the next code is.
SAFE = [Enrol(-1), Operator("make_safe"), SignIn(Shown()), SignIn(Shown(0, 1)), Move(30), SignIn(Shown()),
        SignIn(Shown(0, 1)), SignIn(Written()), SignIn(Written())]  # fmt: skip
# A hundred wrong codes in a row; then only a backup code helps.
LOCKED = [Enrol(), Move(30), SignIn(Written(1)), WrongCodes(99, 3600), SignIn(Shown()), Move(3600), WrongCodes(1),
          Move(90_000), SignIn(Shown()), SignIn(Written()), SignIn(Shown())]  # fmt: skip

# A year's wrong codes, however often a right one comes between; then backup codes only, until the year is over.
A_DAY = 86_400
SPENT = [Enrol(), WrongCodes(60, 3600), Move(3600), SignIn(Shown()), WrongCodes(56, 3600), Move(3600), SignIn(Shown()),
         SignIn(Written()), Operator("clean_up"), Move(300 * A_DAY), SignIn(Shown()), Move(65 * A_DAY), SignIn(Shown()),
         WrongCodes(6)]  # fmt: skip

# Strangers lock the codes and make passwords wait, and the known browser goes on; a backup code lifts the lock.
KNOWN: list[Action] = [Enrol(), Move(30), SignIn(Shown(), browser=0)]
AIMED = [*KNOWN, WrongCodes(100, 3600), Password(5), SignIn(Shown(0, -1), browser=0), SignIn(Shown(), browser=0),
         At("step_up", Shown(0, 1), 0), SignIn(Shown()), Move(60), SignIn(Shown()), SignIn(Shown(), browser=1),
         SignIn(Written()), SignIn(Shown()), SignIn(Shown(0, 1), browser=0)]  # fmt: skip
# The known browser uses up a year of codes, for all known ones, and passwords of its own; strangers have theirs.
OWN = [*KNOWN, WrongCodes(60, 3600, 0), Move(3600), SignIn(Shown(), browser=0), WrongCodes(56, 3600, 0), Move(3600),
       SignIn(Shown(), browser=0), SignIn(Written(), browser=1), SignIn(Shown(), browser=1), Password(6, 0),
       SignIn(Shown(), browser=1), SignIn(Shown()), WrongCodes(6)]  # fmt: skip
# Whatever makes a browser a stranger, it is one until it has proved itself again, also when the clock is set back.
FORGOTTEN = [*KNOWN, WrongCodes(5), SignIn(Wrong(), browser=0), Operator("reset"), Enrol(1), WrongCodes(5, browser=0),
             Move(-30), SignIn(Wrong(), browser=0), SignIn(Written(), browser=0), SignIn(Wrong(), browser=0),
             Operator("end_sessions"), SignIn(Wrong(), browser=0), Operator("not_me"), Move(-30),
             SignIn(Wrong(), browser=0)]  # fmt: skip
UNPROVED = [*KNOWN, WrongCodes(5), SignIn(Written(), browser=1), Move(30), At("change_password", Shown(), 1),
            SignIn(Wrong(), browser=0), SignIn(Wrong(), browser=1), Operator("end_everything"),
            SignIn(Wrong(), browser=1), SignIn(Written(1), browser=0), SignIn(Wrong(), browser=0), Operator("disable"),
            Operator("enable"), SignIn(Wrong(), browser=0), SignIn(Written(2), browser=0), Operator("make_safe"),
            SignIn(Wrong(), browser=0), At("disable", Written(3), 0), Move(60), Enrol(),
            SignIn(Wrong(), browser=0)]  # fmt: skip
# For 400 days from the first sign-in, however many there are, and for as many again from the next.
EXPIRED = [*KNOWN, WrongCodes(5), Move(399 * A_DAY), SignIn(Shown(), browser=0), WrongCodes(5), Move(A_DAY - 1),
           SignIn(Wrong(), browser=0), WrongCodes(5), Move(1), SignIn(Wrong(), browser=0), Operator("clean_up"),
           Move(-1), SignIn(Wrong(), browser=0), Move(3601), SignIn(Shown(), browser=0), WrongCodes(5),
           SignIn(Wrong(), browser=0)]  # fmt: skip

HISTORIES_THOUGHT_OF = [REPLAYED, TWINS, COUSINS, ONE_SECRET, AGAIN, SAFE, LOCKED, SPENT, AIMED, OWN, FORGOTTEN,
                        UNPROVED, EXPIRED]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES_THOUGHT_OF)
def test_a_history_that_somebody_thought_of_goes_as_the_model_says(
    database_url: str, tmp_path: Path, history: list[Action]
) -> None:
    with stage(database_url, tmp_path) as here:
        here.play(history)


def test_any_history_goes_as_the_model_says(database_url: str, tmp_path: Path, counting: Counting) -> None:
    with stage(database_url, tmp_path) as here:
        trying(HISTORIES)(given(histories.histories)(here.play))()
        counting(here.world.counted())


GIVES_AWAY: dict[str, list[Action]] = {
    "the server's step in the ledger": [Enrol(-1), SignIn(Shown(0, 1)), Move(30), SignIn(Again())],
    "the last code only": [Enrol(-1), SignIn(Shown()), Move(30), SignIn(Shown()), SignIn(Again(1))],
    "a cache with a lifetime": [Enrol(-1), SignIn(Shown(0, 1)), Move(60), SignIn(Again())],
    "a limit for each challenge": [Enrol(), WrongCodes(6)],
    "a limit that strangers use up": [*KNOWN, WrongCodes(5), SignIn(Shown(0, 1), browser=0)],
}
"""The shortest history in which each fault lets somebody in, or go on guessing, or keeps the owner out."""

LETS_IN = r"(code_refused'\] != .*accepted|attempts_spent 30'\] != .*code_refused)'\]$"
KEEPS_OUT = {"a limit that strangers use up": r"accepted'\] != .*attempts_spent 30'\]$"}


@pytest.mark.parametrize("fault", faulty.FAULTS)
def test_a_known_fault_lets_somebody_in_or_keeps_the_owner_out_where_ours_does_not(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    with stage(sqlite_url, tmp_path) as here:
        here.play(GIVES_AWAY[fault])
        faulty.put(fault, monkeypatch)
        with pytest.raises(AssertionError, match=KEEPS_OUT.get(fault, LETS_IN)):
            here.play(GIVES_AWAY[fault])


@pytest.mark.parametrize("fault", faulty.FAULTS)
def test_a_known_fault_is_caught_by_histories_that_nobody_thought_of(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counting: Counting, fault: str
) -> None:
    faulty.put(fault, monkeypatch)
    with stage(sqlite_url, tmp_path) as here:

        @settings(UNSHRUNK, max_examples=UNTIL_CAUGHT)
        @given(histories.histories)
        def goes_as_the_model_says(history: list[Action]) -> None:
            here.play(history)

        with pytest.raises(AssertionError, match="!="):
            goes_as_the_model_says()
        counting(here.world.counted())
