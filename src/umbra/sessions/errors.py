from umbra.core.errors import Refused


class NotAuthenticated(Refused):
    """There is no valid session: none was shown, or it has ended."""

    reason = "not_authenticated"


class StepUpRequired(Refused):
    """The session's proof is too old, or too weak, for what was asked."""

    reason = "step_up_required"

    def __init__(self, methods: tuple[str, ...], max_age_seconds: int | None) -> None:
        super().__init__(self.reason)
        self.methods = methods
        self.max_age_seconds = max_age_seconds
