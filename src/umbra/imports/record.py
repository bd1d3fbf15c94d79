"""What moves over, in the one form that every source is brought into. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from umbra.core.secret import Secret
from umbra.core.typed import Digits

T = TypeVar("T")

LEAST_SECRET_BYTES = 10
"""80 bits, what Google Authenticator's own generator once made; under that nothing comes."""

ENOUGH_SECRET_BYTES = 16
"""128 bits (RFC 4226, section 4, R6). What is shorter comes, and is named: its owner should set up another."""

MOST_SECRET_BYTES = 128

LARGEST_STEP = 2**31 - 1
"""What the column holds (docs/decisions/0015-integer-types.md)."""


class Why(StrEnum):
    """Why something did not come; docs/moving.md says what to do about each."""

    UNKNOWN_ACCOUNT = "unknown_account"
    ALREADY_ENABLED = "already_enabled"
    NOT_CONFIRMED = "not_confirmed"
    NO_SECRET = "no_secret"  # noqa: S105 - a name, not a secret
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    TOO_SHORT = "too_short"
    OTHER_PARAMETERS = "other_parameters"
    OTHER_METHOD = "other_method"
    OTHER_HASH = "other_hash"
    TOO_MANY = "too_many"


class Note(StrEnum):
    """What somebody should know of an authenticator that came."""

    SHORT_SECRET = "short_secret"  # noqa: S105 - a name, not a secret
    CLOCK_OFF = "clock_off"


class CannotCome(Exception):
    """Something in the source has no place here; it is listed, and the rest comes."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that does not come: what it is there, and why."""

    what: str
    why: Why


@dataclass(frozen=True, slots=True)
class Authenticator:
    """An enrolled app; ``last_step`` is the last one of which the source knows that its code was used."""

    secret: Secret[bytes]
    name: str | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    last_step: int | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class UsedCode:
    """A code that the source has accepted, and the step that it matched."""

    step: int
    used_at: datetime | None
    code: Digits = field(repr=False)


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A backup code: its text where the source knows it, otherwise the Argon2 hash of it."""

    kept: Secret[str]
    is_hash: bool
    used_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What the source holds for one account: by its name to sign in with, or by its key where that is ours too."""

    login: str
    key: Any = None
    authenticators: tuple[Authenticator, ...] = ()
    backup_codes: tuple[BackupCode, ...] = ()
    used_codes: tuple[UsedCode, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def with_authenticators(self, authenticators: tuple[Authenticator, ...]) -> "Found":
        """Return the same with other authenticators."""
        return replace(self, authenticators=authenticators)

    def with_backup_codes(self, backup_codes: tuple[BackupCode, ...]) -> "Found":
        """Return the same with other backup codes."""
        return replace(self, backup_codes=backup_codes)

    def joined(self, other: "Found") -> "Found":
        """Return both together, where the source has two rows for one account."""
        return replace(
            self,
            authenticators=self.authenticators + other.authenticators,
            backup_codes=self.backup_codes + other.backup_codes,
            used_codes=self.used_codes + other.used_codes,
        )


def authenticator(secret: bytes, *, notes: tuple[Note, ...] = (), **more: Any) -> Authenticator:
    """Return an authenticator, if its secret is one that can be used here.

    Raises:
        CannotCome: It is too short to be safe, or too long to be one.
    """
    if len(secret) < LEAST_SECRET_BYTES:
        raise CannotCome(Why.TOO_SHORT)
    if len(secret) > MOST_SECRET_BYTES:
        raise CannotCome(Why.MALFORMED)
    if len(secret) < ENOUGH_SECRET_BYTES:
        notes = (*notes, Note.SHORT_SECRET)
    return Authenticator(Secret(secret), notes=notes, **more)


def step(number: Any) -> int:
    """Return a step as our column holds it.

    Raises:
        CannotCome: It is none.
    """
    if not isinstance(number, int) or not 0 <= number <= LARGEST_STEP:
        raise CannotCome(Why.MALFORMED)
    return number


def sifted(what: str, makers: Iterable[Callable[[], T]]) -> tuple[tuple[T, ...], tuple[LeftOut, ...]]:
    """Return what can come, and for each of the others why it cannot."""
    came: list[T] = []
    left_out: list[LeftOut] = []
    for make in makers:
        try:
            came.append(make())
        except CannotCome as refusal:
            left_out.append(LeftOut(what, refusal.why))
    return tuple(came), tuple(left_out)
