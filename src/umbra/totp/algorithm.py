"""RFC 4226 and RFC 6238. Pure: no clock, no settings, no database."""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NewType

from umbra.core.proof import CodeRefused
from umbra.core.typed import CODE_DIGITS, Digits

Step = NewType("Step", int)
"""Whole periods since the Unix epoch; the ``T`` of RFC 6238, section 4.2."""

PERIOD_SECONDS = 30
SECRET_BYTES = 20
"""160 bits, as long as the HMAC's output (RFC 4226, section 4, R6; RFC 6238, section 5.1)."""

SKEW_STEPS = 1
"""Steps accepted on each side of now; RFC 6238, section 5.2, allows one for the network."""

SIGHT_STEPS = 10
"""Steps looked at on each side only to tell the audit log "late" from "wrong"; nothing there is ever accepted."""


def step_at(now: datetime) -> Step:
    """Return the step that ``now`` falls into."""
    return Step(int(now.timestamp()) // PERIOD_SECONDS)


def code_for(secret: bytes, step: Step) -> Digits:
    """Return the six digits of ``step`` (RFC 4226, section 5.3, over RFC 6238's counter)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return Digits(f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}")


def steps_of(secret: bytes, code: Digits, *, now: Step, reach: int = SIGHT_STEPS) -> list[Step]:
    """Return every step within ``reach`` of ``now`` that ``code`` belongs to, the earliest first.

    All candidates are computed and compared, so the time taken does not tell which one matched, or whether any did.
    """
    given = code.encode("ascii")
    within = range(max(0, now - reach), now + reach + 1)
    return [
        Step(number) for number in within if hmac.compare_digest(code_for(secret, Step(number)).encode("ascii"), given)
    ]


def acceptable_step(steps: Iterable[Step], *, now: Step, after: Step | None) -> Step:
    """Return the earliest of ``steps`` that may be accepted: within the skew, and later than ``after``.

    ``after`` is the last step that this authenticator spent; a code is good once, and so is every code before it
    (RFC 6238, section 5.2).

    Raises:
        CodeRefused: None may; the cause is the most telling one.
    """
    cause = "wrong"
    for step in steps:
        if abs(step - now) > SKEW_STEPS:
            cause = "late" if cause == "wrong" else cause
        elif after is not None and step <= after:
            cause = "superseded"
        else:
            return step
    raise CodeRefused(cause)


def clock_off(secret: bytes, code: Digits, *, now: Step) -> timedelta | None:
    """Return how far ahead the clock that made ``code`` is, at the least; ``None`` where it is not in sight."""
    away = [step - now for step in steps_of(secret, code, now=now)]
    return timedelta(seconds=PERIOD_SECONDS * min(away, key=abs)) if away else None
