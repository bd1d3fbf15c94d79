from umbra.core.errors import Refused


class ChallengeRefused(Refused):
    """The ``mfa_token`` is unknown, altered, expired, used, or has been guessed at five times."""

    reason = "challenge_refused"
