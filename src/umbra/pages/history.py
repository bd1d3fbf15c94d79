"""The audit log in words, for owners and for operators. Pure."""

from dataclasses import dataclass

from umbra.audit.event import AuditEvent
from umbra.words import marked

DONE = {
    "account_created": marked("The account was made"),
    "account_disabled": marked("The operator disabled the account"),
    "account_enabled": marked("The operator enabled the account"),
    "audit_pruned": marked("Old events were deleted"),
    "authenticator_confirmed": marked("An authenticator was added"),
    "authenticator_removed": marked("An authenticator was removed"),
    "authenticator_renamed": marked("An authenticator got another name"),
    "authenticators_imported": marked("Authenticators and backup codes came over from another application"),
    "authenticators_locked": marked("Codes are locked after a hundred wrong ones in a row; a backup code opens them"),
    "backup_codes_due": marked("The server came back from a backup of its data; make new backup codes"),
    "backup_codes_regenerated": marked("New backup codes were made; the old ones are dead"),
    "code_replayed": marked("A code was sent that was right, and had been used: somebody else may have it"),
    "database_restored": marked("The database was restored from a backup, and made safe"),
    "email_changed": marked("The mail address was changed"),
    "email_code_sent": marked("A code was sent by mail"),
    "email_proved": marked("The mail address was confirmed with a code"),
    "guesses_spent": marked("A year’s wrong codes are used up; backup codes still work"),
    "mail_given_up": marked("A mail about the account could not be delivered"),
    "password_changed": marked("The password was changed"),
    "password_reset": marked("A new password was set by the link of a mail"),
    "password_reset_requested": marked("A mail with a link to set a new password was asked for"),
    "second_factor_disabled": marked("Two-step sign-in was turned off"),
    "second_factor_reset": marked("The operator turned two-step sign-in off"),
    "second_factor_restored": marked("Two-step sign-in was turned on again by the link of a mail"),
    "secret_refused": marked("The server could not use the key of an authenticator; the operator should know"),
    "session_ended": marked("A session was ended"),
    "sessions_ended": marked("All other sessions were ended"),
    "setup_started": marked("The set-up of an authenticator was begun"),
    "sign_in_code": marked("Signed in with a code"),
    "sign_in_host": marked("Recognised by the application that you use"),
    "sign_in_password": marked("The right password was given at sign-in"),
    "signed_out": marked("Signed out"),
    "step_up": marked("Confirmed that it is you"),
}
DONE_WITH_BACKUP_CODE = {
    "sign_in_code": marked("Signed in with a backup code"),
    "step_up": marked("Confirmed with a backup code that it is you"),
}
DONE_BY_MAIL = {
    "sessions_ended": marked("Sessions were ended by the link of a mail"),
}
DONE_BY_OPERATOR = {
    "email_changed": marked("The operator changed the mail address"),
    "sessions_ended": marked("The operator ended all sessions"),
}

REFUSED = {
    "wrong": marked("A wrong code was tried"),
    "late": marked("A code that had run out was tried"),
    "superseded": marked("A code older than the last one used was tried"),
    "replayed": marked("A code that had been used before was tried"),
    "moved_secret": marked("A code was tried against a key that is another account’s; the operator should know"),
    "attempts_spent": marked("An attempt came too soon after wrong ones, and was not looked at"),
    "challenge_refused": marked("A sign-in had taken too long"),
    "not_authenticated": marked("A session ended while it was being used"),
    "disabled": marked("The right password was given, while the account was disabled"),
    "password_refused": marked("A new password was not good enough"),
    "no_code": marked("A code was tried, and none was waiting"),
    "email_proof_required": marked("A code from a mail was wanted first"),
    "factors_changed": marked(
        "The mail address stayed: authenticators or backup codes had been changed shortly before"
    ),
    "name_taken": marked("A name was chosen that another authenticator has"),
    "last_authenticator": marked("The only authenticator cannot be removed"),
    "link_refused": marked("The link of a mail was tried that was used, or out of date"),
    "no_address": marked("The account has no mail address"),
    "no_setup_pending": marked("A set-up had taken too long"),
    "not_enabled": marked("A code was given, and two-step sign-in is off"),
    "not_found": marked("Something was asked for that is not there"),
    "step_up_required": marked("A password was given where a code is wanted"),
}
REFUSED_PASSWORD = {
    "wrong": marked("A wrong password was tried"),
    "superseded": marked("A password was tried while the account was being changed"),
}
REFUSED_BACKUP_CODE = {
    "wrong": marked("A wrong backup code was tried"),
    "replayed": marked("A backup code that had been used before was tried"),
}
REFUSED_MAIL = {
    "disabled": marked("The account was disabled"),
    "attempts_spent": marked("There had been too many requests"),
}

REFUSED_TO_NOBODY = {
    "unknown_user": marked("A name was tried that nobody has"),
    "username_taken": marked("A user name was chosen that another account has"),
    "unreadable_secret": marked("No key opens a stored secret"),
}
"""What is no account's, so that operators alone see it."""

WHERE = {
    "authenticator_confirmed": marked("to add an authenticator"),
    "authenticator_removed": marked("to remove an authenticator"),
    "authenticator_renamed": marked("to rename an authenticator"),
    "backup_codes_regenerated": marked("to make new backup codes"),
    "email_changed": marked("to change the mail address"),
    "email_code_sent": marked("to have a code mailed"),
    "email_proved": marked("to confirm the mail address"),
    "password_changed": marked("to change the password"),
    "password_reset": marked("to set a new password by mail"),
    "password_reset_requested": marked("to get a link by mail"),
    "second_factor_disabled": marked("to turn two-step sign-in off"),
    "session_ended": marked("to end a session"),
    "sign_in_code": marked("at sign-in, after the right password"),
    "sign_in_host": marked("at sign-in"),
    "sign_in_password": marked("at sign-in"),
    "step_up": marked("to confirm that it is you"),
}

ALARMING = {"wrong", "late", "superseded", "replayed", "moved_secret", "attempts_spent"}
"""What may be somebody else's guesses."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; the texts are in the catalogue."""

    text: str
    where: str | None
    is_refused: bool
    is_alarming: bool
    event: AuditEvent


def line(event: AuditEvent) -> Line:
    """Return an event in words; one that has none yet is shown by its name."""
    method = (event.detail or {}).get("method")
    reason = event.reason
    text = _done(event, method) if reason is None else _refused(reason, method)
    where = None if reason is None else WHERE.get(event.event)
    return Line(text, where, reason is not None, reason in ALARMING, event)


def _done(event: AuditEvent, method: str | None) -> str:
    by_method = {"backup_code": DONE_WITH_BACKUP_CODE, "mail": DONE_BY_MAIL}
    special = DONE_BY_OPERATOR if event.is_operators else by_method.get(method or "", {})
    return special.get(event.event) or DONE.get(event.event) or event.event.replace("_", " ")


def _refused(reason: str, method: str | None) -> str:
    by_method = {"password": REFUSED_PASSWORD, "backup_code": REFUSED_BACKUP_CODE, "mail": REFUSED_MAIL}
    special = by_method.get(method or "", {})
    return special.get(reason) or REFUSED.get(reason) or REFUSED_TO_NOBODY.get(reason) or reason.replace("_", " ")
