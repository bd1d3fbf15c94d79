"""When a proof is fresh and strong enough. Pure."""

from datetime import datetime, timedelta

from umbra.email_proofs.errors import FactorsChanged
from umbra.sessions.errors import StepUpRequired
from umbra.sessions.session import Session

FRESH_FOR = timedelta(minutes=10)
"""How long a proof counts as fresh for changes to the second factor (contract 1.2)."""

ADDRESS_STAYS_FOR = timedelta(hours=72)
"""How long after a change of the second factor the mail address cannot be changed: time for its owner to read of it."""

SECOND_FACTORS = ("totp", "backup_code")


def refuse_stale(session: Session, now: datetime, *, second_factor: bool, within: timedelta | None = FRESH_FOR) -> None:
    """Accept the session's proof for what needs a fresh one, or ask for another.

    Raises:
        StepUpRequired: It is older than ``within``, or was a password where a second factor is wanted.
    """
    proven_at = session.second_factor_at if second_factor else session.authenticated_at
    if proven_at is None or (within is not None and now - proven_at > within):
        raise step_up(second_factor=second_factor, within=within)


def refuse_changed_factors(changed_at: datetime | None, now: datetime) -> None:
    """Accept a second factor that has been what it is for a while.

    Raises:
        FactorsChanged: It was changed less than 72 hours ago.
    """
    if changed_at is not None and now - changed_at < ADDRESS_STAYS_FOR:
        raise FactorsChanged


def step_up(*, second_factor: bool, within: timedelta | None = FRESH_FOR) -> StepUpRequired:
    """Return the refusal that names what would do."""
    methods = SECOND_FACTORS if second_factor else ("password",)
    return StepUpRequired(methods, None if within is None else int(within.total_seconds()))
