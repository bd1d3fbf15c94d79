"""Of what an account's owner is told by mail. Pure."""

from enum import StrEnum

from umbra.core.events import Event, Happened


class Kind(StrEnum):
    """The stable names in ``mail_outbox.kind``; each has a text of that name among the templates."""

    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    AUTHENTICATOR_ADDED = "authenticator_added"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    AUTHENTICATORS_LOCKED = "authenticators_locked"
    BACKUP_CODE_USED = "backup_code_used"
    BACKUP_CODES_MADE = "backup_codes_made"
    CODE_REPLAYED = "code_replayed"
    EMAIL_CHANGED = "email_changed"
    EMAIL_PROOF = "email_proof"
    EMAIL_PROOF_NEW = "email_proof_new"
    NEW_BROWSER = "new_browser"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name, not a password
    SECOND_FACTOR_DISABLED = "second_factor_disabled"
    SECOND_FACTOR_RESET = "second_factor_reset"
    TEST = "test"


WITH_CODE = frozenset({Kind.EMAIL_PROOF, Kind.EMAIL_PROOF_NEW})
"""What is of use for as long as the code in it is good."""

_DONE = {
    Event.ACCOUNT_DISABLED: Kind.ACCOUNT_DISABLED,
    Event.ACCOUNT_ENABLED: Kind.ACCOUNT_ENABLED,
    Event.AUTHENTICATOR_CONFIRMED: Kind.AUTHENTICATOR_ADDED,
    Event.AUTHENTICATOR_REMOVED: Kind.AUTHENTICATOR_REMOVED,
    Event.AUTHENTICATORS_LOCKED: Kind.AUTHENTICATORS_LOCKED,
    Event.BACKUP_CODES_REGENERATED: Kind.BACKUP_CODES_MADE,
    Event.EMAIL_CHANGED: Kind.EMAIL_CHANGED,
    Event.PASSWORD_CHANGED: Kind.PASSWORD_CHANGED,
    Event.SECOND_FACTOR_DISABLED: Kind.SECOND_FACTOR_DISABLED,
    Event.SECOND_FACTOR_RESET: Kind.SECOND_FACTOR_RESET,
}

_CODE_STEPS = {Event.SIGN_IN_CODE, Event.STEP_UP}


def kind_of(happened: Happened) -> Kind | None:
    """Return the kind of mail about an event, or ``None`` where its owner is not told.

    A backup code that removed something is told of with what it removed: one event, one mail.
    """
    if happened.event in _CODE_STEPS:
        return _of_code_step(happened)
    return _DONE.get(happened.event) if happened.reason is None else None


def _of_code_step(happened: Happened) -> Kind | None:
    if happened.reason == "replayed":
        return Kind.CODE_REPLAYED
    is_backup_code = (happened.detail or {}).get("method") == "backup_code"
    return Kind.BACKUP_CODE_USED if is_backup_code and happened.reason is None else None
