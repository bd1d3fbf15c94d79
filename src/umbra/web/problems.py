"""Refusals as HTTP answers (RFC 9457); the only module that knows both."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from umbra.attempts.errors import AttemptsSpent
from umbra.challenge.errors import ChallengeRefused
from umbra.core import request
from umbra.core.errors import Busy, InvalidRequest, NotFound, Refused, Unavailable
from umbra.core.proof import CodeRefused
from umbra.email_proofs.errors import EmailProofRequired, FactorsChanged
from umbra.links.errors import LinkRefused
from umbra.passwords.errors import CredentialsRefused, PasswordRefused
from umbra.sessions.errors import NotAuthenticated, StepUpRequired
from umbra.totp.errors import LastAuthenticator, NameTaken, NoSetupPending, NotEnabled
from umbra.users.errors import OwnAccount, RegistrationClosed, UsernameTaken
from umbra.web.answer import JsonAnswer
from umbra.web.errors import MethodNotAllowed, OriginRefused, TooLarge, UnsupportedMediaType

PROBLEM_JSON = b"application/problem+json"
INTERNAL = "internal"
BUSY_RETRY_SECONDS = 1

ANSWERS: dict[str, tuple[HTTPStatus, str, str]] = {
    InvalidRequest.reason: (HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", "The request is not of the form."),
    CredentialsRefused.reason: (HTTPStatus.UNAUTHORIZED, "Sign-in refused", "User name or password is wrong."),
    ChallengeRefused.reason: (HTTPStatus.UNAUTHORIZED, "Sign-in expired", "Start again with your password."),
    NotAuthenticated.reason: (HTTPStatus.UNAUTHORIZED, "Not signed in", "A valid session is required."),
    CodeRefused.reason: (HTTPStatus.BAD_REQUEST, "Code refused", "The code is not right, or no longer good."),
    LinkRefused.reason: (HTTPStatus.BAD_REQUEST, "Link refused", "The link was used, or is out of date."),
    AttemptsSpent.reason: (HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts", "Wait before the next attempt."),
    StepUpRequired.reason: (HTTPStatus.FORBIDDEN, "Fresh proof required", "Prove again that it is you."),
    EmailProofRequired.reason: (
        HTTPStatus.FORBIDDEN,
        "Proof of the mail address required",
        "Prove that you read the account's mail.",
    ),
    OriginRefused.reason: (HTTPStatus.FORBIDDEN, "Cross-site request refused", "Another site sent this request."),
    RegistrationClosed.reason: (HTTPStatus.FORBIDDEN, "Registration closed", "Ask the operator for an account."),
    NotFound.reason: (HTTPStatus.NOT_FOUND, "Not found", "There is nothing here."),
    MethodNotAllowed.reason: (HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", "Use one of the allowed methods."),
    TooLarge.reason: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large", "The body may have 64 KiB."),
    UnsupportedMediaType.reason: (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported media type",
        "Send application/json.",
    ),
    INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal fault", "The fault is ours; the log knows it by its id."),
    UsernameTaken.reason: (HTTPStatus.CONFLICT, "User name taken", "Another account has this name."),
    NoSetupPending.reason: (HTTPStatus.CONFLICT, "No set-up pending", "Begin a set-up first."),
    NotEnabled.reason: (HTTPStatus.CONFLICT, "Not enabled", "This account has no second factor."),
    LastAuthenticator.reason: (HTTPStatus.CONFLICT, "Last authenticator", "Disable the second factor instead."),
    NameTaken.reason: (HTTPStatus.CONFLICT, "Name taken", "Another authenticator has this name."),
    FactorsChanged.reason: (
        HTTPStatus.CONFLICT,
        "Second factor changed",
        "The mail address stays for 72 hours after a change of the second factor.",
    ),
    OwnAccount.reason: (HTTPStatus.CONFLICT, "Own account", "Operators do that to other people's accounts."),
    PasswordRefused.reason: (HTTPStatus.UNPROCESSABLE_ENTITY, "Password refused", "Choose another password."),
    Busy.reason: (HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "Try again in a moment."),
    Unavailable.reason: (HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", "Nothing was decided; try again."),
}
"""Status, title and text of every reason; docs/reference/reasons.md has the same list."""


def problem(refusal: Refused) -> Response:
    """Return the answer to a refusal; it repeats nothing of what was sent."""
    members: dict[str, Any] = {}
    match refusal:
        case InvalidRequest(problems=problems):
            members["errors"] = [{"field": field, "problem": text} for field, text in problems]
        case AttemptsSpent(retry_after_seconds=seconds):
            members["retry_after"] = seconds
        case StepUpRequired():
            members["methods"] = list(refusal.methods)
            if refusal.max_age_seconds is not None:
                members["max_age"] = refusal.max_age_seconds
        case PasswordRefused(why=why):
            members["detail"] = f"Choose another password: {why}."
    return problem_of(refusal.reason, headers=headers_of(refusal), **members)


def headers_of(refusal: Refused) -> dict[str, str]:
    """Return the headers that a refusal has on every face, and note that this is what the request comes to."""
    request.is_refused(refusal.reason)
    match refusal:
        case AttemptsSpent(retry_after_seconds=seconds):
            return {"Retry-After": str(seconds)}
        case Busy():
            return {"Retry-After": str(BUSY_RETRY_SECONDS)}
        case StepUpRequired(max_age_seconds=seconds):
            age = "" if seconds is None else f', max_age="{seconds}"'
            return {"WWW-Authenticate": f'Bearer error="insufficient_user_authentication"{age}'}  # RFC 9470, section 3
        case _:
            return {}


def problem_of(reason: str, *, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Return the answer to a reason, with further members."""
    status, title, detail = ANSWERS[reason]
    body = {
        "type": f"urn:umbra:reason:{reason}",
        "title": title,
        "status": int(status),
        "detail": detail,
        "reason": reason,
    }
    answer = JsonAnswer(body | members, int(status), PROBLEM_JSON)
    answer.raw_headers.append((b"cache-control", b"no-store"))
    if status == HTTPStatus.UNAUTHORIZED:
        answer.raw_headers.append((b"www-authenticate", b"Bearer"))
    answer.raw_headers += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return answer
