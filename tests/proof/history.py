"""Looks at a recorded history of requests, made by many at once, and says what in it must never have happened.

It knows the secrets and asks no database: what it sees is what callers saw, each with the moments between which the
service decided.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pyotp

PERIOD = 30
AROUND = (-1, 0, 1)
LOOKED_AT_IN_A_ROW = 5
"""Wrong codes, after which an account must wait for longer than a history here takes."""

FAULTS = {"internal", "unavailable"}


@dataclass(frozen=True)
class Holder:
    """An account: what its apps are made of, and its backup codes."""

    user_id: int
    secrets: tuple[str, ...]
    backup_codes: frozenset[str]


@dataclass(frozen=True)
class Record:
    """Who sent what when, and what came back; ``as_whom`` is whose session an acceptance was."""

    user_id: int
    kind: Literal["code", "backup_code"]
    text: str
    sent_at: float
    answered_at: float
    outcome: str
    as_whom: int | None = None


@dataclass(frozen=True)
class Spent:
    """A step of an app that an accepted code used up."""

    app: tuple[int, int]
    step: int
    by: Record


def faults(holders: Iterable[Holder], records: Iterable[Record]) -> list[str]:
    """Return what is wrong with a history; nothing, if all of it may have happened."""
    known = {holder.user_id: holder for holder in holders}
    all_of_it = sorted(records, key=lambda record: record.sent_at)
    accepted = [record for record in all_of_it if record.outcome == "accepted"]
    spent = [found for record in accepted if (found := spent_by(known[record.user_id], record)) is not None]
    return [
        *_for_the_wrong_one(known, accepted),
        *_twice(accepted, spent),
        *_out_of_order(spent),
        *_guessed_on(all_of_it),
        *(f"the service failed: {record}" for record in all_of_it if record.outcome in FAULTS),
    ]


def spent_by(holder: Holder, record: Record) -> Spent | None:
    """Return the step that an accepted code belongs to: one that was in the window while the service decided."""
    if record.kind != "code":
        return None
    began, ended = (int(moment) // PERIOD for moment in (record.sent_at, record.answered_at))
    for number, secret in enumerate(holder.secrets):
        for step in range(began + min(AROUND), ended + max(AROUND) + 1):
            if pyotp.HOTP(secret).at(step) == record.text:
                return Spent((holder.user_id, number), step, record)
    return None


def _for_the_wrong_one(known: Mapping[int, Holder], accepted: list[Record]) -> Iterator[str]:
    for record in accepted:
        holder = known[record.user_id]
        is_right = record.text in holder.backup_codes if record.kind == "backup_code" else spent_by(holder, record)
        if not is_right:
            yield f"accepted, and not right: {record}"
        if record.as_whom not in {None, record.user_id}:
            yield f"accepted as somebody else: {record}"


def _twice(accepted: list[Record], spent: list[Spent]) -> Iterator[str]:
    steps = Counter((one.app, one.step) for one in spent)
    codes = Counter((record.user_id, record.text) for record in accepted if record.kind == "backup_code")
    yield from (f"a step was accepted {times} times: {step}" for step, times in steps.items() if times > 1)
    yield from (f"a backup code was accepted {times} times: {code}" for code, times in codes.items() if times > 1)


def _out_of_order(spent: list[Spent]) -> Iterator[str]:
    """Find codes that were accepted although they were sent after a later one of the app had been accepted."""
    for one, other in combinations(spent, 2):
        is_after = one.by.answered_at < other.by.sent_at
        if one.app == other.app and is_after and other.step < one.step:
            yield f"accepted behind a later one: {other.by}"


def _guessed_on(records: list[Record]) -> Iterator[str]:
    """Find accounts that never sent a right code, and of whose wrong ones too many were looked at."""
    for kind in ("code", "backup_code"):
        mine = [record for record in records if record.kind == kind]
        right = {record.user_id for record in mine if record.outcome == "accepted"}
        wrong = Counter(record.user_id for record in mine if record.outcome == "code_refused")
        for user_id, count in wrong.items():
            if user_id not in right and count > LOOKED_AT_IN_A_ROW:
                yield f"{count} wrong ones in a row were looked at: {kind} of {user_id}"
