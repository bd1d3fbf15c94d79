"""The chain of the audit log: what makes it evident that somebody has changed it. Pure.

Each event has a place, a digest over itself and the digest before it, which anybody can compute, and a seal over place
and digest, which only those can who have the key (docs/decisions/0034-audit-chain.md).
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from umbra.audit.event import AuditEvent
from umbra.core.mark import Position
from umbra.core.record import record
from umbra.core.secret import Secret

KEY_BYTES = 32

_written_out = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode

BEGINNING = Position(0, "0" * 64)
"""What stands before the first event."""


@record
class Sealed:
    """An event in its place. ``subject`` stands for its account, and stays when that is gone."""

    said: AuditEvent
    seq: int
    subject: str | None
    digest: str
    seal: str = field(repr=False)

    @property
    def position(self) -> Position:
        """Where the chain is with it."""
        return Position(self.seq, self.digest)


class Fault(StrEnum):
    """What can be wrong with an event in its place."""

    ALTERED = "altered"
    CUT = "cut"
    FORGED = "forged"
    GAP = "gap"
    HEAD = "head"
    MISPLACED = "misplaced"
    REWRITTEN = "rewritten"


FAULTS = {
    Fault.ALTERED: "the event is not what was sealed",
    Fault.CUT: "events that have been here are missing from here to the end",
    Fault.FORGED: "the event was not sealed by us",
    Fault.GAP: "events are missing before this one",
    Fault.HEAD: "what is noted as the end of the log is not its end",
    Fault.MISPLACED: "the event was not sealed in this place",
    Fault.REWRITTEN: "another event has been seen in this place",
}


def linked(key: Secret[bytes], before: Position, events: Iterable[AuditEvent]) -> Iterator[Sealed]:
    """Yield events in the places behind ``before``."""
    for said in events:
        seq = before.number + 1
        subject = subject_of(key, said.user_id)
        digest = digest_of(before.digest, seq, said, subject)
        before = Position(seq, digest)
        yield Sealed(said, seq, subject, digest, seal_of(key, before))


def fault_in(key: Secret[bytes], before: Position, one: Sealed) -> Fault | None:
    """Say what is wrong with an event that stands behind ``before``, if anything is."""
    if one.seq != before.number + 1:
        return Fault.GAP if one.seq > before.number else Fault.MISPLACED
    is_sealed = hmac.compare_digest(one.seal.encode(), seal_of(key, one.position).encode())
    if digest_of(before.digest, one.seq, one.said, one.subject) != one.digest:
        return Fault.ALTERED if is_sealed else Fault.MISPLACED
    if not is_sealed:
        return Fault.FORGED
    is_somebody_elses = one.said.user_id is not None and one.subject != subject_of(key, one.said.user_id)
    return Fault.ALTERED if is_somebody_elses else None


def digest_of(previous: str, seq: int, said: AuditEvent, subject: str | None) -> str:
    """Return the SHA-256 of an event in its place, in hex: over a list in JSON, without spaces, in ASCII."""
    listed = [
        previous,
        seq,
        said.id,
        moment(said.at),
        said.event,
        said.reason,
        subject,
        said.ip,
        said.user_agent,
        said.detail,
    ]
    return hashlib.sha256(_written_out(listed).encode("ascii")).hexdigest()


def moment(at: datetime) -> str:
    """Return a moment as the digest has it, and the export."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def subject_of(key: Secret[bytes], user_id: Any) -> str | None:
    """Return what stands for an account: nobody without the key can tell which it was."""
    return None if user_id is None else _mac(key, f"subject:{user_id}")


def seal_of(key: Secret[bytes], position: Position) -> str:
    """Return the seal of a place and its digest."""
    return _mac(key, f"seal:{position.number}:{position.digest}")


def written(key: Secret[bytes], anchor: Position) -> str:
    """Return as text where the log begins, so that nobody without the key can have it begin elsewhere."""
    return f"{anchor.number}:{anchor.digest}:{_mac(key, f'anchor:{anchor.number}:{anchor.digest}')}"


def read(key: Secret[bytes], text: str | None) -> Position:
    """Return where the log begins; a text that was not written by us counts for nothing."""
    anchor = position_of((text or "").rpartition(":")[0])
    is_ours = text is not None and hmac.compare_digest(text.encode(), written(key, anchor).encode())
    return anchor if is_ours else BEGINNING


def text_of(position: Position) -> str:
    """Return a position as text."""
    return f"{position.number}:{position.digest}"


def position_of(text: str) -> Position:
    """Return the position that a text says; one that says none is the beginning."""
    number, _, digest = text.partition(":")
    return Position(int(number), digest) if number.isdecimal() and digest else BEGINNING


def _mac(key: Secret[bytes], text: str) -> str:
    return hmac.digest(key.reveal(), text.encode(), "sha256").hex()
