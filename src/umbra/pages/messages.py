"""What a page says: about a refusal, and about what has just been done."""

import gettext
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request

from umbra.attempts.errors import AttemptsSpent
from umbra.core.errors import InvalidRequest, Refused
from umbra.core.proof import ClockOff
from umbra.email_proofs.errors import MailsSpent
from umbra.pages.forms import EITHER, NEITHER, REQUIRED, Form
from umbra.passwords.errors import PasswordRefused
from umbra.web.errors import OriginRefused
from umbra.web.problems import ANSWERS, headers_of
from umbra.words import marked

Words = gettext.NullTranslations

NOTICES = {
    "reset-requested": marked(
        "If there is an account of that name, and it has a mail address, a mail is on its way to it. Follow its link "
        "within half an hour."
    ),
    "password-reset": marked("Your new password is set, and every session has ended. Sign in with it now."),
    "undone": marked("That is done. If somebody else may know your password, set a new one now, before you sign in."),
    "restored": marked(
        "Two-step sign-in is on again, with the authenticators that you had. Sign in, and make new backup codes. If "
        "somebody else may know your password, set a new one first."
    ),
    "first-run": marked("The account is made. Sign in with it now."),
    "registered": marked("Your account is made. Sign in with it now."),
    "signed-out": marked("You are signed out."),
    "backup-code": marked("You signed in with a backup code, which is used up now."),
    "enrolment": marked("Two-step sign-in is asked for here. Add an authenticator to go on."),
    "added": marked("The authenticator is added, and your other sessions have ended."),
    "renamed": marked("The authenticator has its new name."),
    "removed": marked("The authenticator is removed."),
    "disabled": marked("Two-step sign-in is off, and your other sessions have ended."),
    "password": marked("Your password is changed, and your other sessions have ended."),
    "email": marked("Your mail address is changed."),
    "session-ended": marked("The session has ended."),
    "sessions-ended": marked("Your other sessions have ended."),
    "operator-end-sessions": marked("Every session of the account has ended."),
    "operator-reset": marked("The account has no second factor any more, and its sessions have ended."),
    "operator-disable": marked("The account is disabled, and its sessions have ended."),
    "operator-enable": marked("The account is enabled again."),
    "not-me": marked("Your other sessions have ended. Now choose a new password, one that you use nowhere else."),
}
"""What an address may ask to be told by ``?notice=``: these texts and no others."""

REASONS = {
    "credentials_refused": marked("The user name or the password is not right."),
    "challenge_refused": marked("This sign-in took too long, or had too many wrong codes. Start again here."),
    "not_authenticated": marked("You are not signed in. Sign in, and come back."),
    "code_refused": marked("This code is not right, or no longer good. Wait until your app shows the next one."),
    "link_refused": marked("This link was used, or is out of date."),
    "attempts_spent": marked("There were too many wrong attempts. Wait %(wait)s, then try again."),
    "step_up_required": marked("It is a while since you showed that it is you. Do it again, and we go on."),
    "email_proof_required": marked("This needs a code that we send to your mail address."),
    "factors_changed": marked(
        "Your authenticators or backup codes were changed less than three days ago. The mail address stays for that "
        "time, so that the mail about it is read. If you cannot wait, ask the operator."
    ),
    "origin_refused": marked(
        "This form came from another site, or from a page that is out of date. Open %(address)s and try again."
    ),
    "registration_closed": marked("Accounts are made by the operator here. Ask for one."),
    "not_found": marked("There is nothing here, or not any more."),
    "method_not_allowed": marked("This address takes no such request."),
    "too_large": marked("That was more than we take. Send less."),
    "unsupported_media_type": marked("This address takes forms."),
    "internal": marked("Something of ours is broken. Nothing was changed."),
    "username_taken": marked("Another account has this user name. Choose another one."),
    "no_setup_pending": marked("The set-up was not finished within ten minutes. Begin again."),
    "not_enabled": marked("Two-step sign-in is off. Add an authenticator first."),
    "last_authenticator": marked(
        "This is your only authenticator. Add another one first, or turn two-step sign-in off."
    ),
    "name_taken": marked("Another authenticator of yours has this name. Choose another one."),
    "own_account": marked("This is your own account. Operators do this to others; for yours, use the Security page."),
    "password_refused": marked("Choose another password."),
    "busy": marked("There is a crowd here just now. Nothing was counted against you; try again in a moment."),
    "unavailable": marked("We cannot reach our database. Nothing was changed or counted; try again in a moment."),
}
"""What to do about each reason; a reason that has no line here is told in the words of the JSON face."""

MAILED_CODE_REFUSED = marked("This code is not right, or no longer good. Look at the newest mail, or get another one.")
BACKUP_CODE_REFUSED = marked("This backup code is not right, or has been used. Try another one.")
MAILS_SPENT = marked("We have sent several codes already. Look at the newest mail, or wait %(wait)s for another one.")
PASSWORD_WRONG = marked("This is not your password.")
CLOCK_AHEAD = marked(
    "Your phone’s clock is ahead by about %(time)s. Set it to the network’s time, then type a new code."
)
CLOCK_BEHIND = marked(
    "Your phone’s clock is behind by about %(time)s. Set it to the network’s time, then type a new code."
)

