"""Every fault that is injected, and what is declared to come of it: ``make faults`` writes it down."""

from dataclasses import dataclass

from faults.moments import Moment

CODE = "`POST /totp-verify`, a code"
BACKUP_CODE = "`POST /totp-verify`, a backup code"
STEP_UP = "`POST /step-up`, a code"

SPENDING = {
    CODE: "UPDATE totp_authenticators",
    BACKUP_CODE: "UPDATE backup_codes",
    STEP_UP: "UPDATE totp_authenticators",
}
"""What the statement says that uses a proof up, at each door."""

CHARGING = "INSERT INTO attempts"

UNAVAILABLE = "503 `unavailable`"


@dataclass(frozen=True)
class Outcome:
    """What came of a right proof that was sent while something went wrong, seen when all is well again."""

    answer: str
    session: str
    """``none``, ``made`` or ``renewed``; told or not, it is what the database holds."""
    is_charged: bool
    again: str
    """The answer to the same proof, sent once more."""


NOTHING_HAPPENED = Outcome(UNAVAILABLE, "none", is_charged=False, again="accepted")
CHARGE_STANDS = Outcome(UNAVAILABLE, "none", is_charged=True, again="accepted")
LOST = {
    door: Outcome(UNAVAILABLE, made, is_charged=False, again="refused")
    for door, made in {CODE: "made", BACKUP_CODE: "made", STEP_UP: "renewed"}.items()
}
"""It was done, and nobody could be told: what was made stands, its token is known to nobody, the proof is used up."""


@dataclass(frozen=True)
class Case:
    """A fault, where it strikes, and what is declared to come of it."""

    fault: str
    door: str
    moment: Moment
    stays: bool
    declared: Outcome

    @property
    def name(self) -> str:
        """Return what a test calls it."""
        return f"{self.fault}, {self.door}".replace("`", "")


def _moments(door: str) -> dict[str, Moment]:
    spend = SPENDING[door]
    return {
        "before the charge": Moment((CHARGING,)),
        "after the charge, its answer lost": Moment((CHARGING,) if door != BACKUP_CODE else (CHARGING, "COMMIT"), True),
        "before the spend": Moment((spend,)),
        "after the spend, its answer lost": Moment((spend,), True),
        "before the commit": Moment((spend, "COMMIT")),
        "after the commit, its answer lost": Moment((spend, "COMMIT"), True),
    }


def _declared(door: str, moment: str, *, stays: bool) -> Outcome:
    if moment == "before the charge":
        return NOTHING_HAPPENED
    if moment == "after the charge, its answer lost":
        return CHARGE_STANDS
    if moment == "after the commit, its answer lost":
        return LOST[door]
    return CHARGE_STANDS if stays else NOTHING_HAPPENED


CUT = [
    Case(
        f"the connection breaks {moment}{', and the database stays away' if stays else ''}",
        door,
        at,
        stays,
        _declared(door, moment, stays=stays),
    )
    for door in SPENDING
    for moment, at in _moments(door).items()
    for stays in (False, True)
]
"""PostgreSQL behind a wire that breaks."""

AWAY = [Case("the database is away", door, Moment((CHARGING,)), True, NOTHING_HAPPENED) for door in SPENDING]
BUSY = [
    Case("every connection of the pool is in use", door, Moment((CHARGING,)), True, NOTHING_HAPPENED)
    for door in SPENDING
]
TERMINATED = [
    Case(
        f"an administrator ends the connection {name}",
        CODE,
        _moments(CODE)[name],
        False,
        _declared(CODE, name, stays=False),
    )
    for name in ("before the charge", "before the spend", "before the commit")
]

FULL = [
    Case(
        f"the disk is full {name}{', and stays full' if stays else ''}",
        door,
        Moment((part, "COMMIT")),
        stays,
        CHARGE_STANDS if stays and part != CHARGING else NOTHING_HAPPENED,
    )
    for door in SPENDING
    for name, part in (("when the charge is committed", CHARGING), ("when the spend is committed", SPENDING[door]))
    for stays in (False, True)
]
"""SQLite on a disk that takes no more."""

LOCKED = [
    Case(
        "another process keeps the file locked from before the charge", door, Moment(("BEGIN",)), True, NOTHING_HAPPENED
    )
    for door in (CODE, BACKUP_CODE)
] + [
    Case(
        "another process keeps the file locked from before the spend",
        door,
        Moment((CHARGING, "BEGIN")),
        True,
        CHARGE_STANDS,
    )
    for door in SPENDING
]

