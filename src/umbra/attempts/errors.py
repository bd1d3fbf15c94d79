import math
from datetime import timedelta

from umbra.core.errors import Refused


class AttemptsSpent(Refused):
    """No guesses left for now; nothing was looked at."""

    reason = "attempts_spent"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(self.reason)
        self.retry_after_seconds = max(1, math.ceil(retry_after.total_seconds()))
