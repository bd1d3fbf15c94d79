"""What a page says: about a refusal, and about what has just been done."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from umbra.attempts.errors import AttemptsSpent
from umbra.core.errors import InvalidRequest, Refused
from umbra.passwords.errors import PasswordRefused
from umbra.settings import Settings
from umbra.web.errors import OriginRefused, UnsupportedMediaType
from umbra.web.problems import ANSWERS, headers_of

NOTICES = {
    "first-run": "The account is made. Sign in with it now.",
    "registered": "Your account is made. Sign in with it now.",
    "signed-out": "You are signed out.",
    "backup-code": "You signed in with a backup code, which is used up now.",
    "stepped-up": "Thank you. You can add an authenticator now.",
    "added": "The authenticator is added, and your other sessions have ended.",
    "renamed": "The authenticator has its new name.",
    "removed": "The authenticator is removed.",
    "disabled": "Two-step sign-in is off, and your other sessions have ended.",
    "password": "Your password is changed, and your other sessions have ended.",
    "session-ended": "The session has ended.",
    "sessions-ended": "Your other sessions have ended.",
}
"""What an address may ask to be told by ``?notice=``: these texts and no others."""

_LABELS = {
    "authenticator_id": "Authenticator",
    "backup_code": "Backup code",
    "code": "Code",
    "current_password": "Current password",
    "email": "E-mail address",
    "name": "Name",
    "new_password": "New password",
    "password": "Password",
    "session_id": "Session",
    "username": "User name",
}

_LONG_WAIT_SECONDS = 120
"""From here on a wait is also said in minutes."""


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal in words for a person, and how HTTP says it."""

    status: int
    title: str
    text: str
    headers: Mapping[str, str]


def notice_of(request: Request) -> str | None:
    """Return the text that the address asks for."""
    return NOTICES.get(request.query_params.get("notice", ""))


def tell(refusal: Refused, settings: Settings) -> Told:
    """Put a refusal into words; it repeats nothing of what was sent."""
    status, title, text = ANSWERS[refusal.reason]
    match refusal:
        case InvalidRequest(problems=problems):
            title = "Check the form"
            text = " ".join(f"{_LABELS.get(name, 'Form')}: {problem}." for name, problem in problems)
        case AttemptsSpent(retry_after_seconds=seconds):
            text = f"Wait {_duration(seconds)} before the next attempt."
        case PasswordRefused(why=why):
            text = f"Choose another password: {why}."
        case OriginRefused():
            title = "Form refused"
            text = (
                "The form came from another site, or from a page that is out of date. "
                f"Open {settings.public_url} and try again."
            )
        case UnsupportedMediaType():
            text = "This address takes forms."
        case _:
            pass
    return Told(int(status), title, text, headers_of(refusal))


def _duration(seconds: int) -> str:
    if seconds < _LONG_WAIT_SECONDS:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{seconds} seconds ({-(-seconds // 60)} minutes)"
