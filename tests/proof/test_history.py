"""The checker of histories notices what must never have happened, and nothing else."""

from dataclasses import replace

import pyotp
import pytest

from proof.history import Holder, Record, faults

NOON = 1_767_268_800
STEP = NOON // 30
SECRET, OTHER_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ALICE = Holder(1, (SECRET,), frozenset({"AAAA", "BBBB"}))
BOB = Holder(2, (OTHER_SECRET,), frozenset({"CCCC"}))


def code(steps: int = 0, *, secret: str = SECRET) -> str:
    return pyotp.HOTP(secret).at(STEP + steps)


def sent(text: str, at: float = 1, outcome: str = "accepted") -> Record:
    """Return a request of Alice's that took half a second."""
    return Record(1, "backup_code" if text.isalpha() else "code", text, NOON + at, NOON + at + 0.5, outcome, 1)


def test_a_history_that_may_have_happened_has_no_fault() -> None:
    good = [
        sent(code(-1), 1),
        sent(code(0), 2),
        sent(code(0), 3, "code_refused"),
        sent("000000", 4, "code_refused"),
        sent(code(1), 5),
        sent(code(1), 5.1, "attempts_spent"),
        sent("AAAA", 6),
        sent("AAAA", 6, "code_refused"),
        sent("BBBB", 6.1),
    ]
    assert [] == faults([ALICE, BOB], good)


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ([sent(code(0), 1), sent(code(0), 1.2)], "a step was accepted 2 times"),
        ([sent(code(1), 1), sent(code(1), 55)], "a step was accepted 2 times"),
        ([sent("AAAA", 1), sent("AAAA", 500)], "a backup code was accepted 2 times"),
        ([sent("000000")], "accepted, and not right"),
        ([sent(code(2))], "accepted, and not right"),
        ([sent(code(-2))], "accepted, and not right"),
        ([sent(code(0, secret=OTHER_SECRET))], "accepted, and not right"),
        ([sent("CCCC")], "accepted, and not right"),
        ([replace(sent(code(0)), as_whom=2)], "accepted as somebody else"),
        ([sent(code(1), 1), sent(code(0), 2)], "accepted behind a later one"),
        ([sent(f"00000{number}", number, "code_refused") for number in range(6)], "6 wrong ones in a row"),
        ([sent(code(0), outcome="internal")], "the service failed"),
    ],
)
def test_a_forged_history_is_noticed(records: list[Record], fault: str) -> None:
    (found,) = faults([ALICE, BOB], records)
    assert found.startswith(fault)


def test_both_edges_of_the_window_are_the_contracts() -> None:
    assert [] == faults([ALICE], [sent(code(-1), 29.4)])
    assert [] == faults([ALICE], [sent(code(2), 29.9)])  # it was answered in the next step
    assert 1 == len(faults([ALICE], [sent(code(2), 29.4)]))
    assert 1 == len(faults([ALICE], [sent(code(-1), 30)]))


def test_what_was_under_way_at_the_same_time_has_no_order() -> None:
    assert [] == faults([ALICE], [sent(code(1), 1), sent(code(0), 1.4)])


def test_five_wrong_ones_in_a_row_may_be_looked_at() -> None:
    assert [] == faults([ALICE], [sent(f"00000{number}", number, "code_refused") for number in range(5)])
