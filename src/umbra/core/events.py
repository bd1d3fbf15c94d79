"""What happened, and who is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from umbra.core.errors import Busy, InvalidRequest, Refused, Unavailable
from umbra.core.ids import UserId

JsonValue = str | int | bool | None


class Event(StrEnum):
    """The stable names in ``audit_events.event``; docs/reference/events.md says what each one means."""

    ACCOUNT_CREATED = "account_created"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    AUTHENTICATOR_CONFIRMED = "authenticator_confirmed"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    AUTHENTICATOR_RENAMED = "authenticator_renamed"
    AUTHENTICATORS_IMPORTED = "authenticators_imported"
    AUTHENTICATORS_LOCKED = "authenticators_locked"
    BACKUP_CODES_REGENERATED = "backup_codes_regenerated"
    EMAIL_CHANGED = "email_changed"
    EMAIL_CODE_SENT = "email_code_sent"
    EMAIL_PROVED = "email_proved"
    MAIL_GIVEN_UP = "mail_given_up"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name, not a password
    SECOND_FACTOR_DISABLED = "second_factor_disabled"
    SECOND_FACTOR_RESET = "second_factor_reset"
    SECRET_REFUSED = "secret_refused"  # noqa: S105 - a name, not a secret
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED = "sessions_ended"
    SETUP_STARTED = "setup_started"
    SIGN_IN_CODE = "sign_in_code"
    SIGN_IN_HOST = "sign_in_host"
    SIGN_IN_PASSWORD = "sign_in_password"  # noqa: S105 - a name, not a password
    SIGNED_OUT = "signed_out"
    STEP_UP = "step_up"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from, as far as we can know.

    ``browser`` is the hash by which it would be recognised, ``language`` the one of ours that it likes best.
    """

    ip: str | None = None
    user_agent: str | None = None
    browser: str | None = field(default=None, repr=False)
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the audit log; ``reason`` is null when the thing was done, and says why when it was not."""

    event: Event
    client: Client
    user_id: UserId | None = None
    reason: str | None = None
    detail: dict[str, JsonValue] | None = None


@dataclass(slots=True)
class Note:
    """What a use case learns about its own event while it runs."""

    event: Event
    client: Client
    user_id: UserId | None = None
    detail: dict[str, JsonValue] = field(default_factory=dict)
    is_kept: bool = False
    """It was written down, as done, in the transaction that did it."""

    def happened(self, reason: str | None = None) -> Happened:
        """Return the line for the audit log: done, or refused for ``reason``."""
        return Happened(self.event, self.client, self.user_id, reason, self.detail or None)


class Sink(Protocol):
    """Where events go."""

    async def record(self, happened: Happened) -> None:
        """Keep ``happened``, in a transaction of its own, whatever becomes of the use case."""
        ...

    async def was_kept(self, happened: Happened) -> None:
        """Learn what has been kept together with what it says."""
        ...


@asynccontextmanager
async def watching(sink: Sink, event: Event, client: Client, user_id: UserId | None = None) -> AsyncIterator[Note]:
    """Record ``event`` when the block ends: as done, or as refused with its cause.

    What the server could not decide, and what was never of the form, is no event.
    """
    note = Note(event, client, user_id)
    try:
        yield note
    except (Busy, Unavailable, InvalidRequest):
        raise
    except Refused as refusal:
        await sink.record(note.happened(refusal.cause))
        raise
    await (sink.was_kept if note.is_kept else sink.record)(note.happened())
