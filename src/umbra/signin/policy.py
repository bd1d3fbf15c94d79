"""When a proof is fresh and strong enough. Pure."""

from datetime import datetime, timedelta

from umbra.sessions.errors import StepUpRequired
from umbra.sessions.session import Session

FRESH_FOR = timedelta(minutes=10)
"""How long a proof counts as fresh for changes to the second factor (contract 1.2)."""

SECOND_FACTORS = ("totp", "backup_code")


def refuse_stale(session: Session, now: datetime, *, second_factor: bool) -> None:
    """Accept the session's proof for a change to the second factor, or ask for another one.

    Raises:
        StepUpRequired: It is older than ten minutes, or was a password where a second factor exists.
    """
    proven_at = session.second_factor_at if second_factor else session.authenticated_at
    if proven_at is None or now - proven_at > FRESH_FOR:
        raise step_up(second_factor=second_factor)


def step_up(*, second_factor: bool) -> StepUpRequired:
    """Return the refusal that names what would do."""
    methods = SECOND_FACTORS if second_factor else ("password",)
    return StepUpRequired(methods, int(FRESH_FOR.total_seconds()))
