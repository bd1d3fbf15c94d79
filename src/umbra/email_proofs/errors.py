from umbra.attempts.errors import AttemptsSpent
from umbra.core.errors import Refused


class EmailProofRequired(Refused):
    """This session has not shown that it reads the account's mail."""

    reason = "email_proof_required"


class MailsSpent(AttemptsSpent):
    """There were too many mails with a code within the hour."""


class FactorsChanged(Refused):
    """The second factor was changed a short while ago, so the mail address stays."""

    reason = "factors_changed"
