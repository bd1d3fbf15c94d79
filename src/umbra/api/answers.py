"""What callers get back: typed for the reader and the OpenAPI document, and not validated again on the way out."""

from datetime import datetime
from typing import (
    NotRequired,  # Pydantic cannot read typing's before Python 3.12
)

from typing_extensions import TypedDict

from umbra.backup_codes.store import BackupCodeCount
from umbra.core.secret import Secret
from umbra.sessions.session import Session
from umbra.signin.flows import CodeRequired
from umbra.signin.secondfactor import Status
from umbra.totp.flows import Setup
from umbra.totp.store import Authenticator
from umbra.users.user import User


class UserAnswer(TypedDict):
    id: int
    username: str
    email: str | None


class SessionAnswer(TypedDict):
    id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    amr: list[str]
    ip: str | None
    user_agent: str | None
    current: bool


class RegisteredAnswer(TypedDict):
    user: UserAnswer


class SignedInAnswer(TypedDict):
    status: str
    user: UserAnswer
    session: SessionAnswer
    token: NotRequired[str]
    backup_codes_remaining: NotRequired[int]
    enrolment_required: NotRequired[bool]


class CodeRequiredAnswer(TypedDict):
    status: str
    mfa_token: str
    expires_in: int
    methods: list[str]


class WhoAnswer(TypedDict):
    user: UserAnswer
    session: SessionAnswer


class RenewedAnswer(TypedDict):
    session: SessionAnswer
    token: NotRequired[str]


class SessionsAnswer(TypedDict):
    sessions: list[SessionAnswer]


class RevokedAnswer(TypedDict):
    revoked: int


class AuthenticatorAnswer(TypedDict):
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


class BackupCodeCountAnswer(TypedDict):
    total: int
    remaining: int
    created_at: datetime
    renewal_due: NotRequired[bool]


class StatusAnswer(TypedDict):
    enabled: bool
    authenticators: list[AuthenticatorAnswer]
    backup_codes: BackupCodeCountAnswer | None
    setup_pending: bool


class SetupAnswer(TypedDict):
    secret: str
    uri: str
    qr_code: str
    algorithm: str
    digits: int
    period: int
    expires_in: int


class ConfirmedAnswer(TypedDict):
    enabled: bool
    authenticator: AuthenticatorAnswer
    backup_codes: list[str] | None
    token: NotRequired[str]


class BackupCodesAnswer(TypedDict):
    backup_codes: list[str]


class CodeMailedAnswer(TypedDict):
    expires_in: int


def user(one: User) -> UserAnswer:
    """Show an account to its owner."""
    return {"id": one.id, "username": one.username, "email": one.email}


def session(one: Session, *, current: bool = True) -> SessionAnswer:
    """Show a session to its owner."""
    return {
        "id": one.id,
        "created_at": one.created_at,
        "last_seen_at": one.last_seen_at,
        "expires_at": one.expires_at,
        "authenticated_at": one.authenticated_at,
        "amr": one.amr,
        "ip": one.ip,
        "user_agent": one.user_agent,
        "current": current,
    }


def code_required(outcome: CodeRequired) -> CodeRequiredAnswer:
    """Show the challenge to whoever knew the password."""
    return {
        "status": "mfa_required",
        "mfa_token": outcome.mfa_token.reveal(),
        "expires_in": int(outcome.expires_in.total_seconds()),
        "methods": ["totp", "backup_code"],
    }


def authenticator(one: Authenticator) -> AuthenticatorAnswer:
    """Show an authenticator to its owner."""
    return {
        "id": one.id,
        "name": one.name,
        "created_at": one.created_at,
        "last_used_at": one.last_used_at,
    }


def status(one: Status) -> StatusAnswer:
    """Show the state of the second factor to its owner."""
    return {
        "enabled": one.enabled,
        "authenticators": [authenticator(each) for each in one.authenticators],
        "backup_codes": _count(one.backup_codes),
        "setup_pending": one.setup_pending,
    }


def setup(one: Setup) -> SetupAnswer:
    """Show a new secret, while it is being enrolled."""
    return {
        "secret": one.secret.reveal(),
        "uri": one.uri.reveal(),
        "qr_code": one.qr_code.reveal(),
        "algorithm": "SHA1",
        "digits": 6,
        "period": 30,
        "expires_in": int(one.expires_in.total_seconds()),
    }


def shown(secrets: tuple[Secret[str], ...]) -> list[str]:
    """Show fresh backup codes, this once."""
    return [secret.reveal() for secret in secrets]


def _count(one: BackupCodeCount | None) -> BackupCodeCountAnswer | None:
    if one is None:
        return None
    count: BackupCodeCountAnswer = {"total": one.total, "remaining": one.remaining, "created_at": one.created_at}
    if one.is_renewal_due:
        count["renewal_due"] = True
    return count