MISSING = {
    "backup_code": marked("Enter one of your backup codes."),
    "code": marked("Enter the six digits that your app shows."),
    "current_password": marked("Enter your current password."),
    "email": marked("Enter a mail address."),
    "mailed_code": marked("Enter the code from the mail."),
    "name": marked("Enter a name."),
    "new_password": marked("Enter a new password."),
    "password": marked("Enter the password."),
    "search": marked("Enter the beginning of a user name or mail address."),
    "username": marked("Enter the user name."),
}
MALFORMED = {
    "backup_code": marked("Enter the 20 letters and digits of a backup code, as they were shown."),
    "code": marked("Enter the six digits that your app shows, such as 123 456."),
    "email": marked("Enter a mail address such as name@example.org."),
    "mailed_code": marked("Enter the eight letters and digits from the mail, such as 4F7K-2M9Q."),
    "name": marked("Enter a name of at most 64 printable characters."),
    "password": marked("Enter the password without control characters."),
    "search": marked("Enter at most 254 printable characters."),
    "username": marked("Enter a user name of at most 128 printable characters."),
}
PROBLEMS = {
    "has a typing error in it": marked("Check this backup code: there is a typing error in it."),
    EITHER: marked("Enter a code or a backup code, and not both."),
    NEITHER: marked("Enter the six digits that your app shows, or a backup code."),
}
UNREADABLE = marked("This form cannot be read. Open the page anew, and try again.")

WEAK = {
    "use at least N characters": marked("Use at least %(number)s characters."),
    "use at most N bytes": marked("Use at most %(number)s bytes."),
    "do not build it from your name or ours": marked("Do not build the password from your name or ours."),
    "it is too easy to guess; use several uncommon words": marked(
        "This password is easy to guess. Use several uncommon words."
    ),
}

_FIELDS = {
    "code_refused": ("backup_code", "mailed_code", "code"),
    "credentials_refused": ("username", "current_password", "password"),
    "name_taken": ("name",),
    "password_refused": ("new_password", "password"),
    "username_taken": ("username",),
}
"""Where on a form a refusal belongs: to the first of these that was filled in."""

_LONG_WAIT = timedelta(minutes=2)
"""From here on a time is said in minutes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in words that say what to do, and with which field."""

    text: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal in words for a person, and how HTTP says it; ``place`` names the form that it is about."""

    status: int
    problems: tuple[Problem, ...]
    place: str | None = None
    until: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def at(self, place: str, name: str) -> str | None:
        """Return what is wrong with a field of a form."""
        if place != self.place:
            return None
        return next((problem.text for problem in self.problems if problem.field == name), None)


def notice_of(request: Request, words: Words) -> str | None:
    """Return the text that the address asks for."""
    text = NOTICES.get(request.query_params.get("notice", ""))
    return None if text is None else words.gettext(text)


def tell(
    refusal: Refused, words: Words, now: datetime, address: str, *, place: str | None = None, form: Form | None = None
) -> Told:
    """Put a refusal of a form into words; it repeats nothing of what was sent. ``address`` is where we are."""
    until = now + timedelta(seconds=refusal.retry_after_seconds) if isinstance(refusal, AttemptsSpent) else None
    problems = tuple(_problems(refusal, words, address, form))
    return Told(int(ANSWERS[refusal.reason][0]), problems, place, until, headers_of(refusal))


def _problems(refusal: Refused, words: Words, address: str, form: Form | None) -> list[Problem]:
    where = _field(refusal.reason, form)
    match refusal:
        case InvalidRequest(problems=problems):
            return [_malformed(name, problem, words, form) for name, problem in problems]
        case AttemptsSpent(retry_after_seconds=seconds):
            text = MAILS_SPENT if isinstance(refusal, MailsSpent) else REASONS[refusal.reason]
            return [Problem(words.gettext(text) % {"wait": duration(timedelta(seconds=seconds), words)})]
        case ClockOff(off_by=off_by):
            text = CLOCK_AHEAD if off_by > timedelta(0) else CLOCK_BEHIND
            return [Problem(words.gettext(text) % {"time": duration(abs(off_by), words)}, where)]
        case OriginRefused():
            return [Problem(words.gettext(REASONS[refusal.reason]) % {"address": address})]
        case PasswordRefused(why=why):
            return [Problem(_weak(why, words), where)]
        case _:
            return [Problem(words.gettext(_text(refusal.reason, where)), where)]


def _text(reason: str, where: str | None) -> str:
    match reason, where:
        case "code_refused", "backup_code":
            return BACKUP_CODE_REFUSED
        case "code_refused", "mailed_code":
            return MAILED_CODE_REFUSED
        case "credentials_refused", "current_password" | "password":
            return PASSWORD_WRONG
        case _:
            return REASONS.get(reason) or ANSWERS[reason][2]


def _field(reason: str, form: Form | None) -> str | None:
    """Return the field that a refusal is about: the first that was filled in, or else that the form has."""
    if form is None:
        return None
    names = [name for name in _FIELDS.get(reason, ()) if form.has(name)]
    return next((name for name in names if form.optional(name)), names[0] if names else None)


def _malformed(name: str, problem: str, words: Words, form: Form | None) -> Problem:
    if form is None or name not in MISSING:
        return Problem(words.gettext(UNREADABLE))
    texts = MISSING if problem in {REQUIRED, "must not be empty"} else MALFORMED
    text = PROBLEMS.get(problem) or texts.get(name) or MISSING[name]
    return Problem(words.gettext(text), name)


def _weak(why: str, words: Words) -> str:
    """Return what is wrong with a password; the policy says it in English, with a number in it perhaps."""
    number = next(iter(re.findall(r"\d+", why)), "")
    text = WEAK.get(re.sub(r"\d+", "N", why))
    return why if text is None else words.gettext(text) % {"number": number}


def duration(time: timedelta, words: Words) -> str:
    """Return a length of time in words, in the coarser unit when it is long."""
    seconds = int(time.total_seconds())
    if time < _LONG_WAIT:
        return words.ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    minutes = -(-seconds // 60)
    return words.ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
