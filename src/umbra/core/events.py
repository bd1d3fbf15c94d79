"""What happened, and who is told."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType
from typing import Protocol

from umbra.core.errors import Busy, InvalidRequest, Refused, Unavailable
from umbra.core.ids import UserId
from umbra.core.record import record

JsonValue = str | int | bool | None

REPLAYED = "replayed"
"""The cause of a refusal: the code was right, and has been used."""


class Event(StrEnum):
    """The stable names in ``audit_events.event``; docs/reference/events.md says what each one means."""

    ACCOUNT_CREATED = "account_created"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    AUDIT_PRUNED = "audit_pruned"
    AUTHENTICATOR_CONFIRMED = "authenticator_confirmed"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    AUTHENTICATOR_RENAMED = "authenticator_renamed"
    AUTHENTICATORS_IMPORTED = "authenticators_imported"
    AUTHENTICATORS_LOCKED = "authenticators_locked"
    BACKUP_CODES_DUE = "backup_codes_due"
    BACKUP_CODES_REGENERATED = "backup_codes_regenerated"
    CODE_REPLAYED = "code_replayed"
    DATABASE_RESTORED = "database_restored"
    EMAIL_CHANGED = "email_changed"
    EMAIL_CODE_SENT = "email_code_sent"
    EMAIL_PROVED = "email_proved"
    GUESSES_SPENT = "guesses_spent"
    MAIL_GIVEN_UP = "mail_given_up"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name, not a password
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name, not a password
    PASSWORD_RESET_REQUESTED = "password_reset_requested"  # noqa: S105 - the same
    SECOND_FACTOR_DISABLED = "second_factor_disabled"
    SECOND_FACTOR_RESET = "second_factor_reset"
    SECOND_FACTOR_RESTORED = "second_factor_restored"
    SECRET_REFUSED = "secret_refused"  # noqa: S105 - a name, not a secret
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED = "sessions_ended"
    SETUP_STARTED = "setup_started"
    SIGN_IN_CODE = "sign_in_code"
    SIGN_IN_HOST = "sign_in_host"
    SIGN_IN_PASSWORD = "sign_in_password"  # noqa: S105 - a name, not a password
    SIGNED_OUT = "signed_out"
    STEP_UP = "step_up"


@record
class Client:
    """Where a request came from, as far as we can know.

    ``browser`` is the hash of the cookie by which a browser would be recognised, ``program`` what stands for a client
    that keeps its token itself, and ``language`` the one of ours that it likes best.
    """

    ip: str | None = None
    user_agent: str | None = None
    browser: str | None = field(default=None, repr=False)
    program: str | None = field(default=None, repr=False)
    language: str | None = None


@record
class Happened:
    """One line of the audit log; ``reason`` is null when the thing was done, and says why when it was not."""

    event: Event
    client: Client
    user_id: UserId | None = None
    reason: str | None = None
    detail: dict[str, JsonValue] | None = None


def signal_of(happened: Happened) -> Happened | None:
    """Return the event that a refusal is besides: a code that was right and used is in somebody else's hands, perhaps.

    It is another line of the audit log, written by the statement that writes the refusal: a second round trip would
    tell whoever sent the code that it was right.
    """
    if happened.reason != REPLAYED:
        return None
    detail = {**(happened.detail or {}), "door": happened.event.value}
    return replace(happened, event=Event.CODE_REPLAYED, reason=None, detail=detail)


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


def watching(
    sink: Sink, event: Event, client: Client, user_id: UserId | None = None
) -> AbstractAsyncContextManager[Note]:
    """Record ``event`` when the block ends: as done, or as refused with its cause.

    What the server could not decide, and what was never of the form, is no event.
    """
    return _Watching(sink, Note(event, client, user_id))


class _Watching(AbstractAsyncContextManager[Note]):
    def __init__(self, sink: Sink, note: Note) -> None:
        self._sink = sink
        self._note = note

    async def __aenter__(self) -> Note:
        return self._note

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        match error:
            case None:
                await (self._sink.was_kept if self._note.is_kept else self._sink.record)(self._note.happened())
            case Busy() | Unavailable() | InvalidRequest():
                pass
            case Refused():
                await self._sink.record(self._note.happened(error.cause))