CONFIRM = "`POST /totp/confirm`"
DISABLE = "`POST /totp/disable`"
REMOVE = "`POST /totp/authenticators/{id}/remove`"
REGENERATE = "`POST /totp/backup-codes/regenerate`"
CHANGE_PASSWORD = "`POST /password`"
CHANGES = (CONFIRM, DISABLE, REMOVE, REGENERATE, CHANGE_PASSWORD)


@dataclass(frozen=True)
class Changed:
    """What came of a change with a right code that was sent while something went wrong."""

    answer: str
    is_done: bool
    """The whole of it; a part of it fails the test."""
    is_charged: bool
    again: str
    """The answer to the same call, sent once more."""


UNCHANGED = Changed(UNAVAILABLE, is_done=False, is_charged=False, again="accepted")
CHANGED = Changed(UNAVAILABLE, is_done=True, is_charged=False, again="refused")


@dataclass(frozen=True)
class Change:
    """A fault, the change that it strikes, and what is declared to come of it."""

    fault: str
    door: str
    moment: Moment
    declared: Changed

    @property
    def name(self) -> str:
        """Return what a test calls it."""
        return f"{self.fault}, {self.door}".replace("`", "")


_CODE = "UPDATE totp_authenticators"

CHANGED_WHEN_CUT = [
    Change(f"the connection breaks {name}", door, moment, declared)
    for door in CHANGES
    for name, moment, declared in (
        ("before the spend", Moment((_CODE,)), UNCHANGED),
        ("before the commit", Moment((_CODE, "COMMIT")), UNCHANGED),
        ("after the commit, its answer lost", Moment((_CODE, "COMMIT"), True), CHANGED),
    )
]
CHANGED_ON_FULL_DISK = [
    Change("the disk is full when the change is committed", door, Moment((_CODE, "COMMIT")), UNCHANGED)
    for door in CHANGES
]

NO_ANSWER = "none"
KILLED = [
    Case(
        "the process is killed before the charge",
        CODE,
        Moment((CHARGING,)),
        False,
        Outcome(NO_ANSWER, "none", is_charged=False, again="accepted"),
    ),
    Case(
        "the process is killed after the charge is committed",
        CODE,
        Moment((CHARGING, "COMMIT"), True),
        False,
        Outcome(NO_ANSWER, "none", is_charged=True, again="accepted"),
    ),
    Case(
        "the process is killed before the spend is committed",
        CODE,
        Moment((SPENDING[CODE], "COMMIT")),
        False,
        Outcome(NO_ANSWER, "none", is_charged=True, again="accepted"),
    ),
    Case(
        "the process is killed after the spend is committed",
        CODE,
        Moment((SPENDING[CODE], "COMMIT"), True),
        False,
        Outcome(NO_ANSWER, "made", is_charged=False, again="refused"),
    ),
]
"""A server process of its own that dies at the moment; another one is asked afterwards."""

KEYLESS = [
    Case(
        "one server has another key",
        door,
        Moment(()),
        False,
        Outcome("500 `internal`", "none", is_charged=False, again="accepted"),
    )
    for door in (CODE, STEP_UP)
]


@dataclass(frozen=True)
class Shift:
    """What comes of something on a server whose clock is five minutes off, beside one that is right."""

    what: str
    ahead: str
    behind: str


CLOCKS = [
    Shift("a code of now", "400 `code_refused`", "400 `code_refused`"),
    Shift(
        "a code that the other one has accepted, when the clock here shows its time",
        "400 `code_refused`",
        "400 `code_refused`",
    ),
    Shift("a session that the other one has begun", "200", "200"),
    Shift(
        "a challenge that the other one has opened, with a code that is right here", "401 `challenge_refused`", "200"
    ),
    Shift("the sixth guess, after five wrong ones at the other", "400 `code_refused`", "429 `attempts_spent`"),
]


@dataclass(frozen=True)
class Post:
    """What comes of a sign-in by a backup code, of which mail tells, and of the mail."""

    fault: str
    answer: str
    mail: str
    error: str


POSTS = [
    Post("nobody listens there", "200", "waiting", "ConnectionRefusedError"),
    Post("it says 451", "200", "waiting", "SMTPRecipientsRefused 451"),
    Post("it says 550", "200", "given_up", "SMTPRecipientsRefused 550"),
]
