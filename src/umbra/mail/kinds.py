"""Of what an account's owner is told by mail. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from umbra.core.events import REPLAYED, Event, Happened
from umbra.core.ids import UserId
from umbra.crypto.envelope import Place
from umbra.links.purposes import Purpose


class Kind(StrEnum):
    """The stable names in ``mail_outbox.kind``; each has a text of that name among the templates."""

    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    AUTHENTICATOR_ADDED = "authenticator_added"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    AUTHENTICATORS_LOCKED = "authenticators_locked"
    BACKUP_CODE_USED = "backup_code_used"
    BACKUP_CODES_DUE = "backup_codes_due"
    BACKUP_CODES_MADE = "backup_codes_made"
    CODE_REPLAYED = "code_replayed"
    EMAIL_CHANGED = "email_changed"
    EMAIL_PROOF = "email_proof"
    EMAIL_PROOF_NEW = "email_proof_new"
    GUESSES_SPENT = "guesses_spent"
    NEW_BROWSER = "new_browser"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name, not a password
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the same
    SECOND_FACTOR_DISABLED = "second_factor_disabled"
    SECOND_FACTOR_RESET = "second_factor_reset"
    SECOND_FACTOR_RESTORED = "second_factor_restored"
    TEST = "test"


WITH_CODE = frozenset({Kind.EMAIL_PROOF, Kind.EMAIL_PROOF_NEW})
"""What is of use for as long as the code in it is good."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many mails of a kind one account gets within a time."""

    most: int
    within: timedelta


CODES_AN_HOUR = Limit(5, timedelta(hours=1))
"""They are asked for by hand, and the sixth is refused."""

TEN_A_DAY = Limit(10, timedelta(days=1))
"""Whoever signs in with somebody else's address floods nobody."""

_LIMITS = {
    Kind.CODE_REPLAYED: Limit(1, timedelta(minutes=10)),
    Kind.EMAIL_PROOF: CODES_AN_HOUR,
    Kind.EMAIL_PROOF_NEW: CODES_AN_HOUR,
    Kind.PASSWORD_RESET: Limit(3, timedelta(hours=1)),
}

_LINKS = {
    Kind.BACKUP_CODE_USED: Purpose.UNDO_SIGN_IN,
    Kind.CODE_REPLAYED: Purpose.END_SESSIONS,
    Kind.NEW_BROWSER: Purpose.END_SESSIONS,
    Kind.PASSWORD_RESET: Purpose.RESET_PASSWORD,
    Kind.SECOND_FACTOR_DISABLED: Purpose.UNDO_REMOVAL,
}


def limit_of(kind: Kind) -> Limit:
    """Return how many mails of that kind an account gets."""
    return _LIMITS.get(kind, TEN_A_DAY)


def link_in(kind: str) -> Purpose | None:
    """Return what the link in a mail of that kind is for, or ``None`` where it has none."""
    return _LINKS.get(Kind(kind))


_DONE = {
    Event.ACCOUNT_DISABLED: Kind.ACCOUNT_DISABLED,
    Event.ACCOUNT_ENABLED: Kind.ACCOUNT_ENABLED,
    Event.AUTHENTICATOR_CONFIRMED: Kind.AUTHENTICATOR_ADDED,
    Event.AUTHENTICATOR_REMOVED: Kind.AUTHENTICATOR_REMOVED,
    Event.AUTHENTICATORS_LOCKED: Kind.AUTHENTICATORS_LOCKED,
    Event.BACKUP_CODES_DUE: Kind.BACKUP_CODES_DUE,
    Event.BACKUP_CODES_REGENERATED: Kind.BACKUP_CODES_MADE,
    Event.EMAIL_CHANGED: Kind.EMAIL_CHANGED,
    Event.GUESSES_SPENT: Kind.GUESSES_SPENT,
    Event.PASSWORD_CHANGED: Kind.PASSWORD_CHANGED,
    Event.PASSWORD_RESET: Kind.PASSWORD_CHANGED,
    Event.SECOND_FACTOR_DISABLED: Kind.SECOND_FACTOR_DISABLED,
    Event.SECOND_FACTOR_RESET: Kind.SECOND_FACTOR_RESET,
    Event.SECOND_FACTOR_RESTORED: Kind.SECOND_FACTOR_RESTORED,
}

_CODE_STEPS = {Event.SIGN_IN_CODE, Event.STEP_UP}


def kind_of(happened: Happened) -> Kind | None:
    """Return the kind of mail about an event, or ``None`` where its owner is not told.

    A backup code that removed something is told of with what it removed: one event, one mail.
    """
    if happened.reason is not None:
        return Kind.CODE_REPLAYED if happened.reason == REPLAYED else None
    if happened.event in _CODE_STEPS:
        return Kind.BACKUP_CODE_USED if (happened.detail or {}).get("method") == "backup_code" else None
    return _DONE.get(happened.event)


def code_place(user_id: UserId | None) -> Place:
    """Return where a code that is mailed belongs: to an account, whatever row its mail has."""
    return Place("mailed_code", user_id, 0)
