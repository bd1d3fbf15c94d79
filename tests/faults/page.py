"""The document of faults, from the cases that are tried."""

from collections.abc import Iterator
from pathlib import Path

from faults.cases import (
    AWAY,
    BUSY,
    CHANGED_ON_FULL_DISK,
    CHANGED_WHEN_CUT,
    CLOCKS,
    CUT,
    FULL,
    KEYLESS,
    KILLED,
    LOCKED,
    POSTS,
    TERMINATED,
    Case,
    Change,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"

INTRODUCTION = """# Faults

What comes of a right proof when something goes wrong around it. Each line is a test that makes the fault happen, and
then looks: was the guess charged, was a session made, and what does the same proof get when it is sent once more, with
a new challenge? `make faults` writes this page from the cases of `tests/faults/cases.py`;
`test_the_page_of_faults_is_what_is_tried` fails when the two differ.

- **No proof is accepted twice, and no fault lets anybody in.** A session whose answer was lost has a token that nobody
  knows, and ends by itself.
- **A fault that the server sees charges nothing and spends nothing.** It hands the charge back, if the database is
  there to take it.
- **Where the database has done it and its answer is lost, the server cannot know.** It answers `unavailable`, and never
  guesses in the caller's favour: at worst a guess stays charged, or a code is used up, though the caller saw 503. The
  next code goes through. A guess of which nobody knows whether it was charged is never handed back.
- **What was wrong is told when it is written down, and not before.** If that fails, the answer is 503, right or wrong.
- **A PostgreSQL that crashes** knows afterwards every guess whose answer has left, every code that was accepted and
  every session. A charge alone does not wait for the disk: it gets there with what the answer waits for
  (`tests/faults/test_crashed.py` kills the server after each).
"""

HEAD = """| Fault | Call | Answer | Guess | Session | The same proof again |
| --- | --- | --- | --- | --- | --- |"""

ON_POSTGRESQL = "The connection is a wire of the tests' own, which breaks at a statement or keeps its answer."
ON_SQLITE = "A full disk is a process that may write to no file: what SQLite sees is a write that fails."
KILLED_NOTE = """A server process of its own gets the signal KILL, and another one is asked afterwards. It is the same
on both databases."""
KEY_NOTE = """A server does not start with a key that does not open the data, or on PostgreSQL without one. This is one
that has lost its key while it ran, on both databases."""
CLOCK_NOTE = """Two servers on one database, the other of which is right. Whichever accepts a code, the other refuses
it. A clock that is ahead ends one wait of up to five minutes early, and then everybody waits by its time: one guess
comes earlier, and no code counts twice."""
CHANGES_NOTE = """A change is done as a whole or not at all. Sent once more after it was done and nobody could be told,
it is refused: its code is used up, and after a confirmation so is the session's token."""
CHANGES_HEAD = """| Database | Fault | Call | Answer | Guess | Done | The same once more |
| --- | --- | --- | --- | --- | --- | --- |"""
MAIL_NOTE = "Somebody signs in with a backup code, of which a mail tells."


def page() -> str:
    """Return the document."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield from _section("PostgreSQL", ON_POSTGRESQL, [*AWAY, *BUSY, *CUT, *TERMINATED])
    yield from _section("SQLite", ON_SQLITE, [*FULL, *LOCKED])
    yield f"## Changes of the second factor and of the password\n\n{CHANGES_NOTE}\n\n{CHANGES_HEAD}"
    yield from _changes("PostgreSQL", CHANGED_WHEN_CUT)
    yield from _changes("SQLite", CHANGED_ON_FULL_DISK)
    yield ""
    yield from _section("A process that is killed", KILLED_NOTE, KILLED)
    yield from _section("A key that is another one's", KEY_NOTE, KEYLESS)
    yield f"## A clock that is five minutes off\n\n{CLOCK_NOTE}\n"
    yield "| Sent to the server that is off | Ahead | Behind |\n| --- | --- | --- |"
    yield from (f"| {shift.what} | {shift.ahead} | {shift.behind} |" for shift in CLOCKS)
    yield f"\n## A mail server that takes nothing\n\n{MAIL_NOTE}\n"
    yield "| The mail server | Answer to the caller | The mail | Shown to the operator |\n| --- | --- | --- | --- |"
    yield from (f"| {post.fault} | {post.answer} | `{post.mail}` | `{post.error}` |" for post in POSTS)
    yield ""


def _section(title: str, note: str, cases: list[Case]) -> Iterator[str]:
    yield f"## {title}\n\n{note}\n"
    yield from _table(cases)
    yield ""


def _table(cases: list[Case]) -> Iterator[str]:
    yield HEAD
    for case in cases:
        it = case.declared
        guess = "charged" if it.is_charged else "not charged"
        yield f"| {case.fault} | {case.door} | {it.answer} | {guess} | {it.session} | {it.again} |"


def _changes(database: str, cases: list[Change]) -> Iterator[str]:
    for case in cases:
        it = case.declared
        guess, done = "charged" if it.is_charged else "not charged", "yes" if it.is_done else "no"
        yield f"| {database} | {case.fault} | {case.door} | {it.answer} | {guess} | {done} | {it.again} |"
